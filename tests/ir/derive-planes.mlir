// RUN: tessera-opt %s -tsr-decompose -cse -tsr-derive-planes | FileCheck %s
// RUN: tessera-opt %s -tsr-decompose -cse -tsr-derive-planes -mlir-disable-threading --remarks-filter=plane --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=REMARK

// q, k and v are slices of one tensor; four heads share a key. The forward writes its output and two numbers a row, the
// maximum and the reciprocal of the sum; the gradients of keys and values stream over the heads of a group and the queries.
// CHECK-LABEL: @grouped_heads
// CHECK: fuse.cascade {{.*}} dims [2, 2, 4, 64, 64, 16, 16] batch 3 stream 1
// CHECK: fuse.contract {{.*}} over [5]
// CHECK: arith.select
// CHECK: fuse.reduce max {{.*}} over [4]
// CHECK: fuse.reduce sum {{.*}} over [4]
// CHECK: fuse.repair
// CHECK: fuse.contract {{.*}} over [4]
// CHECK: fuse.repair
// CHECK-NOT: math.log
// CHECK: tensor<2x2x4x64xf32>, tensor<2x2x4x64xf32>, tensor<2x64x2x4x16xf32>
// CHECK: fuse.cascade {{.*}} dims [2, 2, 64, 4, 64, 16, 16, 16, 16] batch 2 stream 2
// CHECK: fuse.contract {{.*}} over [3, 4]
// CHECK: fuse.contract {{.*}} over [3, 4]
// CHECK-NOT: 4x64x64xf32
// REMARK-DAG: [Passed] cascade
// REMARK-DAG: [Passed] cascade
func.func @grouped_heads(%qkv: tensor<2x64x12x16xf32>, %g: tensor<2x64x2x4x16xf32>)
    -> (tensor<2x64x2x4x16xf32>, tensor<2x64x2x16xf32>, tensor<2x64x2x16xf32>) {
  %qs = tsr.slice %qkv start [0,0,0,0] stop [2,64,8,16] step [1,1,1,1] : (tensor<2x64x12x16xf32>) -> tensor<2x64x8x16xf32>
  %q = tsr.reshape %qs : (tensor<2x64x8x16xf32>) -> tensor<2x64x2x4x16xf32>
  %k = tsr.slice %qkv start [0,0,8,0] stop [2,64,10,16] step [1,1,1,1] : (tensor<2x64x12x16xf32>) -> tensor<2x64x2x16xf32>
  %v = tsr.slice %qkv start [0,0,10,0] stop [2,64,12,16] step [1,1,1,1] : (tensor<2x64x12x16xf32>) -> tensor<2x64x2x16xf32>
  %0 = tsr.contract "btgrd,bsgd->bgrts" %q, %k windows [] : (tensor<2x64x2x4x16xf32>, tensor<2x64x2x16xf32>) -> tensor<2x2x4x64x64xf32>
  %i = tsr.iota dim 0 : tensor<64x64xi64>
  %j = tsr.iota dim 1 : tensor<64x64xi64>
  %c = tsr.ge %i, %j : tensor<64x64xi64>
  %cb = tsr.broadcast %c dims [3, 4] : (tensor<64x64xi1>) -> tensor<2x2x4x64x64xi1>
  %inf = tsr.constant neg_inf -> tensor<2x2x4x64x64xf32>
  %x = tsr.select %cb, %0, %inf : (tensor<2x2x4x64x64xi1>, tensor<2x2x4x64x64xf32>, tensor<2x2x4x64x64xf32>) -> tensor<2x2x4x64x64xf32>
  %p = tsr.softmax %x dim 4 : tensor<2x2x4x64x64xf32>
  %o = tsr.contract "bgrts,bsgd->btgrd" %p, %v windows [] : (tensor<2x2x4x64x64xf32>, tensor<2x64x2x16xf32>) -> tensor<2x64x2x4x16xf32>
  %go = tsr.mul %g, %o : tensor<2x64x2x4x16xf32>
  %dv = tsr.contract "bgrts,btgrd->bsgd" %p, %go windows [] : (tensor<2x2x4x64x64xf32>, tensor<2x64x2x4x16xf32>) -> tensor<2x64x2x16xf32>
  %dp = tsr.contract "btgrd,bsgd->bgrts" %go, %v windows [] : (tensor<2x64x2x4x16xf32>, tensor<2x64x2x16xf32>) -> tensor<2x2x4x64x64xf32>
  %ds = tsr.mul %dp, %p : tensor<2x2x4x64x64xf32>
  %dk = tsr.contract "bgrts,btgrd->bsgd" %ds, %q windows [] : (tensor<2x2x4x64x64xf32>, tensor<2x64x2x4x16xf32>) -> tensor<2x64x2x16xf32>
  return %o, %dk, %dv : tensor<2x64x2x4x16xf32>, tensor<2x64x2x16xf32>, tensor<2x64x2x16xf32>
}


// What a mask hides is said: by count where indices decide, not at all where a fill is finite.
// CHECK-LABEL: @causal
// CHECK: fuse.cascade
// REMARK-DAG: [Passed] mask {{.*}}skips the blocks that a mask hides: 6 of 16
func.func @causal(%q: tensor<2x256x16xf32>, %k: tensor<2x256x16xf32>, %v: tensor<2x256x16xf32>) -> tensor<2x256x16xf32> {
  %0 = tsr.contract "bmd,bnd->bmn" %q, %k windows [] : (tensor<2x256x16xf32>, tensor<2x256x16xf32>) -> tensor<2x256x256xf32>
  %i = tsr.iota dim 0 : tensor<256x256xi64>
  %j = tsr.iota dim 1 : tensor<256x256xi64>
  %c = tsr.ge %i, %j : tensor<256x256xi64>
  %cb = tsr.broadcast %c dims [1, 2] : (tensor<256x256xi1>) -> tensor<2x256x256xi1>
  %inf = tsr.constant neg_inf -> tensor<2x256x256xf32>
  %x = tsr.select %cb, %0, %inf : (tensor<2x256x256xi1>, tensor<2x256x256xf32>, tensor<2x256x256xf32>) -> tensor<2x256x256xf32>
  %p = tsr.softmax %x dim 2 : tensor<2x256x256xf32>
  %o = tsr.contract "bmn,bne->bme" %p, %v windows [] : (tensor<2x256x256xf32>, tensor<2x256x16xf32>) -> tensor<2x256x16xf32>
  return %o : tensor<2x256x16xf32>
}


// sin mixes the maximum with the scores: the maximum is computed in a kernel before.
// CHECK-LABEL: @no_repair
// CHECK: %[[M:.*]] = fuse.cascade
// CHECK: fuse.reduce max
// CHECK-NOT: math.sin
// CHECK: -> tensor<2x64xf32>
// CHECK: fuse.cascade {{.*}}%[[M]]
// CHECK: math.sin
// CHECK-NOT: tensor<2x64x96xf32>
// REMARK-DAG: [Missed] repair {{.*}}math.sin
func.func @no_repair(%q: tensor<2x64x16xf32>, %k: tensor<2x96x16xf32>, %v: tensor<2x96x8xf32>) -> tensor<2x64x8xf32> {
  %0 = tsr.contract "bmd,bnd->bmn" %q, %k windows [] : (tensor<2x64x16xf32>, tensor<2x96x16xf32>) -> tensor<2x64x96xf32>
  %m = tsr.reduce "max" %0 dims [2] : (tensor<2x64x96xf32>) -> tensor<2x64xf32>
  %mb = tsr.broadcast %m dims [0, 1] : (tensor<2x64xf32>) -> tensor<2x64x96xf32>
  %t = tsr.sub %0, %mb : tensor<2x64x96xf32>
  %s = tsr.sin %t : tensor<2x64x96xf32>
  %o = tsr.contract "bmn,bne->bme" %s, %v windows [] : (tensor<2x64x96xf32>, tensor<2x96x8xf32>) -> tensor<2x64x8xf32>
  return %o : tensor<2x64x8xf32>
}


// A table of relative positions, a bias per pair, a learned scale per head, and tanh around all of it.
// CHECK-LABEL: @biases
// CHECK: fuse.cascade
// CHECK: fuse.load_at
// CHECK: math.tanh
// CHECK: fuse.contract {{.*}} over [3]
// CHECK-NOT: 2x4x64x96
func.func @biases(%q: tensor<2x4x64x16xf32>, %k: tensor<2x4x96x16xf32>, %v: tensor<2x4x96x8xf32>, %table: tensor<160x4xf32>, %scale: tensor<4xf32>, %pair: tensor<4x64x96xf32>) -> tensor<2x4x64x8xf32> {
  %0 = tsr.contract "bhmd,bhnd->bhmn" %q, %k windows [] : (tensor<2x4x64x16xf32>, tensor<2x4x96x16xf32>) -> tensor<2x4x64x96xf32>
  %sb = tsr.broadcast %scale dims [1] : (tensor<4xf32>) -> tensor<2x4x64x96xf32>
  %x = tsr.mul %0, %sb : tensor<2x4x64x96xf32>
  %i = tsr.iota dim 0 : tensor<64x96xi64>
  %j = tsr.iota dim 1 : tensor<64x96xi64>
  %d = tsr.sub %i, %j : tensor<64x96xi64>
  %off = tsr.constant 96 : i64 -> tensor<64x96xi64>
  %idx = tsr.add %d, %off : tensor<64x96xi64>
  %bias = tsr.gather %table, %idx dim 0 : (tensor<160x4xf32>, tensor<64x96xi64>) -> tensor<64x96x4xf32>
  %bt = tsr.transpose %bias dims [2, 0, 1] : (tensor<64x96x4xf32>) -> tensor<4x64x96xf32>
  %b1 = tsr.add %bt, %pair : tensor<4x64x96xf32>
  %bb = tsr.broadcast %b1 dims [1, 2, 3] : (tensor<4x64x96xf32>) -> tensor<2x4x64x96xf32>
  %y = tsr.add %x, %bb : tensor<2x4x64x96xf32>
  %t = tsr.tanh %y : tensor<2x4x64x96xf32>
  %p = tsr.softmax %t dim 3 : tensor<2x4x64x96xf32>
  %o = tsr.contract "bhmn,bhne->bhme" %p, %v windows [] : (tensor<2x4x64x96xf32>, tensor<2x4x96x8xf32>) -> tensor<2x4x64x8xf32>
  return %o : tensor<2x4x64x8xf32>
}


// The weights are read as well: a kernel of a later sweep writes them.
// CHECK-LABEL: @weights_returned
// CHECK: %[[F:.*]]:3 = fuse.cascade
// CHECK: fuse.cascade {{.*}}%[[F]]#0, %[[F]]#1
// CHECK: -> tensor<2x64x96xf32>
func.func @weights_returned(%q: tensor<2x64x16xf32>, %k: tensor<2x96x16xf32>, %v: tensor<2x96x8xf32>)
    -> (tensor<2x64x8xf32>, tensor<2x64x96xf32>) {
  %0 = tsr.contract "bmd,bnd->bmn" %q, %k windows []
      : (tensor<2x64x16xf32>, tensor<2x96x16xf32>) -> tensor<2x64x96xf32>
  %1 = tsr.softmax %0 dim 2 : tensor<2x64x96xf32>
  %2 = tsr.contract "bmn,bne->bme" %1, %v windows []
      : (tensor<2x64x96xf32>, tensor<2x96x8xf32>) -> tensor<2x64x8xf32>
  return %2, %1 : tensor<2x64x8xf32>, tensor<2x64x96xf32>
}


// An MLP is a plane by form, but hardly larger than what it is made of.
// CHECK-LABEL: @mlp
// CHECK-NOT: fuse.cascade
// REMARK-DAG: [Missed] plane {{.*}}times as large as what it is made of
func.func @mlp(%x: tensor<64x32xf32>, %w1: tensor<128x32xf32>, %w2: tensor<32x128xf32>) -> tensor<64x32xf32> {
  %0 = tsr.contract "ti,oi->to" %x, %w1 windows [] : (tensor<64x32xf32>, tensor<128x32xf32>) -> tensor<64x128xf32>
  %1 = tsr.tanh %0 : tensor<64x128xf32>
  %2 = tsr.contract "ti,oi->to" %1, %w2 windows [] : (tensor<64x128xf32>, tensor<32x128xf32>) -> tensor<64x32xf32>
  return %2 : tensor<64x32xf32>
}


// Cross-entropy over a large vocabulary: logits never lie in memory.
// CHECK-LABEL: @cross_entropy
// CHECK: fuse.cascade {{.*}} dims [512, 4096, 64] batch 0 stream 1
// CHECK: -> tensor<512xf32>
func.func @cross_entropy(%h: tensor<512x64xf32>, %w: tensor<4096x64xf32>) -> tensor<512xf32> {
  %0 = tsr.contract "td,vd->tv" %h, %w windows [] : (tensor<512x64xf32>, tensor<4096x64xf32>) -> tensor<512x4096xf32>
  %1 = tsr.logsumexp %0 dim 1 : (tensor<512x4096xf32>) -> tensor<512xf32>
  return %1 : tensor<512xf32>
}

// Rows of one element on either side: nothing is summed in the score, and one column is accumulated.
// CHECK-LABEL: @width_of_one
// CHECK: fuse.cascade
// CHECK: fuse.contract {{.*}} over []
// CHECK-NOT: tensor<2x64x96xf32>
func.func @width_of_one(%q: tensor<2x64x1xf32>, %k: tensor<2x96x1xf32>, %v: tensor<2x96x1xf32>) -> tensor<2x64x1xf32> {
  %0 = tsr.contract "bmd,bnd->bmn" %q, %k windows [] : (tensor<2x64x1xf32>, tensor<2x96x1xf32>) -> tensor<2x64x96xf32>
  %p = tsr.softmax %0 dim 2 : tensor<2x64x96xf32>
  %o = tsr.contract "bmn,bne->bme" %p, %v windows [] : (tensor<2x64x96xf32>, tensor<2x96x1xf32>) -> tensor<2x64x1xf32>
  return %o : tensor<2x64x1xf32>
}

// A sum over rows and columns at once, as of the gradient of a learned scale: columns first, in the cascade.
// CHECK-LABEL: @sum_of_both_sides
// CHECK: %[[R:.*]]:2 = fuse.cascade
// CHECK: fuse.reduce max
// CHECK: fuse.reduce sum {{.*}} over [2]
// CHECK: -> tensor<2x64xf32>, tensor<2x64xf32>
// CHECK: tsr.reduce "sum" %[[R]]#1 dims [1] : (tensor<2x64xf32>) -> tensor<2xf32>
func.func @sum_of_both_sides(%q: tensor<2x64x16xf32>, %k: tensor<2x96x16xf32>) -> (tensor<2x64xf32>, tensor<2xf32>) {
  %0 = tsr.contract "bmd,bnd->bmn" %q, %k windows [] : (tensor<2x64x16xf32>, tensor<2x96x16xf32>) -> tensor<2x64x96xf32>
  %t = tsr.tanh %0 : tensor<2x64x96xf32>
  %m = tsr.reduce "max" %t dims [2] : (tensor<2x64x96xf32>) -> tensor<2x64xf32>
  %s = tsr.reduce "sum" %t dims [1, 2] : (tensor<2x64x96xf32>) -> tensor<2xf32>
  return %m, %s : tensor<2x64xf32>, tensor<2xf32>
}

// The gradient of a bias that all batches share: summed where it lies, batch after batch, and so batches are the last of
// the batch dims. One in a narrow type is summed in f32.
// CHECK-LABEL: @shared_bias
// CHECK: fuse.cascade {{.*}} dims [4, 3, 64, 96, 16] batch 2 stream 1
// CHECK: %[[SUM:.*]] = fuse.reduce sum {{.*}} over [1] : f32
// CHECK: arith.truncf
// CHECK: %[[OF_NARROW:.*]] = fuse.reduce sum {{.*}} over [1] : f32
// CHECK: fuse.yield %[[SUM]], %[[OF_NARROW]], {{.*}} : f32, f32, f32
// CHECK-NOT: 3x4x64x96
// CHECK: tsr.cast {{.*}} : (tensor<4x64x96xf32>) -> tensor<4x64x96xbf16>
func.func @shared_bias(%q: tensor<3x4x64x16xf32>, %k: tensor<3x4x96x16xf32>)
    -> (tensor<4x64x96xf32>, tensor<4x64x96xbf16>, tensor<3x4x64xf32>) {
  %0 = tsr.contract "bhmd,bhnd->bhmn" %q, %k windows [] : (tensor<3x4x64x16xf32>, tensor<3x4x96x16xf32>) -> tensor<3x4x64x96xf32>
  %1 = tsr.reduce "sum" %0 dims [0] : (tensor<3x4x64x96xf32>) -> tensor<4x64x96xf32>
  %2 = tsr.cast %0 : (tensor<3x4x64x96xf32>) -> tensor<3x4x64x96xbf16>
  %3 = tsr.reduce "sum" %2 dims [0] : (tensor<3x4x64x96xbf16>) -> tensor<4x64x96xbf16>
  %4 = tsr.reduce "max" %0 dims [3] : (tensor<3x4x64x96xf32>) -> tensor<3x4x64xf32>
  return %1, %3, %4 : tensor<4x64x96xf32>, tensor<4x64x96xbf16>, tensor<3x4x64xf32>
}

// The gradients of tables of relative positions, two for each head, are summed where the plane is: neither they nor the
// index are ever as large as the plane. What is rounded between its two sums is not.
// CHECK-LABEL: @tables
// CHECK: fuse.cascade {{.*}} dims [3, 4, 64, 96, 16] batch 2 stream 1
// CHECK: fuse.load_at
// CHECK: fuse.reduce max
// CHECK: fuse.cascade {{.*}} dims [4, 3, 64, 96, 16, 160, 160] batch 2 stream 1
// CHECK-NOT: fuse.reduce
// CHECK-DAG: fuse.scatter_add {{.*}} over [1, 2, 3] : f32
// CHECK-DAG: fuse.scatter_add {{.*}} over [1, 2, 3] : f32
// CHECK: -> tensor<160x4xbf16>, tensor<4x160xf32>
// CHECK-NOT: 64x96
// CHECK-NOT: tsr.scatter
func.func @tables(%q: tensor<3x4x64x16xf32>, %k: tensor<3x4x96x16xf32>, %table: tensor<160x4xbf16>, %all: tensor<4x160xf32>)
    -> (tensor<3x4x64xf32>, tensor<160x4xbf16>, tensor<4x160xf32>) {
  %0 = tsr.contract "bhmd,bhnd->bhmn" %q, %k windows [] : (tensor<3x4x64x16xf32>, tensor<3x4x96x16xf32>) -> tensor<3x4x64x96xf32>
  %i = tsr.iota dim 0 : tensor<64x96xi64>
  %j = tsr.iota dim 1 : tensor<64x96xi64>
  %d = tsr.sub %i, %j : tensor<64x96xi64>
  %off = tsr.constant 96 : i64 -> tensor<64x96xi64>
  %idx = tsr.add %d, %off : tensor<64x96xi64>
  %g = tsr.gather %table, %idx dim 0 : (tensor<160x4xbf16>, tensor<64x96xi64>) -> tensor<64x96x4xbf16>
  %gt = tsr.transpose %g dims [2, 0, 1] : (tensor<64x96x4xbf16>) -> tensor<4x64x96xbf16>
  %gw = tsr.cast %gt : (tensor<4x64x96xbf16>) -> tensor<4x64x96xf32>
  %gb = tsr.broadcast %gw dims [1, 2, 3] : (tensor<4x64x96xf32>) -> tensor<3x4x64x96xf32>
  %flat = tsr.reshape %idx : (tensor<64x96xi64>) -> tensor<6144xi64>
  %h = tsr.gather %all, %flat dim 1 : (tensor<4x160xf32>, tensor<6144xi64>) -> tensor<4x6144xf32>
  %hs = tsr.reshape %h : (tensor<4x6144xf32>) -> tensor<4x64x96xf32>
  %hb = tsr.broadcast %hs dims [1, 2, 3] : (tensor<4x64x96xf32>) -> tensor<3x4x64x96xf32>
  %x = tsr.add %0, %gb : tensor<3x4x64x96xf32>
  %y = tsr.add %x, %hb : tensor<3x4x64x96xf32>
  %m = tsr.reduce "max" %y dims [3] : (tensor<3x4x64x96xf32>) -> tensor<3x4x64xf32>
  %mb = tsr.broadcast %m dims [0, 1, 2] : (tensor<3x4x64xf32>) -> tensor<3x4x64x96xf32>
  %z = tsr.sub %y, %mb : tensor<3x4x64x96xf32>
  %ds = tsr.exp %z : tensor<3x4x64x96xf32>
  %dg = tsr.reduce "sum" %ds dims [0] : (tensor<3x4x64x96xf32>) -> tensor<4x64x96xf32>
  %dgn = tsr.cast %dg : (tensor<4x64x96xf32>) -> tensor<4x64x96xbf16>
  %dgt = tsr.transpose %dgn dims [1, 2, 0] : (tensor<4x64x96xbf16>) -> tensor<64x96x4xbf16>
  %zero = tsr.constant 0.0 -> tensor<160x4xbf16>
  %dt = tsr.scatter "add" %zero, %idx, %dgt dim 0 : (tensor<160x4xbf16>, tensor<64x96xi64>, tensor<64x96x4xbf16>) -> tensor<160x4xbf16>
  %dh = tsr.reshape %dg : (tensor<4x64x96xf32>) -> tensor<4x6144xf32>
  %none = tsr.constant 0.0 -> tensor<4x160xf32>
  %da = tsr.scatter "add" %none, %flat, %dh dim 1 : (tensor<4x160xf32>, tensor<6144xi64>, tensor<4x6144xf32>) -> tensor<4x160xf32>
  return %m, %dt, %da : tensor<3x4x64xf32>, tensor<160x4xbf16>, tensor<4x160xf32>
}

// A table of each head beside one that all heads share: a task that sums over heads has no table for each of them.
// CHECK-LABEL: @table_beside_a_smaller_one
// CHECK: fuse.cascade
// CHECK: fuse.scatter_add {{.*}} over [0, 1, 2, 3] : f32
// CHECK: tensor<160xf32>
// CHECK-NOT: fuse.scatter_add
// CHECK: tsr.scatter {{.*}} -> tensor<4x160xf32>
func.func @table_beside_a_smaller_one(%q: tensor<3x4x64x16xf32>, %k: tensor<3x4x96x16xf32>, %each: tensor<4x160xf32>, %all: tensor<160xf32>)
    -> (tensor<3x4x64xf32>, tensor<4x160xf32>, tensor<160xf32>) {
  %0 = tsr.contract "bhmd,bhnd->bhmn" %q, %k windows [] : (tensor<3x4x64x16xf32>, tensor<3x4x96x16xf32>) -> tensor<3x4x64x96xf32>
  %i = tsr.iota dim 0 : tensor<64x96xi64>
  %j = tsr.iota dim 1 : tensor<64x96xi64>
  %idx = tsr.add %i, %j : tensor<64x96xi64>
  %g = tsr.gather %each, %idx dim 1 : (tensor<4x160xf32>, tensor<64x96xi64>) -> tensor<4x64x96xf32>
  %gb = tsr.broadcast %g dims [1, 2, 3] : (tensor<4x64x96xf32>) -> tensor<3x4x64x96xf32>
  %h = tsr.gather %all, %idx dim 0 : (tensor<160xf32>, tensor<64x96xi64>) -> tensor<64x96xf32>
  %hb = tsr.broadcast %h dims [2, 3] : (tensor<64x96xf32>) -> tensor<3x4x64x96xf32>
  %x = tsr.add %0, %gb : tensor<3x4x64x96xf32>
  %y = tsr.add %x, %hb : tensor<3x4x64x96xf32>
  %m = tsr.reduce "max" %y dims [3] : (tensor<3x4x64x96xf32>) -> tensor<3x4x64xf32>
  %t = tsr.tanh %y : tensor<3x4x64x96xf32>
  %dg = tsr.reduce "sum" %t dims [0] : (tensor<3x4x64x96xf32>) -> tensor<4x64x96xf32>
  %z = tsr.constant 0.0 -> tensor<4x160xf32>
  %a = tsr.scatter "add" %z, %idx, %dg dim 1 : (tensor<4x160xf32>, tensor<64x96xi64>, tensor<4x64x96xf32>) -> tensor<4x160xf32>
  %dh = tsr.reduce "sum" %t dims [0, 1] : (tensor<3x4x64x96xf32>) -> tensor<64x96xf32>
  %none = tsr.constant 0.0 -> tensor<160xf32>
  %b = tsr.scatter "add" %none, %idx, %dh dim 0 : (tensor<160xf32>, tensor<64x96xi64>, tensor<64x96xf32>) -> tensor<160xf32>
  return %m, %a, %b : tensor<3x4x64xf32>, tensor<4x160xf32>, tensor<160xf32>
}

// What stays a scatter: one whose index nobody looks up with in the plane, one into a large table, and one that keeps the
// rows. The first has its updates from the sum over batches, the others lie in memory.
// CHECK-LABEL: @no_tables
// CHECK-NOT: fuse.scatter_add
// CHECK: tsr.scatter
// CHECK: tsr.scatter
// CHECK: tsr.scatter
func.func @no_tables(%q: tensor<3x64x16xf32>, %k: tensor<3x96x16xf32>, %large: tensor<5000xf32>, %of_rows: tensor<64x96xf32>)
    -> (tensor<3x64xf32>, tensor<160xf32>, tensor<5000xf32>, tensor<64x96xf32>) {
  %0 = tsr.contract "bmd,bnd->bmn" %q, %k windows [] : (tensor<3x64x16xf32>, tensor<3x96x16xf32>) -> tensor<3x64x96xf32>
  %i = tsr.iota dim 0 : tensor<64x96xi64>
  %j = tsr.iota dim 1 : tensor<64x96xi64>
  %far = tsr.mul %i, %j : tensor<64x96xi64>
  %near = tsr.add %i, %j : tensor<64x96xi64>
  %turn = tsr.iota dim 0 : tensor<96xi64>
  %g = tsr.gather %large, %near dim 0 : (tensor<5000xf32>, tensor<64x96xi64>) -> tensor<64x96xf32>
  %gb = tsr.broadcast %g dims [1, 2] : (tensor<64x96xf32>) -> tensor<3x64x96xf32>
  %h = tsr.gather %of_rows, %turn dim 1 : (tensor<64x96xf32>, tensor<96xi64>) -> tensor<64x96xf32>
  %hb = tsr.broadcast %h dims [1, 2] : (tensor<64x96xf32>) -> tensor<3x64x96xf32>
  %x = tsr.add %0, %gb : tensor<3x64x96xf32>
  %y = tsr.add %x, %hb : tensor<3x64x96xf32>
  %t = tsr.tanh %y : tensor<3x64x96xf32>
  %m = tsr.reduce "max" %y dims [2] : (tensor<3x64x96xf32>) -> tensor<3x64xf32>
  %s = tsr.reduce "sum" %t dims [0] : (tensor<3x64x96xf32>) -> tensor<64x96xf32>
  %z160 = tsr.constant 0.0 -> tensor<160xf32>
  %a = tsr.scatter "add" %z160, %far, %s dim 0 : (tensor<160xf32>, tensor<64x96xi64>, tensor<64x96xf32>) -> tensor<160xf32>
  %z5000 = tsr.constant 0.0 -> tensor<5000xf32>
  %b = tsr.scatter "add" %z5000, %near, %s dim 0 : (tensor<5000xf32>, tensor<64x96xi64>, tensor<64x96xf32>) -> tensor<5000xf32>
  %zrows = tsr.constant 0.0 -> tensor<64x96xf32>
  %c = tsr.scatter "add" %zrows, %turn, %s dim 1 : (tensor<64x96xf32>, tensor<96xi64>, tensor<64x96xf32>) -> tensor<64x96xf32>
  return %m, %a, %b, %c : tensor<3x64xf32>, tensor<160xf32>, tensor<5000xf32>, tensor<64x96xf32>
}

// One query, of which nothing says that it has a dim: the row of the cascade is one point.
// CHECK-LABEL: @one_query
// CHECK: fuse.cascade {{.*}} dims [4, 1, 512, 64, 64] batch 1 stream 1
// CHECK: fuse.reduce max {{.*}} over [2]
// CHECK-NOT: tensor<4x512xf32>
// CHECK: -> tensor<4x64xf32>
func.func @one_query(%q: tensor<4x64xf32>, %k: tensor<512x4x64xf32>, %v: tensor<512x4x64xf32>) -> tensor<4x64xf32> {
  %0 = tsr.contract "hd,shd->hs" %q, %k windows [] : (tensor<4x64xf32>, tensor<512x4x64xf32>) -> tensor<4x512xf32>
  %p = tsr.softmax %0 dim 1 : tensor<4x512xf32>
  %o = tsr.contract "hs,shd->hd" %p, %v windows [] : (tensor<4x512xf32>, tensor<512x4x64xf32>) -> tensor<4x64xf32>
  return %o : tensor<4x64xf32>
}


// A second sweep would read all keys again.
// CHECK-LABEL: @few_queries_twice
// CHECK-NOT: fuse.cascade
// REMARK-DAG: [Missed] plane {{.*}}only a few rows
func.func @few_queries_twice(%q: tensor<2x3x16xf32>, %k: tensor<2x96x16xf32>, %v: tensor<2x96x8xf32>)
    -> (tensor<2x3x8xf32>, tensor<2x3x96xf32>) {
  %0 = tsr.contract "bmd,bnd->bmn" %q, %k windows [] : (tensor<2x3x16xf32>, tensor<2x96x16xf32>) -> tensor<2x3x96xf32>
  %1 = tsr.softmax %0 dim 2 : tensor<2x3x96xf32>
  %2 = tsr.contract "bmn,bne->bme" %1, %v windows [] : (tensor<2x3x96xf32>, tensor<2x96x8xf32>) -> tensor<2x3x8xf32>
  return %2, %1 : tensor<2x3x8xf32>, tensor<2x3x96xf32>
}


// There are as many keys as columns of the values, and a reader of both makes them one dim: what is summed over keys for
// each column is then no accumulation of this plane.
// CHECK-LABEL: @keys_and_columns_are_one_dim
// CHECK-NOT: fuse.contract {{.*}} over [2]
// CHECK: tsr.contract "bmn,bne->bme"
func.func @keys_and_columns_are_one_dim(%q: tensor<2x64x16xf32>, %k: tensor<2x96x16xf32>, %v: tensor<2x96x96xf32>)
    -> tensor<2x64xf32> {
  %0 = tsr.contract "bmd,bnd->bmn" %q, %k windows [] : (tensor<2x64x16xf32>, tensor<2x96x16xf32>) -> tensor<2x64x96xf32>
  %t = tsr.tanh %0 : tensor<2x64x96xf32>
  %o = tsr.contract "bmn,bne->bme" %t, %v windows [] : (tensor<2x64x96xf32>, tensor<2x96x96xf32>) -> tensor<2x64x96xf32>
  %p = tsr.mul %t, %o : tensor<2x64x96xf32>
  %r = tsr.reduce "sum" %p dims [2] : (tensor<2x64x96xf32>) -> tensor<2x64xf32>
  return %r : tensor<2x64xf32>
}


// Where the maximum stands: a kernel that computes scores again may round them otherwise, and would find it nowhere. So
// scores lie in memory, and both read them there.
// CHECK-LABEL: @looks_for_its_maximum
// CHECK: %[[M:.*]] = tsr.reduce "max" %[[T:[^ ]*]]
// CHECK: %[[B:.*]] = tsr.broadcast %[[M]]
// CHECK: tsr.eq %[[T]], %[[B]]
func.func @looks_for_its_maximum(%q: tensor<2x64x16xf32>, %k: tensor<2x96x16xf32>, %v: tensor<2x96x8xf32>)
    -> (tensor<2x64x8xf32>, tensor<2x64x8xf32>) {
  %0 = tsr.contract "bmd,bnd->bmn" %q, %k windows [] : (tensor<2x64x16xf32>, tensor<2x96x16xf32>) -> tensor<2x64x96xf32>
  %t = tsr.tanh %0 : tensor<2x64x96xf32>
  %o = tsr.contract "bmn,bne->bme" %t, %v windows [] : (tensor<2x64x96xf32>, tensor<2x96x8xf32>) -> tensor<2x64x8xf32>
  %m = tsr.reduce "max" %t dims [2] : (tensor<2x64x96xf32>) -> tensor<2x64xf32>
  %mb = tsr.broadcast %m dims [0, 1] : (tensor<2x64xf32>) -> tensor<2x64x96xf32>
  %e = tsr.eq %t, %mb : tensor<2x64x96xf32>
  %zero = tsr.constant 0.0 -> tensor<2x64x96xf32>
  %w = tsr.select %e, %t, %zero : (tensor<2x64x96xi1>, tensor<2x64x96xf32>, tensor<2x64x96xf32>) -> tensor<2x64x96xf32>
  %g = tsr.contract "bmn,bne->bme" %w, %v windows [] : (tensor<2x64x96xf32>, tensor<2x96x8xf32>) -> tensor<2x64x8xf32>
  return %o, %g : tensor<2x64x8xf32>, tensor<2x64x8xf32>
}


// So is what follows from accumulations: the kernel that wants to know would sum again, in another order than the one that
// stored the lesser of two.
// CHECK-LABEL: @looks_for_the_lesser
// CHECK: fuse.cascade
// CHECK: %[[T:.*]] = tsr.div
// CHECK: tsr.eq %[[T]]
// CHECK: fuse.cascade
func.func @looks_for_the_lesser(%q: tensor<2x64x16xf32>, %k: tensor<2x96x16xf32>, %u: tensor<2x96xf32>, %v: tensor<2x96x8xf32>, %z: tensor<2x64xf32>)
    -> (tensor<2x64x8xf32>, tensor<2x64xf32>) {
  %0 = tsr.contract "bmd,bnd->bmn" %q, %k windows [] : (tensor<2x64x16xf32>, tensor<2x96x16xf32>) -> tensor<2x64x96xf32>
  %p = tsr.sigmoid %0 : tensor<2x64x96xf32>
  %s = tsr.reduce "sum" %p dims [2] : (tensor<2x64x96xf32>) -> tensor<2x64xf32>
  %o = tsr.contract "bmn,bn->bm" %p, %u windows [] : (tensor<2x64x96xf32>, tensor<2x96xf32>) -> tensor<2x64xf32>
  %t = tsr.div %o, %s : tensor<2x64xf32>
  %m = tsr.min %t, %z : tensor<2x64xf32>
  %e = tsr.eq %t, %m : tensor<2x64xf32>
  %f = tsr.cast %e : (tensor<2x64xi1>) -> tensor<2x64xf32>
  %fb = tsr.broadcast %f dims [0, 1] : (tensor<2x64xf32>) -> tensor<2x64x96xf32>
  %w = tsr.mul %p, %fb : tensor<2x64x96xf32>
  %g = tsr.contract "bmn,bne->bme" %w, %v windows [] : (tensor<2x64x96xf32>, tensor<2x96x8xf32>) -> tensor<2x64x8xf32>
  return %g, %m : tensor<2x64x8xf32>, tensor<2x64xf32>
}


// The same said by another comparison.
// CHECK-LABEL: @is_no_less_than_its_maximum
// CHECK: %[[M:.*]] = tsr.reduce "max" %[[T:[^ ]*]]
// CHECK: %[[B:.*]] = tsr.broadcast %[[M]]
// CHECK: tsr.ge %[[T]], %[[B]]
func.func @is_no_less_than_its_maximum(%q: tensor<2x64x16xf32>, %k: tensor<2x96x16xf32>, %v: tensor<2x96x8xf32>)
    -> tensor<2x64x8xf32> {
  %0 = tsr.contract "bmd,bnd->bmn" %q, %k windows [] : (tensor<2x64x16xf32>, tensor<2x96x16xf32>) -> tensor<2x64x96xf32>
  %t = tsr.tanh %0 : tensor<2x64x96xf32>
  %m = tsr.reduce "max" %t dims [2] : (tensor<2x64x96xf32>) -> tensor<2x64xf32>
  %mb = tsr.broadcast %m dims [0, 1] : (tensor<2x64xf32>) -> tensor<2x64x96xf32>
  %e = tsr.ge %t, %mb : tensor<2x64x96xf32>
  %zero = tsr.constant 0.0 -> tensor<2x64x96xf32>
  %w = tsr.select %e, %t, %zero : (tensor<2x64x96xi1>, tensor<2x64x96xf32>, tensor<2x64x96xf32>) -> tensor<2x64x96xf32>
  %g = tsr.contract "bmn,bne->bme" %w, %v windows [] : (tensor<2x64x96xf32>, tensor<2x96x8xf32>) -> tensor<2x64x8xf32>
  return %g : tensor<2x64x8xf32>
}


// A mean is nowhere among what it was taken from: what lies next to it may fall on either side, as rounding goes.
// CHECK-LABEL: @is_more_than_its_mean
// CHECK: fuse.cascade
// CHECK: fuse.cascade
// CHECK: arith.cmpf ogt
// CHECK-NOT: tensor<2x64x96xf32>
func.func @is_more_than_its_mean(%q: tensor<2x64x16xf32>, %k: tensor<2x96x16xf32>, %v: tensor<2x96x8xf32>)
    -> tensor<2x64x8xf32> {
  %0 = tsr.contract "bmd,bnd->bmn" %q, %k windows [] : (tensor<2x64x16xf32>, tensor<2x96x16xf32>) -> tensor<2x64x96xf32>
  %t = tsr.tanh %0 : tensor<2x64x96xf32>
  %m = tsr.reduce "sum" %t dims [2] : (tensor<2x64x96xf32>) -> tensor<2x64xf32>
  %c = tsr.constant 0.01 -> tensor<2x64xf32>
  %mean = tsr.mul %m, %c : tensor<2x64xf32>
  %mb = tsr.broadcast %mean dims [0, 1] : (tensor<2x64xf32>) -> tensor<2x64x96xf32>
  %e = tsr.gt %t, %mb : tensor<2x64x96xf32>
  %zero = tsr.constant 0.0 -> tensor<2x64x96xf32>
  %w = tsr.select %e, %t, %zero : (tensor<2x64x96xi1>, tensor<2x64x96xf32>, tensor<2x64x96xf32>) -> tensor<2x64x96xf32>
  %g = tsr.contract "bmn,bne->bme" %w, %v windows [] : (tensor<2x64x96xf32>, tensor<2x96x8xf32>) -> tensor<2x64x8xf32>
  return %g : tensor<2x64x8xf32>
}


// Queries are rotated where the kernel reads them: a choice between two halves that it computes from x, cos and sin. The
// table of angles, which takes longer to compute than to read, lies in memory. The gradient of x rotates back what two
// accumulations give, one for each half, and comes out of the kernel in two parts.
// CHECK-LABEL: @rotated
// CHECK: tsr.cos
// CHECK-NOT: tsr.concat
// CHECK: fuse.cascade {{.*}} dims [2, 64, 96, 2, 8, 8] batch 1 stream 1
// CHECK-SAME: ins(%arg0, %{{.*}}, %arg1, %arg2
// CHECK: arith.cmpi eq
// CHECK: arith.select
// CHECK: fuse.contract {{.*}} over [3, 4]
// CHECK: fuse.contract {{.*}} over [2]
// CHECK: fuse.contract {{.*}} over [2]
// CHECK: fuse.yield %{{.*}}, %{{.*}} : f32, f32
// CHECK-NEXT: -> tensor<2x64x8xf32>, tensor<2x64x8xf32>
// CHECK: tsr.concat
// CHECK-NEXT: return
// REMARK-DAG: [Passed] prologue {{.*}}compute {{[0-9]+}} ops where they read their operands
func.func @rotated(%x: tensor<2x64x16xf32>, %k: tensor<2x96x16xf32>, %w: tensor<2x96x16xf32>) -> tensor<2x64x16xf32> {
  %i = tsr.iota dim 0 : tensor<64x8xf32>
  %c0 = tsr.cos %i : tensor<64x8xf32>
  %c = tsr.broadcast %c0 dims [1, 2] : (tensor<64x8xf32>) -> tensor<2x64x8xf32>
  %a = tsr.slice %x start [0,0,0] stop [2,64,8] step [1,1,1] : (tensor<2x64x16xf32>) -> tensor<2x64x8xf32>
  %b = tsr.slice %x start [0,0,8] stop [2,64,16] step [1,1,1] : (tensor<2x64x16xf32>) -> tensor<2x64x8xf32>
  %ac = tsr.mul %a, %c : tensor<2x64x8xf32>
  %bc = tsr.mul %b, %c : tensor<2x64x8xf32>
  %ya = tsr.sub %ac, %b : tensor<2x64x8xf32>
  %yb = tsr.add %bc, %a : tensor<2x64x8xf32>
  %q = tsr.concat %ya, %yb dim 2 : (tensor<2x64x8xf32>, tensor<2x64x8xf32>) -> tensor<2x64x16xf32>
  %0 = tsr.contract "bmd,bnd->bmn" %q, %k windows [] : (tensor<2x64x16xf32>, tensor<2x96x16xf32>) -> tensor<2x64x96xf32>
  %p = tsr.sigmoid %0 : tensor<2x64x96xf32>
  %g = tsr.contract "bmn,bne->bme" %p, %w windows [] : (tensor<2x64x96xf32>, tensor<2x96x16xf32>) -> tensor<2x64x16xf32>
  %ga = tsr.slice %g start [0,0,0] stop [2,64,8] step [1,1,1] : (tensor<2x64x16xf32>) -> tensor<2x64x8xf32>
  %gb = tsr.slice %g start [0,0,8] stop [2,64,16] step [1,1,1] : (tensor<2x64x16xf32>) -> tensor<2x64x8xf32>
  %gac = tsr.mul %ga, %c : tensor<2x64x8xf32>
  %gbc = tsr.mul %gb, %c : tensor<2x64x8xf32>
  %da = tsr.add %gac, %gb : tensor<2x64x8xf32>
  %db = tsr.sub %gbc, %ga : tensor<2x64x8xf32>
  %d = tsr.concat %da, %db dim 2 : (tensor<2x64x8xf32>, tensor<2x64x8xf32>) -> tensor<2x64x16xf32>
  return %d : tensor<2x64x16xf32>
}


// What somebody else reads lies in memory anyway.
// CHECK-LABEL: @rotated_and_returned
// CHECK: %[[Q:.*]] = tsr.concat
// CHECK: fuse.cascade {{.*}} ins(%[[Q]], %arg1, %arg2
// REMARK-DAG: [Missed] prologue {{.*}}somebody else reads it{{.*}}an operand of a plane lies in memory, 8192 bytes
func.func @rotated_and_returned(%x: tensor<2x64x16xf32>, %k: tensor<2x96x16xf32>, %w: tensor<2x96x16xf32>)
    -> (tensor<2x64x16xf32>, tensor<2x64x16xf32>) {
  %a = tsr.slice %x start [0,0,0] stop [2,64,8] step [1,1,1] : (tensor<2x64x16xf32>) -> tensor<2x64x8xf32>
  %b = tsr.slice %x start [0,0,8] stop [2,64,16] step [1,1,1] : (tensor<2x64x16xf32>) -> tensor<2x64x8xf32>
  %n = tsr.neg %b : tensor<2x64x8xf32>
  %q = tsr.concat %n, %a dim 2 : (tensor<2x64x8xf32>, tensor<2x64x8xf32>) -> tensor<2x64x16xf32>
  %0 = tsr.contract "bmd,bnd->bmn" %q, %k windows [] : (tensor<2x64x16xf32>, tensor<2x96x16xf32>) -> tensor<2x64x96xf32>
  %p = tsr.sigmoid %0 : tensor<2x64x96xf32>
  %g = tsr.contract "bmn,bne->bme" %p, %w windows [] : (tensor<2x64x96xf32>, tensor<2x96x16xf32>) -> tensor<2x64x16xf32>
  return %q, %g : tensor<2x64x16xf32>, tensor<2x64x16xf32>
}


// One part of what follows can be had from a part of the accumulation, and the other cannot, as it turns one around. What
// was begun for the first is gone: nobody reads the weights from memory.
// CHECK-LABEL: @parts_that_were_begun
// CHECK: fuse.cascade
// CHECK: fuse.yield %{{[0-9]+}} : f32{{$}}
// CHECK-NEXT: -> tensor<2x64x16xf32>{{$}}
func.func @parts_that_were_begun(%q: tensor<2x64x16xf32>, %k: tensor<2x96x16xf32>, %w: tensor<2x96x16xf32>) -> tensor<2x64x16xf32> {
  %0 = tsr.contract "bmd,bnd->bmn" %q, %k windows [] : (tensor<2x64x16xf32>, tensor<2x96x16xf32>) -> tensor<2x64x96xf32>
  %p = tsr.sigmoid %0 : tensor<2x64x96xf32>
  %g = tsr.contract "bmn,bne->bme" %p, %w windows [] : (tensor<2x64x96xf32>, tensor<2x96x16xf32>) -> tensor<2x64x16xf32>
  %a = tsr.slice %g start [0,0,0] stop [2,64,8] step [1,1,1] : (tensor<2x64x16xf32>) -> tensor<2x64x8xf32>
  %b = tsr.slice %g start [0,0,8] stop [2,64,16] step [1,1,1] : (tensor<2x64x16xf32>) -> tensor<2x64x8xf32>
  %n = tsr.neg %a : tensor<2x64x8xf32>
  %r = tsr.reverse %b dims [2] : tensor<2x64x8xf32>
  %d = tsr.concat %n, %r dim 2 : (tensor<2x64x8xf32>, tensor<2x64x8xf32>) -> tensor<2x64x16xf32>
  return %d : tensor<2x64x16xf32>
}
