// One way to say the body of a cascade (ir/plane/normalize_body.h).
// RUN: tessera-opt %s -tsr-derive-planes -mlir-print-local-scope | FileCheck %s

// Row ≥ column, in six ways.
// CHECK-LABEL: @row_ge_column
// CHECK-DAG: %[[Z:.*]] = arith.constant 0.0
// CHECK-DAG: %[[R:.*]] = fuse.index affine_map<({{.*}}) -> (d1)>
// CHECK-DAG: %[[C:.*]] = fuse.index affine_map<({{.*}}) -> (d2)>
// CHECK-DAG: %[[RI:.*]] = arith.index_cast %[[R]] : index to i32
// CHECK-DAG: %[[CI:.*]] = arith.index_cast %[[C]] : index to i32
// CHECK: %[[K:.*]] = arith.cmpi sge, %[[RI]], %[[CI]] : i32
// CHECK: arith.select %[[K]], %{{.*}}, %[[Z]]
func.func @row_ge_column(%q: tensor<2x64x16xf32>, %k: tensor<2x96x16xf32>, %v: tensor<2x96x8xf32>) -> tensor<2x64x8xf32> {
  %0 = tsr.contract "bmd,bnd->bmn" %q, %k windows [] : (tensor<2x64x16xf32>, tensor<2x96x16xf32>) -> tensor<2x64x96xf32>
  %i = tsr.iota dim 0 : tensor<64x96xi32>
  %j = tsr.iota dim 1 : tensor<64x96xi32>
  %c = tsr.ge %i, %j : tensor<64x96xi32>
  %cb = tsr.broadcast %c dims [1, 2] : (tensor<64x96xi1>) -> tensor<2x64x96xi1>
  %z = tsr.constant 0.0 -> tensor<2x64x96xf32>
  %x = tsr.select %cb, %0, %z : (tensor<2x64x96xi1>, tensor<2x64x96xf32>, tensor<2x64x96xf32>) -> tensor<2x64x96xf32>
  %w = tsr.sigmoid %x : tensor<2x64x96xf32>
  %o = tsr.contract "bmn,bne->bme" %w, %v windows [] : (tensor<2x64x96xf32>, tensor<2x96x8xf32>) -> tensor<2x64x8xf32>
  return %o : tensor<2x64x8xf32>
}

// CHECK-LABEL: @column_above
// CHECK-DAG: %[[Z:.*]] = arith.constant 0.0
// CHECK-DAG: %[[R:.*]] = fuse.index affine_map<({{.*}}) -> (d1)>
// CHECK-DAG: %[[C:.*]] = fuse.index affine_map<({{.*}}) -> (d2)>
// CHECK-DAG: %[[RI:.*]] = arith.index_cast %[[R]] : index to i32
// CHECK-DAG: %[[CI:.*]] = arith.index_cast %[[C]] : index to i32
// CHECK: %[[K:.*]] = arith.cmpi sge, %[[RI]], %[[CI]] : i32
// CHECK: arith.select %[[K]], %{{.*}}, %[[Z]]
func.func @column_above(%q: tensor<2x64x16xf32>, %k: tensor<2x96x16xf32>, %v: tensor<2x96x8xf32>) -> tensor<2x64x8xf32> {
  %0 = tsr.contract "bmd,bnd->bmn" %q, %k windows [] : (tensor<2x64x16xf32>, tensor<2x96x16xf32>) -> tensor<2x64x96xf32>
  %i = tsr.iota dim 0 : tensor<64x96xi32>
  %j = tsr.iota dim 1 : tensor<64x96xi32>
  %c = tsr.gt %j, %i : tensor<64x96xi32>
  %cb = tsr.broadcast %c dims [1, 2] : (tensor<64x96xi1>) -> tensor<2x64x96xi1>
  %z = tsr.constant 0.0 -> tensor<2x64x96xf32>
  %x = tsr.select %cb, %z, %0 : (tensor<2x64x96xi1>, tensor<2x64x96xf32>, tensor<2x64x96xf32>) -> tensor<2x64x96xf32>
  %w = tsr.sigmoid %x : tensor<2x64x96xf32>
  %o = tsr.contract "bmn,bne->bme" %w, %v windows [] : (tensor<2x64x96xf32>, tensor<2x96x8xf32>) -> tensor<2x64x8xf32>
  return %o : tensor<2x64x8xf32>
}

// CHECK-LABEL: @not_below
// CHECK-DAG: %[[Z:.*]] = arith.constant 0.0
// CHECK-DAG: %[[R:.*]] = fuse.index affine_map<({{.*}}) -> (d1)>
// CHECK-DAG: %[[C:.*]] = fuse.index affine_map<({{.*}}) -> (d2)>
// CHECK-DAG: %[[RI:.*]] = arith.index_cast %[[R]] : index to i32
// CHECK-DAG: %[[CI:.*]] = arith.index_cast %[[C]] : index to i32
// CHECK: %[[K:.*]] = arith.cmpi sge, %[[RI]], %[[CI]] : i32
// CHECK: arith.select %[[K]], %{{.*}}, %[[Z]]
func.func @not_below(%q: tensor<2x64x16xf32>, %k: tensor<2x96x16xf32>, %v: tensor<2x96x8xf32>) -> tensor<2x64x8xf32> {
  %0 = tsr.contract "bmd,bnd->bmn" %q, %k windows [] : (tensor<2x64x16xf32>, tensor<2x96x16xf32>) -> tensor<2x64x96xf32>
  %i = tsr.iota dim 0 : tensor<64x96xi32>
  %j = tsr.iota dim 1 : tensor<64x96xi32>
  %d = tsr.lt %i, %j : tensor<64x96xi32>
  %c = tsr.not %d : tensor<64x96xi1>
  %cb = tsr.broadcast %c dims [1, 2] : (tensor<64x96xi1>) -> tensor<2x64x96xi1>
  %z = tsr.constant 0.0 -> tensor<2x64x96xf32>
  %x = tsr.select %cb, %0, %z : (tensor<2x64x96xi1>, tensor<2x64x96xf32>, tensor<2x64x96xf32>) -> tensor<2x64x96xf32>
  %w = tsr.sigmoid %x : tensor<2x64x96xf32>
  %o = tsr.contract "bmn,bne->bme" %w, %v windows [] : (tensor<2x64x96xf32>, tensor<2x96x8xf32>) -> tensor<2x64x8xf32>
  return %o : tensor<2x64x8xf32>
}

// CHECK-LABEL: @difference
// CHECK-DAG: %[[Z:.*]] = arith.constant 0.0
// CHECK-DAG: %[[R:.*]] = fuse.index affine_map<({{.*}}) -> (d1)>
// CHECK-DAG: %[[C:.*]] = fuse.index affine_map<({{.*}}) -> (d2)>
// CHECK-DAG: %[[RI:.*]] = arith.index_cast %[[R]] : index to i32
// CHECK-DAG: %[[CI:.*]] = arith.index_cast %[[C]] : index to i32
// CHECK: %[[K:.*]] = arith.cmpi sge, %[[RI]], %[[CI]] : i32
// CHECK: arith.select %[[K]], %{{.*}}, %[[Z]]
func.func @difference(%q: tensor<2x64x16xf32>, %k: tensor<2x96x16xf32>, %v: tensor<2x96x8xf32>) -> tensor<2x64x8xf32> {
  %0 = tsr.contract "bmd,bnd->bmn" %q, %k windows [] : (tensor<2x64x16xf32>, tensor<2x96x16xf32>) -> tensor<2x64x96xf32>
  %i = tsr.iota dim 0 : tensor<64x96xi32>
  %j = tsr.iota dim 1 : tensor<64x96xi32>
  %zero = tsr.constant 0 -> tensor<64x96xi32>
  %d = tsr.sub %j, %i : tensor<64x96xi32>
  %c = tsr.le %d, %zero : tensor<64x96xi32>
  %cb = tsr.broadcast %c dims [1, 2] : (tensor<64x96xi1>) -> tensor<2x64x96xi1>
  %z = tsr.constant 0.0 -> tensor<2x64x96xf32>
  %x = tsr.select %cb, %0, %z : (tensor<2x64x96xi1>, tensor<2x64x96xf32>, tensor<2x64x96xf32>) -> tensor<2x64x96xf32>
  %w = tsr.sigmoid %x : tensor<2x64x96xf32>
  %o = tsr.contract "bmn,bne->bme" %w, %v windows [] : (tensor<2x64x96xf32>, tensor<2x96x8xf32>) -> tensor<2x64x8xf32>
  return %o : tensor<2x64x8xf32>
}

// CHECK-LABEL: @next
// CHECK-DAG: %[[Z:.*]] = arith.constant 0.0
// CHECK-DAG: %[[R:.*]] = fuse.index affine_map<({{.*}}) -> (d1)>
// CHECK-DAG: %[[C:.*]] = fuse.index affine_map<({{.*}}) -> (d2)>
// CHECK-DAG: %[[RI:.*]] = arith.index_cast %[[R]] : index to i32
// CHECK-DAG: %[[CI:.*]] = arith.index_cast %[[C]] : index to i32
// CHECK: %[[K:.*]] = arith.cmpi sge, %[[RI]], %[[CI]] : i32
// CHECK: arith.select %[[K]], %{{.*}}, %[[Z]]
func.func @next(%q: tensor<2x64x16xf32>, %k: tensor<2x96x16xf32>, %v: tensor<2x96x8xf32>) -> tensor<2x64x8xf32> {
  %0 = tsr.contract "bmd,bnd->bmn" %q, %k windows [] : (tensor<2x64x16xf32>, tensor<2x96x16xf32>) -> tensor<2x64x96xf32>
  %i = tsr.iota dim 0 : tensor<64x96xi32>
  %j = tsr.iota dim 1 : tensor<64x96xi32>
  %one = tsr.constant 1 -> tensor<64x96xi32>
  %d = tsr.add %one, %i : tensor<64x96xi32>
  %c = tsr.lt %j, %d : tensor<64x96xi32>
  %cb = tsr.broadcast %c dims [1, 2] : (tensor<64x96xi1>) -> tensor<2x64x96xi1>
  %z = tsr.constant 0.0 -> tensor<2x64x96xf32>
  %x = tsr.select %cb, %0, %z : (tensor<2x64x96xi1>, tensor<2x64x96xf32>, tensor<2x64x96xf32>) -> tensor<2x64x96xf32>
  %w = tsr.sigmoid %x : tensor<2x64x96xf32>
  %o = tsr.contract "bmn,bne->bme" %w, %v windows [] : (tensor<2x64x96xf32>, tensor<2x96x8xf32>) -> tensor<2x64x8xf32>
  return %o : tensor<2x64x8xf32>
}

// CHECK-LABEL: @floats
// CHECK-DAG: %[[Z:.*]] = arith.constant 0.0
// CHECK-DAG: %[[R:.*]] = fuse.index affine_map<({{.*}}) -> (d1)>
// CHECK-DAG: %[[C:.*]] = fuse.index affine_map<({{.*}}) -> (d2)>
// CHECK-DAG: %[[RI:.*]] = arith.index_cast %[[R]] : index to i32
// CHECK-DAG: %[[CI:.*]] = arith.index_cast %[[C]] : index to i32
// CHECK: %[[K:.*]] = arith.cmpi sge, %[[RI]], %[[CI]] : i32
// CHECK: arith.select %[[K]], %{{.*}}, %[[Z]]
func.func @floats(%q: tensor<2x64x16xf32>, %k: tensor<2x96x16xf32>, %v: tensor<2x96x8xf32>) -> tensor<2x64x8xf32> {
  %0 = tsr.contract "bmd,bnd->bmn" %q, %k windows [] : (tensor<2x64x16xf32>, tensor<2x96x16xf32>) -> tensor<2x64x96xf32>
  %i = tsr.iota dim 0 : tensor<64x96xi32>
  %j = tsr.iota dim 1 : tensor<64x96xi32>
  %fi = tsr.cast %i : (tensor<64x96xi32>) -> tensor<64x96xf32>
  %fj = tsr.cast %j : (tensor<64x96xi32>) -> tensor<64x96xf32>
  %c = tsr.ge %fi, %fj : tensor<64x96xf32>
  %cb = tsr.broadcast %c dims [1, 2] : (tensor<64x96xi1>) -> tensor<2x64x96xi1>
  %z = tsr.constant 0.0 -> tensor<2x64x96xf32>
  %x = tsr.select %cb, %0, %z : (tensor<2x64x96xi1>, tensor<2x64x96xf32>, tensor<2x64x96xf32>) -> tensor<2x64x96xf32>
  %w = tsr.sigmoid %x : tensor<2x64x96xf32>
  %o = tsr.contract "bmn,bne->bme" %w, %v windows [] : (tensor<2x64x96xf32>, tensor<2x96x8xf32>) -> tensor<2x64x8xf32>
  return %o : tensor<2x64x8xf32>
}

// A choice of numbers that is compared is the choice itself, or not.
// CHECK-LABEL: @coin
// CHECK-DAG: %[[Z:.*]] = arith.constant 0.0
// CHECK-DAG: %[[R:.*]] = fuse.index affine_map<({{.*}}) -> (d1)>
// CHECK-DAG: %[[C:.*]] = fuse.index affine_map<({{.*}}) -> (d2)>
// CHECK-DAG: %[[RI:.*]] = arith.index_cast %[[R]] : index to i32
// CHECK-DAG: %[[CI:.*]] = arith.index_cast %[[C]] : index to i32
// CHECK: %[[K:.*]] = arith.cmpi sge, %[[RI]], %[[CI]] : i32
// CHECK: arith.select %[[K]], %{{.*}}, %[[Z]]
func.func @coin(%q: tensor<2x64x16xf32>, %k: tensor<2x96x16xf32>, %v: tensor<2x96x8xf32>) -> tensor<2x64x8xf32> {
  %0 = tsr.contract "bmd,bnd->bmn" %q, %k windows [] : (tensor<2x64x16xf32>, tensor<2x96x16xf32>) -> tensor<2x64x96xf32>
  %i = tsr.iota dim 0 : tensor<64x96xi32>
  %j = tsr.iota dim 1 : tensor<64x96xi32>
  %d = tsr.ge %i, %j : tensor<64x96xi32>
  %n = tsr.cast %d : (tensor<64x96xi1>) -> tensor<64x96xf32>
  %zero = tsr.constant 0.0 -> tensor<64x96xf32>
  %c = tsr.eq %n, %zero : tensor<64x96xf32>
  %cb = tsr.broadcast %c dims [1, 2] : (tensor<64x96xi1>) -> tensor<2x64x96xi1>
  %z = tsr.constant 0.0 -> tensor<2x64x96xf32>
  %x = tsr.select %cb, %z, %0 : (tensor<2x64x96xi1>, tensor<2x64x96xf32>, tensor<2x64x96xf32>) -> tensor<2x64x96xf32>
  %w = tsr.sigmoid %x : tensor<2x64x96xf32>
  %o = tsr.contract "bmn,bne->bme" %w, %v windows [] : (tensor<2x64x96xf32>, tensor<2x96x8xf32>) -> tensor<2x64x8xf32>
  return %o : tensor<2x64x8xf32>
}

// i + 2³¹ − 1 overflows, so that nothing is known of it.
// CHECK-LABEL: @overflow
// CHECK: arith.addi
// CHECK: arith.cmpi slt
func.func @overflow(%q: tensor<2x64x16xf32>, %k: tensor<2x96x16xf32>, %v: tensor<2x96x8xf32>) -> tensor<2x64x8xf32> {
  %0 = tsr.contract "bmd,bnd->bmn" %q, %k windows [] : (tensor<2x64x16xf32>, tensor<2x96x16xf32>) -> tensor<2x64x96xf32>
  %i = tsr.iota dim 0 : tensor<64x96xi32>
  %j = tsr.iota dim 1 : tensor<64x96xi32>
  %big = tsr.constant 2147483647 -> tensor<64x96xi32>
  %d = tsr.add %i, %big : tensor<64x96xi32>
  %c = tsr.lt %d, %j : tensor<64x96xi32>
  %cb = tsr.broadcast %c dims [1, 2] : (tensor<64x96xi1>) -> tensor<2x64x96xi1>
  %z = tsr.constant 0.0 -> tensor<2x64x96xf32>
  %x = tsr.select %cb, %0, %z : (tensor<2x64x96xi1>, tensor<2x64x96xf32>, tensor<2x64x96xf32>) -> tensor<2x64x96xf32>
  %w = tsr.sigmoid %x : tensor<2x64x96xf32>
  %o = tsr.contract "bmn,bne->bme" %w, %v windows [] : (tensor<2x64x96xf32>, tensor<2x96x8xf32>) -> tensor<2x64x8xf32>
  return %o : tensor<2x64x8xf32>
}

// Operands that commute have one order.
// CHECK-LABEL: @bias_first
// CHECK: %[[S:.*]] = fuse.contract
// CHECK: arith.addf %[[S]], %arg
func.func @bias_first(%q: tensor<2x64x16xf32>, %k: tensor<2x96x16xf32>, %v: tensor<2x96x8xf32>, %b: tensor<2x64x96xf32>) -> tensor<2x64x8xf32> {
  %0 = tsr.contract "bmd,bnd->bmn" %q, %k windows [] : (tensor<2x64x16xf32>, tensor<2x96x16xf32>) -> tensor<2x64x96xf32>
  %x = tsr.add %b, %0 : tensor<2x64x96xf32>
  %w = tsr.tanh %x : tensor<2x64x96xf32>
  %o = tsr.contract "bmn,bne->bme" %w, %v windows [] : (tensor<2x64x96xf32>, tensor<2x96x8xf32>) -> tensor<2x64x8xf32>
  return %o : tensor<2x64x8xf32>
}

// CHECK-LABEL: @bias_second
// CHECK: %[[S:.*]] = fuse.contract
// CHECK: arith.addf %[[S]], %arg
func.func @bias_second(%q: tensor<2x64x16xf32>, %k: tensor<2x96x16xf32>, %v: tensor<2x96x8xf32>, %b: tensor<2x64x96xf32>) -> tensor<2x64x8xf32> {
  %0 = tsr.contract "bmd,bnd->bmn" %q, %k windows [] : (tensor<2x64x16xf32>, tensor<2x96x16xf32>) -> tensor<2x64x96xf32>
  %x = tsr.add %0, %b : tensor<2x64x96xf32>
  %w = tsr.tanh %x : tensor<2x64x96xf32>
  %o = tsr.contract "bmn,bne->bme" %w, %v windows [] : (tensor<2x64x96xf32>, tensor<2x96x8xf32>) -> tensor<2x64x8xf32>
  return %o : tensor<2x64x8xf32>
}

// CHECK-LABEL: @minus_a_negative
// CHECK-NOT: arith.negf
// CHECK: arith.addf
// CHECK-NOT: arith.subf
func.func @minus_a_negative(%q: tensor<2x64x16xf32>, %k: tensor<2x96x16xf32>, %v: tensor<2x96x8xf32>, %b: tensor<2x64x96xf32>) -> tensor<2x64x8xf32> {
  %0 = tsr.contract "bmd,bnd->bmn" %q, %k windows [] : (tensor<2x64x16xf32>, tensor<2x96x16xf32>) -> tensor<2x64x96xf32>
  %n = tsr.neg %b : tensor<2x64x96xf32>
  %x = tsr.sub %0, %n : tensor<2x64x96xf32>
  %w = tsr.tanh %x : tensor<2x64x96xf32>
  %o = tsr.contract "bmn,bne->bme" %w, %v windows [] : (tensor<2x64x96xf32>, tensor<2x96x8xf32>) -> tensor<2x64x8xf32>
  return %o : tensor<2x64x8xf32>
}

// Dropout as a product is a choice, and its factor stands inside.
// CHECK-LABEL: @coin_times
// CHECK: %[[M:.*]] = arith.mulf
// CHECK: arith.select %{{.*}}, %[[M]], %{{.*}}
// CHECK-NOT: arith.uitofp
func.func @coin_times(%q: tensor<2x64x16xf32>, %k: tensor<2x96x16xf32>, %v: tensor<2x96x8xf32>, %c: tensor<2x64x96xi1>) -> tensor<2x64x8xf32> {
  %0 = tsr.contract "bmd,bnd->bmn" %q, %k windows [] : (tensor<2x64x16xf32>, tensor<2x96x16xf32>) -> tensor<2x64x96xf32>
  %n = tsr.cast %c : (tensor<2x64x96xi1>) -> tensor<2x64x96xf32>
  %k4 = tsr.constant 1.25 -> tensor<2x64x96xf32>
  %t = tsr.tanh %0 : tensor<2x64x96xf32>
  %x = tsr.mul %n, %t : tensor<2x64x96xf32>
  %w = tsr.mul %x, %k4 : tensor<2x64x96xf32>
  %o = tsr.contract "bmn,bne->bme" %w, %v windows [] : (tensor<2x64x96xf32>, tensor<2x96x8xf32>) -> tensor<2x64x8xf32>
  return %o : tensor<2x64x8xf32>
}

// The operand with the rows comes first.
// CHECK-LABEL: @column_first
// CHECK: at [affine_map<({{.*}}) -> (d0 * 1536 + d2 * 16 + d3)>, affine_map<({{.*}}) -> (d0 * 1024 + d1 * 16 + d3)>
// CHECK: ^bb0(%[[K:.*]]: f32, %[[Q:.*]]: f32,
// CHECK: fuse.contract %[[Q]], %[[K]] over [3]
func.func @column_first(%q: tensor<2x64x16xf32>, %k: tensor<2x96x16xf32>, %v: tensor<2x96x8xf32>) -> tensor<2x64x8xf32> {
  %0 = tsr.contract "bnd,bmd->bmn" %k, %q windows [] : (tensor<2x96x16xf32>, tensor<2x64x16xf32>) -> tensor<2x64x96xf32>
  %w = tsr.tanh %0 : tensor<2x64x96xf32>
  %o = tsr.contract "bmn,bne->bme" %w, %v windows [] : (tensor<2x64x96xf32>, tensor<2x96x8xf32>) -> tensor<2x64x8xf32>
  return %o : tensor<2x64x8xf32>
}
