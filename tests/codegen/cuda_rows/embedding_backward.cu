// kernel constant
//
//   writes     constant_value 50304x4096xbf16
//   moves      412.1 MB, 206.0 MFLOP
//   schedule   8 elements a thread, 256 threads a block, 100608 blocks
#include "rows.cuh"

namespace tessera {

extern "C" __constant__ Launch constant_255aef87_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256)
constant_255aef87(bf16* __restrict__ constant_value, const i64 vectors) {
  const int t = static_cast<int>(blockIdx.x) * 256 + static_cast<int>(threadIdx.x);
  if (t >= vectors) return;
  const int first = t * 8;
  const bf16 rounded_1 = narrow<bf16>(0.f);  // programs.cpp:103
  Vector<bf16, 8> constant_value_at;
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    constant_value_at[i] = rounded_1;
  }
  store(constant_value + first, constant_value_at);
}

}  // namespace tessera

// kernel scatter_keys
//
//   reads      constant_value 50304x4096xbf16, tokens 16384xi32, dy 16384x4096xbf16
//   writes     scatter_value 50304x4096xbf16
//   moves      131.1 kB, 0.0 MFLOP
//   schedule   8 neighbours a thread, 16 sorted updates each
//   from       programs.cpp:103  scatter
#include "routines.cuh"

namespace tessera {

extern "C" __constant__ Launch scatter_keys_f9d83a87_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256)
scatter_keys_f9d83a87(const int* __restrict__ tokens, KeyOfIndex* __restrict__ keys, i64* errors) {
  const int t = static_cast<int>(blockIdx.x) * 256 + static_cast<int>(threadIdx.x);
  keys[t] = key_of_index(tokens[t], 50304, errors);
}

}  // namespace tessera

// kernel scatter_count
//
//   reads      constant_value 50304x4096xbf16, tokens 16384xi32, dy 16384x4096xbf16
//   writes     scatter_value 50304x4096xbf16
//   moves      73.7 kB, 0.0 MFLOP
//   schedule   8 neighbours a thread, 16 sorted updates each
//   from       programs.cpp:103  scatter
#include "routines.cuh"

namespace tessera {

extern "C" __constant__ Launch scatter_count_96fceadc_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256)
scatter_count_96fceadc(const KeyOfIndex* __restrict__ keys, int* __restrict__ counts) {
  const int tile = blockIdx.x % 8;
  const i64 row = blockIdx.x / 8;
  count_digits<8>(keys + row * 16384, 16384, tile, 8, /*pass=*/0, counts + row * 2048);
}

}  // namespace tessera

// kernel scatter_move
//
//   reads      constant_value 50304x4096xbf16, tokens 16384xi32, dy 16384x4096xbf16
//   writes     scatter_value 50304x4096xbf16
//   moves      204.8 kB, 0.0 MFLOP
//   schedule   8 neighbours a thread, 16 sorted updates each
//   from       programs.cpp:103  scatter
#include "routines.cuh"

namespace tessera {

extern "C" __constant__ Launch scatter_move_111fabad_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256)
scatter_move_111fabad(const KeyOfIndex* __restrict__ keys, const int* __restrict__ counts, KeyOfIndex* __restrict__ moved_keys,
    int* __restrict__ moved_places) {
  const int tile = blockIdx.x % 8;
  const i64 row = blockIdx.x / 8;
  move_tile<8>(keys + row * 16384, static_cast<const int*>(nullptr), 16384, tile, 8, /*pass=*/0, counts + row * 2048,
               static_cast<const int*>(nullptr), [&](int to, KeyOfIndex key, int from) { moved_keys[row * 16384 + to] = key, moved_places[row * 16384 + to] = from; });
}

}  // namespace tessera

// kernel scatter_count
//
//   reads      constant_value 50304x4096xbf16, tokens 16384xi32, dy 16384x4096xbf16
//   writes     scatter_value 50304x4096xbf16
//   moves      73.7 kB, 0.0 MFLOP
//   schedule   8 neighbours a thread, 16 sorted updates each
//   from       programs.cpp:103  scatter
#include "routines.cuh"

namespace tessera {

extern "C" __constant__ Launch scatter_count_d35acb4d_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256)
scatter_count_d35acb4d(const KeyOfIndex* __restrict__ keys, int* __restrict__ counts) {
  const int tile = blockIdx.x % 8;
  const i64 row = blockIdx.x / 8;
  count_digits<8>(keys + row * 16384, 16384, tile, 8, /*pass=*/1, counts + row * 2048);
}

}  // namespace tessera

// kernel scatter_move
//
//   reads      constant_value 50304x4096xbf16, tokens 16384xi32, dy 16384x4096xbf16
//   writes     scatter_value 50304x4096xbf16
//   moves      270.3 kB, 0.0 MFLOP
//   schedule   8 neighbours a thread, 16 sorted updates each
//   from       programs.cpp:103  scatter
#include "routines.cuh"

namespace tessera {

extern "C" __constant__ Launch scatter_move_a8ade0b6_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256)
scatter_move_a8ade0b6(const KeyOfIndex* __restrict__ keys, const int* __restrict__ places, const int* __restrict__ counts,
    KeyOfIndex* __restrict__ sorted, int* __restrict__ order) {
  const int tile = blockIdx.x % 8;
  const i64 row = blockIdx.x / 8;
  move_tile<8>(keys + row * 16384, places + row * 16384, 16384, tile, 8, /*pass=*/1, counts + row * 2048,
               static_cast<const int*>(nullptr), [&](int to, KeyOfIndex key, int from) { sorted[to] = key, order[to] = from; });
}

}  // namespace tessera

// kernel scatter_combine
//
//   reads      constant_value 50304x4096xbf16, tokens 16384xi32, dy 16384x4096xbf16
//   writes     scatter_value 50304x4096xbf16
//   moves      580.0 MB, 0.0 MFLOP
//   schedule   8 neighbours a thread, 16 sorted updates each
//   from       programs.cpp:103  scatter
#include "routines.cuh"

namespace tessera {

extern "C" __constant__ Launch scatter_combine_3f1425c4_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256)
scatter_combine_3f1425c4(const KeyOfIndex* __restrict__ sorted, const int* __restrict__ order, const bf16* __restrict__ dy,
    bf16* __restrict__ scatter_value, float* __restrict__ heads, float* __restrict__ tails) {
  const int t = static_cast<int>(blockIdx.x) * 256 + static_cast<int>(threadIdx.x);
  const Target<bf16> to = {scatter_value, dy, 50304, 4096, 16384, /*is_zero=*/true};
  const Runs runs = {sorted, order, 16384};
  const i64 lane = static_cast<i64>(t % 512) * 8;
  const int first = static_cast<int>(t / 512) * 16;
  const i64 place = static_cast<i64>(t / 512) * 4096 + lane;
  combine_chunk<Sum, 8>(to, runs, lane, first, min(first + 16, 16384), heads + place, tails + place);
}

}  // namespace tessera

// kernel scatter_long_runs
//
//   reads      constant_value 50304x4096xbf16, tokens 16384xi32, dy 16384x4096xbf16
//   writes     scatter_value 50304x4096xbf16
//   moves      580.0 MB, 0.0 MFLOP
//   schedule   8 neighbours a thread, 16 sorted updates each
//   from       programs.cpp:103  scatter
#include "routines.cuh"

namespace tessera {

extern "C" __constant__ Launch scatter_long_runs_0d1a892a_launch = {256, 1, 0, {}};

extern "C" __global__ void __launch_bounds__(256)
scatter_long_runs_0d1a892a(const KeyOfIndex* __restrict__ sorted, const int* __restrict__ order, const bf16* __restrict__ dy,
    const float* __restrict__ heads, const float* __restrict__ tails, bf16* __restrict__ scatter_value) {
  const int t = static_cast<int>(blockIdx.x) * 256 + static_cast<int>(threadIdx.x);
  const Target<bf16> to = {scatter_value, dy, 50304, 4096, 16384, /*is_zero=*/true};
  const Runs runs = {sorted, order, 16384};
  const i64 lane = static_cast<i64>(t % 512) * 8;
  const int first = static_cast<int>(t / 512) * 16;
  const i64 place = static_cast<i64>(t / 512) * 4096 + lane;
  combine_long_run<Sum, 8, 16>(to, runs, lane, first, heads + place, tails + place, 4096);
}

}  // namespace tessera
