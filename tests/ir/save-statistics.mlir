// RUN: tessera-opt %s -tsr-save-statistics -split-input-file | FileCheck %s

// The forward keeps softmax; what needs the output first computes it from logsumexp.
// CHECK-LABEL: @later_sweep
// CHECK: %[[X:.*]] = tsr.contract "bmd,bnd->bmn"
// CHECK: %[[P:.*]] = tsr.softmax %[[X]]
// CHECK: %[[L:.*]] = tsr.logsumexp %[[X]]
// CHECK: %[[E:.*]] = tsr.exp
// CHECK: tsr.contract "bmn,bne->bme" %[[P]]
// CHECK: tsr.contract "bmn,bme->bne" %[[E]]
func.func @later_sweep(%q: tensor<2x64x16xf32>, %k: tensor<2x96x16xf32>, %v: tensor<2x96x8xf32>)
    -> (tensor<2x64x8xf32>, tensor<2x96x8xf32>) {
  %0 = tsr.contract "bmd,bnd->bmn" %q, %k windows []
      : (tensor<2x64x16xf32>, tensor<2x96x16xf32>) -> tensor<2x64x96xf32>
  %1 = tsr.softmax %0 dim 2 : tensor<2x64x96xf32>
  %2 = tsr.contract "bmn,bne->bme" %1, %v windows []
      : (tensor<2x64x96xf32>, tensor<2x96x8xf32>) -> tensor<2x64x8xf32>
  %3 = tsr.contract "bmn,bme->bne" %1, %2 windows []
      : (tensor<2x64x96xf32>, tensor<2x64x8xf32>) -> tensor<2x96x8xf32>
  return %2, %3 : tensor<2x64x8xf32>, tensor<2x96x8xf32>
}

// -----

// One sweep needs no statistic.
// CHECK-LABEL: @forward_alone
// CHECK-NOT: logsumexp
func.func @forward_alone(%q: tensor<2x64x16xf32>, %k: tensor<2x96x16xf32>, %v: tensor<2x96x8xf32>)
    -> tensor<2x64x8xf32> {
  %0 = tsr.contract "bmd,bnd->bmn" %q, %k windows []
      : (tensor<2x64x16xf32>, tensor<2x96x16xf32>) -> tensor<2x64x96xf32>
  %1 = tsr.softmax %0 dim 2 : tensor<2x64x96xf32>
  %2 = tsr.contract "bmn,bne->bme" %1, %v windows []
      : (tensor<2x64x96xf32>, tensor<2x96x8xf32>) -> tensor<2x64x8xf32>
  return %2 : tensor<2x64x8xf32>
}

// -----

// The weights are read as well: a later kernel writes them.
// CHECK-LABEL: @weights_returned
// CHECK: %[[P:.*]] = tsr.softmax
// CHECK: %[[E:.*]] = tsr.exp
// CHECK: %[[O:.*]] = tsr.contract "bmn,bne->bme" %[[P]]
// CHECK: return %[[O]], %[[E]]
func.func @weights_returned(%q: tensor<2x64x16xf32>, %k: tensor<2x96x16xf32>, %v: tensor<2x96x8xf32>)
    -> (tensor<2x64x8xf32>, tensor<2x64x96xf32>) {
  %0 = tsr.contract "bmd,bnd->bmn" %q, %k windows []
      : (tensor<2x64x16xf32>, tensor<2x96x16xf32>) -> tensor<2x64x96xf32>
  %1 = tsr.softmax %0 dim 2 : tensor<2x64x96xf32>
  %2 = tsr.contract "bmn,bne->bme" %1, %v windows []
      : (tensor<2x64x96xf32>, tensor<2x96x8xf32>) -> tensor<2x64x8xf32>
  return %2, %1 : tensor<2x64x8xf32>, tensor<2x64x96xf32>
}

// -----

// No plane: softmax over a tensor in memory.
// CHECK-LABEL: @no_plane
// CHECK-NOT: logsumexp
func.func @no_plane(%x: tensor<64x96xf32>) -> (tensor<64x96xf32>, tensor<64x96xf32>) {
  %0 = tsr.softmax %x dim 1 : tensor<64x96xf32>
  %1 = tsr.mul %0, %x : tensor<64x96xf32>
  return %0, %1 : tensor<64x96xf32>, tensor<64x96xf32>
}
