#pragma once
// Updates combined into a tensor at indices that may meet. The indices are sorted, so that those of one place are a run of
// neighbours in the order of the updates; a run is added up in chunks, and chunks in their order.

#include "sort.cuh"

namespace tessera {

using KeyOfIndex = u32;

// Indices outside are noted, and sort behind all others.
template <class I> TESSERA_DEVICE KeyOfIndex key_of_index(I index, i64 extent, i64* errors) {
  const i64 i = index;
  return checked(i, extent, errors) == i ? static_cast<KeyOfIndex>(i) : static_cast<KeyOfIndex>(extent);
}

// All indices sorted by one block.
template <int items, int passes, class I>
TESSERA_DEVICE void sort_indices_in_block(const I* indices, int count, i64 extent, KeyOfIndex* sorted, int* order,
                                          i64* errors) {
  __shared__ Ranking ranking;
  __shared__ KeyOfIndex keys[items * sort_threads];
  __shared__ u16 places[items * sort_threads];
  KeyOfIndex key[items];
  u16 place[items];
#pragma unroll
  for (int item = 0; item < items; ++item) {
    const int i = place_of<items>(item);
    key[item] = i < count ? key_of_index(indices[i], extent, errors) : ~KeyOfIndex(0);
    place[item] = static_cast<u16>(i);
  }
  sort_block<KeyOfIndex, items, passes>(ranking, keys, places, key, place);
#pragma unroll
  for (int item = 0; item < items; ++item) {
    const int i = place_of<items>(item);
    if (i < count) sorted[i] = key[item], order[i] = place[item];
  }
}

// ---- a thread has `width` neighbours of a lane ----

// Sorted indices as runs of equal ones.
struct Runs {
  const KeyOfIndex* sorted;
  const int* order;
  int count;

  TESSERA_DEVICE bool begins(int i) const { return i == 0 || sorted[i] != sorted[i - 1]; }
  TESSERA_DEVICE bool ends(int i) const { return i + 1 == count || sorted[i] != sorted[i + 1]; }
};

// Where a lane lies in the tensor and among the updates.
template <class T> struct Target {
  T* y;
  const T* updates;
  i64 extent, inner, count;
  bool is_zero = false;  // so far, everywhere

  TESSERA_DEVICE T* element(i64 lane, KeyOfIndex index) const {
    return y + (lane / inner * extent + index) * inner + lane % inner;
  }
  TESSERA_DEVICE const T* update(i64 lane, int place) const {
    return updates + (lane / inner * count + place) * inner + lane % inner;
  }
};

// The last of a run is what stays.
template <int width, class T> TESSERA_DEVICE void set_last(Target<T> to, Runs runs, i64 lane, int i) {
  const KeyOfIndex index = runs.sorted[i];
  if (index < to.extent && runs.ends(i)) store(to.element(lane, index), load<width>(to.update(lane, runs.order[i])));
}

template <class How, int width, class T>
TESSERA_DEVICE void combine_into(Target<T> to, i64 lane, KeyOfIndex index, const Vector<Computed<T>, width>& sum) {
  T* const element = to.element(lane, index);
  if (to.is_zero) return store_computed<T, width>(element, sum);
  auto values = load_computed<T, width>(element);
#pragma unroll
  for (int k = 0; k < width; ++k) values[k] = How::of(values[k], sum[k]);
  store_computed<T, width>(element, values);
}

// Sorted updates `first` to `last`: runs that lie inside go to the tensor. A run from the chunk before leaves its sum in
// `head`, one that begins here and goes on in `tail`.
template <class How, int width, class T>
TESSERA_DEVICE void combine_chunk(Target<T> to, Runs runs, i64 lane, int first, int last, Computed<T>* head,
                                  Computed<T>* tail) {
  using C = Computed<T>;
  bool is_head = !runs.begins(first);
  Vector<C, width> sum;
#pragma unroll
  for (int k = 0; k < width; ++k) sum[k] = start_of<C>(How());
#pragma unroll 8
  for (int i = first; i < last; ++i) {
    const KeyOfIndex index = runs.sorted[i];
    const auto update = load_computed<T, width>(to.update(lane, runs.order[i]));
#pragma unroll
    for (int k = 0; k < width; ++k) sum[k] = How::of(sum[k], update[k]);
    if (!runs.ends(i) && i + 1 < last) continue;
    if (is_head) store(head, sum);
    else if (!runs.ends(i)) store(tail, sum);
    else if (index < to.extent) combine_into<How, width, T>(to, lane, index, sum);
    is_head = false;
#pragma unroll
    for (int k = 0; k < width; ++k) sum[k] = start_of<C>(How());
  }
}

// The run that begins in this chunk and goes on: its parts in their order. Heads of chunks are `stride` apart.
template <class How, int width, int chunk, class T>
TESSERA_DEVICE void combine_long_run(Target<T> to, Runs runs, i64 lane, int first, const Computed<T>* heads,
                                     const Computed<T>* tail, i64 stride) {
  int last = first + chunk;
  if (last >= runs.count || runs.begins(last)) return;  // no run goes on
  const KeyOfIndex index = runs.sorted[last];
  if (index >= to.extent || (!runs.begins(first) && runs.sorted[first] == index)) return;  // it began before
  auto sum = load<width>(tail);
  for (const Computed<T>* head = heads + stride;; head += stride, last += chunk) {
    const auto more = load<width>(head);
#pragma unroll
    for (int k = 0; k < width; ++k) sum[k] = How::of(sum[k], more[k]);
    if (last + chunk >= runs.count || runs.sorted[last + chunk] != index) break;
  }
  combine_into<How, width, T>(to, lane, index, sum);
}

}  // namespace tessera
