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

// 64 x 64 elements; lines begin in other banks.
struct TurnTile {
  float values[64][65];
};

// Of `depth` lines of `rows` neighbours each, to `rows` lines of `depth`, by 256 threads for tile `at`; and the rests of that,
// unless `rests` is null. Neighbours are read `width` at once, 4 or 1.
template <int rows, int depth, int width, class Offset>
TESSERA_DEVICE void turn(float* to, float* rests, Offset to_line, const float* from, Offset from_line, int at) {
  constexpr int across = (rows + 63) / 64, per_line = 64 / 4, lines = 256 / per_line;
  TurnTile& tile = shared_memory<TurnTile>();
  const int first_row = at % across * 64, first_k = at / across * 64;
  const int line = static_cast<int>(threadIdx.x) / per_line, place = static_cast<int>(threadIdx.x) % per_line * 4;
#pragma unroll
  for (int i = line; i < 64; i += lines) {
    const int k = first_k + i;
    const Vector<float, 4> values = four_of_line<width>(from + k * from_line, first_row + place, k < depth ? rows : 0);
#pragma unroll
    for (int j = 0; j < 4; ++j) tile.values[place + j][i] = values[j];
  }
  __syncthreads();
#pragma unroll
  for (int i = line; i < 64; i += lines) {
    const int row = first_row + i, k = first_k + place;
    if (row >= rows || k >= depth) continue;
    Vector<float, 4> values;
#pragma unroll
    for (int j = 0; j < 4; ++j) values[j] = tile.values[i][place + j];
    store(to + row * to_line + k, values);
    if (rests) store(rests + row * to_line + k, rests_of_tf32(values));
  }
}

// Of `rows` lines of `depth` neighbours each, by 256 threads for four elements each, in block `at`: a copy and the rests, unless
// they are null.
template <int rows, int depth, int width, class Offset>
TESSERA_DEVICE void copy_lines(float* to, float* rests, Offset to_line, const float* from, Offset from_line, int at) {
  constexpr int per_line = (depth + 3) / 4;
  const Offset four = static_cast<Offset>(at) * 256 + static_cast<int>(threadIdx.x);
  const Offset row = four / per_line;
  const int k = static_cast<int>(four % per_line) * 4;
  if (row >= rows) return;
  const Vector<float, 4> values = four_of_line<width>(from + row * from_line, k, depth);
  if (to) store(to + row * to_line + k, values);
  if (rests) store(rests + row * to_line + k, rests_of_tf32(values));
}

}  // namespace tessera
