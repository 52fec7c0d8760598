#pragma once
// Values of a whole tile, spread over the registers of a warpgroup as the tensor cores leave them.
//
//   Fragment<N>         64 x N floats. Thread t holds rows t / 32 * 16 + t % 32 / 4 + {0, 8} and, of every 8 columns,
//                       the two from 2 * (t % 4) on: register 4 j + 2 i + c is row i, column 8 j + c of that.
//   Fragment<N, bf16>   the same, rounded, two columns in a register. As it stands it is a left operand of a product.
//   Row                 one float for each of the 64 rows: two per thread, the same in the four lanes that share a row.
//
// All loops over registers are unrolled: an index that is not constant would move the array to memory.

#include "tma.cuh"
#include "wgmma.cuh"

namespace tessera {

// The row and column, in a fragment, of this thread's registers.
TESSERA_DEVICE int first_row() { return warp_of_warpgroup() * 16 + lane() / 4; }
TESSERA_DEVICE int first_column() { return lane() % 4 * 2; }

// ---- rows ----

struct Row {
  float v[2];

  TESSERA_DEVICE Row() {}
  TESSERA_DEVICE Row(float x) : v{x, x} {}
  TESSERA_DEVICE Row(float upper, float lower) : v{upper, lower} {}

  template <class F>
  TESSERA_DEVICE Row map(F f) const {
    return {f(v[0]), f(v[1])};
  }
};

TESSERA_DEVICE Row operator+(Row a, Row b) { return {a.v[0] + b.v[0], a.v[1] + b.v[1]}; }
TESSERA_DEVICE Row operator-(Row a, Row b) { return {a.v[0] - b.v[0], a.v[1] - b.v[1]}; }
TESSERA_DEVICE Row operator*(Row a, Row b) { return {a.v[0] * b.v[0], a.v[1] * b.v[1]}; }
TESSERA_DEVICE Row max(Row a, Row b) { return {fmaxf(a.v[0], b.v[0]), fmaxf(a.v[1], b.v[1])}; }
TESSERA_DEVICE Row exp2(Row a) { return {exp2(a.v[0]), exp2(a.v[1])}; }
TESSERA_DEVICE Row log2(Row a) { return {log2(a.v[0]), log2(a.v[1])}; }
TESSERA_DEVICE Row reciprocal_or_zero(Row a) { return {reciprocal_or_zero(a.v[0]), reciprocal_or_zero(a.v[1])}; }
// Where everything is masked the maximum is -infinity: 0 in its place keeps -infinity minus it from being NaN.
TESSERA_DEVICE Row finite_or_zero(Row a) {
  return a.map([](float x) { return x == -infinity ? 0.f : x; });
}

TESSERA_DEVICE Row sum_of_lanes(Row a) {
#pragma unroll
  for (int distance = 1; distance <= 2; distance *= 2)
    a = a + Row(__shfl_xor_sync(0xffffffff, a.v[0], distance), __shfl_xor_sync(0xffffffff, a.v[1], distance));
  return a;
}
TESSERA_DEVICE Row max_of_lanes(Row a) {
#pragma unroll
  for (int distance = 1; distance <= 2; distance *= 2)
    a = max(a, Row(__shfl_xor_sync(0xffffffff, a.v[0], distance), __shfl_xor_sync(0xffffffff, a.v[1], distance)));
  return a;
}

// ---- fragments ----

template <int N, class T = float>
struct Fragment;

template <int N>
struct Fragment<N, bf16> {
  u32 v[N / 16][4];
};

template <int N>
struct Fragment<N, float> {
  float v[N / 2];

  TESSERA_DEVICE Fragment() {}
  TESSERA_DEVICE explicit Fragment(float x) {
#pragma unroll
    for (int r = 0; r < N / 2; ++r) v[r] = x;
  }

  // value = f(value, row, column, what each of `rows` holds for its row)
  template <class F, class... Rows>
  TESSERA_DEVICE void map(F f, const Rows&... of_rows) {
#pragma unroll
    for (int r = 0; r < N / 2; ++r)
      v[r] = f(v[r], first_row() + r / 2 % 2 * 8, first_column() + r / 4 * 8 + r % 2, of_rows.v[r / 2 % 2]...);
  }
  TESSERA_DEVICE void add(const Fragment& more) {
#pragma unroll
    for (int r = 0; r < N / 2; ++r) v[r] += more.v[r];
  }
  TESSERA_DEVICE void scale_rows(Row a) {
#pragma unroll
    for (int r = 0; r < N / 2; ++r) v[r] *= a.v[r / 2 % 2];
  }

  TESSERA_DEVICE Row row_max() const {
    Row best(v[0], v[2]);
#pragma unroll
    for (int r = 1; r < N / 2; ++r)
      if (r != 2) best.v[r / 2 % 2] = fmaxf(best.v[r / 2 % 2], v[r]);
    return max_of_lanes(best);
  }
  // The sum of what this lane holds of its rows: four lanes share one, and `sum_of_lanes` makes it whole, once.
  TESSERA_DEVICE Row lane_sum() const {
    Row sum(0.f);
#pragma unroll
    for (int r = 0; r < N / 2; ++r) sum.v[r / 2 % 2] += v[r];
    return sum;
  }

  TESSERA_DEVICE Fragment<N, bf16> to_bf16() const {
    Fragment<N, bf16> rounded;
#pragma unroll
    for (int r = 0; r < N / 2; r += 2) rounded.v[r / 8][r / 2 % 4] = pack_bf16(v[r], v[r + 1]);
    return rounded;
  }
};

// ---- products: each call issues one group; `mma_wait` must come before its result or its operands are touched ----

template <bool a_rows, bool b_rows, int N, class A, class B>
TESSERA_DEVICE void issue_mma(Fragment<N>& acc, const A& a, const B& b, bool accumulate) {
  constexpr bool is_tf32 = is_same<typename A::Element, tf32>;
  static_assert(!is_tf32 || (!a_rows && !b_rows), "tf32 lies along K");
  pin(acc.v);
  wgmma_fence();
#pragma unroll
  for (int k = 0; k < (a_rows ? A::rows : A::columns); k += 32 / int(sizeof(typename A::Element))) {
    const u64 at_a = a_rows ? operand_along_rows(a, k) : operand_along_columns(a, k);
    const u64 at_b = b_rows ? operand_along_rows(b, k) : operand_along_columns(b, k);
    if constexpr (is_tf32) wgmma_tf32(acc.v, at_a, at_b, accumulate || k > 0);
    else wgmma<A::is_f16, a_rows, b_rows>(acc.v, at_a, at_b, accumulate || k > 0);
  }
  wgmma_commit();
}

template <bool a_rows, bool b_rows, int N, int K, class B>
TESSERA_DEVICE void issue_mma(Fragment<N>& acc, const Fragment<K, bf16>& a, const B& b, bool accumulate) {
  static_assert(!a_rows, "registers hold K along a row");
  pin(acc.v);
  wgmma_fence();
#pragma unroll
  for (int k = 0; k < K; k += 16)
    wgmma<b_rows>(acc.v, a.v[k / 16], b_rows ? operand_along_rows(b, k) : operand_along_columns(b, k),
                  accumulate || k > 0);
  wgmma_commit();
}

// acc[m, n] (+)= sum over k of a[m, k] b[n, k]
template <int N, class A, class B>
TESSERA_DEVICE void mma_abt(Fragment<N>& acc, const A& a, const B& b, bool accumulate) {
  static_assert(B::rows == N, "a row of b is a column of the result");
  issue_mma<false, false>(acc, a, b, accumulate);
}

// … of a[m, k] b[k, n]; a may be a rounded fragment.
template <int N, class A, class B>
TESSERA_DEVICE void mma_ab(Fragment<N>& acc, const A& a, const B& b, bool accumulate) {
  static_assert(B::columns == N, "a column of b is a column of the result");
  issue_mma<false, true>(acc, a, b, accumulate);
}

// … of a[k, m] b[n, k]
template <int N, class A, class B>
TESSERA_DEVICE void mma_atbt(Fragment<N>& acc, const A& a, const B& b, bool accumulate) {
  static_assert(B::rows == N && A::columns == 64, "a column of a is a row of the result");
  issue_mma<true, false>(acc, a, b, accumulate);
}

// … of a[k, m] b[k, n]
template <int N, class A, class B>
TESSERA_DEVICE void mma_atb(Fragment<N>& acc, const A& a, const B& b, bool accumulate) {
  static_assert(B::columns == N && A::columns == 64, "a column of a is a row of the result");
  issue_mma<true, true>(acc, a, b, accumulate);
}

// Until at most `pending` groups run. Results that are complete then are named, others must not be touched.
template <int pending>
TESSERA_DEVICE void mma_wait() {
  wgmma_wait<pending>();
}
template <int pending, int N>
TESSERA_DEVICE void mma_wait(Fragment<N>& done) {
  wgmma_wait<pending>();
  pin(done.v);
}

// ---- to memory ----

// The values of the first `count` rows, at consecutive places.
TESSERA_DEVICE void store(float* to, Row x, int count) {
  if (lane() % 4 != 0) return;
  if (first_row() < count) to[first_row()] = x.v[0];
  if (first_row() + 8 < count) to[first_row() + 8] = x.v[1];
}

// Where, of 16 columns from c on of a tile, the line is that this lane moves for its warp: see put_matrices.
template <class T>
TESSERA_DEVICE u32 place_of_lane(const T& tile, int c) {
  const int row = warp_of_warpgroup() * 16 + lane() % 16;
  return chunk_address(tile.address() + c / 64 * T::pitch * 128, row, c % 64 / 8 + lane() / 16);
}

template <int N, class T>
TESSERA_DEVICE void put(const T& tile, const Fragment<N, bf16>& x) {
  static_assert(T::rows == 64 && T::columns == N && N % 64 == 0, "whole lines of one warpgroup's rows");
#pragma unroll
  for (int c = 0; c < N; c += 16) put_matrices(place_of_lane(tile, c), x.v[c / 16]);
}

// Through `staging`, once the store before has left it, to a box at the coordinates; what lies outside is dropped.
template <int N, class T, class... Coordinates>
TESSERA_DEVICE void store(const TensorMap& map, const T& staging, const Fragment<N, bf16>& x, Coordinates... at) {
  store_wait_read<0>();  // of the thread that stores: the others have no groups
  warpgroup_sync();
  put(staging, x);
  publish_shared();
  warpgroup_sync();
  if (thread_of_warpgroup() == 0) {
    store(map, staging, at...);
    store_commit();
  }
}

}  // namespace tessera
