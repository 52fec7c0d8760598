#pragma once
// Running combinations along a lane, in its order or from its end. A lane may be cut into parts: one kernel combines each
// part as a whole, and the next starts each part with what those before it came to.

#include "elements.cuh"

namespace tessera {

// Elements of a lane in the order of the scan.
template <bool reverse, class T> struct Ordered {
  T* first;
  i64 extent, stride;

  TESSERA_DEVICE T* at(i64 i) const { return first + (reverse ? extent - 1 - i : i) * stride; }

  // `width` from place i on of a lane whose elements are neighbours.
  template <int width, class Values> static TESSERA_DEVICE Values turned(const Values& values) {
    if constexpr (reverse) {
      Values other;
#pragma unroll
      for (int k = 0; k < width; ++k) other[k] = values[width - 1 - k];
      return other;
    } else {
      return values;
    }
  }
  template <int width> TESSERA_DEVICE T* run(i64 i) const { return reverse ? at(i + width - 1) : at(i); }
};

// What parts 0 to `part` - 1 come to, added up by the block in a fixed order.
template <class How, int threads, class T>
TESSERA_DEVICE T parts_before(const T* totals, int part, T (&slots)[threads / 32]) {
  T mine = start_of<T>(How()), all;
  const int each = (part + threads - 1) / threads, begin = static_cast<int>(threadIdx.x) * each;
  for (int k = begin; k < min(begin + each, part); ++k) mine = How::of(mine, totals[k]);
  before_thread<How, threads>(mine, all, slots);
  return all;
}

// ---- a block has a part of a lane whose elements are neighbours ----

template <class How, int threads, int width, bool reverse, class T>
TESSERA_DEVICE void total_of_row(Ordered<reverse, const T> x, i64 begin, i64 end, Computed<T>* total) {
  using C = Computed<T>;
  __shared__ C slots[threads / 32];
  C carry = start_of<C>(How());
  for (i64 tile = begin; tile < end; tile += threads * width) {
    const i64 i = tile + threadIdx.x * width;
    C mine = start_of<C>(How()), all;
    if (i < end) {
      const auto values = x.template turned<width>(load_computed<T, width>(x.template run<width>(i)));
      mine = values[0];
#pragma unroll
      for (int k = 1; k < width; ++k) mine = How::of(mine, values[k]);
    }
    before_thread<How, threads>(mine, all, slots);
    carry = How::of(carry, all);
  }
  if (threadIdx.x == 0) *total = carry;
}

template <class How, int threads, int width, bool reverse, class T>
TESSERA_DEVICE void scan_row(Ordered<reverse, const T> x, Ordered<reverse, T> y, i64 begin, i64 end,
                             const Computed<T>* totals, int part) {
  using C = Computed<T>;
  __shared__ C slots[threads / 32];
  C carry = part > 0 ? parts_before<How, threads>(totals, part, slots) : start_of<C>(How());
  for (i64 tile = begin; tile < end; tile += threads * width) {
    const i64 i = tile + threadIdx.x * width;
    Vector<C, width> values;
    C all;
    if (i < end) values = x.template turned<width>(load_computed<T, width>(x.template run<width>(i)));
    else values[width - 1] = start_of<C>(How());
    if (i < end) {
#pragma unroll
      for (int k = 1; k < width; ++k) values[k] = How::of(values[k - 1], values[k]);
    }
    const C before = How::of(carry, before_thread<How, threads>(values[width - 1], all, slots));
    if (i < end) {
#pragma unroll
      for (int k = 0; k < width; ++k) values[k] = How::of(before, values[k]);
      store_computed<T, width>(y.template run<width>(i), y.template turned<width>(values));
    }
    carry = How::of(carry, all);
  }
}

// ---- a thread has a part of each of `width` lanes that are neighbours ----

template <class How, int width, bool reverse, class T>
TESSERA_DEVICE void total_of_lanes(Ordered<reverse, const T> x, i64 begin, i64 end, Computed<T>* total) {
  auto sum = load_computed<T, width>(x.at(begin));
#pragma unroll 8
  for (i64 i = begin + 1; i < end; ++i) {
    const auto values = load_computed<T, width>(x.at(i));
#pragma unroll
    for (int k = 0; k < width; ++k) sum[k] = How::of(sum[k], values[k]);
  }
  store(total, sum);
}

// `totals` of the parts of a lane are `stride` apart.
template <class How, int width, bool reverse, class T>
TESSERA_DEVICE void scan_lanes(Ordered<reverse, const T> x, Ordered<reverse, T> y, i64 begin, i64 end,
                               const Computed<T>* totals, i64 stride, int part) {
  Vector<Computed<T>, width> sum;
#pragma unroll
  for (int k = 0; k < width; ++k) sum[k] = start_of<Computed<T>>(How());
#pragma unroll 8
  for (int before = 0; before < part; ++before) {
    const auto values = load<width>(totals + before * stride);
#pragma unroll
    for (int k = 0; k < width; ++k) sum[k] = How::of(sum[k], values[k]);
  }
#pragma unroll 8
  for (i64 i = begin; i < end; ++i) {
    const auto values = load_computed<T, width>(x.at(i));
#pragma unroll
    for (int k = 0; k < width; ++k) sum[k] = How::of(sum[k], values[k]);
    store_computed<T, width>(y.at(i), sum);
  }
}

}  // namespace tessera
