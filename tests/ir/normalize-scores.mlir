// RUN: tessera-opt %s -tsr-normalize-scores | FileCheck %s
// RUN: tessera-opt %s -tsr-normalize-scores > %t.once
// RUN: tessera-opt %t.once -tsr-normalize-scores | diff %t.once -

// The factors of both operands, through a view, and those behind become one: -2 · 3 · 0.5 / 4 = -0.75.
// CHECK-LABEL: @factors_of_operands
// CHECK-SAME: (%[[Q:.*]]: tensor<2x64x16xf32>, %[[K:.*]]: tensor<2x96x16xf32>,
// CHECK: %[[S:.*]] = tsr.contract "bmd,bnd->bmn" %[[Q]], %[[R:.*]] windows
// CHECK: %[[C:.*]] = tsr.constant -7.500000e-01
// CHECK: %[[X:.*]] = tsr.mul %[[S]], %[[C]]
// CHECK: tsr.softmax %[[X]]
func.func @factors_of_operands(%q: tensor<2x64x16xf32>, %k: tensor<2x96x16xf32>, %v: tensor<2x96x8xf32>) -> tensor<2x64x8xf32> {
  %two = tsr.constant 2.0 -> tensor<2x64x16xf32>
  %three = tsr.constant 3.0 -> tensor<2x16x96xf32>
  %q1 = tsr.mul %two, %q : tensor<2x64x16xf32>
  %q2 = tsr.neg %q1 : tensor<2x64x16xf32>
  %kt = tsr.transpose %k dims [0, 2, 1] : (tensor<2x96x16xf32>) -> tensor<2x16x96xf32>
  %k1 = tsr.mul %kt, %three : tensor<2x16x96xf32>
  %k2 = tsr.transpose %k1 dims [0, 2, 1] : (tensor<2x16x96xf32>) -> tensor<2x96x16xf32>
  %0 = tsr.contract "bmd,bnd->bmn" %q2, %k2 windows [] : (tensor<2x64x16xf32>, tensor<2x96x16xf32>) -> tensor<2x64x96xf32>
  %half = tsr.constant 0.5 -> tensor<2x64x96xf32>
  %four = tsr.constant 4.0 -> tensor<2x64x96xf32>
  %1 = tsr.mul %0, %half : tensor<2x64x96xf32>
  %s = tsr.div %1, %four : tensor<2x64x96xf32>
  %p = tsr.softmax %s dim 2 : tensor<2x64x96xf32>
  %o = tsr.contract "bmn,bne->bme" %p, %v windows [] : (tensor<2x64x96xf32>, tensor<2x96x8xf32>) -> tensor<2x64x8xf32>
  return %o : tensor<2x64x8xf32>
}

// The infinity of a mask keeps its place: a positive factor moves in front of it.
// CHECK-LABEL: @behind_a_mask
// CHECK: %[[S:.*]] = tsr.contract "bmd,bnd->bmn"
// CHECK: %[[M:.*]] = tsr.mul %[[S]]
// CHECK: %[[X:.*]] = tsr.select %{{.*}}, %[[M]], %{{.*}}
// CHECK: tsr.softmax %[[X]]
func.func @behind_a_mask(%q: tensor<2x64x16xf32>, %k: tensor<2x96x16xf32>, %v: tensor<2x96x8xf32>, %c: tensor<64x96xi1>) -> tensor<2x64x8xf32> {
  %0 = tsr.contract "bmd,bnd->bmn" %q, %k windows [] : (tensor<2x64x16xf32>, tensor<2x96x16xf32>) -> tensor<2x64x96xf32>
  %cb = tsr.broadcast %c dims [1, 2] : (tensor<64x96xi1>) -> tensor<2x64x96xi1>
  %inf = tsr.constant neg_inf -> tensor<2x64x96xf32>
  %two = tsr.constant 3.0 -> tensor<2x64x96xf32>
  %1 = tsr.select %cb, %0, %inf : (tensor<2x64x96xi1>, tensor<2x64x96xf32>, tensor<2x64x96xf32>) -> tensor<2x64x96xf32>
  %s = tsr.div %1, %two : tensor<2x64x96xf32>
  %p = tsr.softmax %s dim 2 : tensor<2x64x96xf32>
  %o = tsr.contract "bmn,bne->bme" %p, %v windows [] : (tensor<2x64x96xf32>, tensor<2x96x8xf32>) -> tensor<2x64x8xf32>
  return %o : tensor<2x64x8xf32>
}

// A negative one would turn it around.
// CHECK-LABEL: @negative_behind_a_mask
// CHECK: %[[M:.*]] = tsr.select
// CHECK: %[[X:.*]] = tsr.mul %[[M]]
// CHECK: tsr.softmax %[[X]]
func.func @negative_behind_a_mask(%q: tensor<2x64x16xf32>, %k: tensor<2x96x16xf32>, %v: tensor<2x96x8xf32>, %c: tensor<64x96xi1>) -> tensor<2x64x8xf32> {
  %0 = tsr.contract "bmd,bnd->bmn" %q, %k windows [] : (tensor<2x64x16xf32>, tensor<2x96x16xf32>) -> tensor<2x64x96xf32>
  %cb = tsr.broadcast %c dims [1, 2] : (tensor<64x96xi1>) -> tensor<2x64x96xi1>
  %inf = tsr.constant inf -> tensor<2x64x96xf32>
  %two = tsr.constant -3.0 -> tensor<2x64x96xf32>
  %1 = tsr.select %cb, %0, %inf : (tensor<2x64x96xi1>, tensor<2x64x96xf32>, tensor<2x64x96xf32>) -> tensor<2x64x96xf32>
  %s = tsr.mul %1, %two : tensor<2x64x96xf32>
  %p = tsr.softmax %s dim 2 : tensor<2x64x96xf32>
  %o = tsr.contract "bmn,bne->bme" %p, %v windows [] : (tensor<2x64x96xf32>, tensor<2x96x8xf32>) -> tensor<2x64x8xf32>
  return %o : tensor<2x64x8xf32>
}

// A mask that is added chooses instead.
// CHECK-LABEL: @added_mask
// CHECK: %[[S:.*]] = tsr.contract "bmd,bnd->bmn"
// CHECK: %[[C:.*]] = tsr.broadcast %{{.*}} (tensor<64x96xi1>) -> tensor<2x64x96xi1>
// CHECK: %[[I:.*]] = tsr.constant neg_inf
// CHECK: %[[X:.*]] = tsr.select %[[C]], %[[S]], %[[I]]
// CHECK: tsr.softmax %[[X]]
func.func @added_mask(%q: tensor<2x64x16xf32>, %k: tensor<2x96x16xf32>, %v: tensor<2x96x8xf32>, %c: tensor<64x96xi1>) -> tensor<2x64x8xf32> {
  %0 = tsr.contract "bmd,bnd->bmn" %q, %k windows [] : (tensor<2x64x16xf32>, tensor<2x96x16xf32>) -> tensor<2x64x96xf32>
  %zero = tsr.constant 0.0 -> tensor<64x96xf32>
  %inf = tsr.constant neg_inf -> tensor<64x96xf32>
  %m = tsr.select %c, %zero, %inf : (tensor<64x96xi1>, tensor<64x96xf32>, tensor<64x96xf32>) -> tensor<64x96xf32>
  %mb = tsr.broadcast %m dims [1, 2] : (tensor<64x96xf32>) -> tensor<2x64x96xf32>
  %s = tsr.add %mb, %0 : tensor<2x64x96xf32>
  %p = tsr.softmax %s dim 2 : tensor<2x64x96xf32>
  %o = tsr.contract "bmn,bne->bme" %p, %v windows [] : (tensor<2x64x96xf32>, tensor<2x96x8xf32>) -> tensor<2x64x8xf32>
  return %o : tensor<2x64x8xf32>
}

// So does one that is taken away; here it hides where the condition holds.
// CHECK-LABEL: @taken_mask
// CHECK: %[[S:.*]] = tsr.contract "bmd,bnd->bmn"
// CHECK: %[[I:.*]] = tsr.constant neg_inf
// CHECK: tsr.select %{{.*}}, %[[I]], %[[S]]
func.func @taken_mask(%q: tensor<2x64x16xf32>, %k: tensor<2x96x16xf32>, %v: tensor<2x96x8xf32>, %c: tensor<64x96xi1>) -> tensor<2x64x8xf32> {
  %0 = tsr.contract "bmd,bnd->bmn" %q, %k windows [] : (tensor<2x64x16xf32>, tensor<2x96x16xf32>) -> tensor<2x64x96xf32>
  %zero = tsr.constant inf -> tensor<64x96xf32>
  %inf = tsr.constant 0.0 -> tensor<64x96xf32>
  %m = tsr.select %c, %zero, %inf : (tensor<64x96xi1>, tensor<64x96xf32>, tensor<64x96xf32>) -> tensor<64x96xf32>
  %mb = tsr.broadcast %m dims [1, 2] : (tensor<64x96xf32>) -> tensor<2x64x96xf32>
  %s = tsr.sub %0, %mb : tensor<2x64x96xf32>
  %p = tsr.softmax %s dim 2 : tensor<2x64x96xf32>
  %o = tsr.contract "bmn,bne->bme" %p, %v windows [] : (tensor<2x64x96xf32>, tensor<2x96x8xf32>) -> tensor<2x64x8xf32>
  return %o : tensor<2x64x8xf32>
}

// A finite fill is a number like others.
// CHECK-LABEL: @finite_fill
// CHECK: tsr.add
// CHECK: tsr.softmax
func.func @finite_fill(%q: tensor<2x64x16xf32>, %k: tensor<2x96x16xf32>, %v: tensor<2x96x8xf32>, %c: tensor<64x96xi1>) -> tensor<2x64x8xf32> {
  %0 = tsr.contract "bmd,bnd->bmn" %q, %k windows [] : (tensor<2x64x16xf32>, tensor<2x96x16xf32>) -> tensor<2x64x96xf32>
  %zero = tsr.constant 0.0 -> tensor<64x96xf32>
  %inf = tsr.constant -1.0e9 -> tensor<64x96xf32>
  %m = tsr.select %c, %zero, %inf : (tensor<64x96xi1>, tensor<64x96xf32>, tensor<64x96xf32>) -> tensor<64x96xf32>
  %mb = tsr.broadcast %m dims [1, 2] : (tensor<64x96xf32>) -> tensor<2x64x96xf32>
  %s = tsr.add %0, %mb : tensor<2x64x96xf32>
  %p = tsr.softmax %s dim 2 : tensor<2x64x96xf32>
  %o = tsr.contract "bmn,bne->bme" %p, %v windows [] : (tensor<2x64x96xf32>, tensor<2x96x8xf32>) -> tensor<2x64x8xf32>
  return %o : tensor<2x64x8xf32>
}

// What follows a bias scales the bias too, and a quotient of anything but a sum keeps its rounding.
// CHECK-LABEL: @factor_behind_a_bias
// CHECK: tsr.contract "bmd,bnd->bmn"
// CHECK: %[[A:.*]] = tsr.add
// CHECK: tsr.div %[[A]]
func.func @factor_behind_a_bias(%q: tensor<2x64x16xf32>, %k: tensor<2x96x16xf32>, %v: tensor<2x96x8xf32>, %b: tensor<2x64x96xf32>) -> tensor<2x64x8xf32> {
  %0 = tsr.contract "bmd,bnd->bmn" %q, %k windows [] : (tensor<2x64x16xf32>, tensor<2x96x16xf32>) -> tensor<2x64x96xf32>
  %three = tsr.constant 3.0 -> tensor<2x64x96xf32>
  %1 = tsr.add %0, %b : tensor<2x64x96xf32>
  %s = tsr.div %1, %three : tensor<2x64x96xf32>
  %p = tsr.softmax %s dim 2 : tensor<2x64x96xf32>
  %o = tsr.contract "bmn,bne->bme" %p, %v windows [] : (tensor<2x64x96xf32>, tensor<2x96x8xf32>) -> tensor<2x64x8xf32>
  return %o : tensor<2x64x8xf32>
}

// Without its factor a sum may leave the range of f16.
// CHECK-LABEL: @f16
// CHECK: %[[Q:.*]] = tsr.mul
// CHECK: tsr.contract "bmd,bnd->bmn" %[[Q]]
func.func @f16(%q: tensor<2x64x16xf16>, %k: tensor<2x96x16xf16>, %v: tensor<2x96x8xf16>) -> tensor<2x64x8xf16> {
  %two = tsr.constant 3.0 -> tensor<2x64x16xf16>
  %q1 = tsr.mul %q, %two : tensor<2x64x16xf16>
  %0 = tsr.contract "bmd,bnd->bmn" %q1, %k windows [] : (tensor<2x64x16xf16>, tensor<2x96x16xf16>) -> tensor<2x64x96xf16>
  %p = tsr.softmax %0 dim 2 : tensor<2x64x96xf16>
  %o = tsr.contract "bmn,bne->bme" %p, %v windows [] : (tensor<2x64x96xf16>, tensor<2x96x8xf16>) -> tensor<2x64x8xf16>
  return %o : tensor<2x64x8xf16>
}

// Nor does a factor go that hides what would overflow.
// CHECK-LABEL: @huge
// CHECK: %[[Q:.*]] = tsr.mul
// CHECK: tsr.contract "bmd,bnd->bmn" %[[Q]]
func.func @huge(%q: tensor<2x64x16xf32>, %k: tensor<2x96x16xf32>, %v: tensor<2x96x8xf32>) -> tensor<2x64x8xf32> {
  %two = tsr.constant 1.0e-30 -> tensor<2x64x16xf32>
  %q1 = tsr.mul %q, %two : tensor<2x64x16xf32>
  %0 = tsr.contract "bmd,bnd->bmn" %q1, %k windows [] : (tensor<2x64x16xf32>, tensor<2x96x16xf32>) -> tensor<2x64x96xf32>
  %p = tsr.softmax %0 dim 2 : tensor<2x64x96xf32>
  %o = tsr.contract "bmn,bne->bme" %p, %v windows [] : (tensor<2x64x96xf32>, tensor<2x96x8xf32>) -> tensor<2x64x8xf32>
  return %o : tensor<2x64x8xf32>
}

// Strict programs round where they say so.
// CHECK-LABEL: @strict
// CHECK: %[[Q:.*]] = tsr.mul
// CHECK: tsr.contract "bmd,bnd->bmn" %[[Q]]
func.func @strict(%q: tensor<2x64x16xf32>, %k: tensor<2x96x16xf32>, %v: tensor<2x96x8xf32>) -> tensor<2x64x8xf32> attributes {tsr.strict} {
  %two = tsr.constant 3.0 -> tensor<2x64x16xf32>
  %q1 = tsr.mul %q, %two : tensor<2x64x16xf32>
  %0 = tsr.contract "bmd,bnd->bmn" %q1, %k windows [] : (tensor<2x64x16xf32>, tensor<2x96x16xf32>) -> tensor<2x64x96xf32>
  %p = tsr.softmax %0 dim 2 : tensor<2x64x96xf32>
  %o = tsr.contract "bmn,bne->bme" %p, %v windows [] : (tensor<2x64x96xf32>, tensor<2x96x8xf32>) -> tensor<2x64x8xf32>
  return %o : tensor<2x64x8xf32>
}

// Gathered elements have the factor that all have; a score that the user rounds is still no better than a sum.
// CHECK-LABEL: @gathered_and_rounded
// CHECK-SAME: (%[[Q:.*]]: tensor<2x64x16xf32>, %[[K:.*]]: tensor<1x96x16xf32>,
// CHECK: %[[G:.*]] = tsr.gather %[[K]]
// CHECK: %[[S:.*]] = tsr.contract "bmd,bnd->bmn" %[[Q]], %[[G]]
// CHECK: %[[M:.*]] = tsr.mul %[[S]]
// CHECK: tsr.cast %[[M]]
// CHECK: %[[R:.*]] = tsr.cast
// CHECK: %[[C:.*]] = tsr.constant 0.33333333333333331
// CHECK: tsr.mul %[[R]], %[[C]]
func.func @gathered_and_rounded(%q: tensor<2x64x16xf32>, %k: tensor<1x96x16xf32>, %v: tensor<2x96x8xf32>, %i: tensor<2xi32>) -> tensor<2x64x8xf32> {
  %two = tsr.constant 2.0 -> tensor<1x96x16xf32>
  %k1 = tsr.mul %k, %two : tensor<1x96x16xf32>
  %k2 = tsr.gather %k1, %i dim 0 : (tensor<1x96x16xf32>, tensor<2xi32>) -> tensor<2x96x16xf32>
  %0 = tsr.contract "bmd,bnd->bmn" %q, %k2 windows [] : (tensor<2x64x16xf32>, tensor<2x96x16xf32>) -> tensor<2x64x96xf32>
  %1 = tsr.cast %0 : (tensor<2x64x96xf32>) -> tensor<2x64x96xbf16>
  %2 = tsr.cast %1 : (tensor<2x64x96xbf16>) -> tensor<2x64x96xf32>
  %three = tsr.constant 3.0 -> tensor<2x64x96xf32>
  %s = tsr.div %2, %three : tensor<2x64x96xf32>
  %p = tsr.softmax %s dim 2 : tensor<2x64x96xf32>
  %o = tsr.contract "bmn,bne->bme" %p, %v windows [] : (tensor<2x64x96xf32>, tensor<2x96x8xf32>) -> tensor<2x64x8xf32>
  return %o : tensor<2x64x8xf32>
}

// The factor of queries in front of a gradient goes to what is of the plane, also where that has become another value: the
// operand in memory is read as it lies.
// CHECK-LABEL: @factor_of_what_was_said_anew
// CHECK-SAME: (%[[Q:.*]]: tensor<2x64x16xf32>, %[[K:.*]]: tensor<2x96x16xf32>)
// CHECK: %[[S:.*]] = tsr.contract "bmd,bnd->bmn" %[[Q]], %[[K]]
// CHECK: %[[C:.*]] = tsr.constant 4.500000e+00
// CHECK: %[[X:.*]] = tsr.mul %[[S]], %[[C]]
// CHECK: tsr.contract "bmn,bnd->bmd" %[[X]], %[[K]]
func.func @factor_of_what_was_said_anew(%q: tensor<2x64x16xf32>, %k: tensor<2x96x16xf32>) -> tensor<2x64x16xf32> {
  %three = tsr.constant 3.0 -> tensor<2x64x16xf32>
  %q1 = tsr.mul %q, %three : tensor<2x64x16xf32>
  %0 = tsr.contract "bmd,bnd->bmn" %q1, %k windows [] : (tensor<2x64x16xf32>, tensor<2x96x16xf32>) -> tensor<2x64x96xf32>
  %two = tsr.constant 2.0 -> tensor<2x64x96xf32>
  %s = tsr.div %0, %two : tensor<2x64x96xf32>
  %g = tsr.contract "bmn,bnd->bmd" %s, %k windows [] : (tensor<2x64x96xf32>, tensor<2x96x16xf32>) -> tensor<2x64x16xf32>
  %dq = tsr.mul %g, %three : tensor<2x64x16xf32>
  return %dq : tensor<2x64x16xf32>
}

// No plane: a product in memory, whose factor stays where it is.
// CHECK-LABEL: @no_plane
// CHECK: %[[X:.*]] = tsr.mul
// CHECK: tsr.contract "ij,jk->ik" %[[X]]
func.func @no_plane(%x: tensor<64x16xf32>, %w: tensor<16x96xf32>) -> tensor<64x96xf32> {
  %two = tsr.constant 2.0 -> tensor<64x16xf32>
  %0 = tsr.mul %x, %two : tensor<64x16xf32>
  %1 = tsr.contract "ij,jk->ik" %0, %w windows [] : (tensor<64x16xf32>, tensor<16x96xf32>) -> tensor<64x96xf32>
  return %1 : tensor<64x96xf32>
}
