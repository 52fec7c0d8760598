#pragma once
// The block that is done last adds up what all of them left in memory: a second kernel would take longer to begin. Which one
// that is does not show, since the order of the sum is that of the parts.

#include "reduce.cuh"

namespace tessera {

// Is this thread the last of `count` that come here? Then it sees what those before have stored, and they what others of their
// blocks had stored at a barrier. The counter is 0 again, as the next launch needs it.
template <int count> TESSERA_DEVICE bool is_last_thread(u32* arrived) {
  __threadfence();
  const bool is_last = atomicInc(arrived, count - 1) == count - 1;
  __threadfence();
  return is_last;
}

// The same of blocks.
template <int count> TESSERA_DEVICE bool is_last_block(u32* arrived) {
  __shared__ bool is_last;
  __syncthreads();
  if (threadIdx.x == 0) is_last = is_last_thread<count>(arrived);
  __syncthreads();
  return is_last;
}

// Neighbours that other blocks of this launch have stored: from the cache that all of them share.
template <int width, class T> TESSERA_DEVICE Vector<T, width> load_stored(const T* from) {
  using P = Pieces<T, width>;
  P p;
#pragma unroll
  for (int i = 0; i < P::pieces; ++i)
    p.bits[i] = __ldcg(reinterpret_cast<const typename Piece<P::bytes>::type*>(from) + i);
  return p.values;
}

// Every `step`th part from `first` on, of parts that lie `apart`.
template <class How, int width, int parts, int step, int apart, class T, class Start>
TESSERA_DEVICE Vector<T, width> every_part(const T* stored, int first, Start start) {
  Vector<T, width> all;
#pragma unroll
  for (int i = 0; i < width; ++i) all[i] = static_cast<T>(start);
#pragma unroll 4
  for (int part = first; part < parts; part += step) {
    const Vector<T, width> values = load_stored<width>(stored + static_cast<i64>(part) * apart);
#pragma unroll
    for (int i = 0; i < width; ++i) all[i] = How::of(all[i], values[i]);
  }
  return all;
}

// Parts that are one value each, by the whole block; all of its threads get the sum.
template <class How, int parts, class T, class Start, int warps>
TESSERA_DEVICE T across_parts(const T* stored, Start start, T (&slots)[warps]) {
  const int first = static_cast<int>(threadIdx.x);
  return across_block<How>(every_part<How, 1, parts, 32 * warps, 1>(stored, first, start)[0], slots);
}

}  // namespace tessera
