#pragma once
// Neighbours in memory, moved 16 bytes at a time.

#include "core.cuh"

namespace tessera {

template <class T, int count> struct Vector {
  T values[count];
  TESSERA_DEVICE T& operator[](int i) { return values[i]; }
  TESSERA_DEVICE const T& operator[](int i) const { return values[i]; }
};

// What moves by one instruction: the bits of `bytes` bytes.
template <int bytes> struct Piece;
template <> struct Piece<1> { using type = unsigned char; };
template <> struct Piece<2> { using type = u16; };
template <> struct Piece<4> { using type = u32; };
template <> struct Piece<8> { using type = uint2; };
template <> struct Piece<16> { using type = uint4; };

template <class T, int count> union Pieces {
  static constexpr int bytes = sizeof(T) * count < 16 ? sizeof(T) * count : 16;
  static constexpr int pieces = sizeof(T) * count / bytes;
  typename Piece<bytes>::type bits[pieces];
  Vector<T, count> values;
  TESSERA_DEVICE Pieces() {}
};

// `from` is aligned to min(16, all bytes of the vector).
template <int count, class T> TESSERA_DEVICE Vector<T, count> load(const T* from) {
  using P = Pieces<T, count>;
  P p;
#pragma unroll
  for (int i = 0; i < P::pieces; ++i) p.bits[i] = reinterpret_cast<const typename Piece<P::bytes>::type*>(from)[i];
  return p.values;
}
// The same for what nobody reads again: it leaves the caches first.
template <int count, class T> TESSERA_DEVICE Vector<T, count> load_once(const T* from) {
  using P = Pieces<T, count>;
  P p;
#pragma unroll
  for (int i = 0; i < P::pieces; ++i)
    p.bits[i] = __ldcs(reinterpret_cast<const typename Piece<P::bytes>::type*>(from) + i);
  return p.values;
}
template <class T, int count> TESSERA_DEVICE void store(T* to, const Vector<T, count>& values) {
  using P = Pieces<T, count>;
  P p;
  p.values = values;
#pragma unroll
  for (int i = 0; i < P::pieces; ++i) reinterpret_cast<typename Piece<P::bytes>::type*>(to)[i] = p.bits[i];
}

// The same for the last of a row, of which `left` are there.
template <int count, class T> TESSERA_DEVICE Vector<T, count> load(const T* from, int left) {
  if (left >= count) return load<count>(from);
  Vector<T, count> values = {};
#pragma unroll
  for (int i = 0; i < count; ++i)
    if (i < left) values[i] = from[i];
  return values;
}
template <class T, int count> TESSERA_DEVICE void store(T* to, const Vector<T, count>& values, int left) {
  if (left >= count) return store(to, values);
#pragma unroll
  for (int i = 0; i < count; ++i)
    if (i < left) to[i] = values[i];
}

}  // namespace tessera
