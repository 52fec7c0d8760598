// Kernels that would hang or read what is being overwritten, one for each rule of the protocol.
// RUN: tessera-opt %s -tile-verify-protocol="sizes=1,129,520" -split-input-file -verify-diagnostics

tile.kernel "right" cluster 1 about ["nothing is wrong"] {
^bb0(%map: !tile.map<128x64xbf16, rank 2>, %n: i32):
  %b = tile.shared "b" : !tile.smem<2x128x64xbf16>
  %a = tile.shared "a" : !tile.smem<64x64xbf16>
  %c = tile.channel "c" depth 2 readers 1
  %c0 = arith.constant 0 : i32
  %c1 = arith.constant 1 : i32
  %c64 = arith.constant 64 : i32
  %yes = arith.constant true
  tile.role "producer" warpgroups 1 registers 40 one_thread {
  ^bb0(%i: i32):
    scf.for %k = %c0 to %n step %c64 : i32 {
      %s = tile.put %c of %b : !tile.smem<2x128x64xbf16>
      %t = tile.at %b[%s : !tile.slot] : !tile.smem<2x128x64xbf16> -> !tile.smem<128x64xbf16>
      tile.load %t from %map[%k, %c0] slot %s : !tile.smem<128x64xbf16>, !tile.map<128x64xbf16, rank 2>
    }
  }
  tile.role "consumer" warpgroups 1 registers 232 {
  ^bb0(%i: i32):
    scf.for %k = %c0 to %n step %c64 : i32 {
      %s = tile.get %c
      %acc = tile.empty : !tile.fragment<64x128xf32>
      %t = tile.at %b[%s : !tile.slot] : !tile.smem<2x128x64xbf16> -> !tile.smem<128x64xbf16>
      %d = tile.mma %acc, %a, %t transposed add %yes : !tile.fragment<64x128xf32>, !tile.smem<64x64xbf16>, !tile.smem<128x64xbf16> -> !tile.fragment<64x128xf32, pending 1>
      %whole = tile.wait_mma 0 %d : !tile.fragment<64x128xf32, pending 1> -> !tile.fragment<64x128xf32>
      tile.release %c
    }
  }
}

// -----

tile.kernel "r1" cluster 1 about ["two warpgroups read what is meant for one"] {
^bb0(%map: !tile.map<128x64xbf16, rank 2>, %n: i32):
  %b = tile.shared "b" : !tile.smem<2x128x64xbf16>
  %a = tile.shared "a" : !tile.smem<64x64xbf16>
  // expected-error @+1 {{(R1) is written by one warpgroup and read by 2}}
  %c = tile.channel "c" depth 2 readers 1
  %c0 = arith.constant 0 : i32
  %c1 = arith.constant 1 : i32
  %c64 = arith.constant 64 : i32
  %yes = arith.constant true
  tile.role "producer" warpgroups 1 registers 40 one_thread {
  ^bb0(%i: i32):
    scf.for %k = %c0 to %n step %c64 : i32 {
      %s = tile.put %c of %b : !tile.smem<2x128x64xbf16>
      %t = tile.at %b[%s : !tile.slot] : !tile.smem<2x128x64xbf16> -> !tile.smem<128x64xbf16>
      tile.load %t from %map[%k, %c0] slot %s : !tile.smem<128x64xbf16>, !tile.map<128x64xbf16, rank 2>
    }
  }
  tile.role "consumer" warpgroups 2 registers 232 {
  ^bb0(%i: i32):
    scf.for %k = %c0 to %n step %c64 : i32 {
      %s = tile.get %c
      %acc = tile.empty : !tile.fragment<64x128xf32>
      %t = tile.at %b[%s : !tile.slot] : !tile.smem<2x128x64xbf16> -> !tile.smem<128x64xbf16>
      %d = tile.mma %acc, %a, %t transposed add %yes : !tile.fragment<64x128xf32>, !tile.smem<64x64xbf16>, !tile.smem<128x64xbf16> -> !tile.fragment<64x128xf32, pending 1>
      %whole = tile.wait_mma 0 %d : !tile.fragment<64x128xf32, pending 1> -> !tile.fragment<64x128xf32>
      tile.release %c
    }
  }
}

// -----

tile.kernel "r2" cluster 1 about ["the producer fills all of b before a, the consumer reads them side by side: b is full and a is empty"] {
^bb0(%map: !tile.map<128x64xbf16, rank 2>, %n: i32):
  %a = tile.shared "a" : !tile.smem<2x128x64xbf16>
  %b = tile.shared "b" : !tile.smem<2x128x64xbf16>
  %a_ready = tile.channel "a_ready" depth 2 readers 1
  %b_ready = tile.channel "b_ready" depth 2 readers 1
  %c0 = arith.constant 0 : i32
  %c64 = arith.constant 64 : i32
  tile.role "producer" warpgroups 1 registers 40 one_thread {
  ^bb0(%i: i32):
    scf.for %k = %c0 to %n step %c64 : i32 {
      // expected-error @+1 {{(R2) waits for ever in role 'producer', with arguments (129)}}
      %s = tile.put %b_ready of %b : !tile.smem<2x128x64xbf16>
      %t = tile.at %b[%s : !tile.slot] : !tile.smem<2x128x64xbf16> -> !tile.smem<128x64xbf16>
      tile.load %t from %map[%k, %c0] slot %s : !tile.smem<128x64xbf16>, !tile.map<128x64xbf16, rank 2>
    }
    scf.for %k = %c0 to %n step %c64 : i32 {
      %s = tile.put %a_ready of %a : !tile.smem<2x128x64xbf16>
      %t = tile.at %a[%s : !tile.slot] : !tile.smem<2x128x64xbf16> -> !tile.smem<128x64xbf16>
      tile.load %t from %map[%k, %c0] slot %s : !tile.smem<128x64xbf16>, !tile.map<128x64xbf16, rank 2>
    }
  }
  tile.role "consumer" warpgroups 1 registers 232 {
  ^bb0(%i: i32):
    scf.for %k = %c0 to %n step %c64 : i32 {
      // expected-note @+1 {{and so does role 'consumer', with arguments (129)}}
      %x = tile.get %a_ready
      %y = tile.get %b_ready
      tile.release %a_ready
      tile.release %b_ready
    }
  }
}

// -----

tile.kernel "r5" cluster 1 about ["a buffer is never released"] {
^bb0(%map: !tile.map<128x64xbf16, rank 2>, %n: i32):
  %b = tile.shared "b" : !tile.smem<2x128x64xbf16>
  %a = tile.shared "a" : !tile.smem<64x64xbf16>
  // expected-error @+1 {{(R5) handed over 1 buffers, 1 were read and 0 released in role 'consumer', with arguments (1)}}
  %c = tile.channel "c" depth 2 readers 1
  %c0 = arith.constant 0 : i32
  %c1 = arith.constant 1 : i32
  %c64 = arith.constant 64 : i32
  %yes = arith.constant true
  tile.role "producer" warpgroups 1 registers 40 one_thread {
  ^bb0(%i: i32):
    scf.for %k = %c0 to %n step %c64 : i32 {
      %s = tile.put %c of %b : !tile.smem<2x128x64xbf16>
      %t = tile.at %b[%s : !tile.slot] : !tile.smem<2x128x64xbf16> -> !tile.smem<128x64xbf16>
      tile.load %t from %map[%k, %c0] slot %s : !tile.smem<128x64xbf16>, !tile.map<128x64xbf16, rank 2>
    }
  }
  tile.role "consumer" warpgroups 1 registers 232 {
  ^bb0(%i: i32):
    scf.for %k = %c0 to %n step %c64 : i32 {
      %s = tile.get %c
      %acc = tile.empty : !tile.fragment<64x128xf32>
      %t = tile.at %b[%s : !tile.slot] : !tile.smem<2x128x64xbf16> -> !tile.smem<128x64xbf16>
      %d = tile.mma %acc, %a, %t transposed add %yes : !tile.fragment<64x128xf32>, !tile.smem<64x64xbf16>, !tile.smem<128x64xbf16> -> !tile.fragment<64x128xf32, pending 1>
      %whole = tile.wait_mma 0 %d : !tile.fragment<64x128xf32, pending 1> -> !tile.fragment<64x128xf32>
    }
  }
}

// -----

tile.kernel "r3" cluster 1 about ["a buffer is released twice"] {
^bb0(%map: !tile.map<128x64xbf16, rank 2>, %n: i32):
  %b = tile.shared "b" : !tile.smem<2x128x64xbf16>
  %a = tile.shared "a" : !tile.smem<64x64xbf16>
  %c = tile.channel "c" depth 2 readers 1
  %c0 = arith.constant 0 : i32
  %c1 = arith.constant 1 : i32
  %c64 = arith.constant 64 : i32
  %yes = arith.constant true
  tile.role "producer" warpgroups 1 registers 40 one_thread {
  ^bb0(%i: i32):
    scf.for %k = %c0 to %n step %c64 : i32 {
      %s = tile.put %c of %b : !tile.smem<2x128x64xbf16>
      %t = tile.at %b[%s : !tile.slot] : !tile.smem<2x128x64xbf16> -> !tile.smem<128x64xbf16>
      tile.load %t from %map[%k, %c0] slot %s : !tile.smem<128x64xbf16>, !tile.map<128x64xbf16, rank 2>
    }
  }
  tile.role "consumer" warpgroups 1 registers 232 {
  ^bb0(%i: i32):
    scf.for %k = %c0 to %n step %c64 : i32 {
      %s = tile.get %c
      %acc = tile.empty : !tile.fragment<64x128xf32>
      %t = tile.at %b[%s : !tile.slot] : !tile.smem<2x128x64xbf16> -> !tile.smem<128x64xbf16>
      %d = tile.mma %acc, %a, %t transposed add %yes : !tile.fragment<64x128xf32>, !tile.smem<64x64xbf16>, !tile.smem<128x64xbf16> -> !tile.fragment<64x128xf32, pending 1>
      %whole = tile.wait_mma 0 %d : !tile.fragment<64x128xf32, pending 1> -> !tile.fragment<64x128xf32>
      tile.release %c
      // expected-error @+1 {{(R3) frees a buffer that is not held}}
      tile.release %c
    }
  }
}

// -----

tile.kernel "r3" cluster 1 about ["the wait lets one product run, and it reads the buffer that is released"] {
^bb0(%map: !tile.map<128x64xbf16, rank 2>, %n: i32):
  %b = tile.shared "b" : !tile.smem<2x128x64xbf16>
  %a = tile.shared "a" : !tile.smem<64x64xbf16>
  %c = tile.channel "c" depth 2 readers 1
  %c0 = arith.constant 0 : i32
  %c1 = arith.constant 1 : i32
  %c64 = arith.constant 64 : i32
  %yes = arith.constant true
  tile.role "producer" warpgroups 1 registers 40 one_thread {
  ^bb0(%i: i32):
    scf.for %k = %c0 to %n step %c64 : i32 {
      %s = tile.put %c of %b : !tile.smem<2x128x64xbf16>
      %t = tile.at %b[%s : !tile.slot] : !tile.smem<2x128x64xbf16> -> !tile.smem<128x64xbf16>
      tile.load %t from %map[%k, %c0] slot %s : !tile.smem<128x64xbf16>, !tile.map<128x64xbf16, rank 2>
    }
  }
  tile.role "consumer" warpgroups 1 registers 232 {
  ^bb0(%i: i32):
    scf.for %k = %c0 to %n step %c64 : i32 {
      %s = tile.get %c
      %acc = tile.empty : !tile.fragment<64x128xf32>
      %t = tile.at %b[%s : !tile.slot] : !tile.smem<2x128x64xbf16> -> !tile.smem<128x64xbf16>
      %d = tile.mma %acc, %a, %t transposed add %yes : !tile.fragment<64x128xf32>, !tile.smem<64x64xbf16>, !tile.smem<128x64xbf16> -> !tile.fragment<64x128xf32, pending 1>
      tile.wait_mma 1
      // expected-error @+1 {{(R3) frees a buffer that a product may still read}}
      tile.release %c
    }
  }
}

// -----

tile.kernel "r4" cluster 1 about ["the product comes after the release"] {
^bb0(%map: !tile.map<128x64xbf16, rank 2>, %n: i32):
  %b = tile.shared "b" : !tile.smem<2x128x64xbf16>
  %a = tile.shared "a" : !tile.smem<64x64xbf16>
  %c = tile.channel "c" depth 2 readers 1
  %c0 = arith.constant 0 : i32
  %c1 = arith.constant 1 : i32
  %c64 = arith.constant 64 : i32
  %yes = arith.constant true
  tile.role "producer" warpgroups 1 registers 40 one_thread {
  ^bb0(%i: i32):
    scf.for %k = %c0 to %n step %c64 : i32 {
      %s = tile.put %c of %b : !tile.smem<2x128x64xbf16>
      %t = tile.at %b[%s : !tile.slot] : !tile.smem<2x128x64xbf16> -> !tile.smem<128x64xbf16>
      tile.load %t from %map[%k, %c0] slot %s : !tile.smem<128x64xbf16>, !tile.map<128x64xbf16, rank 2>
    }
  }
  tile.role "consumer" warpgroups 1 registers 232 {
  ^bb0(%i: i32):
    scf.for %k = %c0 to %n step %c64 : i32 {
      %s = tile.get %c
      %acc = tile.empty : !tile.fragment<64x128xf32>
      %t = tile.at %b[%s : !tile.slot] : !tile.smem<2x128x64xbf16> -> !tile.smem<128x64xbf16>
      tile.release %c
      // expected-error @+1 {{(R4) reads a buffer that is not held}}
      %d = tile.mma %acc, %a, %t transposed add %yes : !tile.fragment<64x128xf32>, !tile.smem<64x64xbf16>, !tile.smem<128x64xbf16> -> !tile.fragment<64x128xf32, pending 1>
      %whole = tile.wait_mma 0 %d : !tile.fragment<64x128xf32, pending 1> -> !tile.fragment<64x128xf32>
    }
  }
}

// -----

tile.kernel "r5" cluster 1 about ["a buffer more is handed over than read"] {
^bb0(%map: !tile.map<128x64xbf16, rank 2>, %n: i32):
  %b = tile.shared "b" : !tile.smem<2x128x64xbf16>
  %a = tile.shared "a" : !tile.smem<64x64xbf16>
  // expected-error @+1 {{(R5) handed over 2 buffers, 1 were read and 1 released}}
  %c = tile.channel "c" depth 2 readers 1
  %c0 = arith.constant 0 : i32
  %c1 = arith.constant 1 : i32
  %c64 = arith.constant 64 : i32
  %yes = arith.constant true
  tile.role "producer" warpgroups 1 registers 40 one_thread {
  ^bb0(%i: i32):
    scf.for %k = %c0 to %n step %c64 : i32 {
      %s = tile.put %c of %b : !tile.smem<2x128x64xbf16>
      %t = tile.at %b[%s : !tile.slot] : !tile.smem<2x128x64xbf16> -> !tile.smem<128x64xbf16>
      tile.load %t from %map[%k, %c0] slot %s : !tile.smem<128x64xbf16>, !tile.map<128x64xbf16, rank 2>
    }
    scf.for %k = %c0 to %c1 step %c64 : i32 {
      %s = tile.put %c of %b : !tile.smem<2x128x64xbf16>
      %t = tile.at %b[%s : !tile.slot] : !tile.smem<2x128x64xbf16> -> !tile.smem<128x64xbf16>
      tile.load %t from %map[%k, %c0] slot %s : !tile.smem<128x64xbf16>, !tile.map<128x64xbf16, rank 2>
    }
  }
  tile.role "consumer" warpgroups 1 registers 232 {
  ^bb0(%i: i32):
    scf.for %k = %c0 to %n step %c64 : i32 {
      %s = tile.get %c
      %acc = tile.empty : !tile.fragment<64x128xf32>
      %t = tile.at %b[%s : !tile.slot] : !tile.smem<2x128x64xbf16> -> !tile.smem<128x64xbf16>
      %d = tile.mma %acc, %a, %t transposed add %yes : !tile.fragment<64x128xf32>, !tile.smem<64x64xbf16>, !tile.smem<128x64xbf16> -> !tile.fragment<64x128xf32, pending 1>
      %whole = tile.wait_mma 0 %d : !tile.fragment<64x128xf32, pending 1> -> !tile.fragment<64x128xf32>
      tile.release %c
    }
  }
}

// -----

tile.kernel "r6" cluster 1 about ["a turn is passed on twice"] {
^bb0(%map: !tile.map<128x64xbf16, rank 2>, %n: i32):
  %b = tile.shared "b" : !tile.smem<2x128x64xbf16>
  %a = tile.shared "a" : !tile.smem<64x64xbf16>
  %c = tile.channel "c" depth 2 readers 1
  %c0 = arith.constant 0 : i32
  %c1 = arith.constant 1 : i32
  %c64 = arith.constant 64 : i32
  %yes = arith.constant true
  tile.role "producer" warpgroups 1 registers 40 one_thread {
  ^bb0(%i: i32):
    scf.for %k = %c0 to %n step %c64 : i32 {
      %s = tile.put %c of %b : !tile.smem<2x128x64xbf16>
      %t = tile.at %b[%s : !tile.slot] : !tile.smem<2x128x64xbf16> -> !tile.smem<128x64xbf16>
      tile.load %t from %map[%k, %c0] slot %s : !tile.smem<128x64xbf16>, !tile.map<128x64xbf16, rank 2>
    }
  }
  tile.role "consumer" warpgroups 1 registers 232 {
  ^bb0(%i: i32):
    %turns = tile.turns %i of 1
    scf.for %k = %c0 to %n step %c64 : i32 {
      %s = tile.get %c
      tile.turn_wait %turns
      tile.turn_pass %turns
      // expected-error @+1 {{(R6) passes on a turn twice}}
      tile.turn_pass %turns
      tile.release %c
    }
  }
}

// -----

// The channel is of each block alone, as nothing that is loaded goes to both.
tile.kernel "r8" cluster 2 about ["what comes for the second step may lie on what came for the first"] {
^bb0(%map: !tile.map<64x64xbf16, rank 2>, %n: i32):
  %b = tile.shared "b" : !tile.smem<2x64x64xbf16>
  %a = tile.shared "a" : !tile.smem<64x64xbf16>
  %room = tile.halves "room" : !tile.halves<64x32xf32>
  %c = tile.channel "c" depth 2 readers 1
  %c0 = arith.constant 0 : i32
  %c1 = arith.constant 1 : i32
  %c64 = arith.constant 64 : i32
  %yes = arith.constant true
  %rank = tile.cluster_rank
  tile.role "producer" warpgroups 1 registers 40 one_thread {
  ^bb0(%i: i32):
    scf.for %k = %c0 to %n step %c64 : i32 {
      %s = tile.put %c of %b : !tile.smem<2x64x64xbf16>
      %t = tile.at %b[%s : !tile.slot] : !tile.smem<2x64x64xbf16> -> !tile.smem<64x64xbf16>
      tile.load %t from %map[%k, %c0] slot %s : !tile.smem<64x64xbf16>, !tile.map<64x64xbf16, rank 2>
    }
  }
  tile.role "consumer" warpgroups 1 registers 232 {
  ^bb0(%i: i32):
    scf.for %k = %c0 to %n step %c64 : i32 {
      %s = tile.get %c
      %acc = tile.empty : !tile.fragment<64x64xf32>
      %t = tile.at %b[%s : !tile.slot] : !tile.smem<2x64x64xbf16> -> !tile.smem<64x64xbf16>
      %d = tile.mma %acc, %a, %t transposed add %yes : !tile.fragment<64x64xf32>, !tile.smem<64x64xbf16>, !tile.smem<64x64xbf16> -> !tile.fragment<64x64xf32, pending 1>
      %sums = tile.wait_mma 0 %d : !tile.fragment<64x64xf32, pending 1> -> !tile.fragment<64x64xf32>
      tile.release %c
      // expected-error @+1 {{(R8) sends to where sums lay before in role 'consumer', with arguments (129)}}
      %whole = tile.add_halves %room and %sums : !tile.halves<64x32xf32>, !tile.fragment<64x64xf32> -> !tile.fragment<64x32xf32>
    }
  }
}

// -----

tile.kernel "r9" cluster 2 about ["the second block reads one buffer less"] {
^bb0(%map: !tile.map<64x64xbf16, rank 2>, %n: i32):
  %b = tile.shared "b" : !tile.smem<2x64x64xbf16>
  %c = tile.channel "c" depth 2 readers 1
  %c0 = arith.constant 0 : i32
  %c64 = arith.constant 64 : i32
  %rank = tile.cluster_rank
  tile.role "producer" warpgroups 1 registers 40 one_thread {
  ^bb0(%i: i32):
    scf.for %k = %c0 to %n step %c64 : i32 {
      %s = tile.put %c of %b : !tile.smem<2x64x64xbf16>
      %t = tile.at %b[%s : !tile.slot] : !tile.smem<2x64x64xbf16> -> !tile.smem<64x64xbf16>
      tile.load %t from %map[%k, %c0] slot %s : !tile.smem<64x64xbf16>, !tile.map<64x64xbf16, rank 2>
    }
  }
  // expected-error @+1 {{(R9) does something else in block 1 of a cluster}}
  tile.role "consumer" warpgroups 1 registers 232 {
  ^bb0(%i: i32):
    %skipped = arith.muli %rank, %c64 : i32
    scf.for %k = %skipped to %n step %c64 : i32 {
      %s = tile.get %c
      tile.release %c
    }
  }
}

// -----

tile.kernel "r10" cluster 2 about ["a block that has put all of its boxes does not wait until the other has read them"] {
^bb0(%map: !tile.map<32x64xbf16, rank 2>, %n: i32):
  %b = tile.shared "b" : !tile.smem<2x64x64xbf16>
  // expected-error @+1 {{(R10) is not drained, and other blocks say here that they have read its buffers}}
  %c = tile.channel "c" depth 2 readers 1
  %c0 = arith.constant 0 : i32
  %c32 = arith.constant 32 : i32
  %c64 = arith.constant 64 : i32
  %rank = tile.cluster_rank
  %first = arith.muli %rank, %c32 : i32
  tile.role "producer" warpgroups 1 registers 40 one_thread {
  ^bb0(%i: i32):
    tile.drain %c
    scf.for %k = %c0 to %n step %c64 : i32 {
      %s = tile.put %c of %b : !tile.smem<2x64x64xbf16>
      %t = tile.at %b[%s : !tile.slot] : !tile.smem<2x64x64xbf16> -> !tile.smem<64x64xbf16>
      %half = tile.rows %t from %first : !tile.smem<64x64xbf16> -> !tile.smem<32x64xbf16, pitch 64>
      tile.load %half from %map[%k, %first] slot %s to_all : !tile.smem<32x64xbf16, pitch 64>, !tile.map<32x64xbf16, rank 2>
    }
  }
  tile.role "consumer" warpgroups 1 registers 232 {
  ^bb0(%i: i32):
    scf.for %k = %c0 to %n step %c64 : i32 {
      %s = tile.get %c
      tile.release %c
    }
  }
}

// -----

tile.kernel "r5" cluster 1 about ["the last of three blocks reads one buffer less"] {
^bb0(%map: !tile.map<64x64xbf16, rank 2>, %n: i32):
  %b = tile.shared "b" : !tile.smem<2x64x64xbf16>
  // expected-error @+1 {{(R5) handed over 1 buffers, 0 were read and 0 released in role 'consumer', with arguments (1)}}
  %c = tile.channel "c" depth 2 readers 1
  %c0 = arith.constant 0 : i32
  %c2 = arith.constant 2 : i32
  %c64 = arith.constant 64 : i32
  %block = tile.cluster_index of 3
  tile.role "producer" warpgroups 1 registers 40 one_thread {
  ^bb0(%i: i32):
    scf.for %k = %c0 to %n step %c64 : i32 {
      %s = tile.put %c of %b : !tile.smem<2x64x64xbf16>
      %t = tile.at %b[%s : !tile.slot] : !tile.smem<2x64x64xbf16> -> !tile.smem<64x64xbf16>
      tile.load %t from %map[%k, %c0] slot %s : !tile.smem<64x64xbf16>, !tile.map<64x64xbf16, rank 2>
    }
  }
  tile.role "consumer" warpgroups 1 registers 232 {
  ^bb0(%i: i32):
    %is_last = arith.divsi %block, %c2 : i32
    %skipped = arith.muli %is_last, %c64 : i32
    scf.for %k = %skipped to %n step %c64 : i32 {
      %s = tile.get %c
      tile.release %c
    }
  }
}

// -----

tile.kernel "r11" cluster 1 about ["a tile that is picked by a number comes while the product before may read it"] {
^bb0(%map: !tile.map<64x64xbf16, rank 2>, %n: i32):
  %b = tile.shared "b" : !tile.smem<1x64x64xbf16>
  %c = tile.channel "c" depth 2 readers 1
  %c0 = arith.constant 0 : i32
  %c64 = arith.constant 64 : i32
  tile.role "producer" warpgroups 1 registers 40 one_thread {
  ^bb0(%i: i32):
    scf.for %k = %c0 to %n step %c64 : i32 {
      %s = tile.put %c of %b : !tile.smem<1x64x64xbf16>
      %t = tile.at %b[%c0 : i32] : !tile.smem<1x64x64xbf16> -> !tile.smem<64x64xbf16>
      // expected-error @+1 {{(R11) loads a tile that may still be read}}
      tile.load %t from %map[%k, %c0] slot %s : !tile.smem<64x64xbf16>, !tile.map<64x64xbf16, rank 2>
    }
  }
  tile.role "consumer" warpgroups 1 registers 232 {
  ^bb0(%i: i32):
    scf.for %k = %c0 to %n step %c64 : i32 {
      %s = tile.get %c
      %t = tile.at %b[%c0 : i32] : !tile.smem<1x64x64xbf16> -> !tile.smem<64x64xbf16>
      %empty = tile.empty : !tile.fragment<64x64xf32>
      %add = arith.constant 0 : i1
      %sums = tile.mma %empty, %t, %t add %add : !tile.fragment<64x64xf32>, !tile.smem<64x64xbf16>, !tile.smem<64x64xbf16> -> !tile.fragment<64x64xf32, pending 1>
      %whole = tile.wait_mma 0 %sums : !tile.fragment<64x64xf32, pending 1> -> !tile.fragment<64x64xf32>
      tile.release %c
    }
  }
}

// -----

tile.kernel "r11" cluster 1 about ["a tile that is picked by a number is read, and another was loaded"] {
^bb0(%map: !tile.map<64x64xbf16, rank 2>, %n: i32):
  %b = tile.shared "b" : !tile.smem<2x64x64xbf16>
  %c = tile.channel "c" depth 1 readers 1
  %c0 = arith.constant 0 : i32
  %c1 = arith.constant 1 : i32
  %c64 = arith.constant 64 : i32
  tile.role "producer" warpgroups 1 registers 40 one_thread {
  ^bb0(%i: i32):
    scf.for %k = %c0 to %n step %c64 : i32 {
      %s = tile.put %c of %b : !tile.smem<2x64x64xbf16>
      %t = tile.at %b[%c0 : i32] : !tile.smem<2x64x64xbf16> -> !tile.smem<64x64xbf16>
      tile.load %t from %map[%k, %c0] slot %s : !tile.smem<64x64xbf16>, !tile.map<64x64xbf16, rank 2>
    }
  }
  tile.role "consumer" warpgroups 1 registers 232 {
  ^bb0(%i: i32):
    scf.for %k = %c0 to %n step %c64 : i32 {
      %s = tile.get %c
      %t = tile.at %b[%c1 : i32] : !tile.smem<2x64x64xbf16> -> !tile.smem<64x64xbf16>
      %empty = tile.empty : !tile.fragment<64x64xf32>
      %add = arith.constant 0 : i1
      // expected-error @+1 {{(R11) reads a tile that was never loaded}}
      %sums = tile.mma %empty, %t, %t add %add : !tile.fragment<64x64xf32>, !tile.smem<64x64xbf16>, !tile.smem<64x64xbf16> -> !tile.fragment<64x64xf32, pending 1>
      %whole = tile.wait_mma 0 %sums : !tile.fragment<64x64xf32, pending 1> -> !tile.fragment<64x64xf32>
      tile.release %c
    }
  }
}

// -----

tile.kernel "r11" cluster 1 about ["who goes past the last buffer before its own reads the tile that came with it"] {
^bb0(%map: !tile.map<64x64xbf16, rank 2>, %n: i32):
  %b = tile.shared "b" : !tile.smem<2x64x64xbf16>
  %c = tile.channel "c" depth 4 readers 1
  %c0 = arith.constant 0 : i32
  %c1 = arith.constant 1 : i32
  tile.role "producer" warpgroups 1 registers 40 one_thread {
  ^bb0(%i: i32):
    %s = tile.put %c of %b : !tile.smem<2x64x64xbf16>
    %t = tile.at %b[%c0 : i32] : !tile.smem<2x64x64xbf16> -> !tile.smem<64x64xbf16>
    tile.load %t from %map[%c0, %c0] slot %s : !tile.smem<64x64xbf16>, !tile.map<64x64xbf16, rank 2>
    %s_2 = tile.put %c of %b : !tile.smem<2x64x64xbf16>
    %t_2 = tile.at %b[%c1 : i32] : !tile.smem<2x64x64xbf16> -> !tile.smem<64x64xbf16>
    tile.load %t_2 from %map[%c0, %c0] slot %s_2 : !tile.smem<64x64xbf16>, !tile.map<64x64xbf16, rank 2>
  }
  tile.role "consumer" warpgroups 2 registers 232 {
  ^bb0(%consumer: i32):
    tile.skip %c count %consumer
    %s = tile.get %c
    %t = tile.at %b[%c0 : i32] : !tile.smem<2x64x64xbf16> -> !tile.smem<64x64xbf16>
    %empty = tile.empty : !tile.fragment<64x64xf32>
    %add = arith.constant 0 : i1
    // expected-error @+1 {{(R11) reads a tile that nobody has told it to be there}}
    %sums = tile.mma %empty, %t, %t add %add : !tile.fragment<64x64xf32>, !tile.smem<64x64xbf16>, !tile.smem<64x64xbf16> -> !tile.fragment<64x64xf32, pending 1>
    %whole = tile.wait_mma 0 %sums : !tile.fragment<64x64xf32, pending 1> -> !tile.fragment<64x64xf32>
    tile.release %c
    %last = arith.subi %c1, %consumer : i32
    tile.skip %c count %last
  }
}
