// Kernels that are no text: what is changed in place is read afterwards.
// RUN: tessera-translate --tile-to-cuda -split-input-file -verify-diagnostics %s

tile.kernel "stale" cluster 1 about ["the row before the scaling is read after it"] {
^bb0:
  tile.role "producer" warpgroups 1 registers 40 one_thread {
  ^bb0(%i: i32):
  }
  tile.role "consumer" warpgroups 2 registers 232 {
  ^bb0(%i: i32):
    %one = arith.constant 1.0 : f32
    %x = tile.fill %one : !tile.fragment<64x128xf32> loc("x")
    %top = tile.row_max %x : !tile.fragment<64x128xf32> loc("top")
    %scaled = tile.scale_rows %x by %top : !tile.fragment<64x128xf32>
    // expected-error @+1 {{reads a value that was changed in place}}
    %again = tile.row_max %x : !tile.fragment<64x128xf32>
  }
}

// -----

tile.kernel "carried" cluster 1 about ["what a loop carries is read after it"] {
^bb0(%n: i32 loc("n")):
  tile.role "producer" warpgroups 1 registers 40 one_thread {
  ^bb0(%i: i32):
  }
  tile.role "consumer" warpgroups 2 registers 232 {
  ^bb0(%i: i32):
    %c0 = arith.constant 0 : i32
    %c1 = arith.constant 1 : i32
    %one = arith.constant 1.0 : f32
    %x = tile.fill %one : !tile.fragment<64x128xf32> loc("x")
    %top = tile.row_max %x : !tile.fragment<64x128xf32> loc("top")
    %y = scf.for %k = %c0 to %n step %c1 iter_args(%z = %x) -> (!tile.fragment<64x128xf32>) : i32 {
      %scaled = tile.scale_rows %z by %top : !tile.fragment<64x128xf32>
      scf.yield %scaled : !tile.fragment<64x128xf32>
    }
    // expected-error @+1 {{reads a value that the loop before it changes}}
    %again = tile.row_max %x : !tile.fragment<64x128xf32>
  }
}

// -----

// expected-error @+1 {{is printed with one role of one thread, then one of whole warpgroups}}
tile.kernel "alone" cluster 1 about ["no consumer"] {
^bb0:
  tile.role "producer" warpgroups 1 registers 40 one_thread {
  ^bb0(%i: i32):
  }
}
