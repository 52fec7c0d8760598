// RUN: tessera-translate --tile-to-cuda %s | diff %S/gemm_bf16.cu -
// RUN: tessera-opt -tile-verify-protocol --mlir-print-debuginfo %s | tessera-translate --tile-to-cuda | diff %S/gemm_bf16.cu -

tile.kernel "gemm_bf16" cluster 2 about [
    "d[m, n] = sum over k of a[m, k] b[n, k]",
    "",
    "  reads      a bf16[M, K], b bf16[N, K]             bytes  2 (M K + N K + M N)",
    "  writes     d bf16[M, N]                           flops  2 M N K",
    "  schedule   tile 128 x 256, steps of 64 of K, 3 stages; 1 producer and 2 consumer warpgroups of 64 x 256",
    "             clusters of 2 tiles along M share b; persistent, 8 clusters down, then right"] {
^bb0(%a_map: !tile.map<128x64xbf16, rank 2> loc("a_map"), %b_map: !tile.map<128x64xbf16, rank 2> loc("b_map"),
     %d_map: !tile.map<64x64xbf16, rank 2> loc("d_map"), %M: i32 loc("M"), %N: i32 loc("N"), %K: i32 loc("K")):
  %a = tile.shared "a" : !tile.smem<3x128x64xbf16>
  %b = tile.shared "b" : !tile.smem<3x256x64xbf16>
  %staged = tile.shared "staged" : !tile.smem<2x64x256xbf16>
  %ab = tile.channel "ab" depth 3 readers 2
  %c0 = arith.constant 0 : i32
  %c2 = arith.constant 2 : i32
  %c64 = arith.constant 64 : i32
  %c128 = arith.constant 128 : i32
  %c255 = arith.constant 255 : i32
  %c256 = arith.constant 256 : i32
  %rank = tile.cluster_rank loc("rank")
  %m_padded = arith.addi %M, %c255 : i32
  %tile_rows = arith.divsi %m_padded, %c256 : i32
  %n_padded = arith.addi %N, %c255 : i32
  %tile_columns = arith.divsi %n_padded, %c256 : i32
  %tiles = tile.raster %tile_rows, %tile_columns group 8 loc("tiles")

  tile.role "producer" warpgroups 1 registers 40 one_thread {
  ^bb0(%index: i32):
    tile.for_tiles %tiles {
    ^bb0(%at_row: i32, %at_column: i32):
      %pair = arith.muli %at_row, %c2 : i32
      %mine = arith.addi %pair, %rank : i32
      %m = arith.muli %mine, %c128 : i32 loc("m")
      %n = arith.muli %at_column, %c256 : i32 loc("n")
      scf.for %k = %c0 to %K step %c64 : i32 {
        %s = tile.put %ab of %a, %b : !tile.smem<3x128x64xbf16>, !tile.smem<3x256x64xbf16> loc("s")
        %a_s = tile.at %a[%s : !tile.slot] : !tile.smem<3x128x64xbf16> -> !tile.smem<128x64xbf16>
        tile.load %a_s from %a_map[%k, %m] slot %s : !tile.smem<128x64xbf16>, !tile.map<128x64xbf16, rank 2>
        %half = arith.muli %rank, %c128 : i32
        %b_s = tile.at %b[%s : !tile.slot] : !tile.smem<3x256x64xbf16> -> !tile.smem<256x64xbf16>
        %b_half = tile.rows %b_s from %half : !tile.smem<256x64xbf16> -> !tile.smem<128x64xbf16, pitch 256>
        %n_half = arith.addi %n, %half : i32
        tile.load %b_half from %b_map[%k, %n_half] slot %s to_all
            : !tile.smem<128x64xbf16, pitch 256>, !tile.map<128x64xbf16, rank 2>
      } loc("k")
    }
    tile.drain %ab
  }

  tile.role "consumer" warpgroups 2 registers 232 {
  ^bb0(%consumer: i32 loc("consumer")):
    %row = arith.muli %consumer, %c64 : i32 loc("row")
    tile.for_tiles %tiles {
    ^bb0(%at_row: i32, %at_column: i32):
      %pair = arith.muli %at_row, %c2 : i32
      %mine = arith.addi %pair, %rank : i32
      %m_block = arith.muli %mine, %c128 : i32
      %m = arith.addi %m_block, %row : i32 loc("m")
      %n = arith.muli %at_column, %c256 : i32 loc("n")
      %none = tile.empty : !tile.fragment<64x256xf32, pending 1> loc("d")
      %sum = scf.for %k = %c0 to %K step %c64 iter_args(%d = %none) -> (!tile.fragment<64x256xf32, pending 1>) : i32 {
        %s = tile.get %ab loc("s")
        %a_s = tile.at %a[%s : !tile.slot] : !tile.smem<3x128x64xbf16> -> !tile.smem<128x64xbf16>
        %a_rows = tile.rows %a_s from %row : !tile.smem<128x64xbf16> -> !tile.smem<64x64xbf16, pitch 128>
        %b_s = tile.at %b[%s : !tile.slot] : !tile.smem<3x256x64xbf16> -> !tile.smem<256x64xbf16>
        %later = arith.cmpi sgt, %k, %c0 : i32
        %d_next = tile.mma %d, %a_rows, %b_s transposed add %later
            : !tile.fragment<64x256xf32, pending 1>, !tile.smem<64x64xbf16, pitch 128>, !tile.smem<256x64xbf16>
            -> !tile.fragment<64x256xf32, pending 1> loc("d")
        tile.wait_mma 1
        scf.if %later {
          tile.release %ab
        }
        scf.yield %d_next : !tile.fragment<64x256xf32, pending 1>
      } loc("k")
      %whole = tile.wait_mma 0 %sum : !tile.fragment<64x256xf32, pending 1> -> !tile.fragment<64x256xf32>
      tile.release %ab
      %mine_staged = tile.at %staged[%consumer : i32] : !tile.smem<2x64x256xbf16> -> !tile.smem<64x256xbf16>
      %rounded = tile.round %whole : !tile.fragment<64x256xf32> -> !tile.fragment<64x256xbf16>
      tile.store %rounded through %mine_staged to %d_map[%n, %m]
          : !tile.fragment<64x256xbf16>, !tile.smem<64x256xbf16>, !tile.map<64x64xbf16, rank 2>
    }
    tile.wait_stores
  }
}
