#pragma once
// Stands in for device/mma.cuh: the lanes of a warp show each other their registers. Sums are truncated, as tensor cores do.

#include "convert.cuh"

namespace tessera {

inline void split_tf32(float x, float& big, float& small) {
  big = __uint_as_float((__float_as_uint(x) + 0x1000) & 0xffffe000);
  small = x - big;
}

inline float round_to_tf32(float x) {
  return x != x ? x : __uint_as_float((__float_as_uint(x) + 0x1000) & 0xffffe000);
}

// d[rows g, g + 8; columns 2t, 2t + 1] += Σ over k of x(row, k) · y(column, k).
template <int depth, class X, class Y> void add_products(float (&d)[4], X x, Y y) {
  const int g = static_cast<int>(threadIdx.x) % 32 / 4, t = static_cast<int>(threadIdx.x) % 4;
  for (int r = 0; r < 4; ++r) {
    double sum = d[r];
    for (int k = 0; k < depth; ++k)
      sum += static_cast<double>(x(g + r / 2 * 8, k)) * static_cast<double>(y(2 * t + r % 2, k));
    d[r] = __double2float_rz(sum);
  }
}

inline void mma_tf32(float (&d)[4], const float (&a)[4], const float (&b)[2]) {
  struct Registers {
    float a[4], b[2];
  } mine, all[32];
  std::memcpy(mine.a, a, sizeof a), std::memcpy(mine.b, b, sizeof b);
  tessera_host_block->exchange(&mine, all, sizeof mine);
  auto seen = [](float x) { return __uint_as_float(__float_as_uint(x) & 0xffffe000); };
  add_products<8>(
      d, [&](int row, int k) { return seen(all[row % 8 * 4 + k % 4].a[row / 8 + k / 4 * 2]); },
      [&](int column, int k) { return seen(all[column * 4 + k % 4].b[k / 4]); });
}

template <class T> void mma_half(T, float (&d)[4], const u32 (&a)[4], const u32* b) {
  struct Registers {
    T a[4][2], b[2][2];
  } mine, all[32];
  std::memcpy(mine.a, a, sizeof mine.a), std::memcpy(mine.b, b, sizeof mine.b);
  tessera_host_block->exchange(&mine, all, sizeof mine);
  add_products<16>(
      d, [&](int row, int k) { return widen(all[row % 8 * 4 + k % 8 / 2].a[row / 8 + k / 8 * 2][k % 2]); },
      [&](int column, int k) { return widen(all[column * 4 + k % 8 / 2].b[k / 8][k % 2]); });
}

template <bool transposed> void load_lines(u32 (&to)[4], const void* line) {
  const u16* lines[32];
  tessera_host_block->exchange(&line, lines, sizeof line);
  const int g = static_cast<int>(threadIdx.x) % 32 / 4, t = static_cast<int>(threadIdx.x) % 4;
  for (int i = 0; i < 4; ++i) {
    const u16 low = transposed ? lines[8 * i + 2 * t][g] : lines[8 * i + g][2 * t];
    const u16 high = transposed ? lines[8 * i + 2 * t + 1][g] : lines[8 * i + g][2 * t + 1];
    to[i] = low | static_cast<u32>(high) << 16;
  }
}
inline void load_matrices(u32 (&to)[4], const void* line) { load_lines<false>(to, line); }
inline void load_matrices_transposed(u32 (&to)[4], const void* line) { load_lines<true>(to, line); }

}  // namespace tessera
