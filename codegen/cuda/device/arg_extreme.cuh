#pragma once
// Where the largest or the smallest of a lane is: the first of equals; NaN is more extreme than any number.

#include "elements.cuh"

namespace tessera {

struct Largest {
  template <class T> static TESSERA_DEVICE bool prefers(T x, T y) { return x > y; }
  template <class T> static TESSERA_DEVICE bool keeps(T x, T y) { return y <= x; }  // false for NaN
};
struct Smallest {
  template <class T> static TESSERA_DEVICE bool prefers(T x, T y) { return x < y; }
  template <class T> static TESSERA_DEVICE bool keeps(T x, T y) { return y >= x; }
};

// Does `other`, which comes behind `best`, take its place?
template <class Which, class T> TESSERA_DEVICE bool gives_way(T best, T other) {
  return best == best && !Which::keeps(best, other);
}

template <class Which, class T> struct Extreme {
  T value = T();
  i64 where = -1;  // nothing seen so far

  TESSERA_DEVICE void meet(T other, i64 place) {
    if (place < 0) return;
    const bool is_nan = value != value, other_is_nan = other != other;
    const bool is_better = other_is_nan || is_nan ? other_is_nan && (!is_nan || place < where)
                                                  : Which::prefers(other, value) || (other == value && place < where);
    if (where >= 0 && !is_better) return;
    value = other;
    where = place;
  }

  // The same for a place behind all those seen before.
  TESSERA_DEVICE void follow(T other, i64 place) {
    const bool is_better = where < 0 || gives_way<Which>(value, other);
    value = is_better ? other : value;
    where = is_better ? place : where;
  }
};

template <class Which, class T> TESSERA_DEVICE Extreme<Which, T> extreme_across_warp(Extreme<Which, T> mine) {
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) {
    const T value = of_lane_across(mine.value, distance);
    const i64 where = of_lane_across(mine.where, distance);
    mine.meet(value, where);
  }
  return mine;
}

// A block has a part of a lane whose elements are neighbours, and notes where the extreme of the part is. A thread takes
// `width` of them at once.
template <class Which, int threads, int width, class T>
TESSERA_DEVICE void find_in_row(const T* x, i64 begin, i64 end, i64* place) {
  __shared__ Extreme<Which, Computed<T>> slots[threads / 32];
  Extreme<Which, Computed<T>> mine;
#pragma unroll 2
  for (i64 i = begin + threadIdx.x * width; i < end; i += threads * width) {
    const auto values = load_computed<T, width>(x + i);
    auto best = values[0];
    int place_of_best = 0;
#pragma unroll
    for (int k = 1; k < width; ++k) {
      const bool is_better = gives_way<Which>(best, values[k]);
      best = is_better ? values[k] : best;
      place_of_best = is_better ? k : place_of_best;
    }
    mine.follow(best, i + place_of_best);
  }
  mine = extreme_across_warp(mine);
  if (lane() == 0) slots[threadIdx.x / 32] = mine;
  __syncthreads();
  if (threadIdx.x != 0) return;
  for (int warp = 1; warp < threads / 32; ++warp) mine.meet(slots[warp].value, slots[warp].where);
  *place = mine.where;
}

// A thread has a part of a lane, its elements `stride` apart.
template <class Which, class T>
TESSERA_DEVICE void find_in_lane(const T* x, i64 stride, i64 begin, i64 end, i64* place) {
  Extreme<Which, Computed<T>> mine;
  for (i64 i = begin; i < end; ++i) mine.follow(computed(x[i * stride]), i);
  *place = mine.where;
}

// The extreme of a lane from where those of its parts are.
template <class Which, class T>
TESSERA_DEVICE void find_among(const T* x, i64 stride, const i64* places, int parts, i64* place) {
  Extreme<Which, Computed<T>> mine;
  for (int part = 0; part < parts; ++part) mine.meet(computed(x[places[part] * stride]), places[part]);
  *place = mine.where;
}

}  // namespace tessera
