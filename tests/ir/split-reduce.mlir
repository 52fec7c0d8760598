// RUN: tessera-opt %s -tsr-split-reduce | FileCheck %s

// CHECK-LABEL: @around_a_channel
// CHECK: %[[P:.*]] = tsr.reduce "sum" %{{.*}} dims [2, 3] : (tensor<8x4x3x3xf32>) -> tensor<8x4xf32>
// CHECK: %[[S:.*]] = tsr.reduce "sum" %[[P]] dims [0] : (tensor<8x4xf32>) -> tensor<4xf32>
// CHECK: return %[[S]]
func.func @around_a_channel(%x: tensor<8x4x3x3xf32>) -> tensor<4xf32> {
  %0 = tsr.reduce "sum" %x dims [0, 2, 3] : (tensor<8x4x3x3xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// CHECK-LABEL: @nothing_in_between
// CHECK: tsr.reduce "sum" %{{.*}} dims [0]
// CHECK: tsr.reduce "sum" %{{.*}} dims [1, 2]
// CHECK: tsr.reduce "sum" %{{.*}} dims [0, 1, 2]
// CHECK-NOT: tsr.reduce
// CHECK: return
func.func @nothing_in_between(%x: tensor<8x4x9xf32>) -> (tensor<4x9xf32>, tensor<8xf32>, tensor<f32>) {
  %0 = tsr.reduce "sum" %x dims [0] : (tensor<8x4x9xf32>) -> tensor<4x9xf32>
  %1 = tsr.reduce "sum" %x dims [1, 2] : (tensor<8x4x9xf32>) -> tensor<8xf32>
  %2 = tsr.reduce "sum" %x dims [0, 1, 2] : (tensor<8x4x9xf32>) -> tensor<f32>
  return %0, %1, %2 : tensor<4x9xf32>, tensor<8xf32>, tensor<f32>
}

// As in batch norm: what is spread again stays one reduction.
// CHECK-LABEL: @spread_again
// CHECK-COUNT-1: tsr.reduce
// CHECK-NOT: tsr.reduce
// CHECK: return
func.func @spread_again(%x: tensor<8x4x9xf32>) -> tensor<8x4x9xf32> {
  %0 = tsr.reduce "sum" %x dims [0, 2] : (tensor<8x4x9xf32>) -> tensor<4xf32>
  %1 = tsr.neg %0 : tensor<4xf32>
  %2 = tsr.broadcast %1 dims [1] : (tensor<4xf32>) -> tensor<8x4x9xf32>
  %3 = tsr.add %x, %2 : tensor<8x4x9xf32>
  return %3 : tensor<8x4x9xf32>
}

// Sums of a strict function keep their order.
// CHECK-LABEL: @strict
// CHECK-COUNT-1: tsr.reduce "sum" %{{.*}} dims [0, 2, 3]
// CHECK-NOT: tsr.reduce
// CHECK: return
func.func @strict(%x: tensor<8x4x3x3xf32>) -> tensor<4xf32> attributes {tsr.strict} {
  %0 = tsr.reduce "sum" %x dims [0, 2, 3] : (tensor<8x4x3x3xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}
