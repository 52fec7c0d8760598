// kernel gemm_bf16    d[m, n] = sum over k of a[m, k] b[n, k]
//
//   reads      a bf16[M, K], b bf16[N, K]             bytes  2 (M K + N K + M N)
//   writes     d bf16[M, N]                           flops  2 M N K
//   schedule   tile 128 x 256, steps of 64 of K, 3 stages; 1 producer and 2 consumer warpgroups of 64 x 256
//              clusters of 2 tiles along M share b; persistent, 8 clusters down, then right
#include "tile.cuh"

namespace tessera {

constexpr int stages = 3, cluster = 2, group = 8;

struct Shared {
  Tile<bf16, 128, 64> a[stages];
  Tile<bf16, 256, 64> b[stages];
  Tile<bf16, 64, 256> d[2];  // of each consumer
  Channel<stages, cluster> ab;
};

extern "C" __constant__ Launch gemm_bf16_launch = {384, cluster, sizeof(Shared), {128, 128, 64}};

extern "C" __global__ void __cluster_dims__(cluster, 1, 1) __launch_bounds__(384, 1)
gemm_bf16(const __grid_constant__ TensorMap a_map, const __grid_constant__ TensorMap b_map,
          const __grid_constant__ TensorMap d_map, int M, int N, int K) {
  Shared& shared = shared_memory<Shared>();
  shared.ab.init(2);
  publish_barriers<cluster>();

  const int rank = cluster_rank(), first = blockIdx.x / cluster, step = gridDim.x / cluster;
  const Raster tiles{(M + 128 * cluster - 1) / (128 * cluster), (N + 255) / 256, group};

  if (warpgroup() == 0) {  // producer
    give_registers<40>();
    if (threadIdx.x == 0) {
      Writer ab(shared.ab);
      for (int t = first; t < tiles.count(); t += step) {
        const Place at = tiles.at(t);
        const int m = (at.row * cluster + rank) * 128, n = at.column * 256;
        for (int k = 0; k < K; k += 64) {
          const Slot s = ab.put(bytes_of<Tile<bf16, 128, 64>> + bytes_of<Tile<bf16, 256, 64>>);
          load(shared.a[s], a_map, s, k, m);
          load_to_all<cluster>(rows<128>(shared.b[s], rank * 128), b_map, s, k, n + rank * 128);
        }
      }
      ab.drain();
    }
  } else {  // consumers
    take_registers<232>();
    const int consumer = warpgroup() - 1, row = consumer * 64;
    Reader ab(shared.ab);
    for (int t = first; t < tiles.count(); t += step) {
      const Place at = tiles.at(t);
      const int m = (at.row * cluster + rank) * 128 + row, n = at.column * 256;

      Fragment<256> d;
      for (int k = 0; k < K; k += 64) {
        const int s = ab.get();
        mma_abt(d, rows<64>(shared.a[s], row), shared.b[s], k > 0);  // d
        mma_wait<1>();
        if (k > 0) ab.release();
      }
      mma_wait<0>(d);
      ab.release();

      if (thread_of_warpgroup() == 0) store_wait_read<0>();
      warpgroup_sync();
      put(shared.d[consumer], d.to_bf16());
      publish_shared();
      warpgroup_sync();
      if (thread_of_warpgroup() == 0) {
        store(d_map, shared.d[consumer], n, m);
        store_commit();
      }
    }
    if (thread_of_warpgroup() == 0) store_wait_read<0>();
  }
}

}  // namespace tessera
