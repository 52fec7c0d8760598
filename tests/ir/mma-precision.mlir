// RUN: tessera-opt %s -tsr-mma-precision -tsr-simplify -cse | FileCheck %s

// CHECK-LABEL: @both_operands
// CHECK-DAG: %[[X:.*]] = tsr.cast %arg0 : (tensor<4x8xf32>) -> tensor<4x8xbf16>
// CHECK-DAG: %[[W:.*]] = tsr.cast %arg1 : (tensor<6x8xf32>) -> tensor<6x8xbf16>
// CHECK-DAG: %[[XW:.*]] = tsr.cast %[[X]] {tsr.policy} : (tensor<4x8xbf16>) -> tensor<4x8xf32>
// CHECK-DAG: %[[WW:.*]] = tsr.cast %[[W]] {tsr.policy} : (tensor<6x8xbf16>) -> tensor<6x8xf32>
// CHECK: %[[Y:.*]] = tsr.contract "mk,nk->mn" %[[XW]], %[[WW]]
// CHECK-SAME: -> tensor<4x6xf32>
// CHECK: return %[[Y]]
func.func @both_operands(%x: tensor<4x8xf32>, %w: tensor<6x8xf32>) -> tensor<4x6xf32> attributes {tsr.mixed = bf16} {
  %0 = tsr.contract "mk,nk->mn" %x, %w windows [] : (tensor<4x8xf32>, tensor<6x8xf32>) -> tensor<4x6xf32>
  return %0 : tensor<4x6xf32>
}

// Forward and both gradients read each value rounded once.
// CHECK-LABEL: @one_rounding_of_each
// CHECK-COUNT-3: tsr.cast %{{.*}}xf32>) -> tensor<{{.*}}xbf16>
// CHECK-NOT: -> tensor<{{.*}}xbf16>
// CHECK: return
func.func @one_rounding_of_each(%x: tensor<4x8xf32>, %w: tensor<6x8xf32>, %g: tensor<4x6xf32>)
    -> (tensor<4x6xf32>, tensor<4x8xf32>, tensor<6x8xf32>) attributes {tsr.mixed = bf16} {
  %0 = tsr.contract "mk,nk->mn" %x, %w windows [] : (tensor<4x8xf32>, tensor<6x8xf32>) -> tensor<4x6xf32>
  %1 = tsr.contract "mn,nk->mk" %g, %w windows [] : (tensor<4x6xf32>, tensor<6x8xf32>) -> tensor<4x8xf32>
  %2 = tsr.contract "mn,mk->nk" %g, %x windows [] : (tensor<4x6xf32>, tensor<4x8xf32>) -> tensor<6x8xf32>
  return %0, %1, %2 : tensor<4x6xf32>, tensor<4x8xf32>, tensor<6x8xf32>
}

// The rounding goes to where the value is made: all of it, whatever slices of it are read.
// CHECK-LABEL: @behind_views
// CHECK: %[[E:.*]] = tsr.exp %arg0
// CHECK: %[[N:.*]] = tsr.cast %[[E]] : (tensor<4x24xf32>) -> tensor<4x24xbf16>
// CHECK-NOT: -> tensor<{{.*}}xbf16>
// CHECK: tsr.slice %[[N]] {{.*}} -> tensor<4x8xbf16>
// CHECK-NOT: tsr.cast %{{.*}}xf32>) -> tensor<{{.*}}xbf16>
// CHECK: tsr.contract
// CHECK: return
func.func @behind_views(%x: tensor<4x24xf32>) -> tensor<4x4xf32> attributes {tsr.mixed = bf16} {
  %0 = tsr.exp %x : tensor<4x24xf32>
  %1 = tsr.slice %0 start [0, 0] stop [4, 8] step [1, 1] : (tensor<4x24xf32>) -> tensor<4x8xf32>
  %2 = tsr.slice %0 start [0, 8] stop [4, 16] step [1, 1] : (tensor<4x24xf32>) -> tensor<4x8xf32>
  %3 = tsr.contract "mk,nk->mn" %1, %2 windows [] : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x4xf32>
  return %3 : tensor<4x4xf32>
}

// CHECK-LABEL: @a_concatenation_is_made_as_one
// CHECK: %[[C:.*]] = tsr.concat {{.*}} -> tensor<4x8xf32>
// CHECK: tsr.cast %[[C]] : (tensor<4x8xf32>) -> tensor<4x8xbf16>
// CHECK-NOT: -> tensor<{{.*}}xbf16>
// CHECK: tsr.contract
func.func @a_concatenation_is_made_as_one(%x: tensor<2x8xf32>, %y: tensor<2x8xf32>, %w: tensor<6x8xbf16>)
    -> tensor<4x6xf32> attributes {tsr.mixed = bf16} {
  %0 = tsr.concat %x, %y dim 0 : (tensor<2x8xf32>, tensor<2x8xf32>) -> tensor<4x8xf32>
  %1 = tsr.cast %w : (tensor<6x8xbf16>) -> tensor<6x8xf32>
  %2 = tsr.contract "mk,nk->mn" %0, %1 windows [] : (tensor<4x8xf32>, tensor<6x8xf32>) -> tensor<4x6xf32>
  return %2 : tensor<4x6xf32>
}

// Its parts are rounded where kernels compute them.
// CHECK-LABEL: @a_concatenation_of_sums
// CHECK-COUNT-2: tsr.cast {{.*}} : (tensor<8xf32>) -> tensor<8xbf16>
// CHECK: tsr.concat {{.*}} -> tensor<2x8xbf16>
// CHECK-NOT: tsr.concat {{.*}} -> tensor<2x8xf32>
func.func @a_concatenation_of_sums(%x: tensor<5x8xf32>, %w: tensor<6x8xbf16>) -> tensor<2x6xf32>
    attributes {tsr.mixed = bf16} {
  %0 = tsr.reduce "sum" %x dims [0] : (tensor<5x8xf32>) -> tensor<8xf32>
  %1 = tsr.reduce "max" %x dims [0] : (tensor<5x8xf32>) -> tensor<8xf32>
  %2 = tsr.reshape %0 : (tensor<8xf32>) -> tensor<1x8xf32>
  %3 = tsr.reshape %1 : (tensor<8xf32>) -> tensor<1x8xf32>
  %4 = tsr.concat %2, %3 dim 0 : (tensor<1x8xf32>, tensor<1x8xf32>) -> tensor<2x8xf32>
  %5 = tsr.cast %w : (tensor<6x8xbf16>) -> tensor<6x8xf32>
  %6 = tsr.contract "mk,nk->mn" %4, %5 windows [] : (tensor<2x8xf32>, tensor<6x8xf32>) -> tensor<2x6xf32>
  return %6 : tensor<2x6xf32>
}

// What is widened already is not rounded again; what a user widened from f16 stays f16.
// CHECK-LABEL: @users_casts
// CHECK-NOT: xbf16>
// CHECK: return
func.func @users_casts(%x: tensor<4x8xf16>, %w: tensor<6x8xf32>) -> tensor<4x6xf32> attributes {tsr.mixed = bf16} {
  %0 = tsr.cast %x : (tensor<4x8xf16>) -> tensor<4x8xf32>
  %1 = tsr.contract "mk,nk->mn" %0, %w windows [] : (tensor<4x8xf32>, tensor<6x8xf32>) -> tensor<4x6xf32>
  return %1 : tensor<4x6xf32>
}

// Behind the padding of windows as well.
// CHECK-LABEL: @users_casts_behind_pads
// CHECK-NOT: xbf16>
// CHECK: return
func.func @users_casts_behind_pads(%x: tensor<2x3x8xf16>, %w: tensor<4x3x3xf32>) -> tensor<2x4x8xf32>
    attributes {tsr.mixed = bf16} {
  %0 = tsr.cast %x : (tensor<2x3x8xf16>) -> tensor<2x3x8xf32>
  %1 = tsr.pad %0 low [0, 0, 1] high [0, 0, 1] interior [0, 0, 0] value 0.0 : (tensor<2x3x8xf32>) -> tensor<2x3x10xf32>
  %2 = tsr.contract "nch,kcr->nkp" %1, %w windows ["h = 1p + 1r - 0"]
      : (tensor<2x3x10xf32>, tensor<4x3x3xf32>) -> tensor<2x4x8xf32>
  return %2 : tensor<2x4x8xf32>
}

// CHECK-LABEL: @as_written
// CHECK-NOT: tsr.cast
// CHECK: return
func.func @as_written(%x: tensor<4x8xf32>, %w: tensor<6x8xf32>) -> tensor<4x6xf32> {
  %0 = tsr.contract "mk,nk->mn" %x, %w windows [] : (tensor<4x8xf32>, tensor<6x8xf32>) -> tensor<4x6xf32>
  return %0 : tensor<4x6xf32>
}

// CHECK-LABEL: @f64
// CHECK-NOT: tsr.cast
// CHECK: return
func.func @f64(%x: tensor<4x8xf64>, %w: tensor<6x8xf64>) -> tensor<4x6xf64> attributes {tsr.mixed = bf16} {
  %0 = tsr.contract "mk,nk->mn" %x, %w windows [] : (tensor<4x8xf64>, tensor<6x8xf64>) -> tensor<4x6xf64>
  return %0 : tensor<4x6xf64>
}
