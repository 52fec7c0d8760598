// kernel attention_full    o[m, :] = sum over n of p[m, n] v[n, :],  p = softmax over n of scale q[m, :] k[n, :]
//
//   reads      q, k, v bf16[planes, S, 128]           bytes  8 planes S 128 + 4 planes S
//   writes     o bf16[planes, S, 128]                 flops  4 planes S^2 128
//              lse f32[planes, S]
//   schedule   rows 128, steps of 128 of n, 2 stages; 1 producer and 2 consumer warpgroups of 64 rows that take turns
//              n from right to left, so that the block cut by the end comes first; scores of the next block before
//              the product with v of this one; persistent, tiles are drawn, `section` planes at once
#include "tile.cuh"

namespace tessera {

constexpr int block = 128;  // of n

struct Shared {
  Tile<bf16, 128, 128> q;
  Tile<bf16, block, 128> k[2];
  Tile<bf16, block, 128> v[2];
  Tile<bf16, 64, 128> o[2];  // of each consumer
  Channel<1> q_ready;
  Channel<2> k_ready, v_ready;
  Tickets tickets;
};

extern "C" __constant__ Launch attention_full_launch = {384, 1, sizeof(Shared), {128, block, block, 64}};

extern "C" __global__ void __launch_bounds__(384, 1)
attention_full(const __grid_constant__ TensorMap q_map, const __grid_constant__ TensorMap k_map,
               const __grid_constant__ TensorMap v_map, const __grid_constant__ TensorMap o_map,
               float* __restrict__ lse, int* __restrict__ counter, int S, int planes, int section, float scale) {
  Shared& shared = shared_memory<Shared>();
  shared.q_ready.init(2), shared.k_ready.init(2), shared.v_ready.init(2), shared.tickets.init(8);
  publish_barriers<1>();

  const LongestFirst tiles{(S + 127) / 128, planes, section};
  const float c = scale * log2_e;  // e^(scale x) = 2^(c x)

  if (warpgroup() == 0) {  // producer
    give_registers<24>();
    if (threadIdx.x == 0) {
      TicketWriter tickets(shared.tickets, counter, tiles.count());
      Writer q(shared.q_ready);
      Writer k(shared.k_ready), v(shared.v_ready);
      for (int t = tickets.next(); t < tiles.count(); t = tickets.next()) {
        const Place at = tiles.at(t);
        const int m = at.row * 128, plane = at.column;
        int n = (S - 1) / block * block;  // the last block

        const Slot k_last = k.put(bytes_of<Tile<bf16, block, 128>>);
        load(shared.k[k_last], k_map, k_last, 0, n, plane);
        const Slot q_rows = q.put(bytes_of<Tile<bf16, 128, 128>>);
        load(shared.q, q_map, q_rows, 0, m, plane);
        for (; n > 0; n -= block) {
          const Slot k_next = k.put(bytes_of<Tile<bf16, block, 128>>);
          load(shared.k[k_next], k_map, k_next, 0, n - block, plane);
          const Slot v_this = v.put(bytes_of<Tile<bf16, block, 128>>);
          load(shared.v[v_this], v_map, v_this, 0, n, plane);
        }
        const Slot v_first = v.put(bytes_of<Tile<bf16, block, 128>>);
        load(shared.v[v_first], v_map, v_first, 0, 0, plane);
      }
    }
  } else {  // consumers
    take_registers<240>();
    const int consumer = warpgroup() - 1, row = consumer * 64;
    TicketReader tickets(shared.tickets);
    Reader q(shared.q_ready);
    Reader k(shared.k_ready), v(shared.v_ready);
    Turns<2> turns(consumer);
    for (int t = tickets.next(); t < tiles.count(); t = tickets.next()) {
      const Place at = tiles.at(t);
      const int m = at.row * 128 + row, plane = at.column;
      int n = (S - 1) / block * block;
      q.get();
      const auto q_rows = rows<64>(shared.q, row);

      Fragment<block> s;
      mma_abt(s, q_rows, shared.k[k.get()], false);  // scores
      mma_wait<0>(s);
      k.release();
      if (n + block > S) s.map([&](float x, int, int j) { return n + j < S ? x : -infinity; });
      Row best = max_of_lanes(s.max_in_lane());
      s.map_rows(c, best * c, scaled_exp2);  // p
      Row sum = s.sum_in_lane();
      Fragment<block, bf16> p = s.to_bf16();

      Fragment<128> o(0.f);
      for (; n > 0; n -= block) {
        const int k_next = k.get(), v_this = v.get();
        turns.wait();
        mma_abt(s, q_rows, shared.k[k_next], false);  // scores, one block ahead
        mma_ab(o, p, shared.v[v_this], true);         // o
        turns.pass();
        mma_wait<1>(s);
        k.release();

        const Row higher = max(best, max_of_lanes(s.max_in_lane()));
        const Row fix = exp2((best - higher) * c);  // what was summed so far is relative to the old maximum
        best = higher;
        s.map_rows(c, best * c, scaled_exp2);  // p
        sum = sum * fix + s.sum_in_lane();

        mma_wait<0>(o);
        v.release();
        p = s.to_bf16();
        o.scale_rows(fix);
      }
      q.release();
      mma_ab(o, p, shared.v[v.get()], true);  // o
      sum = sum_of_lanes(sum);
      const Row lse_row = best * scale + log2(sum) * ln_2;
      mma_wait<0>(o);
      v.release();
      o.scale_rows(reciprocal_or_zero(sum));

      lse_row.each([&](float x, int i) {
        if (m + i < S) lse[plane * S + m + i] = x;
      });
      if (thread_of_warpgroup() == 0) store_wait_read<0>();
      warpgroup_sync();
      put(shared.o[consumer], o.to_bf16());
      publish_shared();
      warpgroup_sync();
      if (thread_of_warpgroup() == 0) {
        store(o_map, shared.o[consumer], 0, m, plane);
        store_commit();
      }
    }
    if (thread_of_warpgroup() == 0) store_wait_read<0>();
  }
}

}  // namespace tessera
