// RUN: tessera-opt %s -split-input-file -fuse-join-sums | FileCheck %s

#t = affine_map<(d0, d1, d2) -> (d0 + d2 * 4)>
#x = affine_map<(d0, d1, d2) -> (d1 + d2 * 6)>
#w = affine_map<(d0, d1, d2) -> (d0 * 6 + d1)>
#dy = affine_map<(d0, d1) -> (d0 * 4 + d1)>
#sum = affine_map<(d0, d1) -> (d1)>

// The gradients of a bias and a weight. What follows from the sum goes behind the contraction.
// CHECK-DAG: #[[W:.*]] = affine_map<(d0, d1, d2) -> (d0 * 6 + d1)>
// CHECK-DAG: #[[ROW:.*]] = affine_map<(d0, d1, d2) -> (d0)>
// CHECK-LABEL: @a_bias
// CHECK: %[[BOTH:.*]]:2 = fuse.kernel "contract_reduce" dims [4, 6, 8] outer 2
// CHECK-SAME: outs at [#[[W]], #[[ROW]]]
// CHECK: ^bb0(%[[A:.*]]: f32, %[[B:.*]]: f32):
// CHECK: %[[W:.*]] = fuse.contract %[[A]], %[[B]] over [2]
// CHECK: %[[S:.*]] = fuse.reduce sum %[[A]] over [2]
// CHECK: fuse.yield %[[W]], %[[S]]
// CHECK: %[[NEG:.*]] = fuse.kernel "neg" {{.*}} ins(%[[BOTH]]#1 : tensor<4xf32>)
// CHECK-NOT: fuse.kernel
// CHECK: return %[[BOTH]]#0, %[[NEG]]
func.func @a_bias(%g: tensor<8x4xf32>, %h: tensor<8x6xf32>) -> (tensor<4x6xf32>, tensor<4xf32>) {
  %0 = fuse.kernel "reduce" dims [8, 4] outer 1 ins(%g : tensor<8x4xf32>) at [#dy] outs at [#sum] {
  ^bb0(%v: f32):
    %s = fuse.reduce sum %v over [0] : f32
    fuse.yield %s : f32
  } -> tensor<4xf32>
  %1 = fuse.kernel "neg" dims [4] outer 1 ins(%0 : tensor<4xf32>) at [affine_map<(d0) -> (d0)>]
      outs at [affine_map<(d0) -> (d0)>] {
  ^bb0(%v: f32):
    %n = arith.negf %v : f32
    fuse.yield %n : f32
  } -> tensor<4xf32>
  %2 = fuse.kernel "contract" dims [4, 6, 8] outer 2 ins(%g, %h : tensor<8x4xf32>, tensor<8x6xf32>) at [#t, #x]
      outs at [#w] {
  ^bb0(%a: f32, %b: f32):
    %c = fuse.contract %a, %b over [2] : f32 -> f32
    fuse.yield %c : f32
  } -> tensor<4x6xf32>
  return %2, %1 : tensor<4x6xf32>, tensor<4xf32>
}

// -----

#p = affine_map<(d0, d1, d2, d3, d4) -> (d0 * 8 + d1 * 4 + d2 + d4 * 24)>
#x = affine_map<(d0, d1, d2, d3, d4) -> (d3 + d4 * 5)>
#w = affine_map<(d0, d1, d2, d3, d4) -> (d0 * 40 + d1 * 20 + d2 * 5 + d3)>
#dy = affine_map<(d0, d1, d2) -> (d0 * 168 + d1 * 24 + d2)>
#sum = affine_map<(d0, d1, d2) -> (d2 + 3)>

// Dims that one kernel walks apart and the other as one, of rows and of what is summed; the operand is the right one, and
// bf16; sums begin behind others. It already stands behind the contraction, which has an init.
// CHECK-DAG: #[[ROW:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d0 * 8 + d1 * 4 + d2 + 3)>
// CHECK-LABEL: @other_dims
// CHECK: %[[BOTH:.*]]:2 = fuse.kernel "contract_reduce" dims [3, 2, 4, 5, 14] outer 4
// CHECK-SAME: inits(%{{.*}} : tensor<24x5xf32>) of [0, -1]
// CHECK-SAME: , #[[ROW]]]
// CHECK: ^bb0(%[[X:.*]]: bf16, %[[G:.*]]: bf16):
// CHECK: fuse.contract %[[X]], %[[G]] over [4] : bf16 -> f32
// CHECK: %[[WIDE:.*]] = arith.extf %[[G]] : bf16 to f32
// CHECK: fuse.reduce sum %[[WIDE]] over [4] : f32
// CHECK: return %[[BOTH]]#0, %[[BOTH]]#1
func.func @other_dims(%g: tensor<14x24xbf16>, %h: tensor<14x5xbf16>, %i: tensor<24x5xf32>)
    -> (tensor<24x5xf32>, tensor<27xf32>) {
  %0 = fuse.kernel "contract" dims [3, 2, 4, 5, 14] outer 4
      ins(%h, %g : tensor<14x5xbf16>, tensor<14x24xbf16>) at [#x, #p]
      inits(%i : tensor<24x5xf32>) of [0] outs at [#w] {
  ^bb0(%a: bf16, %b: bf16):
    %c = fuse.contract %a, %b over [4] : bf16 -> f32
    fuse.yield %c : f32
  } -> tensor<24x5xf32>
  %1 = fuse.kernel "reduce" dims [2, 7, 24] outer 2 ins(%g : tensor<14x24xbf16>) at [#dy] outs at [#sum] {
  ^bb0(%v: bf16):
    %f = arith.extf %v : bf16 to f32
    %s = fuse.reduce sum %f over [0, 1] : f32
    fuse.yield %s : f32
  } -> tensor<27xf32>
  return %0, %1 : tensor<24x5xf32>, tensor<27xf32>
}

// -----

#a = affine_map<(d0, d1, d2) -> (d0 + d2 * 4)>
#b = affine_map<(d0, d1, d2) -> (d1 + d2 * 4)>
#w = affine_map<(d0, d1, d2) -> (d0 * 4 + d1)>
#dy = affine_map<(d0, d1) -> (d0 * 4 + d1)>
#sum = affine_map<(d0, d1) -> (d1)>

// A value that is contracted with itself is summed once, not twice; the other sum of it is the same.
// CHECK-LABEL: @with_itself
// CHECK: fuse.kernel "contract_reduce_reduce"
// CHECK-COUNT-2: fuse.reduce sum
// CHECK-NOT: fuse.kernel
func.func @with_itself(%g: tensor<8x4xf32>) -> (tensor<4x4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %0 = fuse.kernel "contract" dims [4, 4, 8] outer 2 ins(%g, %g : tensor<8x4xf32>, tensor<8x4xf32>) at [#a, #b]
      outs at [#w] {
  ^bb0(%x: f32, %y: f32):
    %c = fuse.contract %x, %y over [2] : f32 -> f32
    fuse.yield %c : f32
  } -> tensor<4x4xf32>
  %1 = fuse.kernel "reduce" dims [8, 4] outer 1 ins(%g : tensor<8x4xf32>) at [#dy] outs at [#sum] {
  ^bb0(%v: f32):
    %s = fuse.reduce sum %v over [0] : f32
    fuse.yield %s : f32
  } -> tensor<4xf32>
  %2 = fuse.kernel "reduce" dims [8, 4] outer 1 ins(%g : tensor<8x4xf32>) at [#dy] outs at [#sum] {
  ^bb0(%v: f32):
    %s = fuse.reduce sum %v over [0] : f32
    fuse.yield %s : f32
  } -> tensor<4xf32>
  return %0, %1, %2 : tensor<4x4xf32>, tensor<4xf32>, tensor<4xf32>
}

// -----

#t = affine_map<(d0, d1, d2) -> (d0 + d2 * 4)>
#x = affine_map<(d0, d1, d2) -> (d1 + d2 * 6)>
#w = affine_map<(d0, d1, d2) -> (d0 * 6 + d1)>
#dy = affine_map<(d0, d1) -> (d0 * 4 + d1)>
#sum = affine_map<(d0, d1) -> (d1)>
#row = affine_map<(d0, d1) -> (d0)>
#turned = affine_map<(d0, d1) -> (d0 + d1 * 4)>

// Not sums of what the contraction reads, over what it sums: the other dims, a maximum, squares, half of the rows, and
// another type.
// CHECK-LABEL: @other_sums
// CHECK: fuse.kernel "contract" dims
// CHECK-COUNT-5: fuse.kernel "reduce"
func.func @other_sums(%g: tensor<8x4xf32>, %h: tensor<8x6xf32>)
    -> (tensor<4x6xf32>, tensor<8xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xbf16>) {
  %0 = fuse.kernel "contract" dims [4, 6, 8] outer 2 ins(%g, %h : tensor<8x4xf32>, tensor<8x6xf32>) at [#t, #x]
      outs at [#w] {
  ^bb0(%a: f32, %b: f32):
    %c = fuse.contract %a, %b over [2] : f32 -> f32
    fuse.yield %c : f32
  } -> tensor<4x6xf32>
  %1 = fuse.kernel "reduce" dims [8, 4] outer 1 ins(%g : tensor<8x4xf32>) at [#dy] outs at [#row] {
  ^bb0(%v: f32):
    %s = fuse.reduce sum %v over [1] : f32
    fuse.yield %s : f32
  } -> tensor<8xf32>
  %2 = fuse.kernel "reduce" dims [8, 4] outer 1 ins(%g : tensor<8x4xf32>) at [#dy] outs at [#sum] {
  ^bb0(%v: f32):
    %s = fuse.reduce max %v over [0] : f32
    fuse.yield %s : f32
  } -> tensor<4xf32>
  %3 = fuse.kernel "reduce" dims [8, 4] outer 1 ins(%g : tensor<8x4xf32>) at [#dy] outs at [#sum] {
  ^bb0(%v: f32):
    %q = arith.mulf %v, %v : f32
    %s = fuse.reduce sum %q over [0] : f32
    fuse.yield %s : f32
  } -> tensor<4xf32>
  %4 = fuse.kernel "reduce" dims [4, 4] outer 1 ins(%g : tensor<8x4xf32>) at [#dy] outs at [#sum] {
  ^bb0(%v: f32):
    %s = fuse.reduce sum %v over [0] : f32
    fuse.yield %s : f32
  } -> tensor<4xf32>
  %5 = fuse.kernel "reduce" dims [4, 8] outer 1 ins(%g : tensor<8x4xf32>) at [#turned] outs at [#row] {
  ^bb0(%v: f32):
    %s = fuse.reduce sum %v over [1] : f32
    %n = arith.truncf %s : f32 to bf16
    fuse.yield %n : bf16
  } -> tensor<4xbf16>
  return %0, %1, %2, %3, %4, %5 : tensor<4x6xf32>, tensor<8xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xbf16>
}

// -----

#t = affine_map<(d0, d1, d2) -> (d0 + d2 * 4)>
#x = affine_map<(d0, d1, d2) -> (d0 + d1 * 4 + d2 * 24)>
#w = affine_map<(d0, d1, d2) -> (d0 * 6 + d1)>
#dy = affine_map<(d0, d1) -> (d0 * 4 + d1)>
#sum = affine_map<(d0, d1) -> (d1)>

// Both operands have dim 0: there is a product for each of its points.
// CHECK-LABEL: @a_batch
// CHECK: fuse.kernel "contract" dims
// CHECK: fuse.kernel "reduce" dims
func.func @a_batch(%g: tensor<8x4xf32>, %h: tensor<8x6x4xf32>) -> (tensor<4x6xf32>, tensor<4xf32>) {
  %0 = fuse.kernel "contract" dims [4, 6, 8] outer 2 ins(%g, %h : tensor<8x4xf32>, tensor<8x6x4xf32>) at [#t, #x]
      outs at [#w] {
  ^bb0(%a: f32, %b: f32):
    %c = fuse.contract %a, %b over [2] : f32 -> f32
    fuse.yield %c : f32
  } -> tensor<4x6xf32>
  %1 = fuse.kernel "reduce" dims [8, 4] outer 1 ins(%g : tensor<8x4xf32>) at [#dy] outs at [#sum] {
  ^bb0(%v: f32):
    %s = fuse.reduce sum %v over [0] : f32
    fuse.yield %s : f32
  } -> tensor<4xf32>
  return %0, %1 : tensor<4x6xf32>, tensor<4xf32>
}

// -----

#t = affine_map<(d0, d1, d2) -> (d0 + d2 * 4)>
#x = affine_map<(d0, d1, d2) -> (d1)>
#w = affine_map<(d0, d1, d2) -> (d0 * 4 + d1)>
#dy = affine_map<(d0, d1) -> (d0 * 4 + d1)>
#sum = affine_map<(d0, d1) -> (d1)>

// The contraction reads the sum itself.
// CHECK-LABEL: @follows_from_the_sum
// CHECK: fuse.kernel "reduce" dims
// CHECK: fuse.kernel "contract" dims
func.func @follows_from_the_sum(%g: tensor<8x4xf32>) -> tensor<4x4xf32> {
  %0 = fuse.kernel "reduce" dims [8, 4] outer 1 ins(%g : tensor<8x4xf32>) at [#dy] outs at [#sum] {
  ^bb0(%v: f32):
    %s = fuse.reduce sum %v over [0] : f32
    fuse.yield %s : f32
  } -> tensor<4xf32>
  %1 = fuse.kernel "contract" dims [4, 4, 8] outer 2 ins(%g, %0 : tensor<8x4xf32>, tensor<4xf32>) at [#t, #x]
      outs at [#w] {
  ^bb0(%a: f32, %b: f32):
    %c = fuse.contract %a, %b over [2] : f32 -> f32
    fuse.yield %c : f32
  } -> tensor<4x4xf32>
  return %1 : tensor<4x4xf32>
}

// -----

#t = affine_map<(d0, d1, d2) -> (d0 + d2 * 4)>
#x = affine_map<(d0, d1, d2) -> (d1 + d2 * 6)>
#w = affine_map<(d0, d1, d2) -> (d0 * 6 + d1)>
#dy = affine_map<(d0, d1) -> (d0 * 4 + d1)>
#sum = affine_map<(d0, d1) -> (d1)>

// Sums of a strict function keep their order.
// CHECK-LABEL: @strict
// CHECK: fuse.kernel "contract" dims
// CHECK: fuse.kernel "reduce" dims
func.func @strict(%g: tensor<8x4xf32>, %h: tensor<8x6xf32>) -> (tensor<4x6xf32>, tensor<4xf32>) attributes {tsr.strict} {
  %0 = fuse.kernel "contract" dims [4, 6, 8] outer 2 ins(%g, %h : tensor<8x4xf32>, tensor<8x6xf32>) at [#t, #x]
      outs at [#w] {
  ^bb0(%a: f32, %b: f32):
    %c = fuse.contract %a, %b over [2] : f32 -> f32
    fuse.yield %c : f32
  } -> tensor<4x6xf32>
  %1 = fuse.kernel "reduce" dims [8, 4] outer 1 ins(%g : tensor<8x4xf32>) at [#dy] outs at [#sum] {
  ^bb0(%v: f32):
    %s = fuse.reduce sum %v over [0] : f32
    fuse.yield %s : f32
  } -> tensor<4xf32>
  return %0, %1 : tensor<4x6xf32>, tensor<4xf32>
}
