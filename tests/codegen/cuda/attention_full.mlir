// RUN: tessera-translate --tile-to-cuda %s | diff %S/attention_full.cu -
// RUN: tessera-opt -tile-verify-protocol --mlir-print-debuginfo %s | tessera-translate --tile-to-cuda | diff %S/attention_full.cu -

!box = !tile.map<128x64xbf16, rank 3>
!out_box = !tile.map<64x64xbf16, rank 3>
!block = !tile.smem<128x128xbf16>
!blocks = !tile.smem<2x128x128xbf16>
!rows = !tile.smem<64x128xbf16, pitch 128>
!sums = !tile.fragment<64x128xf32>
!running = !tile.fragment<64x128xf32, pending 1>
!rounded = !tile.fragment<64x128xbf16>

tile.kernel "attention_full" cluster 1 about [
    "o[m, :] = sum over n of p[m, n] v[n, :],  p = softmax over n of scale q[m, :] k[n, :]",
    "",
    "  reads      q, k, v bf16[planes, S, 128]           bytes  8 planes S 128 + 4 planes S",
    "  writes     o bf16[planes, S, 128]                 flops  4 planes S^2 128",
    "             lse f32[planes, S]",
    "  schedule   rows 128, steps of 128 of n, 2 stages; 1 producer and 2 consumer warpgroups of 64 rows that take turns",
    "             n from right to left, so that the block cut by the end comes first; scores of the next block before",
    "             the product with v of this one; persistent, tiles are drawn, `section` planes at once"] {
^bb0(%q_map: !box loc("q_map"), %k_map: !box loc("k_map"),
     %v_map: !box loc("v_map"), %o_map: !out_box loc("o_map"),
     %lse: !tile.pointer<f32> loc("lse"), %counter: !tile.pointer<i32> loc("counter"), %S: i32 loc("S"),
     %planes: i32 loc("planes"), %section: i32 loc("section"), %scale: f32 loc("scale")):
  %q = tile.shared "q" : !block
  %k = tile.shared "k" : !blocks
  %v = tile.shared "v" : !blocks
  %staged = tile.shared "staged" : !tile.smem<2x64x128xbf16>
  %q_ready = tile.channel "q_ready" depth 1 readers 2
  %k_ready = tile.channel "k_ready" depth 2 readers 2
  %v_ready = tile.channel "v_ready" depth 2 readers 2
  %c0 = arith.constant 0 : i32
  %c1 = arith.constant 1 : i32
  %c64 = arith.constant 64 : i32
  %c127 = arith.constant 127 : i32
  %c128 = arith.constant 128 : i32
  %no = arith.constant false
  %yes = arith.constant true
  %zero = arith.constant 0.0 : f32
  %masked = arith.constant 0xFF800000 : f32
  %log2_e = arith.constant 1.44269504 : f32
  %ln_2 = arith.constant 0.693147181 : f32
  %padded = arith.addi %S, %c127 : i32
  %tile_rows = arith.divsi %padded, %c128 : i32
  %tiles = tile.longest_first %tile_rows, %planes section %section loc("tiles")
  %c = arith.mulf %scale, %log2_e : f32 loc("c")
  %s_less = arith.subi %S, %c1 : i32
  %last = arith.divsi %s_less, %c128 : i32 loc("last")

  tile.role "producer" warpgroups 1 registers 24 one_thread {
  ^bb0(%index: i32):
    tile.for_tiles %tiles drawn from %counter : !tile.pointer<i32> {
    ^bb0(%at_row: i32, %plane: i32):
      %k_last = tile.put %k_ready of %k : !blocks loc("k_last")
      %n_last = arith.muli %last, %c128 : i32
      %k_last_tile = tile.at %k[%k_last : !tile.slot] : !blocks -> !block
      tile.load %k_last_tile from %k_map[%c0, %n_last, %plane] slot %k_last : !block, !box
      %q_slot = tile.put %q_ready of %q : !block loc("q_slot")
      %m = arith.muli %at_row, %c128 : i32
      tile.load %q from %q_map[%c0, %m, %plane] slot %q_slot : !block, !box
      scf.for %i = %c0 to %last step %c1 : i32 {
        %back = arith.subi %last, %i : i32
        %n = arith.muli %back, %c128 : i32 loc("n")
        %k_next = tile.put %k_ready of %k : !blocks loc("k_next")
        %n_next = arith.subi %n, %c128 : i32
        %k_next_tile = tile.at %k[%k_next : !tile.slot] : !blocks -> !block
        tile.load %k_next_tile from %k_map[%c0, %n_next, %plane] slot %k_next : !block, !box
        %v_this = tile.put %v_ready of %v : !blocks loc("v_this")
        %v_this_tile = tile.at %v[%v_this : !tile.slot] : !blocks -> !block
        tile.load %v_this_tile from %v_map[%c0, %n, %plane] slot %v_this : !block, !box
      } loc("i")
      %v_first = tile.put %v_ready of %v : !blocks loc("v_first")
      %v_first_tile = tile.at %v[%v_first : !tile.slot] : !blocks -> !block
      tile.load %v_first_tile from %v_map[%c0, %c0, %plane] slot %v_first : !block, !box
    }
  }

  tile.role "consumer" warpgroups 2 registers 240 {
  ^bb0(%consumer: i32 loc("consumer")):
    %row = arith.muli %consumer, %c64 : i32 loc("row")
    %turns = tile.turns %consumer of 2 loc("turns")
    tile.for_tiles %tiles drawn from %counter : !tile.pointer<i32> {
    ^bb0(%at_row: i32, %plane: i32):
      %m_tile = arith.muli %at_row, %c128 : i32
      %m = arith.addi %m_tile, %row : i32 loc("m")
      %q_slot = tile.get %q_ready
      %q_rows = tile.rows %q from %row : !block -> !rows
      %k_last = tile.get %k_ready loc("k_last")
      %k_last_tile = tile.at %k[%k_last : !tile.slot] : !blocks -> !block
      %s0 = tile.empty : !sums loc("s")
      %s1 = tile.mma %s0, %q_rows, %k_last_tile transposed add %no : !sums, !rows, !block -> !running loc("scores")
      %s2 = tile.wait_mma 0 %s1 : !running -> !sums
      tile.release %k_ready
      %n_last = arith.muli %last, %c128 : i32
      %n_end = arith.addi %n_last, %c128 : i32
      %cut = arith.cmpi sgt, %n_end, %S : i32
      %s3 = scf.if %cut -> !sums {
        %s_cut = tile.map_each %s2, rows() : !sums {
        ^bb0(%x: f32 loc("x"), %r: i32 loc("i"), %j: i32 loc("j")):
          %n = arith.addi %n_last, %j : i32
          %seen = arith.cmpi slt, %n, %S : i32
          %y = arith.select %seen, %x, %masked : f32
          tile.yield %y : f32
        }
        scf.yield %s_cut : !sums
      } else {
        scf.yield %s2 : !sums
      }
      %best0 = tile.row_max %s3 : !sums loc("best")
      %anchor = tile.rowwise(%best0) {
      ^bb0(%x: f32):
        %y = arith.mulf %x, %c : f32
        tile.yield %y : f32
      } loc("anchor")
      %p0_f32 = tile.map_each %s3, rows(%anchor) : !sums {
      ^bb0(%x: f32 loc("x"), %r: i32, %j: i32, %less: f32 loc("less")):
        %minus = arith.negf %less : f32
        %z = math.fma %x, %c, %minus : f32
        %y = math.exp2 %z : f32
        tile.yield %y : f32
      } loc("p")
      %sum0 = tile.lane_sum %p0_f32 : !sums loc("sum")
      %p0 = tile.round %p0_f32 : !sums -> !rounded loc("p")
      %o0 = tile.fill %zero : !sums loc("o")
      %best, %sum, %p, %s_end, %o = scf.for %i = %c0 to %last step %c1
          iter_args(%best_i = %best0, %sum_i = %sum0, %p_i = %p0, %s_i = %p0_f32, %o_i = %o0)
          -> (!tile.row, !tile.row, !rounded, !sums, !sums) : i32 {
        %k_next = tile.get %k_ready loc("k_next")
        %k_next_tile = tile.at %k[%k_next : !tile.slot] : !blocks -> !block
        %v_this = tile.get %v_ready loc("v_this")
        %v_this_tile = tile.at %v[%v_this : !tile.slot] : !blocks -> !block
        tile.turn_wait %turns
        %s4 = tile.mma %s_i, %q_rows, %k_next_tile transposed add %no : !sums, !rows, !block -> !running loc("scores, one block ahead")
        %o1 = tile.mma %o_i, %p_i, %v_this_tile add %yes : !sums, !rounded, !block -> !running loc("o")
        tile.turn_pass %turns
        %s5 = tile.wait_mma 1 %s4 : !running -> !sums
        tile.release %k_ready
        %block_max = tile.row_max %s5 : !sums
        %higher = tile.rowwise(%best_i, %block_max) {
        ^bb0(%x: f32, %y: f32):
          %z = arith.maximumf %x, %y : f32
          tile.yield %z : f32
        } loc("higher")
        %fix = tile.rowwise(%best_i, %higher) {
        ^bb0(%old: f32, %new: f32):
          %less = arith.subf %old, %new : f32
          %scaled = arith.mulf %less, %c : f32
          %y = math.exp2 %scaled : f32
          tile.yield %y : f32
        } loc("fix")
        %top = tile.rowwise(%higher) {
        ^bb0(%x: f32):
          %y = arith.mulf %x, %c : f32
          tile.yield %y : f32
        } loc("top")
        %p_f32 = tile.map_each %s5, rows(%top) : !sums {
        ^bb0(%x: f32 loc("x"), %r: i32, %j: i32, %less: f32 loc("less")):
          %minus = arith.negf %less : f32
          %z = math.fma %x, %c, %minus : f32
          %y = math.exp2 %z : f32
          tile.yield %y : f32
        } loc("p")
        %part = tile.lane_sum %p_f32 : !sums
        %grown = tile.rowwise(%sum_i, %fix, %part) {
        ^bb0(%x: f32, %f: f32, %y: f32):
          %repaired = arith.mulf %x, %f : f32
          %z = arith.addf %repaired, %y : f32
          tile.yield %z : f32
        } loc("grown")
        %o2 = tile.wait_mma 0 %o1 : !running -> !sums
        tile.release %v_ready
        %o3 = tile.scale_rows %o2 by %fix : !sums
        %p_next = tile.round %p_f32 : !sums -> !rounded
        scf.yield %higher, %grown, %p_next, %p_f32, %o3 : !tile.row, !tile.row, !rounded, !sums, !sums
      } loc("i")
      tile.release %q_ready
      %v_first = tile.get %v_ready loc("v_first")
      %v_first_tile = tile.at %v[%v_first : !tile.slot] : !blocks -> !block
      %o4 = tile.mma %o, %p, %v_first_tile add %yes : !sums, !rounded, !block -> !running loc("o")
      %whole = tile.sum_of_lanes %sum loc("whole")
      %lse_row = tile.rowwise(%best, %whole) {
      ^bb0(%x: f32, %y: f32):
        %natural = arith.mulf %x, %scale : f32
        %log = math.log2 %y : f32
        %ln = arith.mulf %log, %ln_2 : f32
        %z = arith.addf %natural, %ln : f32
        tile.yield %z : f32
      } loc("lse_row")
      %o5 = tile.wait_mma 0 %o4 : !running -> !sums
      tile.release %v_ready
      %share = tile.reciprocal_or_zero %whole
      %o6 = tile.scale_rows %o5 by %share : !sums
      %plane_start = arith.muli %plane, %S : i32
      %offset = arith.addi %plane_start, %m : i32
      %left = arith.subi %S, %m : i32
      tile.store_row %lse_row to %lse[%offset] count %left : !tile.pointer<f32>
      %mine = tile.at %staged[%consumer : i32] : !tile.smem<2x64x128xbf16> -> !tile.smem<64x128xbf16>
      %rounded = tile.round %o6 : !sums -> !rounded
      tile.store %rounded through %mine to %o_map[%c0, %m, %plane]
          : !rounded, !tile.smem<64x128xbf16>, !out_box
    }
    tile.wait_stores
  }
}
