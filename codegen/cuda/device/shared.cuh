#pragma once
// Tiles in shared memory, as the copy engine writes and the tensor cores read them.
//
// A tile is stored in column blocks of 128 bytes: each block is `rows` lines, and the 16-byte chunks of line r are
// permuted by c ^ (r % 8), the 128-byte swizzle. Copies write and mma reads it so; other accesses use `chunk_address`.

#include "barrier.cuh"

namespace tessera {

// f32 in shared memory, for tensor cores that see no bits behind the tenth of the fraction.
struct tf32 {
  float value;
};

template <class T, class U>
constexpr bool is_same = false;
template <class T>
constexpr bool is_same<T, T> = true;

template <class T, int row_count, int column_count>
struct alignas(1024) Tile {
  using Element = T;
  static constexpr int rows = row_count, columns = column_count, line = 128 / int(sizeof(T)), pitch = row_count;
  static constexpr bool is_f16 = sizeof(T) == 2 && !is_same<T, bf16>;
  static_assert(column_count % line == 0 && row_count % 8 == 0, "whole lines, whole swizzle patterns");

  T values[columns / line][rows][line];

  TESSERA_DEVICE u32 address() const { return shared_address(this); }
};

// Some rows of a tile, from one that is a multiple of 8 on, or some of its column blocks.
template <class T, int row_count, int column_count, int pitch_rows>
struct TilePart {
  using Element = T;
  static constexpr int rows = row_count, columns = column_count, line = 128 / int(sizeof(T)), pitch = pitch_rows;
  static constexpr bool is_f16 = sizeof(T) == 2 && !is_same<T, bf16>;

  u32 start;

  TESSERA_DEVICE u32 address() const { return start; }
};

template <int count, class T, int R, int C>
TESSERA_DEVICE TilePart<T, count, C, R> rows(const Tile<T, R, C>& tile, int first) {
  return {tile.address() + static_cast<u32>(first) * 128};
}

// `first` is a multiple of the columns of a block.
template <int count, class T, int R, int C>
TESSERA_DEVICE TilePart<T, R, count, R> columns(const Tile<T, R, C>& tile, int first) {
  return {tile.address() + static_cast<u32>(first / Tile<T, R, C>::line * R * 128)};
}

template <int count, class T, int R, int C, int P>
TESSERA_DEVICE TilePart<T, R, count, P> columns(const TilePart<T, R, C, P>& part, int first) {
  return {part.start + static_cast<u32>(first / TilePart<T, R, C, P>::line * P * 128)};
}

template <class T>
constexpr u32 bytes_of = T::rows * T::columns * sizeof(typename T::Element);

// Where the 16-byte chunk `chunk` of line `row` lies, in the column block that starts at `block`.
TESSERA_DEVICE u32 chunk_address(u32 block, int row, int chunk) {
  return block + static_cast<u32>(row * 128 + ((chunk ^ (row % 8)) << 4));
}

// ---- what mma is told of an operand: 14 bits of address, leading and stride offset, swizzle mode ----

TESSERA_DEVICE u64 operand_descriptor(u32 address, u32 leading_bytes, u32 stride_bytes) {
  return static_cast<u64>((address & 0x3ffff) >> 4) | static_cast<u64>(leading_bytes >> 4) << 16 |
         static_cast<u64>(stride_bytes >> 4) << 32 | 1ull << 62;  // 1: 128-byte swizzle
}

// K runs along the columns: what one instruction takes is 32 bytes of a line, and after four the next column block.
template <class Part>
TESSERA_DEVICE u64 operand_along_columns(const Part& part, int k) {
  const u32 offset =
      static_cast<u32>(k / Part::line * Part::pitch * 128 + k % Part::line * int(sizeof(typename Part::Element)));
  return operand_descriptor(part.address() + offset, 16, 1024);
}

// K runs along the rows: a step of 16 is 16 lines, and the next column block is `leading` away.
template <class Part>
TESSERA_DEVICE u64 operand_along_rows(const Part& part, int k) {
  return operand_descriptor(part.address() + static_cast<u32>(k * 128), Part::pitch * 128, 1024);
}

}  // namespace tessera
