// RUN: tessera-opt %s -form-kernels | FileCheck %s

// The logsumexp and the normalised columns of one product: two kernels came to need each other, each through a third, and
// forming them did not end.

// CHECK-LABEL: @two_kernels_that_would_need_each_other
// CHECK-COUNT-7: = fuse.kernel
// CHECK-NOT: fuse.kernel
func.func @two_kernels_that_would_need_each_other(%arg0: tensor<7x17xf32>, %arg1: tensor<64x17xf32>, %arg2: tensor<64xf32>)
    -> (tensor<64xf32>, tensor<7x64xf32>) {
  %0 = tsr.transpose %arg1 dims [1, 0] : (tensor<64x17xf32>) -> tensor<17x64xf32>
  %1 = tsr.contract "mk,kn->mn" %arg0, %0 windows [] : (tensor<7x17xf32>, tensor<17x64xf32>) -> tensor<7x64xf32>
  %2 = tsr.constant 0.24253562503633297 -> tensor<7x64xf32>
  %3 = tsr.mul %1, %2 : tensor<7x64xf32>
  %4 = tsr.broadcast %arg2 dims [1] : (tensor<64xf32>) -> tensor<7x64xf32>
  %5 = tsr.add %3, %4 : tensor<7x64xf32>
  %6 = tsr.tanh %5 : tensor<7x64xf32>
  %7 = tsr.reduce "max" %6 dims [0] : (tensor<7x64xf32>) -> tensor<64xf32>
  %8 = tsr.constant neg_inf -> tensor<64xf32>
  %9 = tsr.eq %7, %8 : tensor<64xf32>
  %10 = tsr.constant 0.000000e+00 -> tensor<64xf32>
  %11 = tsr.select %9, %10, %7 : (tensor<64xi1>, tensor<64xf32>, tensor<64xf32>) -> tensor<64xf32>
  %12 = tsr.broadcast %11 dims [1] : (tensor<64xf32>) -> tensor<7x64xf32>
  %13 = tsr.sub %6, %12 : tensor<7x64xf32>
  %14 = tsr.exp %13 : tensor<7x64xf32>
  %15 = tsr.reduce "sum" %14 dims [0] : (tensor<7x64xf32>) -> tensor<64xf32>
  %16 = tsr.log %15 : tensor<64xf32>
  %17 = tsr.add %11, %16 : tensor<64xf32>
  %18 = tsr.is_finite %7 : tensor<64xf32>
  %19 = tsr.select %18, %17, %7 : (tensor<64xi1>, tensor<64xf32>, tensor<64xf32>) -> tensor<64xf32>
  %20 = tsr.reduce "sum" %6 dims [0] : (tensor<7x64xf32>) -> tensor<64xf32>
  %21 = tsr.reshape %20 : (tensor<64xf32>) -> tensor<1x64xf32>
  %22 = tsr.constant 0.14285714285714285 -> tensor<1x64xf32>
  %23 = tsr.mul %21, %22 : tensor<1x64xf32>
  %24 = tsr.broadcast %23 dims [0, 1] : (tensor<1x64xf32>) -> tensor<7x64xf32>
  %25 = tsr.sub %6, %24 : tensor<7x64xf32>
  %26 = tsr.barrier %6 : tensor<7x64xf32>
  %27 = tsr.barrier %20 : tensor<64xf32>
  %28 = tsr.reshape %27 : (tensor<64xf32>) -> tensor<1x64xf32>
  %29 = tsr.mul %28, %22 : tensor<1x64xf32>
  %30 = tsr.broadcast %29 dims [0, 1] : (tensor<1x64xf32>) -> tensor<7x64xf32>
  %31 = tsr.sub %26, %30 : tensor<7x64xf32>
  %32 = tsr.mul %25, %25 : tensor<7x64xf32>
  %33 = tsr.reduce "sum" %32 dims [0] : (tensor<7x64xf32>) -> tensor<64xf32>
  %34 = tsr.reshape %33 : (tensor<64xf32>) -> tensor<1x64xf32>
  %35 = tsr.mul %34, %22 : tensor<1x64xf32>
  %36 = tsr.constant 1.000000e+00 -> tensor<1x64xf32>
  %37 = tsr.add %35, %36 : tensor<1x64xf32>
  %38 = tsr.rsqrt %37 : tensor<1x64xf32>
  %39 = tsr.broadcast %38 dims [0, 1] : (tensor<1x64xf32>) -> tensor<7x64xf32>
  %40 = tsr.mul %31, %39 : tensor<7x64xf32>
  return %19, %40 : tensor<64xf32>, tensor<7x64xf32>
}

// Two products, each with the sum of the other behind it: one alone may take what follows it. Both did, and no order of
// their kernels was left.
// CHECK-LABEL: @two_products_with_the_sums_of_each_other
// CHECK-COUNT-5: = fuse.kernel
// CHECK-NOT: fuse.kernel
func.func @two_products_with_the_sums_of_each_other(%a: tensor<7x17xf32>, %b: tensor<17x64xf32>, %c: tensor<7x9xf32>, %d: tensor<9x64xf32>)
    -> (tensor<7x64xf32>, tensor<7x64xf32>) {
  %0 = tsr.contract "mk,kn->mn" %a, %b windows [] : (tensor<7x17xf32>, tensor<17x64xf32>) -> tensor<7x64xf32>
  %1 = tsr.contract "mk,kn->mn" %c, %d windows [] : (tensor<7x9xf32>, tensor<9x64xf32>) -> tensor<7x64xf32>
  %2 = tsr.reduce "sum" %0 dims [0] : (tensor<7x64xf32>) -> tensor<64xf32>
  %3 = tsr.broadcast %2 dims [1] : (tensor<64xf32>) -> tensor<7x64xf32>
  %4 = tsr.reduce "sum" %1 dims [0] : (tensor<7x64xf32>) -> tensor<64xf32>
  %5 = tsr.broadcast %4 dims [1] : (tensor<64xf32>) -> tensor<7x64xf32>
  %6 = tsr.add %0, %5 : tensor<7x64xf32>
  %7 = tsr.add %1, %3 : tensor<7x64xf32>
  return %6, %7 : tensor<7x64xf32>, tensor<7x64xf32>
}
