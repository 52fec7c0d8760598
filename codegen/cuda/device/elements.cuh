#pragma once
// How routines see a tensor: [outer, extent, inner], worked along its middle. A lane is one of the outer * inner lines of
// `extent` elements. Types that are only stored are computed in f32.

#include "reduce.cuh"
#include "scalar.cuh"
#include "vector.cuh"

namespace tessera {

template <class T> struct ComputedIn { using type = T; };
template <> struct ComputedIn<bf16> { using type = float; };
template <> struct ComputedIn<f16> { using type = float; };
template <class T> using Computed = typename ComputedIn<T>::type;

template <class T> TESSERA_DEVICE T computed(T x) { return x; }
TESSERA_DEVICE float computed(bf16 x) { return widen(x); }
TESSERA_DEVICE float computed(f16 x) { return widen(x); }

template <class T> struct Stored {
  static TESSERA_DEVICE T of(T x) { return x; }
};
template <> struct Stored<bf16> {
  static TESSERA_DEVICE bf16 of(float x) { return narrow<bf16>(x); }
};
template <> struct Stored<f16> {
  static TESSERA_DEVICE f16 of(float x) { return narrow<f16>(x); }
};

template <class T, int width> TESSERA_DEVICE Vector<Computed<T>, width> load_computed(const T* from) {
  const Vector<T, width> stored = load<width>(from);
  Vector<Computed<T>, width> values;
#pragma unroll
  for (int i = 0; i < width; ++i) values[i] = computed(stored[i]);
  return values;
}
template <class T, int width> TESSERA_DEVICE void store_computed(T* to, const Vector<Computed<T>, width>& values) {
  Vector<T, width> stored;
#pragma unroll
  for (int i = 0; i < width; ++i) stored[i] = Stored<T>::of(values[i]);
  store(to, stored);
}

// ---- what nothing combines to ----

template <class T> TESSERA_DEVICE T lowest() {
  return T(-1) < T(0) ? static_cast<T>(u64(1) << (8 * sizeof(T) - 1)) : T(0);
}
template <> TESSERA_DEVICE float lowest<float>() { return -infinity; }
template <> TESSERA_DEVICE double lowest<double>() { return -static_cast<double>(infinity); }

template <class T> TESSERA_DEVICE T start_of(Sum) { return T(0); }
template <class T> TESSERA_DEVICE T start_of(Product) { return T(1); }
template <class T> TESSERA_DEVICE T start_of(Max) { return lowest<T>(); }

// ---- across a warp, in the order of its lanes ----

template <class T> TESSERA_DEVICE T of_lane_below(T x, int distance) { return __shfl_up_sync(0xffffffff, x, distance); }
template <> TESSERA_DEVICE bool of_lane_below(bool x, int distance) {
  return __shfl_up_sync(0xffffffff, static_cast<int>(x), distance) != 0;
}
template <> TESSERA_DEVICE i8 of_lane_below(i8 x, int distance) {
  return static_cast<i8>(__shfl_up_sync(0xffffffff, static_cast<int>(x), distance));
}
template <> TESSERA_DEVICE u8 of_lane_below(u8 x, int distance) {
  return static_cast<u8>(__shfl_up_sync(0xffffffff, static_cast<int>(x), distance));
}
template <> TESSERA_DEVICE i16 of_lane_below(i16 x, int distance) {
  return static_cast<i16>(__shfl_up_sync(0xffffffff, static_cast<int>(x), distance));
}

// What all lanes up to this one combine to.
template <class How, class T> TESSERA_DEVICE T up_to_lane(T x) {
#pragma unroll
  for (int distance = 1; distance < 32; distance *= 2) {
    const T before = of_lane_below(x, distance);
    if (lane() >= distance) x = How::of(before, x);
  }
  return x;
}

// What all threads before this one combine to, and in `all` what the block does. Warps meet in `slots`.
template <class How, int threads, class T>
TESSERA_DEVICE T before_thread(T x, T& all, T (&slots)[threads / 32]) {
  const T up_to = up_to_lane<How>(x);
  if (lane() == 31) slots[threadIdx.x / 32] = up_to;
  __syncthreads();
  T before = start_of<T>(How());
  all = before;
#pragma unroll
  for (int warp = 0; warp < threads / 32; ++warp) {
    if (warp == static_cast<int>(threadIdx.x / 32)) before = all;
    all = How::of(all, slots[warp]);
  }
  const T of_lanes = of_lane_below(up_to, 1);
  __syncthreads();  // slots may be filled again
  return lane() == 0 ? before : How::of(before, of_lanes);
}

}  // namespace tessera
