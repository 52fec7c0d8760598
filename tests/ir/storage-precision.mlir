// RUN: tessera-opt %s -split-input-file -fuse-storage-precision | FileCheck %s

#id = affine_map<(d0) -> (d0)>

// Two kernels and what lies between them.
// CHECK-LABEL: @an_activation
// CHECK: %[[E:.*]]:2 = fuse.kernel "exp"
// CHECK: %[[R:.*]] = arith.truncf %{{.*}} : f32 to bf16
// CHECK: %[[AGAIN:.*]] = arith.extf %[[R]] : bf16 to f32
// CHECK: %[[S:.*]] = fuse.reduce sum %[[AGAIN]]
// CHECK: fuse.yield %[[R]], %[[S]] : bf16, f32
// CHECK: -> tensor<4x8xbf16>, tensor<4xf32>
// CHECK: fuse.kernel "div" {{.*}} ins(%[[E]]#0, %[[E]]#1 : tensor<4x8xbf16>, tensor<4xf32>)
// CHECK: ^bb0(%[[V:.*]]: bf16, %[[T:.*]]: f32):
// CHECK: %[[W:.*]] = arith.extf %[[V]]
// CHECK: arith.divf %[[W]], %[[T]]
func.func @an_activation(%x: tensor<4x8xf32>) -> tensor<4x8xf32> attributes {tsr.mixed = bf16} {
  %0:2 = fuse.kernel "exp" dims [4, 8] outer 1 ins(%x : tensor<4x8xf32>) at [affine_map<(d0, d1) -> (d0 * 8 + d1)>]
      outs at [affine_map<(d0, d1) -> (d0 * 8 + d1)>, affine_map<(d0, d1) -> (d0)>] {
  ^bb0(%v: f32):
    %e = math.exp %v : f32
    %s = fuse.reduce sum %e over [1] : f32
    fuse.yield %e, %s : f32, f32
  } -> tensor<4x8xf32>, tensor<4xf32>
  %1 = fuse.kernel "div" dims [4, 8] outer 1 ins(%0#0, %0#1 : tensor<4x8xf32>, tensor<4xf32>)
      at [affine_map<(d0, d1) -> (d0 * 8 + d1)>, affine_map<(d0, d1) -> (d0)>]
      outs at [affine_map<(d0, d1) -> (d0 * 8 + d1)>] {
  ^bb0(%v: f32, %t: f32):
    %q = arith.divf %v, %t : f32
    fuse.yield %q : f32
  } -> tensor<4x8xf32>
  return %1 : tensor<4x8xf32>
}

// -----

#id = affine_map<(d0) -> (d0)>

// Without a mixed precision nothing changes.
// CHECK-LABEL: @as_written
// CHECK-NOT: bf16
// CHECK: return
func.func @as_written(%x: tensor<8xf32>) -> tensor<8xf32> {
  %0 = fuse.kernel "exp" dims [8] outer 1 ins(%x : tensor<8xf32>) at [#id] outs at [#id] {
  ^bb0(%v: f32):
    %e = math.exp %v : f32
    fuse.yield %e : f32
  } -> tensor<8xf32>
  %1 = fuse.kernel "neg" dims [8] outer 1 ins(%0 : tensor<8xf32>) at [#id] outs at [#id] {
  ^bb0(%v: f32):
    %n = arith.negf %v : f32
    fuse.yield %n : f32
  } -> tensor<8xf32>
  return %1 : tensor<8xf32>
}

// -----

#id = affine_map<(d0) -> (d0)>

// A residual stream: %1 adds to %0, and nothing adds to %1.
// CHECK-LABEL: @a_running_sum
// CHECK: fuse.kernel "begin"
// CHECK: -> tensor<8xf32>
// CHECK: fuse.kernel "layer"
// CHECK: -> tensor<8xbf16>
// CHECK: fuse.kernel "end"
func.func @a_running_sum(%x: tensor<8xf32>) -> tensor<8xf32> attributes {tsr.mixed = bf16, tsr.residual = f32} {
  %0 = fuse.kernel "begin" dims [8] outer 1 ins(%x : tensor<8xf32>) at [#id] outs at [#id] {
  ^bb0(%v: f32):
    %e = math.exp %v : f32
    fuse.yield %e : f32
  } -> tensor<8xf32>
  %1 = fuse.kernel "layer" dims [8] outer 1 ins(%0 : tensor<8xf32>) at [#id] outs at [#id] {
  ^bb0(%v: f32):
    %e = math.exp %v : f32
    %s = arith.addf %v, %e : f32
    fuse.yield %s : f32
  } -> tensor<8xf32>
  %2 = fuse.kernel "end" dims [8] outer 1 ins(%1 : tensor<8xf32>) at [#id] outs at [#id] {
  ^bb0(%v: f32):
    %n = arith.negf %v : f32
    fuse.yield %n : f32
  } -> tensor<8xf32>
  return %2 : tensor<8xf32>
}

// -----

#id = affine_map<(d0) -> (d0)>

// The same where the policy says so.
// CHECK-LABEL: @a_narrow_running_sum
// CHECK: fuse.kernel "begin"
// CHECK: -> tensor<8xbf16>
// CHECK: fuse.kernel "layer"
func.func @a_narrow_running_sum(%x: tensor<8xf32>) -> tensor<8xf32> attributes {tsr.mixed = bf16, tsr.residual = bf16} {
  %0 = fuse.kernel "begin" dims [8] outer 1 ins(%x : tensor<8xf32>) at [#id] outs at [#id] {
  ^bb0(%v: f32):
    %e = math.exp %v : f32
    fuse.yield %e : f32
  } -> tensor<8xf32>
  %1 = fuse.kernel "layer" dims [8] outer 1 ins(%0 : tensor<8xf32>) at [#id] outs at [#id] {
  ^bb0(%v: f32):
    %e = math.exp %v : f32
    %s = arith.addf %v, %e : f32
    fuse.yield %s : f32
  } -> tensor<8xf32>
  return %1 : tensor<8xf32>
}

// -----

#id = affine_map<(d0) -> (d0)>

// The gradient of a parameter, which an optimizer's kernel takes element by element.
// CHECK-LABEL: @what_a_state_becomes
// CHECK: fuse.kernel "gradient"
// CHECK: -> tensor<8xf32>
// CHECK: fuse.kernel "update"
// CHECK: -> tensor<8xf32>
func.func @what_a_state_becomes(%w: tensor<8xf32>, %x: tensor<8xf32>) -> (tensor<8xf32> {tsr.donor = 0 : i64})
    attributes {tsr.mixed = bf16} {
  %0 = fuse.kernel "gradient" dims [8] outer 1 ins(%x : tensor<8xf32>) at [#id] outs at [#id] {
  ^bb0(%v: f32):
    %e = math.exp %v : f32
    fuse.yield %e : f32
  } -> tensor<8xf32>
  %1 = fuse.kernel "update" dims [8] outer 1 ins(%w, %0 : tensor<8xf32>, tensor<8xf32>) at [#id, #id] outs at [#id] {
  ^bb0(%v: f32, %g: f32):
    %s = arith.subf %v, %g : f32
    fuse.yield %s : f32
  } -> tensor<8xf32>
  return %1 : tensor<8xf32>
}

// -----

#id = affine_map<(d0) -> (d0)>

// A value and its rounding become one result.
// CHECK-LABEL: @written_once
// CHECK: %[[E:.*]] = fuse.kernel "exp"
// CHECK: fuse.yield %{{.*}} : bf16
// CHECK: -> tensor<8xbf16>
// CHECK: fuse.kernel "neg" {{.*}} ins(%[[E]] : tensor<8xbf16>)
// CHECK: fuse.kernel "abs" {{.*}} ins(%[[E]] : tensor<8xbf16>)
func.func @written_once(%x: tensor<8xf32>) -> (tensor<8xf32>, tensor<8xf32>) attributes {tsr.mixed = bf16} {
  %0:2 = fuse.kernel "exp" dims [8] outer 1 ins(%x : tensor<8xf32>) at [#id] outs at [#id, #id] {
  ^bb0(%v: f32):
    %e = math.exp %v : f32
    %t = arith.truncf %e : f32 to bf16
    %w = arith.extf %t : bf16 to f32
    %r = arith.truncf %w : f32 to bf16
    fuse.yield %e, %r : f32, bf16
  } -> tensor<8xf32>, tensor<8xbf16>
  %1 = fuse.kernel "neg" dims [8] outer 1 ins(%0#0 : tensor<8xf32>) at [#id] outs at [#id] {
  ^bb0(%v: f32):
    %n = arith.negf %v : f32
    fuse.yield %n : f32
  } -> tensor<8xf32>
  %2 = fuse.kernel "abs" dims [8] outer 1 ins(%0#1 : tensor<8xbf16>) at [#id] outs at [#id] {
  ^bb0(%v: bf16):
    %w = arith.extf %v : bf16 to f32
    %n = math.absf %w : f32
    fuse.yield %n : f32
  } -> tensor<8xf32>
  return %1, %2 : tensor<8xf32>, tensor<8xf32>
}

// -----

#id = affine_map<(d0) -> (d0)>

// Kernels that only round go. What is added to stays f32 for that reader, so the kernel before writes both.
// CHECK-LABEL: @no_kernel_only_rounds
// CHECK: %[[S:.*]]:2 = fuse.kernel "exp"
// CHECK: -> tensor<8xf32>, tensor<8xbf16>
// CHECK-NOT: fuse.kernel "cast"
// CHECK: fuse.kernel "mul_add" {{.*}} ins(%[[S]]#0, %[[S]]#1 : tensor<8xf32>, tensor<8xbf16>)
func.func @no_kernel_only_rounds(%x: tensor<8xf32>) -> tensor<8xf32> attributes {tsr.mixed = bf16} {
  %0 = fuse.kernel "exp" dims [8] outer 1 ins(%x : tensor<8xf32>) at [#id] outs at [#id] {
  ^bb0(%v: f32):
    %s = math.exp %v : f32
    fuse.yield %s : f32
  } -> tensor<8xf32>
  %1 = fuse.kernel "cast" dims [8] outer 1 ins(%0 : tensor<8xf32>) at [#id] outs at [#id] {
  ^bb0(%v: f32):
    %r = arith.truncf %v : f32 to bf16
    fuse.yield %r : bf16
  } -> tensor<8xbf16>
  %2 = fuse.kernel "mul_add" dims [8] outer 1 ins(%0, %1 : tensor<8xf32>, tensor<8xbf16>) at [#id, #id] outs at [#id] {
  ^bb0(%v: f32, %n: bf16):
    %w = arith.extf %n : bf16 to f32
    %p = arith.mulf %w, %w : f32
    %s = arith.addf %p, %v : f32
    fuse.yield %s : f32
  } -> tensor<8xf32>
  return %2 : tensor<8xf32>
}

// -----

#id = affine_map<(d0) -> (d0)>

// Nobody can write an argument rounded.
// CHECK-LABEL: @an_argument_is_rounded_by_itself
// CHECK: fuse.kernel "cast"
// CHECK: fuse.kernel "neg"
func.func @an_argument_is_rounded_by_itself(%x: tensor<8xf32>) -> tensor<8xf32> attributes {tsr.mixed = bf16} {
  %0 = fuse.kernel "cast" dims [8] outer 1 ins(%x : tensor<8xf32>) at [#id] outs at [#id] {
  ^bb0(%v: f32):
    %r = arith.truncf %v : f32 to bf16
    fuse.yield %r : bf16
  } -> tensor<8xbf16>
  %1 = fuse.kernel "neg" dims [8] outer 1 ins(%0 : tensor<8xbf16>) at [#id] outs at [#id] {
  ^bb0(%v: bf16):
    %w = arith.extf %v : bf16 to f32
    %n = arith.negf %w : f32
    fuse.yield %n : f32
  } -> tensor<8xf32>
  return %1 : tensor<8xf32>
}

// -----

// What routines read and make, and memory that several kernels write.
// CHECK-LABEL: @a_routine
// CHECK: fuse.kernel "exp"
// CHECK: -> tensor<8xf32>
// CHECK: fuse.library "scan"
func.func @a_routine(%x: tensor<8xf32>) -> tensor<8xf32> attributes {tsr.mixed = bf16} {
  %0 = fuse.kernel "exp" dims [8] outer 1 ins(%x : tensor<8xf32>) at [affine_map<(d0) -> (d0)>]
      outs at [affine_map<(d0) -> (d0)>] {
  ^bb0(%v: f32):
    %e = math.exp %v : f32
    fuse.yield %e : f32
  } -> tensor<8xf32>
  %1 = fuse.library "scan"(%0) {dim = 0 : i64, kind = "sum", reverse = false} : (tensor<8xf32>) -> tensor<8xf32>
  return %1 : tensor<8xf32>
}

// -----

#id = affine_map<(d0) -> (d0)>

// What a user rounded on the way holds numbers of that format. To widen and to narrow again changes nothing.
// CHECK-LABEL: @roundings_on_the_way
// CHECK-SAME: (%[[X:.*]]: tensor<8xf32>, %[[H:.*]]: tensor<8xbf16>)
// CHECK: %[[A:.*]] = fuse.kernel "f8"
// CHECK: %[[F:.*]] = arith.truncf %{{.*}} : f32 to f8E4M3FN
// CHECK: arith.extf %[[F]] : f8E4M3FN to f32
// CHECK: %[[B:.*]] = fuse.kernel "bf16"
// CHECK: %[[G:.*]] = arith.truncf %{{.*}} : f32 to bf16
// CHECK: arith.extf %[[G]] : bf16 to f32
// CHECK-NOT: fuse.kernel
// CHECK: return %[[A]], %[[B]], %[[H]]
func.func @roundings_on_the_way(%x: tensor<8xf32>, %h: tensor<8xbf16>) -> (tensor<8xf32>, tensor<8xf32>, tensor<8xbf16>)
    attributes {tsr.mixed = bf16} {
  %0 = fuse.kernel "f8" dims [8] outer 1 ins(%x : tensor<8xf32>) at [#id] outs at [#id] {
  ^bb0(%v: f32):
    %t = arith.truncf %v : f32 to f8E4M3FN
    %w = arith.extf %t : f8E4M3FN to f32
    fuse.yield %w : f32
  } -> tensor<8xf32>
  %1 = fuse.kernel "bf16" dims [8] outer 1 ins(%x : tensor<8xf32>) at [#id] outs at [#id] {
  ^bb0(%v: f32):
    %t = arith.truncf %v : f32 to bf16
    %w = arith.extf %t : bf16 to f32
    fuse.yield %w : f32
  } -> tensor<8xf32>
  %2 = fuse.kernel "back" dims [8] outer 1 ins(%h : tensor<8xbf16>) at [#id] outs at [#id] {
  ^bb0(%v: bf16):
    %w = arith.extf %v : bf16 to f32
    %t = arith.truncf %w : f32 to bf16
    fuse.yield %t : bf16
  } -> tensor<8xbf16>
  return %0, %1, %2 : tensor<8xf32>, tensor<8xf32>, tensor<8xbf16>
}

// -----

#id = affine_map<(d0) -> (d0)>

// Of two formats of 16 bits neither holds the other: the kernel before rounds twice, as the user does.
// CHECK-LABEL: @formats_of_one_width
// CHECK: %[[E:.*]] = fuse.kernel "exp"
// CHECK: %[[G:.*]] = arith.truncf %{{.*}} : f32 to bf16
// CHECK: %[[W:.*]] = arith.extf %[[G]] : bf16 to f32
// CHECK: %[[H:.*]] = arith.truncf %[[W]] : f32 to f16
// CHECK: fuse.yield %[[H]] : f16
// CHECK-NOT: fuse.kernel
// CHECK: return %[[E]]
func.func @formats_of_one_width(%x: tensor<8xf32>) -> tensor<8xf16> attributes {tsr.mixed = bf16} {
  %0 = fuse.kernel "exp" dims [8] outer 1 ins(%x : tensor<8xf32>) at [#id] outs at [#id] {
  ^bb0(%v: f32):
    %e = math.exp %v : f32
    %t = arith.truncf %e : f32 to bf16
    fuse.yield %t : bf16
  } -> tensor<8xbf16>
  %1 = fuse.kernel "cast" dims [8] outer 1 ins(%0 : tensor<8xbf16>) at [#id] outs at [#id] {
  ^bb0(%v: bf16):
    %w = arith.extf %v : bf16 to f32
    %t = arith.truncf %w : f32 to f16
    fuse.yield %t : f16
  } -> tensor<8xf16>
  return %1 : tensor<8xf16>
}

// -----

// Its readers round it, but it grows in memory, batch after batch.
// CHECK-LABEL: @a_sum_over_batches
// CHECK: fuse.cascade
// CHECK: %[[SUM:.*]] = fuse.reduce sum
// CHECK: fuse.yield %[[SUM]] : f32
// CHECK: -> tensor<64x96xf32>
// CHECK: fuse.kernel "round" {{.*}} ins(%{{.*}} : tensor<64x96xf32>)
func.func @a_sum_over_batches(%q: tensor<3x64x16xf32>, %k: tensor<3x96x16xf32>) -> tensor<64x96xbf16>
    attributes {tsr.mixed = bf16} {
  %0 = fuse.cascade "shared" dims [3, 64, 96, 16] batch 1 stream 1
      ins(%q, %k : tensor<3x64x16xf32>, tensor<3x96x16xf32>)
      at [affine_map<(b, m, n, d) -> (b * 1024 + m * 16 + d)>, affine_map<(b, m, n, d) -> (b * 1536 + n * 16 + d)>]
      outs at [affine_map<(b, m, n, d) -> (m * 96 + n)>] {
  ^bb0(%a: f32, %b: f32):
    %s = fuse.contract %a, %b over [3] : f32 -> f32
    %r = fuse.reduce sum %s over [0] : f32
    fuse.yield %r : f32
  } -> tensor<64x96xf32>
  %1 = fuse.kernel "round" dims [6144] outer 1 ins(%0 : tensor<64x96xf32>) at [affine_map<(d0) -> (d0)>]
      outs at [affine_map<(d0) -> (d0)>] {
  ^bb0(%v: f32):
    %t = arith.truncf %v : f32 to bf16
    fuse.yield %t : bf16
  } -> tensor<64x96xbf16>
  return %1 : tensor<64x96xbf16>
}

// -----

// A reduction over all rows as well: another kernel rounds what it has become.
// CHECK-LABEL: @a_maximum_of_columns
// CHECK: fuse.yield %{{.*}} : f32
// CHECK: -> tensor<8xf32>
// CHECK: fuse.kernel "round" {{.*}} ins(%{{.*}} : tensor<8xf32>)
func.func @a_maximum_of_columns(%x: tensor<4x8xf32>) -> tensor<8xbf16> attributes {tsr.mixed = bf16} {
  %0 = fuse.kernel "reduce" dims [4, 8] outer 1 ins(%x : tensor<4x8xf32>) at [affine_map<(d0, d1) -> (d0 * 8 + d1)>]
      outs at [affine_map<(d0, d1) -> (d1)>] {
  ^bb0(%v: f32):
    %m = fuse.reduce max %v over [0] : f32
    fuse.yield %m : f32
  } -> tensor<8xf32>
  %1 = fuse.kernel "round" dims [8] outer 1 ins(%0 : tensor<8xf32>) at [affine_map<(d0) -> (d0)>]
      outs at [affine_map<(d0) -> (d0)>] {
  ^bb0(%v: f32):
    %t = arith.truncf %v : f32 to bf16
    fuse.yield %t : bf16
  } -> tensor<8xbf16>
  return %1 : tensor<8xbf16>
}

// -----

// CHECK-LABEL: @two_parts_of_one_tensor
// CHECK: tensor.empty() : tensor<8xbf16>
// CHECK: fuse.kernel "left" {{.*}} inits(%{{.*}} : tensor<8xbf16>)
// CHECK: fuse.kernel "right" {{.*}} inits(%{{.*}} : tensor<8xbf16>)
// CHECK: fuse.kernel "read" {{.*}} ins(%{{.*}} : tensor<8xbf16>)
func.func @two_parts_of_one_tensor(%x: tensor<4xf32>) -> tensor<8xf32> attributes {tsr.mixed = bf16} {
  %e = tensor.empty() : tensor<8xf32>
  %0 = fuse.kernel "left" dims [4] outer 1 ins(%x : tensor<4xf32>) at [affine_map<(d0) -> (d0)>]
      inits(%e : tensor<8xf32>) of [0] outs at [affine_map<(d0) -> (d0)>] {
  ^bb0(%v: f32):
    %s = math.exp %v : f32
    fuse.yield %s : f32
  } -> tensor<8xf32>
  %1 = fuse.kernel "right" dims [4] outer 1 ins(%x : tensor<4xf32>) at [affine_map<(d0) -> (d0)>]
      inits(%0 : tensor<8xf32>) of [0] outs at [affine_map<(d0) -> (d0 + 4)>] {
  ^bb0(%v: f32):
    %s = math.sin %v : f32
    fuse.yield %s : f32
  } -> tensor<8xf32>
  %2 = fuse.kernel "read" dims [8] outer 1 ins(%1 : tensor<8xf32>) at [affine_map<(d0) -> (d0)>]
      outs at [affine_map<(d0) -> (d0)>] {
  ^bb0(%v: f32):
    %n = arith.negf %v : f32
    fuse.yield %n : f32
  } -> tensor<8xf32>
  return %2 : tensor<8xf32>
}
