// RUN: tessera-opt %s -tsr-layout -tsr-simplify -cse | FileCheck %s
// RUN: tessera-opt %s -tsr-layout -mlir-disable-threading --remarks-filter=layout --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=REMARK

// CHECK-LABEL: @forward
// CHECK: %[[XT:.*]] = tsr.transpose %arg0 dims [0, 2, 3, 1]
// CHECK: %[[X:.*]] = tsr.barrier %[[XT]]
// CHECK: %[[WT:.*]] = tsr.transpose %arg1 dims [0, 2, 3, 1]
// CHECK: %[[W:.*]] = tsr.barrier %[[WT]]
// CHECK: %[[Y:.*]] = tsr.contract "nhwc,krsc->npqk" %[[X]], %[[W]] windows ["h = 1p + 1r - 1", "w = 1q + 1s - 1"]
// CHECK: %[[Z:.*]] = tsr.add %[[Y]], %{{.*}} : tensor<2x9x9x16xbf16>
// CHECK: tsr.reduce "max" %[[Z]] dims [0, 1, 2] : (tensor<2x9x9x16xbf16>) -> tensor<16xbf16>
// REMARK-DAG: layout.mlir:[[#]]:{{.*}} remark: [Passed] rewritten | Category:layout | Reason="nchw,kcrs->nkpq reads it so"
// REMARK-DAG: [Passed] channels-innermost
func.func @forward(%x: tensor<2x8x9x9xbf16>, %w: tensor<16x8x3x3xbf16>, %b: tensor<16xbf16>) -> tensor<16xbf16> {
  %0 = tsr.contract "nchw,kcrs->nkpq" %x, %w windows ["h = 1p + 1r - 1", "w = 1q + 1s - 1"]
      : (tensor<2x8x9x9xbf16>, tensor<16x8x3x3xbf16>) -> tensor<2x16x9x9xbf16>
  %1 = tsr.broadcast %b dims [1] : (tensor<16xbf16>) -> tensor<2x16x9x9xbf16>
  %2 = tsr.add %0, %1 : tensor<2x16x9x9xbf16>
  %3 = tsr.reduce "max" %2 dims [0, 2, 3] : (tensor<2x16x9x9xbf16>) -> tensor<16xbf16>
  return %3 : tensor<16xbf16>
}

// One picture of bf16, read as it is and widened: one memory order, two dtypes.
// CHECK-LABEL: @read_in_two_dtypes
// CHECK: tsr.contract "nhwc,krsc->npqk" %{{.*}} : (tensor<2x9x9x8xbf16>, tensor<16x3x3x8xbf16>) -> tensor<2x9x9x16xbf16>
// CHECK: tsr.contract "nhwc,krsc->npqk" %{{.*}} : (tensor<2x9x9x8xf32>, tensor<16x3x3x8xf32>) -> tensor<2x9x9x16xf32>
func.func @read_in_two_dtypes(%x: tensor<2x8x9x9xbf16>, %w: tensor<16x8x3x3xbf16>, %v: tensor<16x8x3x3xf32>)
    -> (tensor<16xbf16>, tensor<16xf32>) attributes {tsr.mixed = bf16} {
  %0 = tsr.contract "nchw,kcrs->nkpq" %x, %w windows ["h = 1p + 1r - 1", "w = 1q + 1s - 1"]
      : (tensor<2x8x9x9xbf16>, tensor<16x8x3x3xbf16>) -> tensor<2x16x9x9xbf16>
  %1 = tsr.reduce "max" %0 dims [0, 2, 3] : (tensor<2x16x9x9xbf16>) -> tensor<16xbf16>
  %2 = tsr.cast %x : (tensor<2x8x9x9xbf16>) -> tensor<2x8x9x9xf32>
  %3 = tsr.contract "nchw,kcrs->nkpq" %2, %v windows ["h = 1p + 1r - 1", "w = 1q + 1s - 1"]
      : (tensor<2x8x9x9xf32>, tensor<16x8x3x3xf32>) -> tensor<2x16x9x9xf32>
  %4 = tsr.reduce "max" %3 dims [0, 2, 3] : (tensor<2x16x9x9xf32>) -> tensor<16xf32>
  return %1, %4 : tensor<16xbf16>, tensor<16xf32>
}

// What a user widened from f16 has bits that bf16 has not: its contraction stays one of f32, the filter too.
// CHECK-LABEL: @widened_from_another_format
// CHECK-NOT: bf16>
// CHECK: tsr.contract "nchw,kcrs->nkpq"
// CHECK-NOT: bf16>
// CHECK: return
func.func @widened_from_another_format(%x: tensor<2x8x9x9xf16>, %v: tensor<16x8x3x3xf32>) -> tensor<16xf32>
    attributes {tsr.mixed = bf16} {
  %0 = tsr.cast %x : (tensor<2x8x9x9xf16>) -> tensor<2x8x9x9xf32>
  %1 = tsr.contract "nchw,kcrs->nkpq" %0, %v windows ["h = 1p + 1r - 1", "w = 1q + 1s - 1"]
      : (tensor<2x8x9x9xf32>, tensor<16x8x3x3xf32>) -> tensor<2x16x9x9xf32>
  %2 = tsr.reduce "max" %1 dims [0, 2, 3] : (tensor<2x16x9x9xf32>) -> tensor<16xf32>
  return %2 : tensor<16xf32>
}

// A residual block under a mixed precision, and gradients: x and the filter with taps are written again once, where they are
// rounded if they have to be, and nothing else is. The filter's gradient is read in the filter's order.
// CHECK-LABEL: @block
// CHECK: %[[X:.*]] = tsr.transpose %arg0 dims [0, 2, 3, 1]
// CHECK: %[[XN:.*]] = tsr.cast %[[X]] {{.*}} -> tensor<2x9x9x8xbf16>
// CHECK: %[[XW:.*]] = tsr.cast %[[XN]]
// CHECK: %[[WT:.*]] = tsr.transpose %arg1 dims [0, 2, 3, 1]
// CHECK: %[[WB:.*]] = tsr.barrier %[[WT]] : tensor<8x3x3x8xbf16>
// CHECK: %[[W:.*]] = tsr.cast %[[WB]]
// CHECK: %[[Y:.*]] = tsr.contract "nhwc,krsc->npqk" %[[XW]], %[[W]]
// CHECK: %[[R:.*]] = tsr.max %[[Y]]
// CHECK: %[[Z:.*]] = tsr.contract "nhwc,kcrs->npqk" %[[R]], %arg2
// CHECK: %[[S:.*]] = tsr.add %[[Z]], %[[X]] : tensor<2x9x9x8xf32>
// CHECK: %[[D:.*]] = tsr.contract "npqk,krsc->nhwc" %[[S]], %[[W]]
// CHECK: %[[GT:.*]] = tsr.contract "nhwc,npqk->krsc" %[[D]], %[[S]]
// CHECK: %[[GB:.*]] = tsr.barrier %[[GT]]
// CHECK: %[[G:.*]] = tsr.transpose %[[GB]] dims [0, 3, 1, 2] : (tensor<8x3x3x8xf32>) -> tensor<8x8x3x3xf32>
// CHECK: tsr.sub %arg3, %[[G]]
// CHECK: tsr.contract "nhwc,npqk->kcrs" %[[R]], %[[S]]
// CHECK-NOT: tsr.transpose
// CHECK: return
func.func @block(%x: tensor<2x8x9x9xf32>, %w: tensor<8x8x3x3xbf16>, %v: tensor<8x8x1x1xf32>, %u: tensor<8x8x3x3xf32>)
    -> (tensor<8x8x3x3xf32>, tensor<8x8x1x1xf32>) attributes {tsr.mixed = bf16} {
  %zero = tsr.constant 0.0 -> tensor<2x8x9x9xf32>
  %ww = tsr.cast %w : (tensor<8x8x3x3xbf16>) -> tensor<8x8x3x3xf32>
  %0 = tsr.contract "nchw,kcrs->nkpq" %x, %ww windows ["h = 1p + 1r - 1", "w = 1q + 1s - 1"]
      : (tensor<2x8x9x9xf32>, tensor<8x8x3x3xf32>) -> tensor<2x8x9x9xf32>
  %1 = tsr.max %0, %zero : tensor<2x8x9x9xf32>
  %2 = tsr.contract "nchw,kcrs->nkpq" %1, %v windows ["h = 1p + 1r - 0", "w = 1q + 1s - 0"]
      : (tensor<2x8x9x9xf32>, tensor<8x8x1x1xf32>) -> tensor<2x8x9x9xf32>
  %3 = tsr.add %2, %x : tensor<2x8x9x9xf32>
  %4 = tsr.contract "nkpq,kcrs->nchw" %3, %ww windows ["h = 1p + 1r - 1", "w = 1q + 1s - 1"]
      : (tensor<2x8x9x9xf32>, tensor<8x8x3x3xf32>) -> tensor<2x8x9x9xf32>
  %5 = tsr.contract "nchw,nkpq->kcrs" %4, %3 windows ["h = 1p + 1r - 1", "w = 1q + 1s - 1"]
      : (tensor<2x8x9x9xf32>, tensor<2x8x9x9xf32>) -> tensor<8x8x3x3xf32>
  %6 = tsr.sub %u, %5 : tensor<8x8x3x3xf32>
  %7 = tsr.contract "nchw,nkpq->kcrs" %1, %3 windows ["h = 1p + 1r - 0", "w = 1q + 1s - 0"]
      : (tensor<2x8x9x9xf32>, tensor<2x8x9x9xf32>) -> tensor<8x8x1x1xf32>
  return %6, %7 : tensor<8x8x3x3xf32>, tensor<8x8x1x1xf32>
}

// What leaves the program lies as the user says.
// CHECK-LABEL: @returned
// CHECK: tsr.exp %{{.*}} : tensor<2x16x9x9xbf16>
// CHECK-NEXT: return
func.func @returned(%x: tensor<2x8x9x9xbf16>, %w: tensor<16x8x1x1xbf16>) -> tensor<2x16x9x9xbf16> {
  %0 = tsr.contract "nchw,kcrs->nkpq" %x, %w windows ["h = 1p + 1r - 0", "w = 1q + 1s - 0"]
      : (tensor<2x8x9x9xbf16>, tensor<16x8x1x1xbf16>) -> tensor<2x16x9x9xbf16>
  %1 = tsr.exp %0 : tensor<2x16x9x9xbf16>
  return %1 : tensor<2x16x9x9xbf16>
}

// Views, paddings, folds and concatenations go on with it; statistics of groups are sums along other dims.
// CHECK-LABEL: @onwards
// CHECK: tsr.neg %{{.*}} : tensor<2x64x2x4xbf16>
// CHECK: tsr.reduce "max" %{{.*}} dims [1, 3] : (tensor<2x64x2x4xbf16>) -> tensor<2x2xbf16>
// CHECK: %[[P:.*]] = tsr.pad %{{.*}} low [0, 1, 1, 0] high [0, 0, 0, 0]
// CHECK: %[[E:.*]] = tsr.exp %{{.*}} : tensor<2x4x4x8x3x3xbf16>
// CHECK: %[[F:.*]] = tsr.fold %[[E]] dims [1, 2] {{.*}} -> tensor<2x9x9x8xbf16>
// CHECK: %[[C:.*]] = tsr.concat %[[F]], %[[P]] dim 3
// CHECK: tsr.reduce "max" %[[C]] dims [1, 2]
// CHECK-NOT: tsr.transpose
// CHECK: return
func.func @onwards(%x: tensor<2x3x8x8xbf16>, %w: tensor<8x3x1x1xbf16>) -> (tensor<2x2xbf16>, tensor<2x16xbf16>) {
  %0 = tsr.contract "nchw,kcrs->nkpq" %x, %w windows ["h = 1p + 1r - 0", "w = 1q + 1s - 0"]
      : (tensor<2x3x8x8xbf16>, tensor<8x3x1x1xbf16>) -> tensor<2x8x8x8xbf16>
  %1 = tsr.reshape %0 : (tensor<2x8x8x8xbf16>) -> tensor<2x2x4x64xbf16>
  %2 = tsr.neg %1 : tensor<2x2x4x64xbf16>
  %3 = tsr.reduce "max" %2 dims [2, 3] : (tensor<2x2x4x64xbf16>) -> tensor<2x2xbf16>
  %4 = tsr.pad %0 low [0, 0, 1, 1] high [0, 0, 0, 0] interior [0, 0, 0, 0] value 0.0
      : (tensor<2x8x8x8xbf16>) -> tensor<2x8x9x9xbf16>
  %5 = tsr.window %4 dims [2, 3] size [3, 3] stride [2, 2] dilation [1, 1]
      : (tensor<2x8x9x9xbf16>) -> tensor<2x8x4x4x3x3xbf16>
  %6 = tsr.exp %5 : tensor<2x8x4x4x3x3xbf16>
  %7 = tsr.fold %6 dims [2, 3] size [3, 3] stride [2, 2] dilation [1, 1]
      : (tensor<2x8x4x4x3x3xbf16>) -> tensor<2x8x9x9xbf16>
  %8 = tsr.concat %7, %4 dim 1 : (tensor<2x8x9x9xbf16>, tensor<2x8x9x9xbf16>) -> tensor<2x16x9x9xbf16>
  %9 = tsr.reduce "max" %8 dims [2, 3] : (tensor<2x16x9x9xbf16>) -> tensor<2x16xbf16>
  return %3, %9 : tensor<2x2xbf16>, tensor<2x16xbf16>
}

// A picture of three channels is written with a fourth and with its padding, lines of an even number of pixels, once for a
// convolution and the gradient of its filter; the filter likewise, of whose taps in a line those are read that there are.
// CHECK-LABEL: @few_channels
// CHECK: %[[XT:.*]] = tsr.transpose %arg0 dims [0, 2, 3, 1]
// CHECK: %[[XP:.*]] = tsr.pad %[[XT]] low [0, 3, 3, 0] high [0, 2, 3, 1] {{.*}} -> tensor<2x25x26x4xf32>
// CHECK: %[[XN:.*]] = tsr.cast %[[XP]] {{.*}} -> tensor<2x25x26x4xbf16>
// CHECK: %[[X:.*]] = tsr.cast %[[XN]]
// CHECK: %[[WT:.*]] = tsr.transpose %arg1 dims [0, 2, 3, 1]
// CHECK: %[[WP:.*]] = tsr.pad %[[WT]] low [0, 0, 0, 0] high [0, 0, 1, 1] {{.*}} -> tensor<16x7x8x4xf32>
// CHECK: %[[WN:.*]] = tsr.cast %[[WP]] {{.*}} -> tensor<16x7x8x4xbf16>
// CHECK: %[[WW:.*]] = tsr.cast %[[WN]]
// CHECK: %[[W:.*]] = tsr.slice %[[WW]] start [0, 0, 0, 0] stop [16, 7, 7, 4]
// CHECK: %[[Y:.*]] = tsr.contract "nhwc,krsc->npqk" %[[X]], %[[W]] windows ["h = 2p + 1r - 0", "w = 2q + 1s - 0"]
// CHECK: %[[D:.*]] = tsr.mul %[[Y]]
// CHECK: %[[GT:.*]] = tsr.contract "nhwc,npqk->krsc" %[[X]], %[[D]] {{.*}} -> tensor<16x7x7x4xf32>
// CHECK: %[[GB:.*]] = tsr.barrier %[[GT]]
// CHECK: %[[GS:.*]] = tsr.slice %[[GB]] start [0, 0, 0, 0] stop [16, 7, 7, 3]
// CHECK: %[[G:.*]] = tsr.transpose %[[GS]] dims [0, 3, 1, 2] : (tensor<16x7x7x3xf32>) -> tensor<16x3x7x7xf32>
// CHECK: tsr.sub %arg3, %[[G]]
func.func @few_channels(%x: tensor<2x3x20x20xf32>, %w: tensor<16x3x7x7xf32>, %g: tensor<2x16x10x10xf32>,
    %u: tensor<16x3x7x7xf32>) -> (tensor<16xf32>, tensor<16x3x7x7xf32>) attributes {tsr.mixed = bf16} {
  %0 = tsr.contract "nchw,kcrs->nkpq" %x, %w windows ["h = 2p + 1r - 3", "w = 2q + 1s - 3"]
      : (tensor<2x3x20x20xf32>, tensor<16x3x7x7xf32>) -> tensor<2x16x10x10xf32>
  %1 = tsr.reduce "max" %0 dims [0, 2, 3] : (tensor<2x16x10x10xf32>) -> tensor<16xf32>
  %2 = tsr.mul %0, %g : tensor<2x16x10x10xf32>
  %3 = tsr.contract "nchw,nkpq->kcrs" %x, %2 windows ["h = 2p + 1r - 3", "w = 2q + 1s - 3"]
      : (tensor<2x3x20x20xf32>, tensor<2x16x10x10xf32>) -> tensor<16x3x7x7xf32>
  %4 = tsr.sub %u, %3 : tensor<16x3x7x7xf32>
  return %1, %4 : tensor<16xf32>, tensor<16x3x7x7xf32>
}

// Windows that lie side by side make a matrix of a picture, a row for each, written once for a convolution and the gradient of
// its filter: places, then channels and taps as the filter has them, which is read as it lies. The gradient of the places is
// known to lie with its channels innermost already, behind views.
// CHECK-LABEL: @patches
// CHECK: %[[XR:.*]] = tsr.reshape %arg0 : (tensor<2x3x16x24xf32>) -> tensor<2x3x4x4x6x4xf32>
// CHECK: %[[XT:.*]] = tsr.transpose %[[XR]] dims [0, 2, 4, 1, 3, 5]
// CHECK: %[[XN:.*]] = tsr.cast %[[XT]] : (tensor<2x4x6x3x4x4xf32>) -> tensor<2x4x6x3x4x4xbf16>
// CHECK: %[[X:.*]] = tsr.cast %[[XN]] {tsr.policy}
// CHECK: %[[Y:.*]] = tsr.contract "npqcrs,kcrs->npqk" %[[X]], %arg1 windows [] {{.*}} -> tensor<2x4x6x16xf32>
// CHECK: tsr.reduce "max" %[[Y]] dims [0, 1, 2]
// CHECK-NOT: tsr.cast
// CHECK: %[[D:.*]] = tsr.transpose %{{.*}} dims [0, 2, 3, 1] : (tensor<2x16x4x6xf32>) -> tensor<2x4x6x16xf32>
// CHECK: %[[G:.*]] = tsr.contract "npqcrs,npqk->kcrs" %[[X]], %[[D]] windows [] {{.*}} -> tensor<16x3x4x4xf32>
// CHECK: tsr.sub %arg3, %[[G]]
// REMARK-DAG: [Passed] rewritten {{.*}} Remark="a kernel of its own writes it as rows of patches"
// REMARK-DAG: [Passed] patches
func.func @patches(%x: tensor<2x3x16x24xf32>, %w: tensor<16x3x4x4xf32>, %g: tensor<2x25x16xf32>,
    %u: tensor<16x3x4x4xf32>) -> (tensor<16xf32>, tensor<16x3x4x4xf32>) attributes {tsr.mixed = bf16} {
  %0 = tsr.contract "nchw,kcrs->nkpq" %x, %w windows ["h = 4p + 1r - 0", "w = 4q + 1s - 0"]
      : (tensor<2x3x16x24xf32>, tensor<16x3x4x4xf32>) -> tensor<2x16x4x6xf32>
  %1 = tsr.reduce "max" %0 dims [0, 2, 3] : (tensor<2x16x4x6xf32>) -> tensor<16xf32>
  %2 = tsr.slice %g start [0, 1, 0] stop [2, 25, 16] step [1, 1, 1] : (tensor<2x25x16xf32>) -> tensor<2x24x16xf32>
  %3 = tsr.transpose %2 dims [0, 2, 1] : (tensor<2x24x16xf32>) -> tensor<2x16x24xf32>
  %4 = tsr.reshape %3 : (tensor<2x16x24xf32>) -> tensor<2x16x4x6xf32>
  %5 = tsr.contract "nchw,nkpq->kcrs" %x, %4 windows ["h = 4p + 1r - 0", "w = 4q + 1s - 0"]
      : (tensor<2x3x16x24xf32>, tensor<2x16x4x6xf32>) -> tensor<16x3x4x4xf32>
  %6 = tsr.sub %u, %5 : tensor<16x3x4x4xf32>
  return %1, %6 : tensor<16xf32>, tensor<16x3x4x4xf32>
}

// Of 16 bits too, by a copy, and where a line of windows has one channel; gradients with channels first are turned round for
// it. A result that leaves the program lies as it is named.
// CHECK-LABEL: @patches_of_one_channel
// CHECK: %[[X:.*]] = tsr.barrier %{{.*}} : tensor<2x4x3x1x2x4xbf16>
// CHECK: tsr.contract "npqcrs,kcrs->nkpq" %[[X]], %arg1 windows []
// CHECK: %[[D:.*]] = tsr.barrier %{{.*}} : tensor<2x4x3x16xbf16>
// CHECK: tsr.contract "npqcrs,npqk->kcrs" %[[X]], %[[D]] windows []
func.func @patches_of_one_channel(%x: tensor<2x1x8x12xbf16>, %w: tensor<16x1x2x4xbf16>, %g: tensor<2x16x4x3xbf16>)
    -> (tensor<2x16x4x3xbf16>, tensor<16x1x2x4xbf16>) {
  %0 = tsr.contract "nchw,kcrs->nkpq" %x, %w windows ["h = 2p + 1r - 0", "w = 4q + 1s - 0"]
      : (tensor<2x1x8x12xbf16>, tensor<16x1x2x4xbf16>) -> tensor<2x16x4x3xbf16>
  %1 = tsr.contract "nchw,nkpq->kcrs" %x, %g windows ["h = 2p + 1r - 0", "w = 4q + 1s - 0"]
      : (tensor<2x1x8x12xbf16>, tensor<2x16x4x3xbf16>) -> tensor<16x1x2x4xbf16>
  return %0, %1 : tensor<2x16x4x3xbf16>, tensor<16x1x2x4xbf16>
}

// What windows of the copy engine read as it lies, channels innermost in 16 bits; rows that are no whole 16 bytes; what leaves
// pixels between windows, or behind the last one; and windows that step by one pixel stay as they are.
// CHECK-LABEL: @no_patches
// CHECK-NOT: tsr.barrier
// CHECK-NOT: tsr.pad
// CHECK-COUNT-5: windows ["h
// CHECK: return
func.func @no_patches(%x: tensor<2x16x16x3xbf16>, %w: tensor<16x8x8x3xbf16>, %y: tensor<2x3x15x15xbf16>,
    %v: tensor<16x3x5x5xbf16>, %z: tensor<2x3x17x17xbf16>, %u: tensor<16x3x4x4xbf16>, %t: tensor<16x3x3x3xbf16>)
    -> (tensor<16xbf16>, tensor<16xbf16>, tensor<16xbf16>, tensor<16xbf16>, tensor<16xbf16>) {
  %0 = tsr.contract "nhwc,krsc->npqk" %x, %w windows ["h = 8p + 1r - 0", "w = 8q + 1s - 0"]
      : (tensor<2x16x16x3xbf16>, tensor<16x8x8x3xbf16>) -> tensor<2x2x2x16xbf16>
  %1 = tsr.contract "nchw,kcrs->nkpq" %y, %v windows ["h = 5p + 1r - 0", "w = 5q + 1s - 0"]
      : (tensor<2x3x15x15xbf16>, tensor<16x3x5x5xbf16>) -> tensor<2x16x3x3xbf16>
  %2 = tsr.contract "nchw,kcrs->nkpq" %z, %u windows ["h = 4p + 1r - 0", "w = 4q + 1s - 0"]
      : (tensor<2x3x17x17xbf16>, tensor<16x3x4x4xbf16>) -> tensor<2x16x4x4xbf16>
  %3 = tsr.contract "nchw,kcrs->nkpq" %z, %t windows ["h = 5p + 1r - 0", "w = 5q + 1s - 0"]
      : (tensor<2x3x17x17xbf16>, tensor<16x3x3x3xbf16>) -> tensor<2x16x3x3xbf16>
  %4 = tsr.contract "nchw,kcrs->nkpq" %z, %t windows ["h = 1p + 1r - 1", "w = 1q + 1s - 1"]
      : (tensor<2x3x17x17xbf16>, tensor<16x3x3x3xbf16>) -> tensor<2x16x17x17xbf16>
  %5 = tsr.reduce "max" %0 dims [0, 1, 2] : (tensor<2x2x2x16xbf16>) -> tensor<16xbf16>
  %6 = tsr.reduce "max" %1 dims [0, 2, 3] : (tensor<2x16x3x3xbf16>) -> tensor<16xbf16>
  %7 = tsr.reduce "max" %2 dims [0, 2, 3] : (tensor<2x16x4x4xbf16>) -> tensor<16xbf16>
  %8 = tsr.reduce "max" %3 dims [0, 2, 3] : (tensor<2x16x3x3xbf16>) -> tensor<16xbf16>
  %9 = tsr.reduce "max" %4 dims [0, 2, 3] : (tensor<2x16x17x17xbf16>) -> tensor<16xbf16>
  return %5, %6, %7, %8, %9 : tensor<16xbf16>, tensor<16xbf16>, tensor<16xbf16>, tensor<16xbf16>, tensor<16xbf16>
}

// Groups, f32 that no precision narrows, and functions whose sums keep their order.
// CHECK-LABEL: @grouped
// CHECK-NOT: tsr.transpose
// CHECK: tsr.contract "ngcw,gkcs->ngkq" %arg0, %arg1
// CHECK-LABEL: @wide
// CHECK: tsr.contract "ncw,kcs->nkq" %arg0, %arg1
// CHECK-LABEL: @strict
// CHECK: tsr.contract "ncw,kcs->nkq" %arg0, %arg1
func.func @grouped(%x: tensor<2x4x8x9xbf16>, %w: tensor<4x8x8x3xbf16>) -> tensor<2x4xbf16> {
  %0 = tsr.contract "ngcw,gkcs->ngkq" %x, %w windows ["w = 1q + 1s - 1"]
      : (tensor<2x4x8x9xbf16>, tensor<4x8x8x3xbf16>) -> tensor<2x4x8x9xbf16>
  %1 = tsr.reduce "max" %0 dims [2, 3] : (tensor<2x4x8x9xbf16>) -> tensor<2x4xbf16>
  return %1 : tensor<2x4xbf16>
}
func.func @wide(%x: tensor<2x8x9xf32>, %w: tensor<8x8x3xf32>) -> tensor<2x8xf32> {
  %0 = tsr.contract "ncw,kcs->nkq" %x, %w windows ["w = 1q + 1s - 1"]
      : (tensor<2x8x9xf32>, tensor<8x8x3xf32>) -> tensor<2x8x9xf32>
  %1 = tsr.reduce "max" %0 dims [2] : (tensor<2x8x9xf32>) -> tensor<2x8xf32>
  return %1 : tensor<2x8xf32>
}
func.func @strict(%x: tensor<2x8x9xbf16>, %w: tensor<8x8x3xbf16>) -> tensor<2x8xbf16> attributes {tsr.strict} {
  %0 = tsr.contract "ncw,kcs->nkq" %x, %w windows ["w = 1q + 1s - 1"]
      : (tensor<2x8x9xbf16>, tensor<8x8x3xbf16>) -> tensor<2x8x9xbf16>
  %1 = tsr.reduce "max" %0 dims [2] : (tensor<2x8x9xbf16>) -> tensor<2x8xbf16>
  return %1 : tensor<2x8xbf16>
}
