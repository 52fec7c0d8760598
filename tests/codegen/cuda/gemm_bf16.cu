// kernel gemm_bf16    d[m, n] = sum over k of a[m, k] b[n, k]
//
//   reads      a bf16[M, K], b bf16[N, K]             bytes  2 (M K + N K + M N)
//   writes     d bf16[M, N]                           flops  2 M N K
//   schedule   tile 128 x 256, steps of 64 of K, 3 stages; 1 producer and 2 consumer warpgroups of 64 x 256
//              clusters of 2 tiles along M share b; persistent, 8 clusters down, then right
#include "tile.cuh"

namespace tessera {

struct Shared {
  Tile<bf16, 128, 64> a[3];
  Tile<bf16, 256, 64> b[3];
  Tile<bf16, 64, 256> staged[2];
  Channel<3, 2> ab;
};

extern "C" __constant__ Launch gemm_bf16_launch = {384, 2, sizeof(Shared), {128, 128, 64}};

extern "C" __global__ void __cluster_dims__(2, 1, 1) __launch_bounds__(384, 1)
gemm_bf16(const TensorMap __grid_constant__ a_map, const TensorMap __grid_constant__ b_map,
          const TensorMap __grid_constant__ d_map, int M, int N, int K) {
  Shared& shared = shared_memory<Shared>();
  shared.ab.init(2);
  publish_barriers<2>();
  const int rank = cluster_rank();
  const Raster tiles{(M + 255) / 256, (N + 255) / 256, 8};

  if (warpgroup() == 0) {  // producer
    give_registers<40>();
    if (threadIdx.x == 0) {
      Writer ab(shared.ab);
      for (int t = blockIdx.x / 2; t < tiles.count(); t += gridDim.x / 2) {
        const Place at = tiles.at(t);
        const int m = (at.row * 2 + rank) * 128;
        const int n = at.column * 256;
        for (int k = 0; k < K; k += 64) {
          const Slot s = ab.put(bytes_of<Tile<bf16, 128, 64>> + bytes_of<Tile<bf16, 256, 64>>);
          load(shared.a[s], a_map, s, k, m);
          load_to_all<2>(rows<128>(shared.b[s], rank * 128), b_map, s, k, n + rank * 128);
        }
      }
      ab.drain();
    }
  } else {  // consumer
    take_registers<232>();
    const int consumer = warpgroup() - 1;
    Reader ab(shared.ab);
    const int row = consumer * 64;
    for (int t = blockIdx.x / 2; t < tiles.count(); t += gridDim.x / 2) {
      const Place at = tiles.at(t);
      const int m = (at.row * 2 + rank) * 128 + row;
      const int n = at.column * 256;
      Fragment<256> d;
      for (int k = 0; k < K; k += 64) {
        const int s = ab.get();
        mma_abt(d, rows<64>(shared.a[s], row), shared.b[s], k > 0);
        mma_wait<1>();
        if (k > 0) ab.release();
      }
      mma_wait<0>(d);
      ab.release();
      store(d_map, shared.staged[consumer], d.to_bf16(), n, m);
    }
    store_wait_read<0>();
  }
}

}  // namespace tessera
