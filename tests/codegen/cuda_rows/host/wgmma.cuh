#pragma once
// Stands in for device/wgmma.cuh. Each thread computes what it holds of the sums, from where the descriptors say that the
// operands lie, when its group is waited for. Sums are truncated, as tensor cores do.

#include <deque>
#include <functional>
#include <vector>

#include "barrier.cuh"
#include "convert.cuh"
#include "shared_memory.cuh"

namespace tessera {

inline std::deque<std::vector<std::function<void()>>> host_products[2][1024];  // of each thread; the last is open
inline auto& products_of_thread() {
  auto& groups = host_products[tessera_host_block->rank][threadIdx.x];
  if (groups.empty()) groups.emplace_back();
  return groups;
}

// Element (row, k) of an operand: K along lines of 128 bytes, or lines for each k.
template <bool is_f16> float operand_element(u64 descriptor, bool along_rows, int row, int k) {
  if (descriptor >> 62 != 1) __builtin_trap();  // the 128-byte swizzle
  const u32 start = static_cast<u32>(descriptor & 0x3fff) << 4, leading = static_cast<u32>(descriptor >> 16 & 0x3fff) << 4,
            stride = static_cast<u32>(descriptor >> 32 & 0x3fff) << 4;
  const auto r = static_cast<u32>(row), i = static_cast<u32>(k);
  u32 address = along_rows ? start + r % 64 * 2 + r / 64 * leading + i % 8 * 128 + i / 8 * stride
                           : start + r % 8 * 128 + r / 8 * stride + i * 2;
  address ^= (address >> 7 & 7) << 4;
  u16 bits;
  std::memcpy(&bits, shared_at(address), 2);
  if constexpr (is_f16) return widen(f16{bits});
  else return widen(bf16{bits});
}

template <int depth, class A, int registers, class B> void add_wgmma(float (&d)[registers], A a, B b, bool accumulate) {
  for (int r = 0; r < registers; ++r) {
    double sum = accumulate ? d[r] : 0;
    const int row = static_cast<int>(threadIdx.x % 128 / 32 * 16 + threadIdx.x % 32 / 4) + r / 2 % 2 * 8;
    const int column = r / 4 * 8 + static_cast<int>(threadIdx.x % 4) * 2 + r % 2;
    for (int k = 0; k < depth; ++k) sum += static_cast<double>(a(row, k)) * static_cast<double>(b(column, k));
    d[r] = __double2float_rz(sum);
  }
}

template <bool is_f16, int a_rows, int b_rows, int registers>
void wgmma(float (&d)[registers], u64 a, u64 b, bool accumulate) {
  float(*to)[registers] = &d;
  products_of_thread().back().push_back([=] {
    float line[2][16];  // the thread's rows of a
    for (int i = 0; i < 2; ++i)
      for (int k = 0; k < 16; ++k)
        line[i][k] = operand_element<is_f16>(
            a, a_rows, static_cast<int>(threadIdx.x % 128 / 32 * 16 + threadIdx.x % 32 / 4) + 8 * i, k);
    float seen[registers / 2][16];  // and its columns of b
    for (int c = 0; c < registers / 2; ++c)
      for (int k = 0; k < 16; ++k)
        seen[c][k] = operand_element<is_f16>(b, b_rows, c / 2 * 8 + static_cast<int>(threadIdx.x % 4) * 2 + c % 2, k);
    add_wgmma<16>(
        *to, [&](int row, int k) { return line[row % 16 / 8][k]; },
        [&](int column, int k) { return seen[column / 8 * 2 + column % 2][k]; }, accumulate);
  });
}

// tf32 along K: bits behind the tenth of the fraction are not seen.
inline float tf32_element(u64 descriptor, int row, int k) {
  if (descriptor >> 62 != 1) __builtin_trap();
  const u32 start = static_cast<u32>(descriptor & 0x3fff) << 4, stride = static_cast<u32>(descriptor >> 32 & 0x3fff) << 4;
  const auto r = static_cast<u32>(row);
  u32 address = start + r % 8 * 128 + r / 8 * stride + static_cast<u32>(k) * 4;
  address ^= (address >> 7 & 7) << 4;
  u32 bits;
  std::memcpy(&bits, shared_at(address), sizeof bits);
  return __uint_as_float(bits & 0xffffe000);
}

template <int registers> void wgmma_tf32(float (&d)[registers], u64 a, u64 b, bool accumulate) {
  float(*to)[registers] = &d;
  const int first = static_cast<int>(threadIdx.x % 128 / 32 * 16 + threadIdx.x % 32 / 4), lane_of_four = static_cast<int>(threadIdx.x % 4);
  products_of_thread().back().push_back([=] {
    float line[2][8], seen[registers / 2][8];  // the thread's rows of a, its columns of b
    for (int k = 0; k < 8; ++k) {
      for (int i = 0; i < 2; ++i) line[i][k] = tf32_element(a, first + 8 * i, k);
      for (int c = 0; c < registers / 2; ++c) seen[c][k] = tf32_element(b, c / 2 * 8 + lane_of_four * 2 + c % 2, k);
    }
    add_wgmma<8>(
        *to, [&](int row, int k) { return line[row % 16 / 8][k]; },
        [&](int column, int k) { return seen[column / 8 * 2 + column % 2][k]; }, accumulate);
  });
}

// The left operand in registers, as accumulators lie when two columns are packed in one. They are read as late as products
// run, and the lanes of a warp show them to each other then.
template <class T, bool is_f16, int b_rows, int registers>
void add_later(float (&d)[registers], const u32 (&a)[4], u64 b, bool accumulate) {
  float(*to)[registers] = &d;
  const u32(*from)[4] = &a;
  products_of_thread().back().push_back([=] {
    struct Registers {
      T x[4][2];
    } mine, all[32];
    std::memcpy(mine.x, *from, sizeof mine.x);
    tessera_host_block->exchange(&mine, all, sizeof mine);
    add_wgmma<16>(
        *to, [&](int row, int k) { return widen(all[row % 8 * 4 + k % 8 / 2].x[row % 16 / 8 + k / 8 * 2][k % 2]); },
        [&](int column, int k) { return operand_element<is_f16>(b, b_rows, column, k); },
        accumulate);
  });
}
template <int b_rows, int registers> void wgmma(float (&d)[registers], const u32 (&a)[4], u64 b, bool accumulate) {
  add_later<bf16, false, b_rows>(d, a, b, accumulate);
}
template <int b_rows, int registers> void wgmma_f16(float (&d)[registers], const u32 (&a)[4], u64 b, bool accumulate) {
  add_later<f16, true, b_rows>(d, a, b, accumulate);
}

inline void wgmma_fence() {}
inline void wgmma_commit() { products_of_thread().emplace_back(); }
// Products are those of a warpgroup: they are done, and have read their operands, for all four warps at once.
template <int pending> void wgmma_wait() {
  auto& groups = products_of_thread();
  if (groups.size() <= pending + 1) return;
  for (; groups.size() > pending + 1; groups.pop_front())
    for (auto& product : groups.front()) product();
  host_multiplied(warpgroup()).sync(128);
}
template <int count> void pin(float (&)[count]) {}

// Lanes show each other their registers; lane l says where line l % 8 of matrix l / 8 goes.
inline void put_matrices(u32 at, const u32 (&x)[4]) {
  struct Registers {
    u32 x[4];
  } mine, all[32];
  std::memcpy(mine.x, x, sizeof x);
  tessera_host_block->exchange(&mine, all, sizeof mine);
  const int l = lane();
  u32 line[4];
  for (int i = 0; i < 4; ++i) line[i] = all[l % 8 * 4 + i].x[l / 8];
  std::memcpy(shared_at(at), line, 16);
}
inline void get_matrices(u32 (&x)[4], u32 at) {
  u32 line[4], lines[32][4];
  std::memcpy(line, shared_at(at), 16);
  tessera_host_block->exchange(&line, lines, sizeof line);
  const int l = lane();
  for (int i = 0; i < 4; ++i) x[i] = lines[8 * i + l / 4][l % 4];
}

}  // namespace tessera
