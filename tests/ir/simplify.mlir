// RUN: tessera-opt %s -tsr-simplify | FileCheck %s

// CHECK-LABEL: @one_and_zero
// CHECK-SAME: (%[[X:.*]]: tensor<4xf32>)
// CHECK-NEXT: return %[[X]]
func.func @one_and_zero(%x: tensor<4xf32>) -> tensor<4xf32> {
  %one = tsr.constant 1.0 -> tensor<4xf32>
  %zero = tsr.constant 0.0 -> tensor<4xf32>
  %minus_zero = tsr.constant -0.0 -> tensor<4xf32>
  %0 = tsr.mul %one, %x : tensor<4xf32>
  %1 = tsr.add %0, %minus_zero : tensor<4xf32>
  %2 = tsr.add %minus_zero, %1 : tensor<4xf32>
  %3 = tsr.sub %2, %zero : tensor<4xf32>
  %4 = tsr.div %3, %one : tensor<4xf32>
  return %4 : tensor<4xf32>
}

// −0 + 0 is 0: a zero of the other sign is added, but by integers, which have one.
// CHECK-LABEL: @the_other_zero
// CHECK-SAME: (%[[X:.*]]: tensor<4xf32>, %[[I:.*]]: tensor<4xi32>)
// CHECK: %[[A:.*]] = tsr.add %[[X]]
// CHECK: %[[B:.*]] = tsr.add %{{.*}}, %[[A]]
// CHECK: %[[C:.*]] = tsr.sub %[[B]]
// CHECK: return %[[C]], %[[I]]
func.func @the_other_zero(%x: tensor<4xf32>, %i: tensor<4xi32>) -> (tensor<4xf32>, tensor<4xi32>) {
  %zero = tsr.constant 0.0 -> tensor<4xf32>
  %minus_zero = tsr.constant -0.0 -> tensor<4xf32>
  %none = tsr.constant 0 -> tensor<4xi32>
  %0 = tsr.add %x, %zero : tensor<4xf32>
  %1 = tsr.add %zero, %0 : tensor<4xf32>
  %2 = tsr.sub %1, %minus_zero : tensor<4xf32>
  %3 = tsr.add %i, %none : tensor<4xi32>
  %4 = tsr.sub %3, %none : tensor<4xi32>
  return %2, %4 : tensor<4xf32>, tensor<4xi32>
}

// 0 · ∞ is NaN: only integers lose a product with 0.
// CHECK-LABEL: @zero_times
// CHECK: %[[F:.*]] = tsr.mul
// CHECK: return %[[F]], %{{.*}}
func.func @zero_times(%x: tensor<4xf32>, %i: tensor<4xi32>) -> (tensor<4xf32>, tensor<4xi32>) {
  %zero = tsr.constant 0.0 -> tensor<4xf32>
  %none = tsr.constant 0 -> tensor<4xi32>
  %0 = tsr.mul %x, %zero : tensor<4xf32>
  %1 = tsr.mul %i, %none : tensor<4xi32>
  return %0, %1 : tensor<4xf32>, tensor<4xi32>
}

// CHECK-LABEL: @double_negation
// CHECK-SAME: (%[[X:.*]]: tensor<4xf32>)
// CHECK-NEXT: return %[[X]]
func.func @double_negation(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = tsr.neg %x : tensor<4xf32>
  %1 = tsr.neg %0 : tensor<4xf32>
  return %1 : tensor<4xf32>
}

// CHECK-LABEL: @square
// CHECK-NEXT: tsr.mul %[[X:.*]], %[[X]]
func.func @square(%x: tensor<4xf32>) -> tensor<4xf32> {
  %two = tsr.constant 2.0 -> tensor<4xf32>
  %0 = tsr.pow %x, %two : tensor<4xf32>
  return %0 : tensor<4xf32>
}

// CHECK-LABEL: @views_of_views
// CHECK-SAME: (%[[X:.*]]: tensor<4x8xf32>)
// CHECK-NEXT: return %[[X]]
func.func @views_of_views(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %0 = tsr.transpose %x dims [1, 0] : (tensor<4x8xf32>) -> tensor<8x4xf32>
  %1 = tsr.transpose %0 dims [1, 0] : (tensor<8x4xf32>) -> tensor<4x8xf32>
  %2 = tsr.reshape %1 : (tensor<4x8xf32>) -> tensor<32xf32>
  %3 = tsr.reshape %2 : (tensor<32xf32>) -> tensor<4x8xf32>
  return %3 : tensor<4x8xf32>
}

// CHECK-LABEL: @broadcast_of_splat
// CHECK-NEXT: tsr.constant 5.000000e-01 -> tensor<4x8xf32>
// CHECK-NEXT: tsr.mul
func.func @broadcast_of_splat(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %0 = tsr.constant 0.5 -> tensor<f32>
  %1 = tsr.broadcast %0 dims [] : (tensor<f32>) -> tensor<4x8xf32>
  %2 = tsr.mul %x, %1 : tensor<4x8xf32>
  return %2 : tensor<4x8xf32>
}

// CHECK-LABEL: @broadcast_that_repeats_nothing
// CHECK-NEXT: tsr.reshape %{{.*}} : (tensor<4xf32>) -> tensor<4x1xf32>
func.func @broadcast_that_repeats_nothing(%x: tensor<4xf32>) -> tensor<4x1xf32> {
  %0 = tsr.broadcast %x dims [0] : (tensor<4xf32>) -> tensor<4x1xf32>
  return %0 : tensor<4x1xf32>
}

// A narrowing cast is the user's; only the detour through a wider type goes.
// CHECK-LABEL: @casts
// CHECK-SAME: (%[[X:.*]]: tensor<4xbf16>, %[[Y:.*]]: tensor<4xf32>)
// CHECK-NEXT: tsr.cast %[[Y]]
// CHECK-NEXT: %[[Z:.*]] = tsr.cast
// CHECK-NEXT: return %[[X]], %[[Z]]
func.func @casts(%x: tensor<4xbf16>, %y: tensor<4xf32>) -> (tensor<4xbf16>, tensor<4xf32>) {
  %0 = tsr.cast %x : (tensor<4xbf16>) -> tensor<4xf32>
  %1 = tsr.cast %0 : (tensor<4xf32>) -> tensor<4xbf16>
  %2 = tsr.cast %y : (tensor<4xf32>) -> tensor<4xbf16>
  %3 = tsr.cast %2 : (tensor<4xbf16>) -> tensor<4xf32>
  return %1, %3 : tensor<4xbf16>, tensor<4xf32>
}

// CHECK-LABEL: @select_same
// CHECK-SAME: %{{.*}}, %[[X:.*]]: tensor<4xf32>
// CHECK-NEXT: return %[[X]]
func.func @select_same(%c: tensor<4xi1>, %x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = tsr.select %c, %x, %x : (tensor<4xi1>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// What the gradients of a split leave.
// CHECK-LABEL: @adjacent_pads
// CHECK-NEXT: tsr.concat %{{.*}}, %{{.*}}, %{{.*}} dim 1
// CHECK-NEXT: return
func.func @adjacent_pads(%a: tensor<4x2xf32>, %b: tensor<4x3xf32>, %c: tensor<4x1xf32>) -> tensor<4x6xf32> {
  %0 = tsr.pad %a low [0, 0] high [0, 4] interior [0, 0] value 0.0 : (tensor<4x2xf32>) -> tensor<4x6xf32>
  %1 = tsr.pad %b low [0, 2] high [0, 1] interior [0, 0] value 0.0 : (tensor<4x3xf32>) -> tensor<4x6xf32>
  %2 = tsr.pad %c low [0, 5] high [0, 0] interior [0, 0] value 0.0 : (tensor<4x1xf32>) -> tensor<4x6xf32>
  %3 = tsr.add %2, %1 : tensor<4x6xf32>
  %4 = tsr.add %0, %3 : tensor<4x6xf32>
  return %4 : tensor<4x6xf32>
}

// Something else was added first.
// CHECK-LABEL: @adjacent_pads_behind_a_sum
// CHECK-NEXT: %[[ALL:.*]] = tsr.concat %arg0, %arg1 dim 1
// CHECK-NEXT: %[[Y:.*]] = tsr.add %arg2, %[[ALL]]
// CHECK-NEXT: return %[[Y]]
func.func @adjacent_pads_behind_a_sum(%a: tensor<4x2xf32>, %b: tensor<4x4xf32>, %x: tensor<4x6xf32>)
    -> tensor<4x6xf32> {
  %0 = tsr.pad %a low [0, 0] high [0, 4] interior [0, 0] value 0.0 : (tensor<4x2xf32>) -> tensor<4x6xf32>
  %1 = tsr.pad %b low [0, 2] high [0, 0] interior [0, 0] value 0.0 : (tensor<4x4xf32>) -> tensor<4x6xf32>
  %2 = tsr.add %x, %1 : tensor<4x6xf32>
  %3 = tsr.add %2, %0 : tensor<4x6xf32>
  return %3 : tensor<4x6xf32>
}

// What a strict function adds 0 to loses the sign of its zeros, as written.
// CHECK-LABEL: @strict_zeros
// CHECK-COUNT-2: tsr.pad
// CHECK: %[[P:.*]] = tsr.add
// CHECK: %[[R:.*]] = tsr.reshape %arg2
// CHECK: %[[Z:.*]] = tsr.constant 0.000000e+00 -> tensor<4xf32>
// CHECK: %[[S:.*]] = tsr.add %[[R]], %[[Z]]
// CHECK: %[[M:.*]] = tsr.reshape %arg2
// CHECK: return %[[P]], %[[S]], %[[M]]
func.func @strict_zeros(%a: tensor<4x2xf32>, %b: tensor<4x4xf32>, %x: tensor<4x1xf32>)
    -> (tensor<4x6xf32>, tensor<4xf32>, tensor<4xf32>) attributes {tsr.strict} {
  %0 = tsr.pad %a low [0, 0] high [0, 4] interior [0, 0] value 0.0 : (tensor<4x2xf32>) -> tensor<4x6xf32>
  %1 = tsr.pad %b low [0, 2] high [0, 0] interior [0, 0] value 0.0 : (tensor<4x4xf32>) -> tensor<4x6xf32>
  %2 = tsr.add %0, %1 : tensor<4x6xf32>
  %3 = tsr.reduce "sum" %x dims [1] : (tensor<4x1xf32>) -> tensor<4xf32>
  %4 = tsr.reduce "max" %x dims [1] : (tensor<4x1xf32>) -> tensor<4xf32>
  return %2, %3, %4 : tensor<4x6xf32>, tensor<4xf32>, tensor<4xf32>
}

// What a padded window leaves, dim by dim.
// CHECK-LABEL: @pads_of_pads
// CHECK: %[[Y:.*]] = tsr.pad %{{.*}} low [1, 2] high [3, 1] interior [1, 0] value 0.{{0+}}
// CHECK-NEXT: return %[[Y]]
func.func @pads_of_pads(%x: tensor<4x8xf32>) -> tensor<11x11xf32> {
  %0 = tsr.pad %x low [1, 0] high [3, 0] interior [1, 0] value 0.0 : (tensor<4x8xf32>) -> tensor<11x8xf32>
  %1 = tsr.pad %0 low [0, 2] high [0, 1] interior [0, 0] value 0.0 : (tensor<11x8xf32>) -> tensor<11x11xf32>
  return %1 : tensor<11x11xf32>
}

// Elements between those that the first pad wrote cannot come from one pad of x; neither can two different values.
// CHECK-LABEL: @pads_that_stay
// CHECK-COUNT-3: tsr.pad
// CHECK-NOT: tsr.pad
// CHECK: return
func.func @pads_that_stay(%x: tensor<4xf32>) -> (tensor<11xf32>, tensor<7xf32>) {
  %0 = tsr.pad %x low [1] high [1] interior [0] value 0.0 : (tensor<4xf32>) -> tensor<6xf32>
  %1 = tsr.pad %0 low [0] high [0] interior [1] value 0.0 : (tensor<6xf32>) -> tensor<11xf32>
  %2 = tsr.pad %0 low [0] high [1] interior [0] value 1.0 : (tensor<6xf32>) -> tensor<7xf32>
  return %1, %2 : tensor<11xf32>, tensor<7xf32>
}

// What is repeated is a view.
// CHECK-LABEL: @concat_of_one_value
// CHECK-SAME: (%[[X:.*]]: tensor<4x3xf32>, %[[Y:.*]]: tensor<4x3xf32>)
// CHECK-NEXT: %[[B:.*]] = tsr.broadcast %[[X]] dims [0, 2] : (tensor<4x3xf32>) -> tensor<4x2x3xf32>
// CHECK-NEXT: %[[R:.*]] = tsr.reshape %[[B]]
// CHECK-NEXT: %[[C:.*]] = tsr.concat %[[X]], %[[Y]]
// CHECK-NEXT: return %[[R]], %[[C]]
func.func @concat_of_one_value(%x: tensor<4x3xf32>, %y: tensor<4x3xf32>) -> (tensor<4x6xf32>, tensor<4x6xf32>) {
  %0 = tsr.concat %x, %x dim 1 : (tensor<4x3xf32>, tensor<4x3xf32>) -> tensor<4x6xf32>
  %1 = tsr.concat %x, %y dim 1 : (tensor<4x3xf32>, tensor<4x3xf32>) -> tensor<4x6xf32>
  return %0, %1 : tensor<4x6xf32>, tensor<4x6xf32>
}

// Heads that serve two others each: a view, and a sum for the gradient.
// CHECK-LABEL: @repeating_indices
// CHECK-SAME: (%[[X:.*]]: tensor<5x2x3xf32>, %[[G:.*]]: tensor<5x4x3xf32>)
// CHECK-NOT: tsr.gather
// CHECK-NOT: tsr.scatter
// CHECK: %[[B:.*]] = tsr.broadcast %[[X]] dims [0, 1, 3] : (tensor<5x2x3xf32>) -> tensor<5x2x2x3xf32>
// CHECK: %[[R:.*]] = tsr.reshape %[[B]] : (tensor<5x2x2x3xf32>) -> tensor<5x4x3xf32>
// CHECK: %[[P:.*]] = tsr.reshape %[[G]] : (tensor<5x4x3xf32>) -> tensor<5x2x2x3xf32>
// CHECK: %[[S:.*]] = tsr.reduce "sum" %[[P]] dims [2]
// CHECK: return %[[R]], %[[S]]
func.func @repeating_indices(%x: tensor<5x2x3xf32>, %g: tensor<5x4x3xf32>) -> (tensor<5x4x3xf32>, tensor<5x2x3xf32>) {
  %i = tsr.iota dim 0 : tensor<4xi32>
  %two = tsr.constant 2 -> tensor<4xi32>
  %of = tsr.floor_div %i, %two : tensor<4xi32>
  %zero = tsr.constant 0.0 -> tensor<5x2x3xf32>
  %0 = tsr.gather %x, %of dim 1 : (tensor<5x2x3xf32>, tensor<4xi32>) -> tensor<5x4x3xf32>
  %1 = tsr.scatter "add" %zero, %of, %g dim 1 : (tensor<5x2x3xf32>, tensor<4xi32>, tensor<5x4x3xf32>) -> tensor<5x2x3xf32>
  return %0, %1 : tensor<5x4x3xf32>, tensor<5x2x3xf32>
}

// Not all rows, more than there are, what lies below, a number that is not 0.
// CHECK-LABEL: @other_indices
// CHECK-COUNT-2: tsr.gather
// CHECK-COUNT-2: tsr.scatter
// CHECK: return
func.func @other_indices(%x: tensor<5x3xf32>, %g: tensor<4x3xf32>, %base: tensor<2x3xf32>)
    -> (tensor<4x3xf32>, tensor<4x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>) {
  %i = tsr.iota dim 0 : tensor<4xi32>
  %two = tsr.constant 2 -> tensor<4xi32>
  %of = tsr.floor_div %i, %two : tensor<4xi32>
  %zero = tsr.constant 0.0 -> tensor<2x3xf32>
  %0 = tsr.gather %x, %of dim 0 : (tensor<5x3xf32>, tensor<4xi32>) -> tensor<4x3xf32>
  %1 = tsr.gather %x, %i dim 0 : (tensor<5x3xf32>, tensor<4xi32>) -> tensor<4x3xf32>
  %2 = tsr.scatter "add" %base, %of, %g dim 0 : (tensor<2x3xf32>, tensor<4xi32>, tensor<4x3xf32>) -> tensor<2x3xf32>
  %3 = tsr.scatter "max" %zero, %of, %g dim 0 : (tensor<2x3xf32>, tensor<4xi32>, tensor<4x3xf32>) -> tensor<2x3xf32>
  return %0, %1, %2, %3 : tensor<4x3xf32>, tensor<4x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>
}
