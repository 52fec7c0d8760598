// What the tile dialect's verifier refuses, one case for each constraint.
// RUN: tessera-opt %s -split-input-file -verify-diagnostics

// expected-error @+1 {{(T1) takes 262144 of 232448 bytes of shared memory}}
tile.kernel "t1" cluster 1 about ["too much shared memory"] {
^bb0:
  %a = tile.shared "a" : !tile.smem<8x128x128xbf16>
}

// -----

// expected-error @+1 {{(T2) takes 68608 of 65536 registers}}
tile.kernel "t2" cluster 1 about ["too many registers"] {
^bb0:
  tile.role "producer" warpgroups 1 registers 56 one_thread {
  ^bb0(%i: i32):
  }
  tile.role "consumer" warpgroups 2 registers 240 {
  ^bb0(%i: i32):
  }
}

// -----

tile.kernel "t2" cluster 1 about ["setmaxnreg takes multiples of 8"] {
^bb0:
  // expected-error @+1 {{(T2) cannot have 30 registers a thread}}
  tile.role "producer" warpgroups 1 registers 30 one_thread {
  ^bb0(%i: i32):
  }
}

// -----

tile.kernel "t3" cluster 1 about ["a get outside of roles"] {
^bb0:
  %a = tile.channel "a" depth 2 readers 2
  // expected-error @+1 {{(T3) stands in no role}}
  %s = tile.get %a
}

// -----

// A cluster of two: each block's half comes from both, so one load of half the rows brings all.
tile.kernel "t4" cluster 2 about ["half of the bytes that are waited for"] {
^bb0(%map: !tile.map<128x64xbf16, rank 2>):
  %b = tile.shared "b" : !tile.smem<2x256x64xbf16>
  %c = tile.channel "c" depth 2 readers 2
  %zero = arith.constant 0 : i32
  tile.role "producer" warpgroups 1 registers 40 one_thread {
  ^bb0(%i: i32):
    %good = tile.put %c of %b : !tile.smem<2x256x64xbf16>
    %b0 = tile.at %b[%good : !tile.slot] : !tile.smem<2x256x64xbf16> -> !tile.smem<256x64xbf16>
    %half = tile.rows %b0 from %zero : !tile.smem<256x64xbf16> -> !tile.smem<128x64xbf16, pitch 256>
    tile.load %half from %map[%zero, %zero] slot %good to_all : !tile.smem<128x64xbf16, pitch 256>, !tile.map<128x64xbf16, rank 2>
    // expected-error @+1 {{(T4) waits for 32768 bytes, and 16384 are loaded}}
    %bad = tile.put %c of %b : !tile.smem<2x256x64xbf16>
    tile.load %half from %map[%zero, %zero] slot %bad : !tile.smem<128x64xbf16, pitch 256>, !tile.map<128x64xbf16, rank 2>
  }
}

// -----

tile.kernel "t5" cluster 1 about ["a box of other rows"] {
^bb0(%map: !tile.map<64x64xbf16, rank 2>):
  %a = tile.shared "a" : !tile.smem<128x64xbf16>
  %c = tile.channel "c" depth 1 readers 2
  %zero = arith.constant 0 : i32
  tile.role "producer" warpgroups 1 registers 40 one_thread {
  ^bb0(%i: i32):
    %s = tile.put %c of %a : !tile.smem<128x64xbf16>
    // expected-error @+1 {{(T5) loads boxes of '!tile.map<64x64xbf16, rank 2>' into '!tile.smem<128x64xbf16>'}}
    tile.load %a from %map[%zero, %zero] slot %s : !tile.smem<128x64xbf16>, !tile.map<64x64xbf16, rank 2>
  }
}

// -----

tile.kernel "t5" cluster 1 about ["a coordinate too few"] {
^bb0(%map: !tile.map<128x64xbf16, rank 3>):
  %a = tile.shared "a" : !tile.smem<128x64xbf16>
  %c = tile.channel "c" depth 1 readers 2
  %zero = arith.constant 0 : i32
  tile.role "producer" warpgroups 1 registers 40 one_thread {
  ^bb0(%i: i32):
    %s = tile.put %c of %a : !tile.smem<128x64xbf16>
    // expected-error @+1 {{(T5) has 2 coordinates for '!tile.map<128x64xbf16, rank 3>'}}
    tile.load %a from %map[%zero, %zero] slot %s : !tile.smem<128x64xbf16>, !tile.map<128x64xbf16, rank 3>
  }
}

// -----

tile.kernel "t6" cluster 1 about ["b is not transposed, so its rows are k"] {
^bb0:
  %a = tile.shared "a" : !tile.smem<64x64xbf16>
  %b = tile.shared "b" : !tile.smem<128x64xbf16>
  %yes = arith.constant true
  tile.role "consumer" warpgroups 1 registers 232 {
  ^bb0(%i: i32):
    %acc = tile.empty : !tile.fragment<64x128xf32>
    // expected-error @+1 {{(T6) multiplies}}
    %d = tile.mma %acc, %a, %b add %yes : !tile.fragment<64x128xf32>, !tile.smem<64x64xbf16>, !tile.smem<128x64xbf16> -> !tile.fragment<64x128xf32, pending 1>
  }
}

// -----

tile.kernel "pending" cluster 1 about ["an accumulator read before the product is complete"] {
^bb0:
  %a = tile.shared "a" : !tile.smem<64x64xbf16>
  %b = tile.shared "b" : !tile.smem<128x64xbf16>
  %yes = arith.constant true
  tile.role "consumer" warpgroups 1 registers 232 {
  ^bb0(%i: i32):
    %acc = tile.empty : !tile.fragment<64x128xf32>
    %d = tile.mma %acc, %a, %b transposed add %yes : !tile.fragment<64x128xf32>, !tile.smem<64x64xbf16>, !tile.smem<128x64xbf16> -> !tile.fragment<64x128xf32, pending 1>
    // expected-error @+1 {{operand #0 must be a fragment that no product is still writing}}
    %top = tile.row_max %d : !tile.fragment<64x128xf32, pending 1>
  }
}

// -----

tile.kernel "t7" cluster 1 about ["there is no other block"] {
^bb0:
  %room = tile.halves "room" : !tile.halves<64x32xf32>
  %one = arith.constant 1.0 : f32
  tile.role "consumer" warpgroups 1 registers 232 {
  ^bb0(%i: i32):
    %sums = tile.fill %one : !tile.fragment<64x64xf32>
    // expected-error @+1 {{(T7) is for pairs of blocks}}
    %whole = tile.add_halves %room and %sums : !tile.halves<64x32xf32>, !tile.fragment<64x64xf32> -> !tile.fragment<64x32xf32>
  }
}

// -----

tile.kernel "t7" cluster 2 about ["the other block's start is waited for twice"] {
^bb0:
  %room = tile.halves "room" : !tile.halves<64x32xf32>
  %more = tile.halves "more" : !tile.halves<64x32xf32>
  %one = arith.constant 1.0 : f32
  tile.role "consumer" warpgroups 1 registers 232 {
  ^bb0(%i: i32):
    %sums = tile.fill %one : !tile.fragment<64x64xf32>
    // expected-error @+1 {{(T7) stands beside room for other sums}}
    %whole = tile.add_halves %room and %sums : !tile.halves<64x32xf32>, !tile.fragment<64x64xf32> -> !tile.fragment<64x32xf32>
  }
}

// -----

tile.kernel "t7" cluster 2 about ["boxes come to a block that may not have begun"] {
^bb0(%map: !tile.map<64x64xbf16, rank 2>):
  %room = tile.halves "room" : !tile.halves<64x32xf32>
  %b = tile.shared "b" : !tile.smem<2x128x64xbf16>
  %c = tile.channel "c" depth 2 readers 1
  %c0 = arith.constant 0 : i32
  %one = arith.constant 1.0 : f32
  tile.role "producer" warpgroups 1 registers 40 one_thread {
  ^bb0(%i: i32):
    %s = tile.put %c of %b : !tile.smem<2x128x64xbf16>
    %t = tile.at %b[%s : !tile.slot] : !tile.smem<2x128x64xbf16> -> !tile.smem<128x64xbf16>
    %half = tile.rows %t from %c0 : !tile.smem<128x64xbf16> -> !tile.smem<64x64xbf16, pitch 128>
    tile.load %half from %map[%c0, %c0] slot %s to_all : !tile.smem<64x64xbf16, pitch 128>, !tile.map<64x64xbf16, rank 2>
  }
  tile.role "consumer" warpgroups 1 registers 232 {
  ^bb0(%i: i32):
    %sums = tile.fill %one : !tile.fragment<64x64xf32>
    // expected-error @+1 {{(T7) stands beside boxes that land in both blocks}}
    %whole = tile.add_halves %room and %sums : !tile.halves<64x32xf32>, !tile.fragment<64x64xf32> -> !tile.fragment<64x32xf32>
  }
}

// -----

tile.kernel "t7" cluster 2 about ["all columns come, and a half is kept"] {
^bb0:
  %room = tile.halves "room" : !tile.halves<64x64xf32>
  %one = arith.constant 1.0 : f32
  tile.role "consumer" warpgroups 1 registers 232 {
  ^bb0(%i: i32):
    %sums = tile.fill %one : !tile.fragment<64x64xf32>
    // expected-error @+1 {{(T7) makes}}
    %whole = tile.add_halves %room and %sums : !tile.halves<64x64xf32>, !tile.fragment<64x64xf32> -> !tile.fragment<64x32xf32>
  }
}
