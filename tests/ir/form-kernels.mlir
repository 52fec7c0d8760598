// RUN: tessera-opt %s -form-kernels | FileCheck %s

// CHECK-LABEL: @softmax_is_one_kernel
// CHECK: fuse.kernel {{.*}} dims [4, 8] outer 1
// CHECK: fuse.reduce max {{.*}} over [1]
// CHECK: math.exp
// CHECK: fuse.reduce sum {{.*}} over [1]
// CHECK: arith.divf
// CHECK-NOT: fuse.kernel
func.func @softmax_is_one_kernel(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %0 = tsr.reduce "max" %x dims [1] : (tensor<4x8xf32>) -> tensor<4xf32>
  %1 = tsr.broadcast %0 dims [0] : (tensor<4xf32>) -> tensor<4x8xf32>
  %2 = tsr.sub %x, %1 : tensor<4x8xf32>
  %3 = tsr.exp %2 : tensor<4x8xf32>
  %4 = tsr.reduce "sum" %3 dims [1] : (tensor<4x8xf32>) -> tensor<4xf32>
  %5 = tsr.broadcast %4 dims [0] : (tensor<4xf32>) -> tensor<4x8xf32>
  %6 = tsr.div %3, %5 : tensor<4x8xf32>
  return %6 : tensor<4x8xf32>
}

// Bias, activation and the value before it: two results of one kernel.
// CHECK-LABEL: @epilogue_with_two_results
// CHECK: %[[K:.*]]:2 = fuse.kernel {{.*}} dims [4, 6, 3] outer 2
// CHECK: fuse.contract {{.*}} over [2] : f32 -> f32
// CHECK: arith.addf
// CHECK: math.tanh
// CHECK: fuse.yield
// CHECK-NOT: fuse.kernel
func.func @epilogue_with_two_results(%a: tensor<4x3xf32>, %b: tensor<3x6xf32>, %bias: tensor<6xf32>)
    -> (tensor<4x6xf32>, tensor<4x6xf32>) {
  %0 = tsr.contract "mk,kn->mn" %a, %b windows [] : (tensor<4x3xf32>, tensor<3x6xf32>) -> tensor<4x6xf32>
  %1 = tsr.broadcast %bias dims [1] : (tensor<6xf32>) -> tensor<4x6xf32>
  %2 = tsr.add %0, %1 : tensor<4x6xf32>
  %3 = tsr.tanh %2 : tensor<4x6xf32>
  return %2, %3 : tensor<4x6xf32>, tensor<4x6xf32>
}

// Row reductions feed the full result; column reductions leave the same kernel.
// CHECK-LABEL: @norm_backward
// CHECK: fuse.kernel {{.*}} dims [4, 8] outer 1
// CHECK-DAG: fuse.reduce sum {{.*}} over [1]
// CHECK-DAG: fuse.reduce sum {{.*}} over [0]
// CHECK-NOT: fuse.kernel
func.func @norm_backward(%g: tensor<4x8xf32>, %x: tensor<4x8xf32>) -> (tensor<4x8xf32>, tensor<8xf32>) {
  %0 = tsr.mul %g, %x : tensor<4x8xf32>
  %1 = tsr.reduce "sum" %0 dims [1] : (tensor<4x8xf32>) -> tensor<4xf32>
  %2 = tsr.broadcast %1 dims [0] : (tensor<4xf32>) -> tensor<4x8xf32>
  %3 = tsr.sub %g, %2 : tensor<4x8xf32>
  %4 = tsr.reduce "sum" %0 dims [0] : (tensor<4x8xf32>) -> tensor<8xf32>
  return %3, %4 : tensor<4x8xf32>, tensor<8xf32>
}

// A reshape that cuts a dim splits it for the whole kernel: offsets stay linear.
// CHECK-LABEL: @reshape_splits_a_dim
// CHECK: fuse.kernel "exp_add"
// CHECK-SAME: dims [6, 2, 4] outer 3
// CHECK-NOT: fuse.kernel
func.func @reshape_splits_a_dim(%x: tensor<6x8xf32>, %z: tensor<2x6x4xf32>) -> tensor<2x6x4xf32> {
  %0 = tsr.exp %x : tensor<6x8xf32>
  %1 = tsr.reshape %0 : (tensor<6x8xf32>) -> tensor<6x2x4xf32>
  %2 = tsr.transpose %1 dims [1, 0, 2] : (tensor<6x2x4xf32>) -> tensor<2x6x4xf32>
  %3 = tsr.add %2, %z : tensor<2x6x4xf32>
  return %3 : tensor<2x6x4xf32>
}

// CHECK-LABEL: @barrier_separates
// CHECK: fuse.kernel
// CHECK: fuse.kernel
func.func @barrier_separates(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = tsr.exp %x : tensor<4xf32>
  %1 = tsr.barrier %0 : tensor<4xf32>
  %2 = tsr.neg %1 : tensor<4xf32>
  return %2 : tensor<4xf32>
}

// The mask costs no memory: each kernel computes it from the indices.
// CHECK-LABEL: @mask_is_recomputed
// CHECK: fuse.kernel {{.*}}
// CHECK: fuse.index
// CHECK: arith.cmpi
// CHECK: arith.select
func.func @mask_is_recomputed(%x: tensor<8x8xf32>) -> tensor<8x8xf32> {
  %i = tsr.iota dim 0 : tensor<8x8xi32>
  %j = tsr.iota dim 1 : tensor<8x8xi32>
  %m = tsr.le %j, %i : tensor<8x8xi32>
  %f = tsr.constant neg_inf -> tensor<8x8xf32>
  %0 = tsr.select %m, %x, %f : (tensor<8x8xi1>, tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
  return %0 : tensor<8x8xf32>
}

// A result that another kernel needs in between keeps the two ends apart.
// CHECK-LABEL: @not_convex
// CHECK-COUNT-3: fuse.kernel
func.func @not_convex(%x: tensor<4x4xf32>, %w: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %0 = tsr.exp %x : tensor<4x4xf32>
  %1 = tsr.contract "mk,kn->mn" %0, %w windows [] : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %2 = tsr.reduce "sum" %1 dims [1] : (tensor<4x4xf32>) -> tensor<4xf32>
  %3 = tsr.broadcast %2 dims [0] : (tensor<4xf32>) -> tensor<4x4xf32>
  %4 = tsr.mul %3, %0 : tensor<4x4xf32>
  return %4 : tensor<4x4xf32>
}

// Each part's kernel writes it where the concatenation wants it.
// CHECK-LABEL: @concat_in_place
// CHECK: %[[E:.*]] = tensor.empty() : tensor<4x5xf32>
// CHECK: %[[A:.*]] = fuse.kernel "exp" {{.*}} inits(%[[E]] : tensor<4x5xf32>) of [0]
// CHECK: fuse.kernel "tanh" {{.*}} inits(%[[A]] : tensor<4x5xf32>) of [0]
// CHECK-NOT: fuse.kernel
func.func @concat_in_place(%x: tensor<4x2xf32>, %y: tensor<4x3xf32>) -> tensor<4x5xf32> {
  %0 = tsr.exp %x : tensor<4x2xf32>
  %1 = tsr.tanh %y : tensor<4x3xf32>
  %2 = tsr.concat %0, %1 dim 1 : (tensor<4x2xf32>, tensor<4x3xf32>) -> tensor<4x5xf32>
  return %2 : tensor<4x5xf32>
}

// A contraction reads memory, also through a view.
// CHECK-LABEL: @operands_of_contractions
// CHECK: fuse.kernel "cast"
// CHECK: fuse.kernel "contract"
func.func @operands_of_contractions(%a: tensor<1xbf16>, %b: tensor<1x6xf32>) -> tensor<1x6xf32> {
  %0 = tsr.cast %a : (tensor<1xbf16>) -> tensor<1xf32>
  %1 = tsr.reshape %0 : (tensor<1xf32>) -> tensor<1x1xf32>
  %2 = tsr.contract "mk,kn->mn" %1, %b windows [] : (tensor<1x1xf32>, tensor<1x6xf32>) -> tensor<1x6xf32>
  return %2 : tensor<1x6xf32>
}

// What the precision of a program widens is read and multiplied as it lies there.
// CHECK-LABEL: @operands_of_a_mixed_precision
// CHECK: fuse.kernel "contract" {{.*}} ins(%arg0, %arg1 : tensor<4x8xbf16>, tensor<8x6xbf16>)
// CHECK: fuse.contract %{{.*}}, %{{.*}} over [2] : bf16 -> f32
// CHECK-NOT: fuse.kernel
func.func @operands_of_a_mixed_precision(%a: tensor<4x8xbf16>, %b: tensor<8x6xbf16>) -> tensor<4x6xf32> {
  %0 = tsr.cast %a {tsr.policy} : (tensor<4x8xbf16>) -> tensor<4x8xf32>
  %1 = tsr.cast %b {tsr.policy} : (tensor<8x6xbf16>) -> tensor<8x6xf32>
  %2 = tsr.contract "mk,kn->mn" %0, %1 windows [] : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32>
  return %2 : tensor<4x6xf32>
}

// A sum over a part of the row ends in the kernel; the sum over the whole row then starts from it, in the same loop.
// CHECK-LABEL: @part_of_the_row
// CHECK: fuse.kernel {{.*}} dims [4, 3, 5] outer 1
// CHECK: %[[P:.*]] = fuse.reduce sum %[[X:.*]] over [2]
// CHECK-NEXT: fuse.reduce sum %[[P]] over [1]
// CHECK: fuse.reduce sum %{{.*}} over [2]
// CHECK-NOT: fuse.kernel
func.func @part_of_the_row(%x: tensor<4x3x5xf32>) -> (tensor<4x3x5xf32>, tensor<4x3xf32>) {
  %0 = tsr.reduce "sum" %x dims [1, 2] : (tensor<4x3x5xf32>) -> tensor<4xf32>
  %1 = tsr.broadcast %0 dims [0] : (tensor<4xf32>) -> tensor<4x3x5xf32>
  %2 = tsr.sub %x, %1 : tensor<4x3x5xf32>
  %3 = tsr.mul %2, %2 : tensor<4x3x5xf32>
  %4 = tsr.reduce "sum" %3 dims [2] : (tensor<4x3x5xf32>) -> tensor<4x3xf32>
  return %2, %4 : tensor<4x3x5xf32>, tensor<4x3xf32>
}

// What makes a small result of large ones comes as soon as these are there, so that their memory is free again.
// CHECK-LABEL: @small_results_come_early
// CHECK: %[[A:.*]] = fuse.kernel "contract" dims [512, 8, 8]
// CHECK: fuse.kernel "contract" dims [8, 8, 512] outer 2 ins(%[[A]],
// CHECK: %[[B:.*]] = fuse.kernel "contract" dims [512, 8, 8] outer 2 ins(%[[A]],
// CHECK: fuse.kernel "contract" dims [512, 8, 8] outer 2 ins(%[[B]],
func.func @small_results_come_early(%x: tensor<512x8xf32>, %w: tensor<8x8xf32>) -> (tensor<512x8xf32>, tensor<8x8xf32>) {
  %0 = tsr.contract "mk,kn->mn" %x, %w windows [] : (tensor<512x8xf32>, tensor<8x8xf32>) -> tensor<512x8xf32>
  %1 = tsr.contract "mk,kn->mn" %0, %w windows [] : (tensor<512x8xf32>, tensor<8x8xf32>) -> tensor<512x8xf32>
  %2 = tsr.contract "mk,kn->mn" %1, %w windows [] : (tensor<512x8xf32>, tensor<8x8xf32>) -> tensor<512x8xf32>
  %3 = tsr.contract "mk,mn->kn" %0, %x windows [] : (tensor<512x8xf32>, tensor<512x8xf32>) -> tensor<8x8xf32>
  return %2, %3 : tensor<512x8xf32>, tensor<8x8xf32>
}

// The same, but the small one replaces an argument, in whose memory it can lie once all have read that.
// CHECK-LABEL: @new_values_wait_for_readers
// CHECK: %[[A:.*]] = fuse.kernel "contract" dims [512, 8, 8]
// CHECK: %[[B:.*]] = fuse.kernel "contract" dims [512, 8, 8] outer 2 ins(%[[A]],
// CHECK: fuse.kernel "contract" dims [512, 8, 8] outer 2 ins(%[[B]],
// CHECK: fuse.kernel "contract" dims [8, 8, 512] outer 2 ins(%[[A]],
func.func @new_values_wait_for_readers(%x: tensor<512x8xf32>, %w: tensor<8x8xf32>) -> (tensor<512x8xf32>, tensor<8x8xf32> {tsr.donor = 1 : i64}) {
  %0 = tsr.contract "mk,kn->mn" %x, %w windows [] : (tensor<512x8xf32>, tensor<8x8xf32>) -> tensor<512x8xf32>
  %1 = tsr.contract "mk,kn->mn" %0, %w windows [] : (tensor<512x8xf32>, tensor<8x8xf32>) -> tensor<512x8xf32>
  %2 = tsr.contract "mk,kn->mn" %1, %w windows [] : (tensor<512x8xf32>, tensor<8x8xf32>) -> tensor<512x8xf32>
  %3 = tsr.contract "mk,mn->kn" %0, %x windows [] : (tensor<512x8xf32>, tensor<512x8xf32>) -> tensor<8x8xf32>
  return %2, %3 : tensor<512x8xf32>, tensor<8x8xf32>
}

// Cascades write parts of a concatenation too, through a reshape as well, and one cascade two of them.
// CHECK-LABEL: @concat_of_cascades
// CHECK: %[[E:.*]] = tensor.empty() : tensor<2x96x24xf32>
// CHECK: %[[A:.*]]:2 = fuse.cascade "twice" {{.*}} inits(%[[E]] : tensor<2x96x24xf32>) of [0, -2] outs at [#[[FIRST:.*]], #[[SECOND:.*]]] {
// CHECK: fuse.kernel "exp" {{.*}} inits(%[[A]]#1 : tensor<2x96x24xf32>) of [0]
// CHECK-NOT: fuse.kernel
// CHECK: return
func.func @concat_of_cascades(%q: tensor<2x96x16xf32>, %k: tensor<2x64x16xf32>, %v: tensor<2x64x8xf32>,
    %x: tensor<2x96x8xf32>) -> tensor<2x96x24xf32> {
  %0:2 = fuse.cascade "twice" dims [2, 96, 64, 16, 8] batch 1 stream 1
      ins(%q, %k, %v : tensor<2x96x16xf32>, tensor<2x64x16xf32>, tensor<2x64x8xf32>)
      at [affine_map<(b, m, n, d, e) -> (b * 1536 + m * 16 + d)>, affine_map<(b, m, n, d, e) -> (b * 1024 + n * 16 + d)>,
          affine_map<(b, m, n, d, e) -> (b * 512 + n * 8 + e)>]
      outs at [affine_map<(b, m, n, d, e) -> (b * 768 + m * 8 + e)>, affine_map<(b, m, n, d, e) -> (b * 768 + m * 8 + e)>] {
  ^bb0(%a: f32, %c: f32, %w: f32):
    %s = fuse.contract %a, %c over [3] : f32 -> f32
    %o = fuse.contract %s, %w over [2] : f32 -> f32
    %p = arith.negf %o : f32
    fuse.yield %o, %p : f32, f32
  } -> tensor<2x96x8xf32>, tensor<2x12x8x8xf32>
  %1 = tsr.reshape %0#1 : (tensor<2x12x8x8xf32>) -> tensor<2x96x8xf32>
  %2 = tsr.exp %x : tensor<2x96x8xf32>
  %3 = tsr.concat %0#0, %2, %1 dim 2 : (tensor<2x96x8xf32>, tensor<2x96x8xf32>, tensor<2x96x8xf32>) -> tensor<2x96x24xf32>
  return %3 : tensor<2x96x24xf32>
}

// The sum of products is read as it lies, and turned round by another reader: the second cannot join its kernel, though
// both go through one reshape, and a constant that both are multiplied by makes their dims one.
// CHECK-LABEL: @turned_behind_a_shared_reshape
// CHECK: fuse.kernel "contract_sigmoid
// CHECK: fuse.kernel "tanh
// CHECK: return
func.func @turned_behind_a_shared_reshape(%x: tensor<9x4xf32>, %y: tensor<4x8xf32>) -> (tensor<72xf32>, tensor<72xf32>) {
  %0 = tsr.contract "mk,kn->mn" %x, %y windows [] : (tensor<9x4xf32>, tensor<4x8xf32>) -> tensor<9x8xf32>
  %1 = tsr.reshape %0 : (tensor<9x8xf32>) -> tensor<72xf32>
  %2 = tsr.constant 0.5 -> tensor<72xf32>
  %3 = tsr.sigmoid %1 : tensor<72xf32>
  %4 = tsr.mul %3, %2 : tensor<72xf32>
  %5 = tsr.reverse %1 dims [0] : tensor<72xf32>
  %6 = tsr.tanh %5 : tensor<72xf32>
  %7 = tsr.mul %2, %6 : tensor<72xf32>
  return %4, %7 : tensor<72xf32>, tensor<72xf32>
}

// A fold computes what it alone reads: no value of all windows is in memory.
// CHECK-LABEL: @fold_of_points
// CHECK-NOT: -> tensor<8x4x3xf32>
// CHECK: fuse.kernel "fold"
// CHECK: math.exp
// CHECK: fuse.kernel "fold"
// CHECK-NOT: -> tensor<8x4x3xf32>
// CHECK: return
func.func @fold_of_points(%x: tensor<8x9xf32>) -> tensor<8x9xf32> {
  %0 = tsr.window %x dims [1] size [3] stride [2] dilation [1] : (tensor<8x9xf32>) -> tensor<8x4x3xf32>
  %1 = tsr.exp %0 : tensor<8x4x3xf32>
  %2 = tsr.fold %1 dims [1] size [3] stride [2] dilation [1] : (tensor<8x4x3xf32>) -> tensor<8x9xf32>
  return %2 : tensor<8x9xf32>
}

// Sums of the columns of one tensor, however they are made: one kernel beside the one that makes it.
// CHECK-LABEL: @sums_of_columns
// CHECK-COUNT-2: fuse.kernel
// CHECK-NOT: fuse.kernel
// CHECK: return
func.func @sums_of_columns(%a: tensor<512x32xf32>, %w: tensor<32x64xf32>, %x: tensor<512x64xf32>)
    -> (tensor<64xf32>, tensor<64xf32>, tensor<64xf32>, tensor<64xf32>) {
  %g = tsr.contract "mk,kn->mn" %a, %w windows [] : (tensor<512x32xf32>, tensor<32x64xf32>) -> tensor<512x64xf32>
  %0 = tsr.reduce "sum" %g dims [0] : (tensor<512x64xf32>) -> tensor<64xf32>
  %1 = tsr.mul %g, %x : tensor<512x64xf32>
  %2 = tsr.reduce "sum" %1 dims [0] : (tensor<512x64xf32>) -> tensor<64xf32>
  %3 = tsr.exp %g : tensor<512x64xf32>
  %4 = tsr.reduce "sum" %3 dims [0] : (tensor<512x64xf32>) -> tensor<64xf32>
  %5 = tsr.mul %3, %x : tensor<512x64xf32>
  %6 = tsr.reduce "sum" %5 dims [0] : (tensor<512x64xf32>) -> tensor<64xf32>
  return %0, %2, %4, %6 : tensor<64xf32>, tensor<64xf32>, tensor<64xf32>, tensor<64xf32>
}
