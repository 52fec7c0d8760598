#pragma once
// Running combinations along a lane, in its order or from its end. A lane may be cut into parts. Of neighbours, one kernel
// combines each part as a whole, and the next starts each with what those before it came to. Of others, one kernel does
// both: a block keeps its part in registers until the blocks before have left what theirs come to.

#include "elements.cuh"
#include "last_block.cuh"

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

template <class How, int width, class T>
TESSERA_DEVICE void add_to(Vector<Computed<T>, width>& sum, const Vector<T, width>& values) {
#pragma unroll
  for (int k = 0; k < width; ++k) sum[k] = How::of(sum[k], computed(values[k]));
}

// ---- a thread has each of `width` lanes that are neighbours ----

template <class How, int width, bool reverse, class T>
TESSERA_DEVICE void scan_lanes(Ordered<reverse, const T> x, Ordered<reverse, T> y) {
  Vector<Computed<T>, width> sum;
#pragma unroll
  for (int k = 0; k < width; ++k) sum[k] = start_of<Computed<T>>(How());
#pragma unroll 8
  for (i64 i = 0; i < x.extent; ++i) {
    add_to<How>(sum, load<width>(x.at(i)));
    store_computed<T, width>(y.at(i), sum);
  }
}

// ---- a block has a part of 32 times `width` lanes that are neighbours ----

constexpr int part_warps = 8, rows_of_warp = 16;  // a warp's rows fill 64 registers
constexpr int rows_of_part = part_warps * rows_of_warp;
constexpr int parts_of_run = part_warps;

// Blocks draw their numbers, so that the parts which one waits for have begun. `words` are 0 and will be again: the first
// two count blocks, the others say which parts have left what they come to in `totals`. The last part of a run leaves what all
// parts up to it come to, so one waits for the parts before it in its run and for the end of the run before. Fences are for
// one thread where they can be: all threads of a block wait for each other's stores otherwise, and half of the time goes there.
template <class How, int width, int blocks, bool reverse, class T>
TESSERA_DEVICE void scan_parts_of_lanes(const T* x, T* y, int outer, i64 extent, i64 inner, Computed<T>* totals,
                                        u32* words) {
  using C = Computed<T>;
  __shared__ Vector<C, width> slots[part_warps][32];
  __shared__ int drawn;
  const int t = static_cast<int>(threadIdx.x), warp = t / 32;
  const int groups_of_row = static_cast<int>((inner + 32 * width - 1) / (32 * width)), groups = outer * groups_of_row;
  if (t == 0) drawn = static_cast<int>(atomicInc(words, blocks - 1));
  __syncthreads();
  const int part = drawn / groups, group = drawn % groups, parts = blocks / groups;
  const i64 lane_of_row = static_cast<i64>(group % groups_of_row) * 32 * width + lane() * width,
            of_outer = group / groups_of_row;
  const bool is_there = lane_of_row < inner;
  const i64 start = of_outer * extent * inner + lane_of_row, begin = static_cast<i64>(part) * rows_of_part + warp * rows_of_warp;
  const Ordered<reverse, const T> from{x + start, extent, inner};
  const Ordered<reverse, T> to{y + start, extent, inner};

  Pieces<T, width> row[rows_of_warp];  // as they came: values would take a register each
#pragma unroll
  for (int r = 0; r < rows_of_warp; ++r)
    if (is_there && begin + r < extent) row[r] = load_pieces_once<width>(from.at(begin + r));
  Vector<C, width> sum, before, all;
#pragma unroll
  for (int k = 0; k < width; ++k) sum[k] = before[k] = all[k] = start_of<C>(How());
#pragma unroll
  for (int r = 0; r < rows_of_warp; ++r) {
    if (begin + r >= extent) break;
    add_to<How>(sum, values_of(row[r]));
  }
  slots[warp][lane()] = sum;
  __syncthreads();
#pragma unroll
  for (int w = 0; w < part_warps; ++w) {
    if (w == warp) before = all;
#pragma unroll
    for (int k = 0; k < width; ++k) all[k] = How::of(all[k], slots[w][lane()][k]);
  }
  C* const of_lanes = totals + of_outer * inner + lane_of_row;
  const i64 apart = outer * inner;
  volatile u32* const is_left = words + 2 + group * parts;
  const int first = part < parts_of_run ? 0 : part / parts_of_run * parts_of_run - 1;
  const bool ends_run = part % parts_of_run == parts_of_run - 1;
  const auto leave = [&] {
    if (warp > 0) return;
    if (is_there) store(of_lanes + part * apart, all);
    __syncwarp();
    if (t > 0) return;
    __threadfence();
    is_left[part] = 1;
  };
  if (!ends_run) leave();
  if (first + t < part) {
    while (is_left[first + t] == 0) {}
    __threadfence();
  }
  __syncthreads();
  // What the parts before come to: each warp takes one.
#pragma unroll
  for (int k = 0; k < width; ++k) sum[k] = start_of<C>(How());
  if (is_there && first + warp < part) add_to<How>(sum, load_stored<width>(of_lanes + (first + warp) * apart));
  sum = across_rows<How>(sum, slots);
  if (ends_run) {
#pragma unroll
    for (int k = 0; k < width; ++k) all[k] = How::of(sum[k], all[k]);
    leave();
  }
  const bool ends_launch = t == 0 && is_last_thread<blocks>(words + 1);  // all marks that blocks wait for have been read
#pragma unroll
  for (int k = 0; k < width; ++k) sum[k] = How::of(sum[k], before[k]);
#pragma unroll
  for (int r = 0; r < rows_of_warp; ++r) {
    if (!is_there || begin + r >= extent) break;
    add_to<How>(sum, values_of(row[r]));
    store_computed<T, width>(to.at(begin + r), sum);
  }
  if (warp == 0 && __shfl_sync(0xffffffff, ends_launch, 0))
    for (int k = lane(); k < blocks; k += 32) words[2 + k] = 0;
}

}  // namespace tessera
