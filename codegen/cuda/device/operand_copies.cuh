#pragma once
// What is written of an operand of f32 before wgmma multiplies it: a copy whose columns are lines or whose lines are multiples
// of 16 bytes, and what tf32 leaves of each value. Copies lie dense, with zeros at the ends of their lines.

#include "rows.cuh"
#include "shared_memory.cuh"

namespace tessera {

// x less what the copy engine makes of it, which rounds half ways to even. Nothing is left of what is not finite.
TESSERA_DEVICE float rest_of_tf32(float x) {
  const u32 bits = __float_as_uint(x), near = (bits + 0xfff + (bits >> 13 & 1)) & 0xffffe000;
  return fabsf(x) < 0x1.ffep127f ? x - __uint_as_float(near) : 0.f;
}
TESSERA_DEVICE Vector<float, 4> rests_of_tf32(const Vector<float, 4>& x) {
  Vector<float, 4> rests;
#pragma unroll
  for (int j = 0; j < 4; ++j) rests[j] = rest_of_tf32(x[j]);
  return rests;
}

// Four neighbours of a line that ends at `end`, zeros behind it; `width` may be read at once.
template <int width> TESSERA_DEVICE Vector<float, 4> four_of_line(const float* line, int first, int end) {
  Vector<float, 4> values = {};
  if (width == 4 && first + 4 <= end) return load<4>(line + first);
#pragma unroll
  for (int j = 0; j < 4; ++j)
    if (first + j < end) values[j] = line[first + j];
  return values;
}

// Where a form of an operand is written, and what tf32 leaves of it; null: nowhere. Lines are dense, of whole 16 bytes.
struct Form {
  float *values, *rests;
};
template <int length, class Offset>
TESSERA_DEVICE void store_four(const Form& to, Offset line, int first, const Vector<float, 4>& values) {
  const Offset at = line * ((length + 3) / 4 * 4) + first;
  if (to.values) store(to.values + at, values);
  if (to.rests) store(to.rests + at, rests_of_tf32(values));
}

// 64 x 64 elements; lines begin in other banks.
struct TurnTile {
  float values[64][65];
};

// Of `lines` lines of `length` neighbours each, to `length` lines of `lines`, by 256 threads for tile `at`; and to lines as they
// are read. Neighbours are read `width` at once, 4 or 1.
template <int length, int lines, int width, class Offset>
TESSERA_DEVICE void turn(const Form& turned, const Form& as_it_lies, const float* from, Offset from_line, int at) {
  constexpr int across = (length + 63) / 64, per_line = 64 / 4, at_once = 256 / per_line;
  TurnTile& tile = shared_memory<TurnTile>();
  const int first = at % across * 64, first_line = at / across * 64;
  const int line = static_cast<int>(threadIdx.x) / per_line, place = static_cast<int>(threadIdx.x) % per_line * 4;
#pragma unroll
  for (int i = line; i < 64; i += at_once) {
    const bool is_there = first_line + i < lines && first + place < length;
    const float* const from_here = from + (first_line + i) * from_line;
    const Vector<float, 4> values = four_of_line<width>(from_here, first + place, is_there ? length : 0);
    if (is_there) store_four<length, Offset>(as_it_lies, first_line + i, first + place, values);
#pragma unroll
    for (int j = 0; j < 4; ++j) tile.values[place + j][i] = values[j];
  }
  __syncthreads();
#pragma unroll
  for (int i = line; i < 64; i += at_once) {
    if (first + i >= length || first_line + place >= lines) continue;
    Vector<float, 4> values;
#pragma unroll
    for (int j = 0; j < 4; ++j) values[j] = tile.values[i][place + j];
    store_four<lines, Offset>(turned, first + i, first_line + place, values);
  }
}

// Of `lines` lines of `length` neighbours each, by 256 threads for four elements each, in block `at`.
template <int length, int lines, int width, class Offset>
TESSERA_DEVICE void copy_lines(const Form& to, const float* from, Offset from_line, int at) {
  constexpr int per_line = (length + 3) / 4;
  const Offset four = static_cast<Offset>(at) * 256 + static_cast<int>(threadIdx.x);
  const Offset line = four / per_line;
  const int place = static_cast<int>(four % per_line) * 4;
  if (line < lines) store_four<length>(to, line, place, four_of_line<width>(from + line * from_line, place, length));
}

}  // namespace tessera
