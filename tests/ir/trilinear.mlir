// RUN: tessera-opt %s -tsr-trilinear -split-input-file | FileCheck %s

// CHECK-LABEL: @attention_backward
// CHECK: %[[O:.*]] = tsr.contract "bhmn,bnhe->bmhe"
// CHECK: %[[M:.*]] = tsr.mul %{{.*}}, %[[O]] : tensor<2x64x4x8xf32>
// CHECK: %[[S:.*]] = tsr.reduce "sum" %[[M]] dims [3]
// CHECK: tsr.transpose %[[S]] dims [0, 2, 1]
func.func @attention_backward(%p: tensor<2x4x64x96xf32>, %v: tensor<2x96x4x8xf32>, %g: tensor<2x64x4x8xf32>)
    -> (tensor<2x64x4x8xf32>, tensor<2x4x64xf32>) {
  %0 = tsr.contract "bhmn,bnhe->bmhe" %p, %v windows []
      : (tensor<2x4x64x96xf32>, tensor<2x96x4x8xf32>) -> tensor<2x64x4x8xf32>
  %1 = tsr.contract "bmhe,bnhe->bhmn" %g, %v windows []
      : (tensor<2x64x4x8xf32>, tensor<2x96x4x8xf32>) -> tensor<2x4x64x96xf32>
  %2 = tsr.mul %p, %1 : tensor<2x4x64x96xf32>
  %3 = tsr.reduce "sum" %2 dims [3] : (tensor<2x4x64x96xf32>) -> tensor<2x4x64xf32>
  return %0, %3 : tensor<2x64x4x8xf32>, tensor<2x4x64xf32>
}

// -----

// Dropout: what is kept stands in both products.
// CHECK-LABEL: @with_dropout
// CHECK: %[[O:.*]] = tsr.contract "mn,ne->me"
// CHECK: tsr.mul %{{.*}}, %[[O]] : tensor<64x8xf32>
func.func @with_dropout(%p: tensor<64x96xf32>, %keep: tensor<64x96xi1>, %v: tensor<96x8xf32>, %g: tensor<64x8xf32>)
    -> (tensor<64x8xf32>, tensor<64xf32>) {
  %zero = tsr.constant 0.0 -> tensor<64x96xf32>
  %c = tsr.constant 2.0 -> tensor<64x96xf32>
  %scaled = tsr.mul %p, %c : tensor<64x96xf32>
  %dropped = tsr.select %keep, %scaled, %zero
      : (tensor<64x96xi1>, tensor<64x96xf32>, tensor<64x96xf32>) -> tensor<64x96xf32>
  %0 = tsr.contract "mn,ne->me" %dropped, %v windows [] : (tensor<64x96xf32>, tensor<96x8xf32>) -> tensor<64x8xf32>
  %1 = tsr.contract "me,ne->mn" %g, %v windows [] : (tensor<64x8xf32>, tensor<96x8xf32>) -> tensor<64x96xf32>
  %2 = tsr.select %keep, %1, %zero
      : (tensor<64x96xi1>, tensor<64x96xf32>, tensor<64x96xf32>) -> tensor<64x96xf32>
  %3 = tsr.mul %2, %c : tensor<64x96xf32>
  %4 = tsr.mul %3, %p : tensor<64x96xf32>
  %5 = tsr.reduce "sum" %4 dims [1] : (tensor<64x96xf32>) -> tensor<64xf32>
  return %0, %5 : tensor<64x8xf32>, tensor<64xf32>
}

// -----

// Another factor than that of the output: the sum stays.
// CHECK-LABEL: @other_factor
// CHECK: tsr.reduce "sum" %{{.*}} dims [1] : (tensor<64x96xf32>) -> tensor<64xf32>
func.func @other_factor(%p: tensor<64x96xf32>, %w: tensor<64x96xf32>, %v: tensor<96x8xf32>, %g: tensor<64x8xf32>)
    -> (tensor<64x8xf32>, tensor<64xf32>) {
  %0 = tsr.contract "mn,ne->me" %p, %v windows [] : (tensor<64x96xf32>, tensor<96x8xf32>) -> tensor<64x8xf32>
  %1 = tsr.contract "me,ne->mn" %g, %v windows [] : (tensor<64x8xf32>, tensor<96x8xf32>) -> tensor<64x96xf32>
  %2 = tsr.mul %w, %1 : tensor<64x96xf32>
  %3 = tsr.reduce "sum" %2 dims [1] : (tensor<64x96xf32>) -> tensor<64xf32>
  return %0, %3 : tensor<64x8xf32>, tensor<64xf32>
}

// -----

// A sum over the other dim has nothing to lean on.
// CHECK-LABEL: @other_dim
// CHECK: tsr.reduce "sum" %{{.*}} dims [0] : (tensor<64x96xf32>) -> tensor<96xf32>
func.func @other_dim(%p: tensor<64x96xf32>, %v: tensor<96x8xf32>, %g: tensor<64x8xf32>)
    -> (tensor<64x8xf32>, tensor<96xf32>) {
  %0 = tsr.contract "mn,ne->me" %p, %v windows [] : (tensor<64x96xf32>, tensor<96x8xf32>) -> tensor<64x8xf32>
  %1 = tsr.contract "me,ne->mn" %g, %v windows [] : (tensor<64x8xf32>, tensor<96x8xf32>) -> tensor<64x96xf32>
  %2 = tsr.mul %p, %1 : tensor<64x96xf32>
  %3 = tsr.reduce "sum" %2 dims [0] : (tensor<64x96xf32>) -> tensor<96xf32>
  return %0, %3 : tensor<64x8xf32>, tensor<96xf32>
}

// -----

// Heads are merged for one of the products: a reshape moves no element.
// CHECK-LABEL: @merged_heads
// CHECK: %[[O:.*]] = tsr.contract "bts,bsd->btd"
// CHECK: %[[M:.*]] = tsr.mul %{{.*}}, %[[O]] : tensor<6x64x16xf32>
// CHECK: %[[S:.*]] = tsr.reduce "sum" %[[M]] dims [2] : (tensor<6x64x16xf32>) -> tensor<6x64xf32>
// CHECK: tsr.reshape %[[S]] : (tensor<6x64xf32>) -> tensor<2x3x64xf32>
func.func @merged_heads(%p: tensor<2x3x64x96xf32>, %v: tensor<6x96x16xf32>, %g: tensor<6x64x16xf32>)
    -> (tensor<6x64x16xf32>, tensor<2x3x64xf32>) {
  %a = tsr.reshape %p : (tensor<2x3x64x96xf32>) -> tensor<6x64x96xf32>
  %0 = tsr.contract "bts,bsd->btd" %a, %v windows [] : (tensor<6x64x96xf32>, tensor<6x96x16xf32>) -> tensor<6x64x16xf32>
  %1 = tsr.contract "btd,bsd->bts" %g, %v windows [] : (tensor<6x64x16xf32>, tensor<6x96x16xf32>) -> tensor<6x64x96xf32>
  %2 = tsr.reshape %1 : (tensor<6x64x96xf32>) -> tensor<2x3x64x96xf32>
  %3 = tsr.mul %2, %p : tensor<2x3x64x96xf32>
  %4 = tsr.reduce "sum" %3 dims [3] : (tensor<2x3x64x96xf32>) -> tensor<2x3x64xf32>
  return %0, %4 : tensor<6x64x16xf32>, tensor<2x3x64xf32>
}

// -----

// Weights are narrowed before the product, and what comes back is widened: the sum stays f32.
// CHECK-LABEL: @mixed_precision
// CHECK: %[[O:.*]] = tsr.contract "mn,ne->me"
// CHECK: %[[G:.*]] = tsr.cast %arg2 : (tensor<64x8xbf16>) -> tensor<64x8xf32>
// CHECK: %[[W:.*]] = tsr.cast %[[O]] : (tensor<64x8xbf16>) -> tensor<64x8xf32>
// CHECK: %[[M:.*]] = tsr.mul %[[G]], %[[W]] : tensor<64x8xf32>
// CHECK: tsr.reduce "sum" %[[M]] dims [1]
func.func @mixed_precision(%p: tensor<64x96xf32>, %v: tensor<96x8xbf16>, %g: tensor<64x8xbf16>)
    -> (tensor<64x8xbf16>, tensor<64xf32>) {
  %n = tsr.cast %p : (tensor<64x96xf32>) -> tensor<64x96xbf16>
  %0 = tsr.contract "mn,ne->me" %n, %v windows [] : (tensor<64x96xbf16>, tensor<96x8xbf16>) -> tensor<64x8xbf16>
  %1 = tsr.contract "me,ne->mn" %g, %v windows [] : (tensor<64x8xbf16>, tensor<96x8xbf16>) -> tensor<64x96xbf16>
  %2 = tsr.cast %1 : (tensor<64x96xbf16>) -> tensor<64x96xf32>
  %3 = tsr.mul %2, %p : tensor<64x96xf32>
  %4 = tsr.reduce "sum" %3 dims [1] : (tensor<64x96xf32>) -> tensor<64xf32>
  return %0, %4 : tensor<64x8xbf16>, tensor<64xf32>
}

// -----

// f16 does not hold what f32 does: where weights left its range the sum would be another.
// CHECK-LABEL: @narrower_range
// CHECK: tsr.reduce "sum" %{{.*}} dims [1] : (tensor<64x96xf32>) -> tensor<64xf32>
func.func @narrower_range(%p: tensor<64x96xf32>, %v: tensor<96x8xf16>, %g: tensor<64x8xf16>)
    -> (tensor<64x8xf16>, tensor<64xf32>) {
  %n = tsr.cast %p : (tensor<64x96xf32>) -> tensor<64x96xf16>
  %0 = tsr.contract "mn,ne->me" %n, %v windows [] : (tensor<64x96xf16>, tensor<96x8xf16>) -> tensor<64x8xf16>
  %1 = tsr.contract "me,ne->mn" %g, %v windows [] : (tensor<64x8xf16>, tensor<96x8xf16>) -> tensor<64x96xf16>
  %2 = tsr.cast %1 : (tensor<64x96xf16>) -> tensor<64x96xf32>
  %3 = tsr.mul %2, %p : tensor<64x96xf32>
  %4 = tsr.reduce "sum" %3 dims [1] : (tensor<64x96xf32>) -> tensor<64xf32>
  return %0, %4 : tensor<64x8xf16>, tensor<64xf32>
}

// -----

// The reshape cuts the dim that is summed: half of it is not what the contraction sums over.
// CHECK-LABEL: @half_of_the_dim
// CHECK: tsr.reduce "sum" %{{.*}} dims [2] : (tensor<64x2x48xf32>) -> tensor<64x2xf32>
func.func @half_of_the_dim(%p: tensor<64x2x48xf32>, %v: tensor<96x8xf32>, %g: tensor<64x8xf32>)
    -> (tensor<64x8xf32>, tensor<64x2xf32>) {
  %a = tsr.reshape %p : (tensor<64x2x48xf32>) -> tensor<64x96xf32>
  %0 = tsr.contract "mn,ne->me" %a, %v windows [] : (tensor<64x96xf32>, tensor<96x8xf32>) -> tensor<64x8xf32>
  %1 = tsr.contract "me,ne->mn" %g, %v windows [] : (tensor<64x8xf32>, tensor<96x8xf32>) -> tensor<64x96xf32>
  %2 = tsr.reshape %1 : (tensor<64x96xf32>) -> tensor<64x2x48xf32>
  %3 = tsr.mul %2, %p : tensor<64x2x48xf32>
  %4 = tsr.reduce "sum" %3 dims [2] : (tensor<64x2x48xf32>) -> tensor<64x2xf32>
  return %0, %4 : tensor<64x8xf32>, tensor<64x2xf32>
}

// -----

// A user rounds weights and goes on in f32: what was rounded is not what the sum is over.
// CHECK-LABEL: @rounded_by_hand
// CHECK: tsr.reduce "sum" %{{.*}} dims [1] : (tensor<64x96xf32>) -> tensor<64xf32>
func.func @rounded_by_hand(%p: tensor<64x96xf32>, %v: tensor<96x8xf32>, %g: tensor<64x8xf32>)
    -> (tensor<64x8xf32>, tensor<64xf32>) {
  %n = tsr.cast %p : (tensor<64x96xf32>) -> tensor<64x96xbf16>
  %w = tsr.cast %n : (tensor<64x96xbf16>) -> tensor<64x96xf32>
  %0 = tsr.contract "mn,ne->me" %w, %v windows [] : (tensor<64x96xf32>, tensor<96x8xf32>) -> tensor<64x8xf32>
  %1 = tsr.contract "me,ne->mn" %g, %v windows [] : (tensor<64x8xf32>, tensor<96x8xf32>) -> tensor<64x96xf32>
  %2 = tsr.mul %1, %p : tensor<64x96xf32>
  %3 = tsr.reduce "sum" %2 dims [1] : (tensor<64x96xf32>) -> tensor<64xf32>
  return %0, %3 : tensor<64x8xf32>, tensor<64xf32>
}

// -----

// Weights are divided by a sum that goes beyond them, as with an attention sink: the gradients of that sum and of what all
// scores are reduced by are the same sum, times numbers of a row.
// CHECK-LABEL: @sink
// CHECK: %[[L:.*]] = tsr.reduce "sum" %{{.*}} dims [1] : (tensor<64x96xf32>) -> tensor<64xf32>
// CHECK: %[[O:.*]] = tsr.contract "mn,ne->me"
// CHECK: %[[M:.*]] = tsr.mul %{{.*}}, %[[O]] : tensor<64x8xf32>
// CHECK: %[[S:.*]] = tsr.reduce "sum" %[[M]] dims [1] : (tensor<64x8xf32>) -> tensor<64xf32>
// CHECK: tsr.div %[[S]], %{{.*}} : tensor<64xf32>
// CHECK: tsr.neg
// CHECK-NOT: tsr.reduce {{.*}}tensor<64x96xf32>
// CHECK: tsr.mul %[[L]], %{{.*}} : tensor<64xf32>
// CHECK: tsr.add
// CHECK-NOT: tsr.reduce {{.*}}tensor<64x96xf32>
// CHECK: return
func.func @sink(%e: tensor<64x96xf32>, %sink: tensor<64xf32>, %v: tensor<96x8xf32>, %g: tensor<64x8xf32>)
    -> (tensor<64x8xf32>, tensor<64xf32>, tensor<64xf32>) {
  %s = tsr.reduce "sum" %e dims [1] : (tensor<64x96xf32>) -> tensor<64xf32>
  %l = tsr.add %s, %sink : tensor<64xf32>
  %ls = tsr.broadcast %l dims [0] : (tensor<64xf32>) -> tensor<64x96xf32>
  %p = tsr.div %e, %ls : tensor<64x96xf32>
  %0 = tsr.contract "mn,ne->me" %p, %v windows [] : (tensor<64x96xf32>, tensor<96x8xf32>) -> tensor<64x8xf32>
  %1 = tsr.contract "me,ne->mn" %g, %v windows [] : (tensor<64x8xf32>, tensor<96x8xf32>) -> tensor<64x96xf32>
  %share = tsr.div %1, %ls : tensor<64x96xf32>
  %2 = tsr.mul %share, %p : tensor<64x96xf32>
  %3 = tsr.neg %2 : tensor<64x96xf32>
  %dl = tsr.reduce "sum" %3 dims [1] : (tensor<64x96xf32>) -> tensor<64xf32>
  %dls = tsr.broadcast %dl dims [0] : (tensor<64xf32>) -> tensor<64x96xf32>
  %de = tsr.add %share, %dls : tensor<64x96xf32>
  %4 = tsr.mul %de, %e : tensor<64x96xf32>
  %most = tsr.reduce "sum" %4 dims [1] : (tensor<64x96xf32>) -> tensor<64xf32>
  return %0, %dl, %most : tensor<64x8xf32>, tensor<64xf32>, tensor<64xf32>
}

// -----

// A factor that differs along the sum does not come out of it.
// CHECK-LABEL: @factor_of_columns
// CHECK: tsr.reduce "sum" %{{.*}} dims [1] : (tensor<64x96xf32>) -> tensor<64xf32>
func.func @factor_of_columns(%p: tensor<64x96xf32>, %c: tensor<96xf32>, %v: tensor<96x8xf32>, %g: tensor<64x8xf32>)
    -> (tensor<64x8xf32>, tensor<64xf32>) {
  %0 = tsr.contract "mn,ne->me" %p, %v windows [] : (tensor<64x96xf32>, tensor<96x8xf32>) -> tensor<64x8xf32>
  %1 = tsr.contract "me,ne->mn" %g, %v windows [] : (tensor<64x8xf32>, tensor<96x8xf32>) -> tensor<64x96xf32>
  %w = tsr.broadcast %c dims [1] : (tensor<96xf32>) -> tensor<64x96xf32>
  %2 = tsr.mul %p, %1 : tensor<64x96xf32>
  %3 = tsr.div %2, %w : tensor<64x96xf32>
  %4 = tsr.reduce "sum" %3 dims [1] : (tensor<64x96xf32>) -> tensor<64xf32>
  return %0, %4 : tensor<64x8xf32>, tensor<64xf32>
}

// -----

// Softmax over the other dim of turned scores, whose weights are turned back: with dropout in between.
// CHECK-LABEL: @turned
// CHECK: %[[O:.*]] = tsr.contract "bmn,bne->bme"
// CHECK: %[[M:.*]] = tsr.mul %{{.*}}, %[[O]] : tensor<2x64x8xf32>
// CHECK: %[[S:.*]] = tsr.reduce "sum" %[[M]] dims [2] : (tensor<2x64x8xf32>) -> tensor<2x64xf32>
// CHECK-NOT: tsr.reduce
// CHECK: return
func.func @turned(%p: tensor<2x96x64xf32>, %keep: tensor<2x64x96xi1>, %v: tensor<2x96x8xf32>, %g: tensor<2x64x8xf32>)
    -> (tensor<2x64x8xf32>, tensor<2x64xf32>) {
  %zero = tsr.constant 0.0 -> tensor<2x64x96xf32>
  %c = tsr.constant 2.0 -> tensor<2x64x96xf32>
  %w = tsr.transpose %p dims [0, 2, 1] : (tensor<2x96x64xf32>) -> tensor<2x64x96xf32>
  %scaled = tsr.mul %w, %c : tensor<2x64x96xf32>
  %dropped = tsr.select %keep, %scaled, %zero
      : (tensor<2x64x96xi1>, tensor<2x64x96xf32>, tensor<2x64x96xf32>) -> tensor<2x64x96xf32>
  %0 = tsr.contract "bmn,bne->bme" %dropped, %v windows [] : (tensor<2x64x96xf32>, tensor<2x96x8xf32>) -> tensor<2x64x8xf32>
  %1 = tsr.contract "bme,bne->bmn" %g, %v windows [] : (tensor<2x64x8xf32>, tensor<2x96x8xf32>) -> tensor<2x64x96xf32>
  %2 = tsr.select %keep, %1, %zero
      : (tensor<2x64x96xi1>, tensor<2x64x96xf32>, tensor<2x64x96xf32>) -> tensor<2x64x96xf32>
  %3 = tsr.mul %2, %c : tensor<2x64x96xf32>
  %4 = tsr.transpose %3 dims [0, 2, 1] : (tensor<2x64x96xf32>) -> tensor<2x96x64xf32>
  %5 = tsr.mul %4, %p : tensor<2x96x64xf32>
  %6 = tsr.reduce "sum" %5 dims [1] : (tensor<2x96x64xf32>) -> tensor<2x64xf32>
  return %0, %6 : tensor<2x64x8xf32>, tensor<2x64xf32>
}

// -----

// Square weights that are not turned back: another sum.
// CHECK-LABEL: @turned_once
// CHECK: tsr.reduce "sum" %{{.*}} dims [1] : (tensor<64x64xf32>) -> tensor<64xf32>
func.func @turned_once(%p: tensor<64x64xf32>, %v: tensor<64x8xf32>, %g: tensor<64x8xf32>)
    -> (tensor<64x8xf32>, tensor<64xf32>) {
  %w = tsr.transpose %p dims [1, 0] : (tensor<64x64xf32>) -> tensor<64x64xf32>
  %0 = tsr.contract "mn,ne->me" %w, %v windows [] : (tensor<64x64xf32>, tensor<64x8xf32>) -> tensor<64x8xf32>
  %1 = tsr.contract "me,ne->mn" %g, %v windows [] : (tensor<64x8xf32>, tensor<64x8xf32>) -> tensor<64x64xf32>
  %2 = tsr.mul %1, %p : tensor<64x64xf32>
  %3 = tsr.reduce "sum" %2 dims [1] : (tensor<64x64xf32>) -> tensor<64xf32>
  return %0, %3 : tensor<64x8xf32>, tensor<64xf32>
}

// -----

// A norm in front of a product: its own kernel sums what is narrower than the other way.
// CHECK-LABEL: @norm
// CHECK: tsr.reduce "sum" %{{.*}} dims [1] : (tensor<64x16xf32>) -> tensor<64xf32>
func.func @norm(%x: tensor<64x16xf32>, %l: tensor<64xf32>, %w: tensor<48x16xf32>, %g: tensor<64x48xf32>)
    -> (tensor<64x48xf32>, tensor<64xf32>) {
  %ls = tsr.broadcast %l dims [0] : (tensor<64xf32>) -> tensor<64x16xf32>
  %n = tsr.div %x, %ls : tensor<64x16xf32>
  %0 = tsr.contract "td,fd->tf" %n, %w windows [] : (tensor<64x16xf32>, tensor<48x16xf32>) -> tensor<64x48xf32>
  %1 = tsr.contract "tf,fd->td" %g, %w windows [] : (tensor<64x48xf32>, tensor<48x16xf32>) -> tensor<64x16xf32>
  %2 = tsr.div %1, %ls : tensor<64x16xf32>
  %3 = tsr.mul %2, %n : tensor<64x16xf32>
  %4 = tsr.reduce "sum" %3 dims [1] : (tensor<64x16xf32>) -> tensor<64xf32>
  return %0, %4 : tensor<64x48xf32>, tensor<64xf32>
}
