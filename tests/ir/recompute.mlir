// RUN: tessera-opt %s -tsr-recompute | FileCheck %s

// Two kernels: the one after the contraction computes tanh again.
// CHECK-LABEL: @from_an_argument
// CHECK-SAME: (%[[X:.*]]: tensor<4x8xf32>,
// CHECK: %[[FIRST:.*]] = tsr.tanh %[[X]]
// CHECK: %[[AGAIN:.*]] = tsr.tanh %[[X]]
// CHECK: tsr.exp %[[FIRST]]
// CHECK: %[[C:.*]] = tsr.contract
// CHECK: tsr.mul %[[C]], %[[AGAIN]]
func.func @from_an_argument(%x: tensor<4x8xf32>, %w: tensor<8x8xf32>) -> tensor<4x8xf32> {
  %0 = tsr.tanh %x : tensor<4x8xf32>
  %1 = tsr.exp %0 : tensor<4x8xf32>
  %2 = tsr.contract "mk,kn->mn" %1, %w windows [] : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
  %3 = tsr.mul %2, %0 : tensor<4x8xf32>
  return %3 : tensor<4x8xf32>
}

// The row's sum is written instead of the full quotient.
// CHECK-LABEL: @from_a_row
// CHECK: %[[S:.*]] = tsr.reduce "sum"
// CHECK: tsr.barrier %[[S]]
// CHECK: tsr.div
func.func @from_a_row(%x: tensor<64x64xf32>, %w: tensor<64x64xf32>) -> tensor<64x64xf32> {
  %0 = tsr.reduce "sum" %x dims [1] : (tensor<64x64xf32>) -> tensor<64xf32>
  %1 = tsr.broadcast %0 dims [0] : (tensor<64xf32>) -> tensor<64x64xf32>
  %2 = tsr.div %x, %1 : tensor<64x64xf32>
  %3 = tsr.exp %2 : tensor<64x64xf32>
  %4 = tsr.contract "mk,kn->mn" %3, %w windows [] : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %5 = tsr.mul %4, %2 : tensor<64x64xf32>
  return %5 : tensor<64x64xf32>
}

// Two operands of its size: reading them costs more than reading the sum.
// CHECK-LABEL: @too_much_to_read
// CHECK-COUNT-1: tsr.add
// CHECK-NOT: tsr.add
func.func @too_much_to_read(%x: tensor<4x8xf32>, %y: tensor<4x8xf32>, %w: tensor<8x8xf32>) -> tensor<4x8xf32> {
  %0 = tsr.add %x, %y : tensor<4x8xf32>
  %1 = tsr.exp %0 : tensor<4x8xf32>
  %2 = tsr.contract "mk,kn->mn" %1, %w windows [] : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
  %3 = tsr.mul %2, %0 : tensor<4x8xf32>
  return %3 : tensor<4x8xf32>
}

// A contraction reads it, so it is in memory anyway.
// CHECK-LABEL: @in_memory_anyway
// CHECK-COUNT-1: tsr.tanh
// CHECK-NOT: tsr.tanh
func.func @in_memory_anyway(%x: tensor<4x8xf32>, %w: tensor<8x8xf32>) -> tensor<4x8xf32> {
  %0 = tsr.tanh %x : tensor<4x8xf32>
  %1 = tsr.contract "mk,kn->mn" %0, %w windows [] : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
  %2 = tsr.mul %1, %0 : tensor<4x8xf32>
  return %2 : tensor<4x8xf32>
}

// Two kernels read it through one view: the second computes it again, behind a view of its own.
// CHECK-LABEL: @through_a_shared_view
// CHECK-SAME: (%[[X:.*]]: tensor<4x8xf32>)
// CHECK: %[[FIRST:.*]] = tsr.tanh %[[X]]
// CHECK: %[[AGAIN:.*]] = tsr.tanh %[[X]]
// CHECK: %[[A:.*]] = tsr.reshape %[[FIRST]]
// CHECK: %[[B:.*]] = tsr.reshape %[[AGAIN]]
// CHECK: tsr.mul %[[A]]
// CHECK: tsr.mul %[[B]]
func.func @through_a_shared_view(%x: tensor<4x8xf32>) -> (tensor<f32>, tensor<32xf32>, tensor<32xf32>) {
  %0 = tsr.tanh %x : tensor<4x8xf32>
  %1 = tsr.reduce "sum" %0 dims [0, 1] : (tensor<4x8xf32>) -> tensor<f32>
  %2 = tsr.broadcast %1 dims [] : (tensor<f32>) -> tensor<32xf32>
  %3 = tsr.reshape %0 : (tensor<4x8xf32>) -> tensor<32xf32>
  %4 = tsr.mul %3, %2 : tensor<32xf32>
  %5 = tsr.barrier %4 : tensor<32xf32>
  %6 = tsr.reduce "sum" %5 dims [0] : (tensor<32xf32>) -> tensor<f32>
  %7 = tsr.broadcast %6 dims [] : (tensor<f32>) -> tensor<32xf32>
  %8 = tsr.mul %3, %7 : tensor<32xf32>
  %9 = tsr.barrier %8 : tensor<32xf32>
  return %1, %5, %9 : tensor<f32>, tensor<32xf32>, tensor<32xf32>
}

// Sums over columns end in the kernel that makes them. The kernel behind them has copies of the statistic, and what it makes
// from those is computed again by the kernel of the gradient, from %x and the sum: nothing of the size of %x is written.
// CHECK-LABEL: @from_copies
// CHECK: %[[S:.*]] = tsr.reduce "sum" %arg0 dims [0]
// CHECK-DAG: %[[A:.*]] = tsr.barrier %[[S]]
// CHECK-DAG: tsr.rsqrt
// CHECK-DAG: tsr.rsqrt
// CHECK: %[[H:.*]] = tsr.mul %arg0, %{{.*}} : tensor<512x64xf32>
// CHECK: %[[AGAIN:.*]] = tsr.mul %arg0, %{{.*}} : tensor<512x64xf32>
// CHECK: tsr.exp %[[H]]
// CHECK: %[[D:.*]] = tsr.contract
// CHECK: tsr.mul %[[D]], %[[AGAIN]]
func.func @from_copies(%x: tensor<512x64xf32>, %w: tensor<64x64xf32>) -> (tensor<512x64xf32>, tensor<64xf32>) {
  %0 = tsr.reduce "sum" %x dims [0] : (tensor<512x64xf32>) -> tensor<64xf32>
  %1 = tsr.rsqrt %0 : tensor<64xf32>
  %2 = tsr.broadcast %1 dims [1] : (tensor<64xf32>) -> tensor<512x64xf32>
  %3 = tsr.mul %x, %2 : tensor<512x64xf32>
  %4 = tsr.exp %3 : tensor<512x64xf32>
  %5 = tsr.contract "mk,kn->mn" %4, %w windows [] : (tensor<512x64xf32>, tensor<64x64xf32>) -> tensor<512x64xf32>
  %6 = tsr.mul %5, %3 : tensor<512x64xf32>
  %7 = tsr.reduce "sum" %6 dims [0] : (tensor<512x64xf32>) -> tensor<64xf32>
  %8 = tsr.mul %7, %1 : tensor<64xf32>
  return %5, %8 : tensor<512x64xf32>, tensor<64xf32>
}

// What a fold reads it computes, also where somebody else has the same value.
// CHECK-LABEL: @for_a_fold
// CHECK: tsr.eq
// CHECK: tsr.eq
// CHECK: tsr.select
// CHECK: tsr.fold
func.func @for_a_fold(%x: tensor<8x9xf32>, %y: tensor<8x4xf32>, %g: tensor<8x4xf32>) -> (tensor<8x9xf32>, tensor<8x4xf32>) {
  %zero = tsr.constant 0.0 -> tensor<8x4x3xf32>
  %0 = tsr.window %x dims [1] size [3] stride [2] dilation [1] : (tensor<8x9xf32>) -> tensor<8x4x3xf32>
  %1 = tsr.broadcast %y dims [0, 1] : (tensor<8x4xf32>) -> tensor<8x4x3xf32>
  %2 = tsr.eq %0, %1 : tensor<8x4x3xf32>
  %3 = tsr.cast %2 : (tensor<8x4x3xi1>) -> tensor<8x4x3xf32>
  %4 = tsr.reduce "sum" %3 dims [2] : (tensor<8x4x3xf32>) -> tensor<8x4xf32>
  %5 = tsr.broadcast %g dims [0, 1] : (tensor<8x4xf32>) -> tensor<8x4x3xf32>
  %6 = tsr.select %2, %5, %zero : (tensor<8x4x3xi1>, tensor<8x4x3xf32>, tensor<8x4x3xf32>) -> tensor<8x4x3xf32>
  %7 = tsr.fold %6 dims [1] size [3] stride [2] dilation [1] : (tensor<8x4x3xf32>) -> tensor<8x9xf32>
  return %7, %4 : tensor<8x9xf32>, tensor<8x4xf32>
}

// Which element is the maximum is asked once: another kernel might spell the exponential otherwise, and find none. Sums and
// products are what they are everywhere.
// CHECK-LABEL: @looks_for_a_maximum
// CHECK: tsr.exp
// CHECK-COUNT-1: tsr.eq
// CHECK-NOT: tsr.eq
func.func @looks_for_a_maximum(%x: tensor<64x64xf32>, %w: tensor<64x64xf32>) -> (tensor<64x64xf32>, tensor<64xf32>) {
  %0 = tsr.exp %x : tensor<64x64xf32>
  %1 = tsr.reduce "max" %0 dims [1] : (tensor<64x64xf32>) -> tensor<64xf32>
  %2 = tsr.broadcast %1 dims [0] : (tensor<64xf32>) -> tensor<64x64xf32>
  %3 = tsr.eq %0, %2 : tensor<64x64xf32>
  %4 = tsr.cast %3 : (tensor<64x64xi1>) -> tensor<64x64xf32>
  %5 = tsr.reduce "sum" %4 dims [1] : (tensor<64x64xf32>) -> tensor<64xf32>
  %6 = tsr.contract "mk,kn->mn" %x, %w windows [] : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %7 = tsr.select %3, %6, %x : (tensor<64x64xi1>, tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  return %7, %5 : tensor<64x64xf32>, tensor<64xf32>
}

// CHECK-LABEL: @looks_for_a_maximum_of_sums
// CHECK-COUNT-2: tsr.eq
func.func @looks_for_a_maximum_of_sums(%x: tensor<64x64xf32>, %w: tensor<64x64xf32>) -> (tensor<64x64xf32>, tensor<64xf32>) {
  %c = tsr.constant 3.0 -> tensor<64x64xf32>
  %0 = tsr.add %x, %c : tensor<64x64xf32>
  %1 = tsr.reduce "max" %0 dims [1] : (tensor<64x64xf32>) -> tensor<64xf32>
  %2 = tsr.broadcast %1 dims [0] : (tensor<64xf32>) -> tensor<64x64xf32>
  %3 = tsr.eq %0, %2 : tensor<64x64xf32>
  %4 = tsr.cast %3 : (tensor<64x64xi1>) -> tensor<64x64xf32>
  %5 = tsr.reduce "sum" %4 dims [1] : (tensor<64x64xf32>) -> tensor<64xf32>
  %6 = tsr.contract "mk,kn->mn" %x, %w windows [] : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %7 = tsr.select %3, %6, %x : (tensor<64x64xi1>, tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  return %7, %5 : tensor<64x64xf32>, tensor<64xf32>
}
