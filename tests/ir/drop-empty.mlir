// RUN: tessera-opt %s -tsr-drop-empty | FileCheck %s

// CHECK-LABEL: @sum_of_nothing
// CHECK-NEXT: %[[C:.*]] = tsr.constant 0.000000e+00 -> tensor<4xf32>
// CHECK-NEXT: return %[[C]]
func.func @sum_of_nothing(%x: tensor<4x0xf32>) -> tensor<4xf32> {
  %0 = tsr.reduce "sum" %x dims [1] : (tensor<4x0xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// CHECK-LABEL: @product_of_nothing
// CHECK: tsr.constant 1.000000e+00
func.func @product_of_nothing(%x: tensor<4x0xf32>) -> tensor<4xf32> {
  %0 = tsr.reduce "prod" %x dims [1] : (tensor<4x0xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// CHECK-LABEL: @logsumexp_of_nothing
// CHECK: tsr.constant neg_inf -> tensor<4xf32>
func.func @logsumexp_of_nothing(%x: tensor<4x0xf32>) -> tensor<4xf32> {
  %0 = tsr.logsumexp %x dim 1 : (tensor<4x0xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// CHECK-LABEL: @empty_result
// CHECK: tsr.constant 0.000000e+00 -> tensor<0x4xf32>
func.func @empty_result(%x: tensor<0x4xf32>) -> tensor<0x4xf32> {
  %0 = tsr.exp %x : tensor<0x4xf32>
  return %0 : tensor<0x4xf32>
}

// CHECK-LABEL: @concat_keeps_what_has_elements
// CHECK-SAME: (%{{.*}}: tensor<0x3xf32>, %[[Y:.*]]: tensor<2x3xf32>, %[[Z:.*]]: tensor<4x3xf32>)
// CHECK: tsr.concat %[[Y]], %[[Z]] dim 0
func.func @concat_keeps_what_has_elements(%x: tensor<0x3xf32>, %y: tensor<2x3xf32>, %z: tensor<4x3xf32>)
    -> tensor<6x3xf32> {
  %0 = tsr.concat %x, %y, %z dim 0 : (tensor<0x3xf32>, tensor<2x3xf32>, tensor<4x3xf32>) -> tensor<6x3xf32>
  return %0 : tensor<6x3xf32>
}

// CHECK-LABEL: @scatter_of_nothing
// CHECK-SAME: (%[[X:.*]]: tensor<4x3xf32>
// CHECK-NEXT: return %[[X]]
func.func @scatter_of_nothing(%x: tensor<4x3xf32>, %i: tensor<0xi32>, %u: tensor<0x3xf32>) -> tensor<4x3xf32> {
  %0 = tsr.scatter "add" %x, %i, %u dim 0 : (tensor<4x3xf32>, tensor<0xi32>, tensor<0x3xf32>) -> tensor<4x3xf32>
  return %0 : tensor<4x3xf32>
}

// Nothing is empty here.
// CHECK-LABEL: @stays
// CHECK: tsr.exp
func.func @stays(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = tsr.exp %x : tensor<4xf32>
  return %0 : tensor<4xf32>
}
