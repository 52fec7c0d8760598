// RUN: tessera-opt %s -tsr-legalize-contract -split-input-file -verify-diagnostics | FileCheck %s

// CHECK-LABEL: @matmul_stays
// CHECK-NEXT: tsr.contract "mk,kn->mn"
// CHECK-NEXT: return
func.func @matmul_stays(%a: tensor<4x3xf32>, %b: tensor<3x6xf32>) -> tensor<4x6xf32> {
  %0 = tsr.contract "mk,kn->mn" %a, %b windows [] : (tensor<4x3xf32>, tensor<3x6xf32>) -> tensor<4x6xf32>
  return %0 : tensor<4x6xf32>
}

// -----

// Only what the windows reach is padded: of a stride of 2 over 8 the last place is 7 + 1 − 1.
// CHECK-LABEL: @convolution
// CHECK: %[[P:.*]] = tsr.pad %{{.*}} low [0, 0, 1] high [0, 0, 0]
// CHECK: tsr.contract "nch,kcr->nkp" %[[P]], %{{.*}} windows ["h = 2p + 1r - 0"]
func.func @convolution(%x: tensor<1x3x8xf32>, %w: tensor<4x3x3xf32>) -> tensor<1x4x4xf32> {
  %0 = tsr.contract "nch,kcr->nkp" %x, %w windows ["h = 2p + 1r - 1"]
      : (tensor<1x3x8xf32>, tensor<4x3x3xf32>) -> tensor<1x4x4xf32>
  return %0 : tensor<1x4x4xf32>
}

// -----

// The data gradient of a stride of 1 is one contraction with the taps reversed.
// CHECK-LABEL: @data_gradient
// CHECK: %[[T:.*]] = tsr.reverse %{{.*}} dims [2]
// CHECK: %[[P:.*]] = tsr.pad %{{.*}} low [0, 0, 1] high [0, 0, 1]
// CHECK: tsr.contract "nkp,kcr->nch" %[[P]], %[[T]] windows ["p = 1h + 1r - 0"]
func.func @data_gradient(%g: tensor<1x4x8xf32>, %w: tensor<4x3x3xf32>) -> tensor<1x3x8xf32> {
  %0 = tsr.contract "nkp,kcr->nch" %g, %w windows ["h = 1p + 1r - 1"]
      : (tensor<1x4x8xf32>, tensor<4x3x3xf32>) -> tensor<1x3x8xf32>
  return %0 : tensor<1x3x8xf32>
}

// -----

// A stride of 2 gives two phases: tap 1 alone, and taps 0 and 2. They interleave.
// CHECK-LABEL: @data_gradient_of_stride_2
// CHECK: tsr.slice %{{.*}} start [0, 0, 1] stop [4, 3, 2] step [1, 1, 2]
// CHECK: %[[EVEN:.*]] = tsr.contract
// CHECK: tsr.slice %{{.*}} start [0, 0, 0] stop [4, 3, 3] step [1, 1, 2]
// CHECK: %[[ODD:.*]] = tsr.contract
// CHECK-DAG: %[[E:.*]] = tsr.reshape %[[EVEN]]
// CHECK-DAG: %[[O:.*]] = tsr.reshape %[[ODD]]
// CHECK: %[[ALL:.*]] = tsr.concat %[[E]], %[[O]] dim 3
// CHECK: tsr.reshape %[[ALL]] : (tensor<1x3x4x2xf32>) -> tensor<1x3x8xf32>
func.func @data_gradient_of_stride_2(%g: tensor<1x4x4xf32>, %w: tensor<4x3x3xf32>) -> tensor<1x3x8xf32> {
  %0 = tsr.contract "nkp,kcr->nch" %g, %w windows ["h = 2p + 1r - 1"]
      : (tensor<1x4x4xf32>, tensor<4x3x3xf32>) -> tensor<1x3x8xf32>
  return %0 : tensor<1x3x8xf32>
}

// -----

// Of seven taps one phase has three and one four. Both read the padding that four need: it is written once.
// CHECK-LABEL: @phases_share_a_padding
// CHECK: tsr.pad %{{.*}} low [0, 0, 1] high [0, 0, 2]
// CHECK: tsr.contract "nkp,kcr->nch" %{{.*}} windows ["p = 1h + 1r - 0"] : (tensor<1x4x11xf32>, tensor<4x3x3xf32>)
// CHECK: tsr.pad %{{.*}} low [0, 0, 1] high [0, 0, 2]
// CHECK: tsr.contract "nkp,kcr->nch" %{{.*}} windows ["p = 1h + 1r - 0"] : (tensor<1x4x11xf32>, tensor<4x3x4xf32>)
func.func @phases_share_a_padding(%g: tensor<1x4x8xf32>, %w: tensor<4x3x7xf32>) -> tensor<1x3x16xf32> {
  %0 = tsr.contract "nkp,kcr->nch" %g, %w windows ["h = 2p + 1r - 3"]
      : (tensor<1x4x8xf32>, tensor<4x3x7xf32>) -> tensor<1x3x16xf32>
  return %0 : tensor<1x3x16xf32>
}

// -----

// Windows side by side: each element of the result is one tap of one window.
// CHECK-LABEL: @data_gradient_of_patches
// CHECK-NOT: tsr.slice
// CHECK: %[[PAIRS:.*]] = tsr.contract "nkp,kcr->ncpr" %{{[a-z0-9]*}}, %{{[a-z0-9]*}} windows [] : (tensor<1x4x4xf32>, tensor<4x3x2xf32>) -> tensor<1x3x4x2xf32>
// CHECK: tsr.reshape %[[PAIRS]] : (tensor<1x3x4x2xf32>) -> tensor<1x3x8xf32>
func.func @data_gradient_of_patches(%g: tensor<1x4x4xf32>, %w: tensor<4x3x2xf32>) -> tensor<1x3x8xf32> {
  %0 = tsr.contract "nkp,kcr->nch" %g, %w windows ["h = 2p + 1r - 0"]
      : (tensor<1x4x4xf32>, tensor<4x3x2xf32>) -> tensor<1x3x8xf32>
  return %0 : tensor<1x3x8xf32>
}

// -----

// CHECK-LABEL: @lone_letters
// CHECK: %[[S:.*]] = tsr.reduce "sum" %{{.*}} dims [1]
// CHECK: %[[C:.*]] = tsr.contract "m,n->mn" %[[S]]
// CHECK: tsr.broadcast %[[C]] dims [0, 2] : (tensor<4x6xf32>) -> tensor<4x5x6xf32>
func.func @lone_letters(%a: tensor<4x3xf32>, %b: tensor<6xf32>) -> tensor<4x5x6xf32> {
  %0 = tsr.contract "mk,n->mxn" %a, %b windows [] : (tensor<4x3xf32>, tensor<6xf32>) -> tensor<4x5x6xf32>
  return %0 : tensor<4x5x6xf32>
}

// -----

func.func @place_in_operand_and_result(%a: tensor<4x8xf32>, %b: tensor<3x8xf32>) -> tensor<8xf32> {
  // expected-error @+1 {{relates letters in a way that has no kernel}}
  %0 = tsr.contract "ph,rh->h" %a, %b windows ["h = 2p + 1r - 1"]
      : (tensor<4x8xf32>, tensor<3x8xf32>) -> tensor<8xf32>
  return %0 : tensor<8xf32>
}
