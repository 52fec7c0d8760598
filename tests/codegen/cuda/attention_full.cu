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

struct Shared {
  Tile<bf16, 128, 128> q;
  Tile<bf16, 128, 128> k[2];
  Tile<bf16, 128, 128> v[2];
  Tile<bf16, 64, 128> staged[2];
  Channel<1> q_ready;
  Channel<2> k_ready;
  Channel<2> v_ready;
  Tickets tickets;
};

extern "C" __constant__ Launch attention_full_launch = {384, 1, sizeof(Shared), {128, 128, 128, 64}};

extern "C" __global__ void __launch_bounds__(384, 1)
attention_full(const TensorMap __grid_constant__ q_map, const TensorMap __grid_constant__ k_map,
               const TensorMap __grid_constant__ v_map, const TensorMap __grid_constant__ o_map,
               float* __restrict__ lse, int* __restrict__ counter, int S, int planes, int section, float scale) {
  Shared& shared = shared_memory<Shared>();
  shared.q_ready.init(2);
  shared.k_ready.init(2);
  shared.v_ready.init(2);
  shared.tickets.init(8);
  publish_barriers<1>();
  const LongestFirst tiles{(S + 127) / 128, planes, section};
  const float c = scale * 1.442695f;
  const int last = (S - 1) / 128;

  if (warpgroup() == 0) {  // producer
    give_registers<24>();
    if (threadIdx.x == 0) {
      Writer q_ready(shared.q_ready);
      Writer k_ready(shared.k_ready);
      Writer v_ready(shared.v_ready);
      TicketWriter tickets(shared.tickets, counter, tiles.count());
      for (int t = tickets.next(); t < tiles.count(); t = tickets.next()) {
        const Place at = tiles.at(t);
        const Slot k_last = k_ready.put(bytes_of<Tile<bf16, 128, 128>>);
        load(shared.k[k_last], k_map, k_last, 0, last * 128, at.column);
        const Slot q_slot = q_ready.put(bytes_of<Tile<bf16, 128, 128>>);
        load(shared.q, q_map, q_slot, 0, at.row * 128, at.column);
        for (int i = 0; i < last; i += 1) {
          const int n = (last - i) * 128;
          const Slot k_next = k_ready.put(bytes_of<Tile<bf16, 128, 128>>);
          load(shared.k[k_next], k_map, k_next, 0, n - 128, at.column);
          const Slot v_this = v_ready.put(bytes_of<Tile<bf16, 128, 128>>);
          load(shared.v[v_this], v_map, v_this, 0, n, at.column);
        }
        const Slot v_first = v_ready.put(bytes_of<Tile<bf16, 128, 128>>);
        load(shared.v[v_first], v_map, v_first, 0, 0, at.column);
      }
    }
  } else {  // consumer
    take_registers<240>();
    const int consumer = warpgroup() - 1;
    Reader q_ready(shared.q_ready);
    Reader k_ready(shared.k_ready);
    Reader v_ready(shared.v_ready);
    TicketReader tickets(shared.tickets);
    const int row = consumer * 64;
    Turns<2> turns(consumer);
    for (int t = tickets.next(); t < tiles.count(); t = tickets.next()) {
      const Place at = tiles.at(t);
      const int m = at.row * 128 + row;
      q_ready.get();
      const int k_last = k_ready.get();
      Fragment<128> s;
      mma_abt(s, rows<64>(shared.q, row), shared.k[k_last], false);  // scores
      mma_wait<0>(s);
      k_ready.release();
      if (last * 128 + 128 > S) s.map([&](float x, int, int j) { return last * 128 + j < S ? x : -infinity; });
      Row best = s.row_max();
      const Row anchor = best * c;
      s.map([&](float x, int, int, float less) { return exp2(__fmaf_rn(x, c, -less)); }, anchor);  // p
      Row sum = s.lane_sum();
      Fragment<128, bf16> p = s.to_bf16();
      Fragment<128> o(0.f);
      for (int i = 0; i < last; i += 1) {
        const int k_next = k_ready.get();
        const int v_this = v_ready.get();
        turns.wait();
        mma_abt(s, rows<64>(shared.q, row), shared.k[k_next], false);  // scores, one block ahead
        mma_ab(o, p, shared.v[v_this], true);
        turns.pass();
        mma_wait<1>(s);
        k_ready.release();
        const Row higher = max(best, s.row_max());
        const Row fix = exp2((best - higher) * c);
        const Row top = higher * c;
        s.map([&](float x, int, int, float less) { return exp2(__fmaf_rn(x, c, -less)); }, top);  // p
        const Row grown = sum * fix + s.lane_sum();
        mma_wait<0>(o);
        v_ready.release();
        o.scale_rows(fix);
        best = higher;
        sum = grown;
        p = s.to_bf16();
      }
      q_ready.release();
      const int v_first = v_ready.get();
      mma_ab(o, p, shared.v[v_first], true);
      const Row whole = sum_of_lanes(sum);
      const Row lse_row = best * scale + log2(whole) * 0.6931472f;
      mma_wait<0>(o);
      v_ready.release();
      o.scale_rows(reciprocal_or_zero(whole));
      store(lse + at.column * S + m, lse_row, S - m);
      store(o_map, shared.staged[consumer], o.to_bf16(), 0, m, at.column);
    }
    store_wait_read<0>();
  }
}

}  // namespace tessera
