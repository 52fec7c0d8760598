// RUN: tessera-opt %s -tsr-decompose | FileCheck %s

// CHECK-LABEL: @softmax
// CHECK-SAME: (%[[X:.*]]: tensor<4x8xf32>)
// CHECK: %[[M:.*]] = tsr.reduce "max" %[[X]] dims [1]
// CHECK: %[[NONE:.*]] = tsr.eq %[[M]]
// CHECK: %[[E:.*]] = tsr.exp
// CHECK: %[[S:.*]] = tsr.reduce "sum" %[[E]] dims [1]
// CHECK: tsr.select %[[NONE]], %{{.*}}, %[[S]]
// CHECK: tsr.mul %[[E]]
func.func @softmax(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %0 = tsr.softmax %x dim 1 : tensor<4x8xf32>
  return %0 : tensor<4x8xf32>
}

// Narrow floats round once, at the end.
// CHECK-LABEL: @narrow_softmax
// CHECK: tsr.cast %{{.*}} : (tensor<4x8xbf16>) -> tensor<4x8xf32>
// CHECK: tsr.mul {{.*}} : tensor<4x8xf32>
// CHECK-NEXT: tsr.cast %{{.*}} : (tensor<4x8xf32>) -> tensor<4x8xbf16>
func.func @narrow_softmax(%x: tensor<4x8xbf16>) -> tensor<4x8xbf16> {
  %0 = tsr.softmax %x dim 1 : tensor<4x8xbf16>
  return %0 : tensor<4x8xbf16>
}

// With the maximum, the shift and the sum of softmax; an infinite maximum is the result.
// CHECK-LABEL: @logsumexp
// CHECK: tsr.log
// CHECK-NEXT: %[[L:.*]] = tsr.add
// CHECK: %[[F:.*]] = tsr.is_finite %[[M:.*]] :
// CHECK: tsr.select %[[F]], %[[L]], %[[M]]
func.func @logsumexp(%x: tensor<4x8xf32>) -> tensor<8xf32> {
  %0 = tsr.logsumexp %x dim 0 : (tensor<4x8xf32>) -> tensor<8xf32>
  return %0 : tensor<8xf32>
}

// CHECK-LABEL: @variance
// CHECK: %[[D:.*]] = tsr.sub
// CHECK: %[[Q:.*]] = tsr.mul %[[D]], %[[D]]
// CHECK: tsr.reduce "sum" %[[Q]] dims [0, 2]
// CHECK: %[[N:.*]] = tsr.constant 0.083333333333333329
// CHECK: tsr.mul %{{.*}}, %[[N]]
func.func @variance(%x: tensor<4x8x3xf32>) -> tensor<8xf32> {
  %0 = tsr.variance %x dims [0, 2] : (tensor<4x8x3xf32>) -> tensor<8xf32>
  return %0 : tensor<8xf32>
}

// CHECK-LABEL: @other_ops_stay
// CHECK-NEXT: tsr.exp
// CHECK-NEXT: return
func.func @other_ops_stay(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = tsr.exp %x : tensor<4xf32>
  return %0 : tensor<4xf32>
}
