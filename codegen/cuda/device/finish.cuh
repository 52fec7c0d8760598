#pragma once
// What becomes of finished sums: whatever a kernel's text does with them, some neighbours of a row at a time. A little is
// done with them where they are, in registers, two at a time; that is unrolled, and more would not fit beside the sums.
// What is more goes through shared memory, in a loop.

#include "beside.cuh"
#include "columns.cuh"
#include "convert.cuh"
#include "fragment.cuh"
#include "vector.cuh"

namespace tessera {

// Two values of 16 bits in a register, the first at the lower address.
template <class T>
TESSERA_DEVICE u32 packed_bits(const Vector<T, 2>& x) {
  static_assert(sizeof(T) == 2, "two of 16 bits");
  return static_cast<u32>(x[0].bits) | static_cast<u32>(x[1].bits) << 16;
}
// The same of values that are rounded to them.
template <class T>
TESSERA_DEVICE u32 pack(const Vector<float, 2>& x) {
  if constexpr (is_same<T, bf16>) return pack_bf16(x[0], x[1]);
  else return packed_bits(Vector<T, 2>{narrow<T>(x[0]), narrow<T>(x[1])});
}

// The two of a register.
template <class T>
TESSERA_DEVICE Vector<T, 2> unpack(u32 both) {
  return {__builtin_bit_cast(T, static_cast<u16>(both)), __builtin_bit_cast(T, static_cast<u16>(both >> 16))};
}

// The same for eight, to memory that is aligned to 16 bytes; and for four.
template <class T>
TESSERA_DEVICE void store_rounded(T* to, const Vector<float, 8>& x) {
  store(reinterpret_cast<u32*>(to), Vector<u32, 4>{pack<T>({x[0], x[1]}), pack<T>({x[2], x[3]}), pack<T>({x[4], x[5]}),
                                                   pack<T>({x[6], x[7]})});
}
template <class T>
TESSERA_DEVICE void store_rounded(T* to, const Vector<float, 4>& x) {
  store(reinterpret_cast<u32*>(to), Vector<u32, 2>{pack<T>({x[0], x[1]}), pack<T>({x[2], x[3]})});
}

// For results that are rounded to 16 bits, without a branch. tanh within 4e-6 of its size:
TESSERA_DEVICE float quick_tanh(float x) {
  const float far = fmaf(-2.f, reciprocal(1.f + exp2(2.f * log2_e * x)), 1.f);
  const float near = fmaf(x * x * x, -1.f / 3, x);
  return fabsf(x) < 0.04f ? near : far;
}
// … and (1 + tanh(scale x)) / 2, which is as exact where that is small:
TESSERA_DEVICE float half_one_plus_tanh(float scale, float x) {
  return reciprocal(1.f + exp2(-2.f * log2_e * scale * x));
}
// … and the same of x + cube x³ in the place of x:
TESSERA_DEVICE float half_one_plus_tanh(float scale, float cube, float x) {
  const float first = -2.f * log2_e * scale, third = first * cube;
  return reciprocal(1.f + exp2(x * fmaf(third, x * x, first)));
}

// What leaves by the copy engine: 16 columns of `results`, packed, to where the warp's rows lie in tiles of 64 columns.
template <int results, int at_once, class T>
TESSERA_DEVICE void put_packed(const Tile<T, 64, 64>* tiles, int c, const u32 (&packed)[results][4]) {
#pragma unroll
  for (int k = 0; k < results; ++k) put_matrices(place_of_lane(tiles[k * at_once + c / 64], c % 64), packed[k]);
}
template <int results, int at_once, class T, class Send>
TESSERA_DEVICE void send_tiles(const Tile<T, 64, 64>* tiles, int below, int first, Send& send) {
  publish_shared();
  warpgroup_sync();
  if (thread_of_warpgroup() != 0) return;
#pragma unroll
  for (int k = 0; k < results * at_once; ++k) send(k / at_once, tiles[k], below, first + k % at_once * 64);
  store_commit();
}

template <int results, int at_once, int buffers, int N, class T, class Ahead, class Each, class Send>
TESSERA_DEVICE void finish_fragment(int before, int below, const Tile<T, 64, 64>* staging, Ahead& ahead, Each& each,
                                    Send& send, const Fragment<N>& sums) {
  static_assert(N % (64 * at_once) == 0, "whole tiles");
#pragma unroll
  for (int first = 0; first < N; first += 64 * at_once) {
    const int round = before + first / (64 * at_once);
    const Tile<T, 64, 64>* tiles = staging + round % buffers * results * at_once;
    ahead(first);
    // Of the thread that stores: the others have no groups. The sums before these ended with any of the buffers.
    if (round == 0) store_wait_read<0>();
    else store_wait_read<buffers - 1>();
    warpgroup_sync();
#pragma unroll
    for (int c = 0; c < 64 * at_once; c += 16) {
      if (c > 0 && c % 32 == 0) ahead(first + c);
      u32 packed[results][4];
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int r = (first + c) / 2 + 2 * i;
        u32 of_two[results] = {};
        each(below + first_row() + i % 2 * 8, first + c + i / 2 * 8 + first_column(), c % 32 / 8 + i / 2,
             Vector<float, 2>{sums.v[r], sums.v[r + 1]}, of_two);
#pragma unroll
        for (int k = 0; k < results; ++k) packed[k][i] = of_two[k];
      }
      put_packed<results, at_once>(tiles, c, packed);
    }
    send_tiles<results, at_once>(tiles, below, first, send);
  }
}

// `each(row, column, pair, sums, packed)` is called for every two neighbours of fragments that lie below each other.
// `results` of what it computes leave by the copy engine: it packs them, they are put into tiles of 64 columns, `at_once` of
// each, and `send(result, tile, row, column)` stores one. At `staging` lie as many tiles for `buffers` rounds, taken in
// turn. Before the first pair of 32 columns, `ahead(column)` makes what it needs of them: of a thread's four pairs there,
// `pair` is the one at hand.
template <int results, int at_once, int buffers, class T, class Ahead, class Each, class Send, int... N>
TESSERA_DEVICE void finish_with_columns(const Tile<T, 64, 64>* staging, Ahead ahead, Each each, Send send,
                                        const Fragment<N>&... sums) {
  int before = 0, below = 0;
  ((finish_fragment<results, at_once, buffers>(before, below, staging, ahead, each, send, sums),
    before += N / (64 * at_once), below += 64),
   ...);
}

// The same with what the copy engine has brought: see beside.cuh.
template <int results, int inputs, int tiles_of_round, int buffers, int N, class T, class Bring, class Ahead,
          class Each, class Send>
TESSERA_DEVICE void finish_fragment_beside(int fragment, int fragments, const Tile<T, 64, 64>* staging,
                                           Beside<inputs, tiles_of_round, buffers>& beside, Bring& bring, Ahead& ahead,
                                           Each& each, Send& send, const Fragment<N>& sums) {
  constexpr int across = N / 64;
  constexpr int columns_at_once = inputs == 1 ? 64 : 32;  // as many as there are registers for beside the sums
#pragma unroll
  for (int first = 0; first < N; first += 64) {
    const int round = fragment * across + first / 64;
    const Tile<T, 64, 64>* tiles = staging + round % buffers * tiles_of_round;
    ahead(first);
    beside.template wait<N>(round, fragments * across, staging, bring);
    u32 brought[inputs][columns_at_once / 16][4];
#pragma unroll
    for (int c = 0; c < 64; c += 16) {
      if (c > 0 && c % 32 == 0) ahead(first + c);
      if (c % columns_at_once == 0) {
#pragma unroll
        for (int k = 0; k < inputs; ++k)
#pragma unroll
          for (int j = 0; j < columns_at_once; j += 16)
            get_matrices(brought[k][j / 16], place_of_lane(tiles[k], c + j));
      }
      u32 packed[results][4];
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int r = (first + c) / 2 + 2 * i;
        u32 of_two[results] = {}, inputs_of_two[inputs];
#pragma unroll
        for (int k = 0; k < inputs; ++k) inputs_of_two[k] = brought[k][c % columns_at_once / 16][i];
        each(fragment * 64 + first_row() + i % 2 * 8, first + c + i / 2 * 8 + first_column(), c % 32 / 8 + i / 2,
             Vector<float, 2>{sums.v[r], sums.v[r + 1]}, inputs_of_two, of_two);
#pragma unroll
        for (int k = 0; k < results; ++k) packed[k][i] = of_two[k];
      }
      put_packed<results, 1>(tiles, c, packed);
    }
    send_tiles<results, 1>(tiles, fragment * 64, first, send);
  }
}

// `each(row, column, pair, sums, brought, packed)`: of each input `brought` has two neighbours in a register.
template <int results, int inputs, int tiles_of_round, int buffers, class T, class Bring, class Ahead, class Each,
          class Send, int... N>
TESSERA_DEVICE void finish_beside_with_columns(const Tile<T, 64, 64>* staging,
                                               Beside<inputs, tiles_of_round, buffers>& beside, Bring bring,
                                               Ahead ahead, Each each, Send send, const Fragment<N>&... sums) {
  int fragment = 0;
  ((finish_fragment_beside<results>(fragment, sizeof...(N), staging, beside, bring, ahead, each, send, sums),
    ++fragment),
   ...);
}

// … and nothing belongs to columns: `each(row, column, sums, brought, packed)`.
template <int results, class T, class Ends, class Bring, class Each, class Send, int... N>
TESSERA_DEVICE void finish_beside(const Tile<T, 64, 64>* staging, Ends& beside, Bring bring, Each each, Send send,
                                  const Fragment<N>&... sums) {
  finish_beside_with_columns<results>(
      staging, beside, bring, [](int) {},
      [&](int row, int column, int, const Vector<float, 2>& sum, const u32* brought, u32* packed) {
        each(row, column, sum, brought, packed);
      },
      send, sums...);
}

// The same where nothing is brought and nothing belongs to columns: `each(row, column, sums, packed)`.
template <int results, int at_once, int buffers, class T, class Each, class Send, int... N>
TESSERA_DEVICE void finish(const Tile<T, 64, 64>* staging, Each each, Send send, const Fragment<N>&... sums) {
  finish_with_columns<results, at_once, buffers>(
      staging, [](int) {},
      [&](int row, int column, int, const Vector<float, 2>& sum, u32* packed) { each(row, column, sum, packed); }, send,
      sums...);
}

template <int N, class Each>
TESSERA_DEVICE void finish_directly(int below, Each& each, const Fragment<N>& sums) {
#pragma unroll
  for (int r = 0; r < N / 2; r += 2)
    each(below + first_row() + r / 2 % 2 * 8, first_column() + r / 4 * 8, Vector<float, 2>{sums.v[r], sums.v[r + 1]});
}

// The same where nothing leaves so: `each` writes all of it.
template <class Each, int... N>
TESSERA_DEVICE void finish(Each each, const Fragment<N>&... sums) {
  int below = 0;
  ((finish_directly(below, each, sums), below += 64), ...);
}

// Columns were dealt as rows of the right operand were brought: 8 j + 2 q + c of each 32 is 8 q + 2 j + c of the tile, so what
// lane q of four holds of them are eight neighbours. Or 16 of them, and four.
template <int width, int N, class Each>
TESSERA_DEVICE void finish_dealt_fragment(int below, Each& each, const Fragment<N>& sums) {
#pragma unroll
  for (int first = 0; first < N; first += 4 * width) {
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      Vector<float, width> of_lane;
#pragma unroll
      for (int k = 0; k < width; ++k) of_lane[k] = sums.v[first / 2 + k / 2 * 4 + 2 * i + k % 2];
      each(below + first_row() + 8 * i, first + lane() % 4 * width, of_lane);
    }
    // What is read for other columns is read behind it, or ptxas reads all of it first and spills.
    if ((first + 4 * width) % 96 == 0) __syncwarp();
  }
}

// `each(row, column, sums)` is called for every `width` neighbours, and writes what it makes of them.
template <int width = 8, class Each, int... N>
TESSERA_DEVICE void finish_dealt(Each each, const Fragment<N>&... sums) {
  int below = 0;
  ((finish_dealt_fragment<width>(below, each, sums), below += 64), ...);
}

// ---- through shared memory ----

// 64 x 64 sums, whose lines of 72 begin in other banks.
using Scratch = Tile<float, 72, 64>;

// Columns `place` of what is counted by 64 of them, fragment by fragment; `counted` is what stands before this one.
template <int N>
TESSERA_DEVICE void put_columns(Scratch& scratch, int place, int counted, const Fragment<N>& sums) {
  constexpr int pitch = 72;
  float* values = reinterpret_cast<float*>(&scratch) + first_row() * pitch + first_column();
#pragma unroll
  for (int first = 0; first < N; first += 64) {
    if (place != counted + first / 64) continue;
#pragma unroll
    for (int r = 0; r < 32; r += 2)
      store(values + r / 2 % 2 * 8 * pitch + r / 4 * 8,
            Vector<float, 2>{sums.v[first / 2 + r], sums.v[first / 2 + r + 1]});
  }
}

// `each(row, column, sums)` is called for every four neighbours, and writes what it makes of them. It stands in the machine
// code once for all columns: unrolled, AdamW took NVRTC 2 seconds, and values of several columns met in registers.
template <class Each, int... N>
TESSERA_DEVICE void finish_through(Scratch& scratch, Each each, const Fragment<N>&... sums) {
  constexpr int pitch = 72, width = 4, across = 64 / width;
  constexpr int widths[] = {N...}, columns = widths[0] / 64;
  static_assert(((N == widths[0]) && ...), "fragments below each other");
#pragma unroll 1
  for (int place = 0; place < columns * static_cast<int>(sizeof...(N)); ++place) {
    warpgroup_sync();  // what was there is read
    int counted = 0;
    ((put_columns(scratch, place, counted, sums), counted += columns), ...);
    warpgroup_sync();
    const float* values = reinterpret_cast<const float*>(&scratch);
    const int below = place / columns * 64, column = thread_of_warpgroup() % across * width;
#pragma unroll 4
    for (int row = thread_of_warpgroup() / across; row < 64; row += 128 / across)
      each(below + row, place % columns * 64 + column, load<width>(values + row * pitch + column));
  }
}

}  // namespace tessera
