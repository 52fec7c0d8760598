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

TESSERA_DEVICE u32 word_of(const uint4& bits, int i) {
  return i == 0 ? bits.x : i == 1 ? bits.y : i == 2 ? bits.z : bits.w;
}
TESSERA_DEVICE u32 word_of(const uint2& bits, int i) { return i == 0 ? bits.x : bits.y; }
TESSERA_DEVICE u32 word_of(u32 bits, int) { return bits; }

// Values of two bytes come out of words by shifts: then one that is widened costs a shift or a mask and no more.
template <class T, int count> TESSERA_DEVICE Vector<T, count> values_of(const Pieces<T, count>& p) {
  if constexpr (sizeof(T) == 2 && count % 2 == 0) {
    constexpr int words = Pieces<T, count>::bytes / 4;
    Vector<T, count> values;
#pragma unroll
    for (int i = 0; i < count / 2; ++i) {
      const u32 word = word_of(p.bits[i / words], i % words);
      values[2 * i] = __builtin_bit_cast(T, static_cast<u16>(word));
      values[2 * i + 1] = __builtin_bit_cast(T, static_cast<u16>(word >> 16));
    }
    return values;
  } else {
    return p.values;
  }
}

// `from` is aligned to min(16, all bytes of the vector).
template <int count, class T> TESSERA_DEVICE Vector<T, count> load(const T* from) {
  using P = Pieces<T, count>;
  P p;
#pragma unroll
  for (int i = 0; i < P::pieces; ++i) p.bits[i] = reinterpret_cast<const typename Piece<P::bytes>::type*>(from)[i];
  return values_of(p);
}
// The same for what nobody reads again: it leaves the caches first.
template <int count, class T> TESSERA_DEVICE Pieces<T, count> load_pieces_once(const T* from) {
  using P = Pieces<T, count>;
  P p;
#pragma unroll
  for (int i = 0; i < P::pieces; ++i)
    p.bits[i] = __ldcs(reinterpret_cast<const typename Piece<P::bytes>::type*>(from) + i);
  return p;
}
template <int count, class T> TESSERA_DEVICE Vector<T, count> load_once(const T* from) {
  return values_of(load_pieces_once<count>(from));
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
