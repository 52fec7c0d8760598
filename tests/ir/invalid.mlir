// RUN: tessera-opt %s -split-input-file -verify-diagnostics

// Named after the labels in TsrOps.td and FuseOps.td.

func.func @iota_c1() -> tensor<4xi32> {
  // expected-error @+1 {{(C1) dim 1 is outside rank 1}}
  %0 = tsr.iota dim 1 : tensor<4xi32>
  return %0 : tensor<4xi32>
}

// -----

func.func @random_c1(%s: tensor<i64>) -> tensor<4xi32> {
  // expected-error @+1 {{(C1) of kind bits cannot give 'i32'}}
  %0 = tsr.random "bits" %s, %s stream 1 : (tensor<i64>, tensor<i64>) -> tensor<4xi32>
  return %0 : tensor<4xi32>
}

// -----

func.func @broadcast_c2(%x: tensor<3xf32>) -> tensor<4x8xf32> {
  // expected-error @+1 {{(C2) extent 3 cannot become 8}}
  %0 = tsr.broadcast %x dims [1] : (tensor<3xf32>) -> tensor<4x8xf32>
  return %0 : tensor<4x8xf32>
}

// -----

func.func @reshape_c1(%x: tensor<4x6xf32>) -> tensor<5x5xf32> {
  // expected-error @+1 {{(C1) 'tensor<4x6xf32>' and 'tensor<5x5xf32>' differ in size}}
  %0 = tsr.reshape %x : (tensor<4x6xf32>) -> tensor<5x5xf32>
  return %0 : tensor<5x5xf32>
}

// -----

func.func @transpose_c1(%x: tensor<4x6xf32>) -> tensor<4x4xf32> {
  // expected-error @+1 {{(C1) names dim 0 twice}}
  %0 = tsr.transpose %x dims [0, 0] : (tensor<4x6xf32>) -> tensor<4x4xf32>
  return %0 : tensor<4x4xf32>
}

// -----

func.func @slice_c1(%x: tensor<4xf32>) -> tensor<5xf32> {
  // expected-error @+1 {{(C1) cannot take [0, 5) by 1 of 4}}
  %0 = tsr.slice %x start [0] stop [5] step [1] : (tensor<4xf32>) -> tensor<5xf32>
  return %0 : tensor<5xf32>
}

// -----

func.func @pad_c2(%x: tensor<4xf32>) -> tensor<6xf32> {
  // expected-error @+1 {{(C2) gives 'tensor<7xf32>', not 'tensor<6xf32>'}}
  %0 = tsr.pad %x low [1] high [2] interior [0] value 0.0 : (tensor<4xf32>) -> tensor<6xf32>
  return %0 : tensor<6xf32>
}

// -----

func.func @concat_c1(%x: tensor<4x3xf32>, %y: tensor<4x2xf32>) -> tensor<8x3xf32> {
  // expected-error @+1 {{(C1) cannot join 'tensor<4x2xf32>' to 'tensor<4x3xf32>'}}
  %0 = tsr.concat %x, %y dim 0 : (tensor<4x3xf32>, tensor<4x2xf32>) -> tensor<8x3xf32>
  return %0 : tensor<8x3xf32>
}

// -----

func.func @gather_c2(%x: tensor<10x8xf32>, %i: tensor<4xi32>) -> tensor<8x4xf32> {
  // expected-error @+1 {{(C2) gives 'tensor<4x8xf32>'}}
  %0 = tsr.gather %x, %i dim 0 : (tensor<10x8xf32>, tensor<4xi32>) -> tensor<8x4xf32>
  return %0 : tensor<8x4xf32>
}

// -----

func.func @scatter_c1(%x: tensor<10x8xf32>, %i: tensor<4xi32>, %u: tensor<5x8xf32>) -> tensor<10x8xf32> {
  // expected-error @+1 {{(C1) updates must be 'tensor<4x8xf32>'}}
  %0 = tsr.scatter "add" %x, %i, %u dim 0
      : (tensor<10x8xf32>, tensor<4xi32>, tensor<5x8xf32>) -> tensor<10x8xf32>
  return %0 : tensor<10x8xf32>
}

// -----

func.func @dynamic_slice_c1(%x: tensor<4xf32>, %i: tensor<i32>) -> tensor<5xf32> {
  // expected-error @+1 {{(C1) 5 elements do not fit into 4}}
  %0 = tsr.dynamic_slice %x[%i] : (tensor<4xf32>, tensor<i32>) -> tensor<5xf32>
  return %0 : tensor<5xf32>
}

// -----

func.func @reduce_c2(%x: tensor<4x6xf32>) -> tensor<6xf32> {
  // expected-error @+1 {{(C2) gives 'tensor<4xf32>'}}
  %0 = tsr.reduce "sum" %x dims [1] : (tensor<4x6xf32>) -> tensor<6xf32>
  return %0 : tensor<6xf32>
}

// -----

func.func @contract_c2(%a: tensor<4x3xf32>, %b: tensor<5x6xf32>) -> tensor<4x6xf32> {
  // expected-error @+1 {{(C2) letter k is 3 and 5}}
  %0 = tsr.contract "mk,kn->mn" %a, %b windows [] : (tensor<4x3xf32>, tensor<5x6xf32>) -> tensor<4x6xf32>
  return %0 : tensor<4x6xf32>
}

// -----

func.func @contract_c4(%a: tensor<4x3xf32>, %b: tensor<3x6xf32>) -> tensor<4x6xf32> {
  // expected-error @+1 {{(C4) "h = 1p + 1r - 0" is no relation between letters of the einsum}}
  %0 = tsr.contract "mk,kn->mn" %a, %b windows ["h = 1p + 1r - 0"]
      : (tensor<4x3xf32>, tensor<3x6xf32>) -> tensor<4x6xf32>
  return %0 : tensor<4x6xf32>
}

// -----

func.func @window_c2(%x: tensor<7xf32>) -> tensor<4x3xf32> {
  // expected-error @+1 {{(C2) windows of 'tensor<7xf32>' are 'tensor<3x3xf32>'}}
  %0 = tsr.window %x dims [0] size [3] stride [2] dilation [1] : (tensor<7xf32>) -> tensor<4x3xf32>
  return %0 : tensor<4x3xf32>
}

// -----

func.func @add_needs_numbers(%x: tensor<4xi1>) -> tensor<4xi1> {
  // expected-error @+1 {{must be statically shaped tensor}}
  %0 = tsr.add %x, %x : tensor<4xi1>
  return %0 : tensor<4xi1>
}

// -----

func.func @kernel_c1(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{(C1) has 1 results, 0 out_maps and 1 yielded values}}
  %0 = fuse.kernel "k" dims [4] outer 1 ins(%x : tensor<4xf32>) at [affine_map<(d0) -> (d0)>] outs at [] {
  ^bb0(%v: f32):
    fuse.yield %v : f32
  } -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @kernel_c2(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{(C2) in_map}}
  %0 = fuse.kernel "k" dims [4] outer 1 ins(%x : tensor<4xf32>) at [affine_map<(d0, d1) -> (d0)>]
      outs at [affine_map<(d0) -> (d0)>] {
  ^bb0(%v: f32):
    fuse.yield %v : f32
  } -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @kernel_c3(%x: tensor<2x3x4xf32>) -> tensor<2x4xf32> {
  %0 = fuse.kernel "k" dims [2, 3, 4] outer 2
      ins(%x : tensor<2x3x4xf32>) at [affine_map<(d0, d1, d2) -> (d0 * 12 + d1 * 4 + d2)>]
      outs at [affine_map<(d0, d1, d2) -> (d0 * 4 + d2)>] {
  ^bb0(%v: f32):
    // expected-error @+1 {{(C3) runs over some outer dims, but not all}}
    %s = fuse.reduce sum %v over [1] : f32
    fuse.yield %s : f32
  } -> tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}

// -----

func.func @kernel_c4(%x: tensor<2x3xf32>) -> tensor<3xf32> {
  %0 = fuse.kernel "k" dims [2, 3] outer 1 ins(%x : tensor<2x3xf32>) at [affine_map<(d0, d1) -> (d0 * 3 + d1)>]
      outs at [affine_map<(d0, d1) -> (d1)>] {
  ^bb0(%v: f32):
    // expected-error @+1 {{(C4) is a column reduction, so it may only be yielded}}
    %s = fuse.reduce sum %v over [0] : f32
    %e = math.exp %s : f32
    fuse.yield %e : f32
  } -> tensor<3xf32>
  return %0 : tensor<3xf32>
}

// -----

func.func @kernel_c5_contracts(%x: tensor<2x3xf32>) -> tensor<2xf32> {
  // expected-error @+1 {{(C5) has more than one contract}}
  %0 = fuse.kernel "k" dims [2, 3] outer 1 ins(%x : tensor<2x3xf32>) at [affine_map<(d0, d1) -> (d0 * 3 + d1)>]
      outs at [affine_map<(d0, d1) -> (d0)>] {
  ^bb0(%v: f32):
    %c = fuse.contract %v, %v over [1] : f32 -> f32
    %d = fuse.contract %v, %v over [1] : f32 -> f32
    fuse.yield %c : f32
  } -> tensor<2xf32>
  return %0 : tensor<2xf32>
}

// -----

#in = affine_map<(d0, d1) -> (d0 * 3 + d1)>
#out = affine_map<(d0, d1) -> (d0)>
func.func @kernel_c5_operand(%x: tensor<2x3xf32>) -> (tensor<2xf32>, tensor<2xf32>) {
  %0:2 = fuse.kernel "k" dims [2, 3] outer 1 ins(%x : tensor<2x3xf32>) at [#in] outs at [#out, #out] {
  ^bb0(%v: f32):
    %c = fuse.contract %v, %v over [1] : f32 -> f32
    %n = arith.negf %v : f32
    // expected-error @+1 {{(C5) stands beside a contract, but sums none of its operands}}
    %s = fuse.reduce sum %n over [1] : f32
    fuse.yield %c, %s : f32, f32
  } -> tensor<2xf32>, tensor<2xf32>
  return %0#0, %0#1 : tensor<2xf32>, tensor<2xf32>
}

// -----

#in = affine_map<(d0, d1) -> (d0 * 3 + d1)>
#out = affine_map<(d0, d1) -> (d0)>
func.func @kernel_c5_kind(%x: tensor<2x3xf32>) -> (tensor<2xf32>, tensor<2xf32>) {
  %0:2 = fuse.kernel "k" dims [2, 3] outer 1 ins(%x : tensor<2x3xf32>) at [#in] outs at [#out, #out] {
  ^bb0(%v: f32):
    %c = fuse.contract %v, %v over [1] : f32 -> f32
    // expected-error @+1 {{(C5) is not a sum of the contract's type over its dims}}
    %s = fuse.reduce max %v over [1] : f32
    fuse.yield %c, %s : f32, f32
  } -> tensor<2xf32>, tensor<2xf32>
  return %0#0, %0#1 : tensor<2xf32>, tensor<2xf32>
}

// -----

#in = affine_map<(d0, d1) -> (d0 * 3 + d1)>
#out = affine_map<(d0, d1) -> (d0)>
func.func @kernel_c5_goes_on(%x: tensor<2x3xf32>) -> (tensor<2xf32>, tensor<2xf32>) {
  %0:2 = fuse.kernel "k" dims [2, 3] outer 1 ins(%x : tensor<2x3xf32>) at [#in] outs at [#out, #out] {
  ^bb0(%v: f32):
    %c = fuse.contract %v, %v over [1] : f32 -> f32
    // expected-error @+1 {{(C5) is the sum of an operand, so it may only be yielded, and once}}
    %s = fuse.reduce sum %v over [1] : f32
    %n = arith.negf %s : f32
    fuse.yield %c, %n : f32, f32
  } -> tensor<2xf32>, tensor<2xf32>
  return %0#0, %0#1 : tensor<2xf32>, tensor<2xf32>
}

// -----

#in = affine_map<(d0, d1) -> (d0 * 3 + d1)>
#out = affine_map<(d0, d1) -> (d0)>
func.func @kernel_c5_twice(%x: tensor<2x3xf32>) -> (tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) {
  %0:3 = fuse.kernel "k" dims [2, 3] outer 1 ins(%x : tensor<2x3xf32>) at [#in] outs at [#out, #out, #out] {
  ^bb0(%v: f32):
    %c = fuse.contract %v, %v over [1] : f32 -> f32
    %s = fuse.reduce sum %v over [1] : f32
    // expected-error @+1 {{(C5) sums an operand for the second time}}
    %t = fuse.reduce sum %v over [1] : f32
    fuse.yield %c, %s, %t : f32, f32, f32
  } -> tensor<2xf32>, tensor<2xf32>, tensor<2xf32>
  return %0#0, %0#1, %0#2 : tensor<2xf32>, tensor<2xf32>, tensor<2xf32>
}

// -----

#in = affine_map<(d0, d1) -> (d0 * 3 + d1)>
#out = affine_map<(d0, d1) -> (d0)>
func.func @kernel_c5_order(%x: tensor<2x3xf32>) -> (tensor<2xf32>, tensor<2xf32>) {
  // expected-error @+1 {{(C5) yields a sum of an operand before what the contract makes}}
  %0:2 = fuse.kernel "k" dims [2, 3] outer 1 ins(%x : tensor<2x3xf32>) at [#in] outs at [#out, #out] {
  ^bb0(%v: f32):
    %c = fuse.contract %v, %v over [1] : f32 -> f32
    %s = fuse.reduce sum %v over [1] : f32
    fuse.yield %s, %c : f32, f32
  } -> tensor<2xf32>, tensor<2xf32>
  return %0#0, %0#1 : tensor<2xf32>, tensor<2xf32>
}

// -----

#q = affine_map<(m, n, d, e) -> (m * 16 + d)>
#k = affine_map<(m, n, d, e) -> (n * 16 + d)>
#o = affine_map<(m, n, d, e) -> (m)>
func.func @cascade_k3(%q: tensor<64x16xf32>, %k: tensor<96x16xf32>) -> tensor<64xf32> {
  %o = fuse.cascade "rows" dims [64, 96, 16, 24] batch 0 stream 1
      ins(%q, %k : tensor<64x16xf32>, tensor<96x16xf32>) at [#q, #k] outs at [#o] {
  ^bb0(%a: f32, %b: f32):
    %s = fuse.contract %a, %b over [2] : f32 -> f32
    // expected-error @+1 {{(K3) does not run over the stream dims alone}}
    %r = fuse.reduce sum %s over [0] : f32
    fuse.yield %r : f32
  } -> tensor<64xf32>
  return %o : tensor<64xf32>
}

// -----

#q = affine_map<(b, h, m, n, d) -> (b * 4096 + h * 1024 + m * 16 + d)>
#k = affine_map<(b, h, m, n, d) -> (b * 6144 + h * 1536 + n * 16 + d)>
#o = affine_map<(b, h, m, n, d) -> (h * 6144 + m * 96 + n)>
func.func @cascade_k3_batches(%q: tensor<3x4x64x16xf32>, %k: tensor<3x4x96x16xf32>) -> tensor<4x64x96xf32> {
  // expected-error @+1 {{(K3) the batch dims that sums run over are not the last}}
  %o = fuse.cascade "shared" dims [3, 4, 64, 96, 16] batch 2 stream 1
      ins(%q, %k : tensor<3x4x64x16xf32>, tensor<3x4x96x16xf32>) at [#q, #k] outs at [#o] {
  ^bb0(%a: f32, %b: f32):
    %s = fuse.contract %a, %b over [4] : f32 -> f32
    %r = fuse.reduce sum %s over [0] : f32
    fuse.yield %r : f32
  } -> tensor<4x64x96xf32>
  return %o : tensor<4x64x96xf32>
}

// -----

#q = affine_map<(b, m, n, d) -> (b * 1024 + m * 16 + d)>
#k = affine_map<(b, m, n, d) -> (b * 1536 + n * 16 + d)>
#o = affine_map<(b, m, n, d) -> (m * 96 + n)>
func.func @cascade_k9(%q: tensor<3x64x16xf32>, %k: tensor<3x96x16xf32>) -> tensor<64x96xf32> {
  %o = fuse.cascade "shared" dims [3, 64, 96, 16] batch 1 stream 1
      ins(%q, %k : tensor<3x64x16xf32>, tensor<3x96x16xf32>) at [#q, #k] outs at [#o] {
  ^bb0(%a: f32, %b: f32):
    %s = fuse.contract %a, %b over [3] : f32 -> f32
    // expected-error @+1 {{(K9) is no sum over batches in f32 or f64 that is yielded once}}
    %r = fuse.reduce sum %s over [0] : f32
    %n = arith.negf %r : f32
    fuse.yield %n : f32
  } -> tensor<64x96xf32>
  return %o : tensor<64x96xf32>
}

// -----

#q = affine_map<(b, m, n, d, e) -> (b * 1024 + m * 16 + d)>
#k = affine_map<(b, m, n, d, e) -> (b * 1536 + n * 16 + d)>
#t = affine_map<(b, m, n, d, e) -> (e)>
func.func @cascade_k10_lacks_batch(%q: tensor<3x64x16xf32>, %k: tensor<3x96x16xf32>) -> tensor<160xf32> {
  %o = fuse.cascade "table" dims [3, 64, 96, 16, 160] batch 1 stream 1
      ins(%q, %k : tensor<3x64x16xf32>, tensor<3x96x16xf32>) at [#q, #k] outs at [#t] {
  ^bb0(%a: f32, %b: f32):
    %s = fuse.contract %a, %b over [3] : f32 -> f32
    %i = fuse.index affine_map<(b, m, n, d, e) -> (m + n)>
    // expected-error @+1 {{(K10) sums no value of the plane over the row, the stream and some batch dims}}
    %r = fuse.scatter_add %s at %i of 4 over [0, 1] : f32
    fuse.yield %r : f32
  } -> tensor<160xf32>
  return %o : tensor<160xf32>
}

// -----

#q = affine_map<(b, m, n, d, e) -> (b * 1024 + m * 16 + d)>
#k = affine_map<(b, m, n, d, e) -> (b * 1536 + n * 16 + d)>
#t = affine_map<(b, m, n, d, e) -> (e)>
func.func @cascade_k10_entries(%q: tensor<3x64x16xf32>, %k: tensor<3x96x16xf32>) -> tensor<160xf32> {
  %o = fuse.cascade "table" dims [3, 64, 96, 16, 160] batch 1 stream 1
      ins(%q, %k : tensor<3x64x16xf32>, tensor<3x96x16xf32>) at [#q, #k] outs at [#t] {
  ^bb0(%a: f32, %b: f32):
    %s = fuse.contract %a, %b over [3] : f32 -> f32
    %i = fuse.index affine_map<(b, m, n, d, e) -> (m + n)>
    // expected-error @+1 {{(K10) reads rest dims, or its entries are none}}
    %r = fuse.scatter_add %s at %i of 2 over [0, 1, 2] : f32
    fuse.yield %r : f32
  } -> tensor<160xf32>
  return %o : tensor<160xf32>
}

// -----

#q = affine_map<(b, m, n, d, e) -> (b * 1024 + m * 16 + d)>
#k = affine_map<(b, m, n, d, e) -> (b * 1536 + n * 16 + d)>
#t = affine_map<(b, m, n, d, e) -> (e)>
func.func @cascade_k10_statistic(%q: tensor<3x64x16xf32>, %k: tensor<3x96x16xf32>) -> tensor<160xf32> {
  %o = fuse.cascade "table" dims [3, 64, 96, 16, 160] batch 1 stream 1
      ins(%q, %k : tensor<3x64x16xf32>, tensor<3x96x16xf32>) at [#q, #k] outs at [#t] {
  ^bb0(%a: f32, %b: f32):
    %s = fuse.contract %a, %b over [3] : f32 -> f32
    %m = fuse.reduce max %s over [2] : f32
    %x = arith.subf %s, %m : f32
    %i = fuse.index affine_map<(b, m, n, d, e) -> (m + n)>
    // expected-error @+1 {{(K10) depends on a statistic}}
    %r = fuse.scatter_add %x at %i of 4 over [0, 1, 2] : f32
    fuse.yield %r : f32
  } -> tensor<160xf32>
  return %o : tensor<160xf32>
}

// -----

#q = affine_map<(b, m, n, d, e) -> (b * 1024 + m * 16 + d)>
#k = affine_map<(b, m, n, d, e) -> (b * 1536 + n * 16 + d)>
#t = affine_map<(b, m, n, d, e) -> (e)>
func.func @cascade_k10_other_sums(%q: tensor<3x64x16xf32>, %k: tensor<3x96x16xf32>) -> (tensor<480xf32>, tensor<64x96xf32>) {
  %o:2 = fuse.cascade "table" dims [3, 64, 96, 16, 160] batch 1 stream 1
      ins(%q, %k : tensor<3x64x16xf32>, tensor<3x96x16xf32>) at [#q, #k]
      outs at [affine_map<(b, m, n, d, e) -> (b * 160 + e)>, affine_map<(b, m, n, d, e) -> (m * 96 + n)>] {
  ^bb0(%a: f32, %b: f32):
    %s = fuse.contract %a, %b over [3] : f32 -> f32
    %i = fuse.index affine_map<(b, m, n, d, e) -> (m + n)>
    // expected-error @+1 {{(K10) does not run over all batch dims that are summed}}
    %r = fuse.scatter_add %s at %i of 4 over [1, 2] : f32
    %all = fuse.reduce sum %s over [0] : f32
    fuse.yield %r, %all : f32, f32
  } -> tensor<480xf32>, tensor<64x96xf32>
  return %o#0, %o#1 : tensor<480xf32>, tensor<64x96xf32>
}

// -----

#q = affine_map<(b, m, n, d, e) -> (b * 1024 + m * 16 + d)>
#k = affine_map<(b, m, n, d, e) -> (b * 1536 + n * 16 + d)>
#t = affine_map<(b, m, n, d, e) -> (e)>
func.func @cascade_k10_yield(%q: tensor<3x64x16xf32>, %k: tensor<3x96x16xf32>) -> tensor<160xf32> {
  %o = fuse.cascade "table" dims [3, 64, 96, 16, 160] batch 1 stream 1
      ins(%q, %k : tensor<3x64x16xf32>, tensor<3x96x16xf32>) at [#q, #k] outs at [#t] {
  ^bb0(%a: f32, %b: f32):
    %s = fuse.contract %a, %b over [3] : f32 -> f32
    %i = fuse.index affine_map<(b, m, n, d, e) -> (m + n)>
    // expected-error @+1 {{(K10) is no sum in f32 or f64 that is yielded once}}
    %r = fuse.scatter_add %s at %i of 4 over [0, 1, 2] : f32
    %n = arith.negf %r : f32
    fuse.yield %n : f32
  } -> tensor<160xf32>
  return %o : tensor<160xf32>
}

// -----

#q = affine_map<(m, n, d, e) -> (m * 16 + d)>
#k = affine_map<(m, n, d, e) -> (n * 16 + d)>
#o = affine_map<(m, n, d, e) -> (m)>
func.func @cascade_k4(%q: tensor<64x16xf32>, %k: tensor<96x16xf32>) -> tensor<64xf32> {
  %o = fuse.cascade "rows" dims [64, 96, 16, 24] batch 0 stream 1
      ins(%q, %k : tensor<64x16xf32>, tensor<96x16xf32>) at [#q, #k] outs at [#o] {
  ^bb0(%a: f32, %b: f32):
    // expected-error @+1 {{(K4) needs memory without the row times memory without stream dims}}
    %s = fuse.contract %a, %a over [2] : f32 -> f32
    %r = fuse.reduce sum %s over [1] : f32
    fuse.yield %r : f32
  } -> tensor<64xf32>
  return %o : tensor<64xf32>
}

// -----

#q = affine_map<(m, n, d, e) -> (m * 16 + d)>
#k = affine_map<(m, n, d, e) -> (n * 16 + d)>
#o = affine_map<(m, n, d, e) -> (m)>
func.func @cascade_k6(%q: tensor<64x16xf32>, %k: tensor<96x16xf32>) -> tensor<64xf32> {
  %o = fuse.cascade "rows" dims [64, 96, 16, 24] batch 0 stream 1
      ins(%q, %k : tensor<64x16xf32>, tensor<96x16xf32>) at [#q, #k] outs at [#o] {
  ^bb0(%a: f32, %b: f32):
    %s = fuse.contract %a, %b over [2] : f32 -> f32
    %m = fuse.reduce max %s over [1] : f32
    %d = arith.subf %s, %m : f32
    %e = math.exp %d : f32
    // expected-error @+1 {{(K6) depends on a statistic that it has no repair by}}
    %r = fuse.reduce sum %e over [1] : f32
    fuse.yield %r : f32
  } -> tensor<64xf32>
  return %o : tensor<64xf32>
}

// -----

#q = affine_map<(m, n, d, e) -> (m * 16 + d)>
#k = affine_map<(m, n, d, e) -> (n * 16 + d)>
#o = affine_map<(m, n, d, e) -> (m)>
func.func @cascade_k6_twice(%q: tensor<64x16xf32>, %k: tensor<96x16xf32>) -> tensor<64xf32> {
  %o = fuse.cascade "rows" dims [64, 96, 16, 24] batch 0 stream 1
      ins(%q, %k : tensor<64x16xf32>, tensor<96x16xf32>) at [#q, #k] outs at [#o] {
  ^bb0(%a: f32, %b: f32):
    %s = fuse.contract %a, %b over [2] : f32 -> f32
    %m = fuse.reduce max %s over [1] : f32
    %d = arith.subf %s, %m : f32
    %e = math.exp %d : f32
    %r = fuse.reduce sum %e over [1] : f32
    fuse.repair %r by %m : f32, f32 {
    ^bb0(%old: f32, %new: f32):
      %by = arith.subf %old, %new : f32
      %factor = math.exp %by : f32
      fuse.yield %factor : f32
    }
    // expected-error @+1 {{(K6) repairs what another one repairs by the same statistic}}
    fuse.repair %r by %m : f32, f32 {
    ^bb0(%old: f32, %new: f32):
      %by = arith.subf %old, %new : f32
      %factor = math.exp %by : f32
      fuse.yield %factor : f32
    }
    fuse.yield %r : f32
  } -> tensor<64xf32>
  return %o : tensor<64xf32>
}

// -----

#q = affine_map<(m, n, d) -> (m * 16 + d)>
#k = affine_map<(m, n, d) -> (n * 16 + d)>
#w = affine_map<(m, n, d) -> (n)>
#o = affine_map<(m, n, d) -> (m)>
func.func @cascade_k8(%q: tensor<64x16xf32>, %k: tensor<96x16xf32>, %w: tensor<96xf32>) -> tensor<64xf32> {
  %o = fuse.cascade "rows" dims [64, 96, 16] batch 0 stream 1
      ins(%q, %k, %w : tensor<64x16xf32>, tensor<96x16xf32>, tensor<96xf32>) at [#q, #k, #w] outs at [#o] {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %s = fuse.contract %a, %b over [2] : f32 -> f32
    %mean = fuse.contract %s, %c over [1] : f32 -> f32
    %d = arith.subf %s, %mean : f32
    // expected-error @+1 {{(K8) needs what is accumulated over all of the stream at a point of the stream}}
    %r = fuse.reduce max %d over [1] : f32
    fuse.yield %r : f32
  } -> tensor<64xf32>
  return %o : tensor<64xf32>
}

// -----

#q = affine_map<(m, n, d) -> (m * 16 + d)>
#k = affine_map<(m, n, d) -> (n * 16 + d)>
#o = affine_map<(m, n, d) -> (m)>
func.func @cascade_goes_on_from_itself(%q: tensor<64x16xf32>, %k: tensor<96x16xf32>, %w: tensor<64xf32>) -> tensor<64xf32> {
  // expected-error @+1 {{(K1) result 0 goes on from no earlier result of its type}}
  %o = fuse.cascade "rows" dims [64, 96, 16] batch 0 stream 1
      ins(%q, %k : tensor<64x16xf32>, tensor<96x16xf32>) at [#q, #k] inits(%w : tensor<64xf32>) of [-2] outs at [#o] {
  ^bb0(%a: f32, %b: f32):
    %s = fuse.contract %a, %b over [2] : f32 -> f32
    %r = fuse.reduce max %s over [1] : f32
    fuse.yield %r : f32
  } -> tensor<64xf32>
  return %o : tensor<64xf32>
}

// -----

#q = affine_map<(m, n, d) -> (m * 16 + d)>
#k = affine_map<(m, n, d) -> (n * 16 + d)>
#o = affine_map<(m, n, d) -> (m)>
#p = affine_map<(m, n, d) -> (m + 64)>
func.func @cascade_reads_what_goes_on(%q: tensor<64x16xf32>, %k: tensor<96x16xf32>, %w: tensor<128xf32>)
    -> (tensor<128xf32>, tensor<128xf32>) {
  // expected-error @+1 {{(K1) result 0 is read, but another one goes on from it}}
  %o:2 = fuse.cascade "rows" dims [64, 96, 16] batch 0 stream 1
      ins(%q, %k : tensor<64x16xf32>, tensor<96x16xf32>) at [#q, #k] inits(%w : tensor<128xf32>) of [0, -2] outs at [#o, #p] {
  ^bb0(%a: f32, %b: f32):
    %s = fuse.contract %a, %b over [2] : f32 -> f32
    %r = fuse.reduce max %s over [1] : f32
    %t = fuse.reduce min %s over [1] : f32
    fuse.yield %r, %t : f32, f32
  } -> tensor<128xf32>, tensor<128xf32>
  return %o#0, %o#1 : tensor<128xf32>, tensor<128xf32>
}
