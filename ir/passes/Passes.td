#ifndef TESSERA_IR_PASSES
#define TESSERA_IR_PASSES

include "mlir/Pass/PassBase.td"

def DropEmpty : Pass<"tsr-drop-empty", "::mlir::func::FuncOp"> {
  let summary = "Remove tensors without elements";
  let description = [{
    Problem: a kernel over an empty space has no points, and its reductions no first element.

    Before:
    ```mlir
    func.func @program(%x: tensor<4x0xf32>) -> tensor<4xf32> {
      %0 = tsr.reduce "sum" %x dims [1] : (tensor<4x0xf32>) -> tensor<4xf32>
      return %0 : tensor<4xf32>
    }
    ```
    After: `%0 = tsr.constant 0.0 -> tensor<4xf32>`, the value of a sum of nothing. A result without elements becomes a
    constant too, which form-kernels turns into an empty tensor.

    Not handled: an argmax of nothing, and an index into nothing; the user's call has thrown.
    Order: first, so that no other pass meets an extent of 0.
  }];
  let dependentDialects = ["::tessera::tsr::TsrDialect"];
}

def Simplify : Pass<"tsr-simplify", "::mlir::func::FuncOp"> {
  let summary = "Algebra that rounds nothing anew";
  let description = [{
    Problem: autograd and broadcasting leave x · 1, x − 0, views of views and arithmetic on constants behind.

    Before:
    ```mlir
    func.func @program(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
      %1 = tsr.constant 1.0 -> tensor<4x8xf32>
      %2 = tsr.mul %x, %1 : tensor<4x8xf32>
      %3 = tsr.transpose %2 dims [1, 0] : (tensor<4x8xf32>) -> tensor<8x4xf32>
      %4 = tsr.transpose %3 dims [1, 0] : (tensor<8x4xf32>) -> tensor<4x8xf32>
      return %4 : tensor<4x8xf32>
    }
    ```
    After: `return %x`. One walk in program order: an op sees its operands already simplified.

    Three rules may change bits, and stay away from `strict` functions. A gather by i / r repeats rows, and is a view; the
    scatter that is its gradient sums them, perhaps in another order. The sum of one element is that element, and
    pad(a) + pad(b) = pad(concat(a, b)): both keep a −0, to which the sum as written adds a 0, which makes it 0.

    Not handled: what rounds differently (reassociation); x · 0, which is NaN for an infinite x; x + 0, which is 0 for −0.
    Order: before CSE, which then finds more ops equal.
  }];
  let dependentDialects = ["::tessera::tsr::TsrDialect"];
}

def Decompose : Pass<"tsr-decompose", "::mlir::func::FuncOp"> {
  let summary = "Write normal forms as elementwise ops and reductions";
  let description = [{
    Problem: softmax, logsumexp and variance are one op for autograd and for attention, but several for a kernel body.

    Before:
    ```mlir
    func.func @program(%x: tensor<4x8xf32>) -> tensor<4xf32> {
      %0 = tsr.variance %x dims [1] : (tensor<4x8xf32>) -> tensor<4xf32>
      return %0 : tensor<4xf32>
    }
    ```
    After: the mean, the centred square, its mean. softmax subtracts the lane's maximum and divides by the sum; in a lane
    of −∞ alone it subtracts 0 and divides by 1, which gives 0 and no NaN. Reductions of narrow floats, of bool and
    extremes of unsigned integers are computed in f32, i32 and i64: a kernel yields what it reduced as it is.

    Not handled: nothing else.
    Order: after every pass that looks for normal forms, before form-kernels.
  }];
  let dependentDialects = ["::tessera::tsr::TsrDialect"];
}

def LegalizeContract : Pass<"tsr-legalize-contract", "::mlir::func::FuncOp"> {
  let summary = "Contractions whose operands are read at affine places inside them";
  let description = [{
    Problem: a kernel's contraction reads each operand at an affine offset and writes each result element once. A window
    relation reads outside its operand (padding), or gives places of the result (the data gradient of a convolution);
    letters may stand in one tensor alone.

    Before:
    ```mlir
    func.func @program(%x: tensor<1x3x8xf32>, %w: tensor<4x3x3xf32>) -> tensor<1x4x8xf32> {
      %0 = tsr.contract "nch,kcr->nkp" %x, %w windows ["h = 1p + 1r - 1"]
          : (tensor<1x3x8xf32>, tensor<4x3x3xf32>) -> tensor<1x4x8xf32>
      return %0 : tensor<1x4x8xf32>
    }
    ```
    After: `tsr.pad` of %x by the one element on each side that the windows reach, and the relation with pad 0. A result
    position h = s·p + d·r − pad is cut into s phases: with h = s·i + f the taps of each phase are fixed, so each is an
    ordinary contraction, and the phases interleave. A letter of one operand alone is summed first; a letter of the
    result alone is broadcast afterwards.

    Not handled: a relation whose `in` letter stands in the result and in an operand.
    Order: after simplification, before form-kernels.
  }];
  let dependentDialects = ["::tessera::tsr::TsrDialect"];
}

def Layout : Pass<"tsr-layout", "::mlir::func::FuncOp"> {
  let summary = "Pictures lie in memory with their channels innermost";
  let description = [{
    Problem: users name the dims of pictures batch, channels, height, width. Convolutions of 16-bit elements are fast where
    the channels of a pixel are neighbours in memory, and turning pictures round for each of them costs more than it gives.

    Before:
    ```mlir
    func.func @program(%x: tensor<2x8x9x9xbf16>, %w: tensor<16x8x3x3xbf16>, %b: tensor<16xbf16>) -> tensor<16xbf16> {
      %0 = tsr.contract "nchw,kcrs->nkpq" %x, %w windows ["h = 1p + 1r - 1", "w = 1q + 1s - 1"]
          : (tensor<2x8x9x9xbf16>, tensor<16x8x3x3xbf16>) -> tensor<2x16x9x9xbf16>
      %1 = tsr.broadcast %b dims [1] : (tensor<16xbf16>) -> tensor<2x16x9x9xbf16>
      %2 = tsr.add %0, %1 : tensor<2x16x9x9xbf16>
      %3 = tsr.reduce "max" %2 dims [0, 2, 3] : (tensor<2x16x9x9xbf16>) -> tensor<16xbf16>
      return %3 : tensor<16xbf16>
    }
    ```
    After: "nhwc,krsc->npqk", an addition of 2x9x9x16 and a maximum along dims 0, 1 and 2. Memory is row-major, so a value
    lies in another order where it has its dims in that order: each op becomes the same with its dims permuted, and a
    transpose behind it, which is a view, for who reads it by name.

    Orders come from convolutions and go on with what is computed from their results: elementwise ops take that of most
    operands (`ir/form/memory_order.h` has views). Arguments and results of the program keep theirs. A picture that
    comes from elsewhere is written again by one kernel in front of its first convolution; so is a filter with taps, once for
    its forward pass and the gradient of the data. The gradient of such a filter is a kernel of its own, which optimizers
    read in the filter's order.

    Where windows lie side by side, "nchw,kcrs->nkpq" with "h = 4p + 1r - 0" is a product without windows,
    "npqcrs,kcrs->npqk": one kernel in front of it writes the picture as a matrix, a row for each window, unless windows of
    the copy engine read it as it lies.

    Changes rounding: what is reduced along several dims is added in another order.

    Not handled: groups, contractions of f32, channels or rows of patches that are no multiple of 8 (they are read as they
    lie). `strict` functions stay as written.
    Order: when no normal form of several dims is left, and before sums are split by the order of their dims; for targets
    that read windows with channels innermost.
  }];
  let dependentDialects = ["::tessera::tsr::TsrDialect"];
}

def SplitReduce : Pass<"tsr-split-reduce", "::mlir::func::FuncOp"> {
  let summary = "Reduce the trailing dims first, then the leading ones";
  let description = [{
    Problem: the gradient of a bias per channel sums over images and pixels, around the channel. No kernel that works on
    images one by one can end in such a sum, so what it sums would be written and read again, in pieces.

    Before:
    ```mlir
    func.func @program(%x: tensor<8x4x9xf32>) -> tensor<4xf32> {
      %0 = tsr.reduce "sum" %x dims [0, 2] : (tensor<8x4x9xf32>) -> tensor<4xf32>
      return %0 : tensor<4xf32>
    }
    ```
    After: the first sum joins the kernel that makes %x, whatever its rows are; the second reads little.
    ```mlir
    func.func @program(%x: tensor<8x4x9xf32>) -> tensor<4xf32> {
      %0 = tsr.reduce "sum" %x dims [2] : (tensor<8x4x9xf32>) -> tensor<8x4xf32>
      %1 = tsr.reduce "sum" %0 dims [0] : (tensor<8x4xf32>) -> tensor<4xf32>
      return %1 : tensor<4xf32>
    }
    ```
    Changes rounding: sums are added in another order.

    Not handled: a result that is spread over the dims again (batch norm): one kernel then holds all of it. `strict`
    functions keep the order of their sums.
    Order: after tsr-decompose, which makes reductions; before ops choose kernels.
  }];
}

def Trilinear : Pass<"tsr-trilinear", "::mlir::func::FuncOp"> {
  let summary = "Sum a triple product in the order that is there already";
  let description = [{
    Problem: the backward of attention reduces P ∘ dP over a whole score plane, with dP = dO Vᵀ. By linearity
    Σₙ Aₘₙ (Σₑ Bₘₑ Cₙₑ) = Σₑ Bₘₑ (Σₙ Aₘₙ Cₙₑ), and the inner sum on the right is the output O = P V of the forward.

    Before:
    ```mlir
    func.func @program(%p: tensor<64x96xf32>, %v: tensor<96x8xf32>, %g: tensor<64x8xf32>)
        -> (tensor<64x8xf32>, tensor<64xf32>) {
      %0 = tsr.contract "mn,ne->me" %p, %v windows [] : (tensor<64x96xf32>, tensor<96x8xf32>) -> tensor<64x8xf32>
      %1 = tsr.contract "me,ne->mn" %g, %v windows [] : (tensor<64x8xf32>, tensor<96x8xf32>) -> tensor<64x96xf32>
      %2 = tsr.mul %p, %1 : tensor<64x96xf32>
      %3 = tsr.reduce "sum" %2 dims [1] : (tensor<64x96xf32>) -> tensor<64xf32>
      return %0, %3 : tensor<64x8xf32>, tensor<64xf32>
    }
    ```
    After: %3 is the sum over dim 1 of `tsr.mul %g, %0`: 64 × 8 products, and no value of the plane.
    A is any product, also one with `select(condition, ., 0)` in it (dropout, masks): what counts is that the factors
    besides B C are those of an operand of an existing contraction with C, behind reshapes (heads that are merged for one
    product), transposes and widening casts (`ir/plane/product.h`). Behind a narrowing one to bf16 too where the contraction
    gives bf16, as in mixed precision: the output that the sum then reads is rounded like the weights. Where a user rounds
    weights and goes on in f32 the sum stays.

    Numbers that all of a row share come out of the sum. A factor that adds two values parts it, where one part is such a
    triple product and the other, but for numbers of a row, a sum that is there: so it is with attention sinks, whose
    weights are divided by more than their sum. Such a product must be one of batches, or the sum of more than twice as many
    elements as B has.

    Not handled: narrowing to f16. Sums are reassociated: rounding differs within the usual bound.
    Order: after CSE, which makes equal factors one value; before softmax is taken apart.
  }];
  let dependentDialects = ["::tessera::tsr::TsrDialect"];
}

def NormalizeScores : Pass<"tsr-normalize-scores", "::mlir::func::FuncOp"> {
  let summary = "Say the scores of a plane in one way";
  let description = [{
    Problem: users scale q, k or their product, before or behind a mask, by a product or a quotient; they choose by a mask
    or add one of 0 and −∞. Each spelling would get a kernel of its own, and most would compute more.

    Before:
    ```mlir
    func.func @program(%q: tensor<2x64x16xf32>, %k: tensor<2x96x16xf32>, %c: tensor<64x96xi1>, %v: tensor<2x96x8xf32>)
        -> tensor<2x64x8xf32> {
      %0 = tsr.constant 3.0 -> tensor<2x64x16xf32>
      %1 = tsr.constant 0.0 -> tensor<64x96xf32>
      %2 = tsr.constant neg_inf -> tensor<64x96xf32>
      %3 = tsr.div %q, %0 : tensor<2x64x16xf32>
      %4 = tsr.contract "bmd,bnd->bmn" %3, %k windows []
          : (tensor<2x64x16xf32>, tensor<2x96x16xf32>) -> tensor<2x64x96xf32>
      %5 = tsr.select %c, %1, %2 : (tensor<64x96xi1>, tensor<64x96xf32>, tensor<64x96xf32>) -> tensor<64x96xf32>
      %6 = tsr.broadcast %5 dims [1, 2] : (tensor<64x96xf32>) -> tensor<2x64x96xf32>
      %7 = tsr.add %4, %6 : tensor<2x64x96xf32>
      %8 = tsr.softmax %7 dim 2 : tensor<2x64x96xf32>
      %9 = tsr.contract "bmn,bne->bme" %8, %v windows []
          : (tensor<2x64x96xf32>, tensor<2x96x8xf32>) -> tensor<2x64x8xf32>
      return %9 : tensor<2x64x8xf32>
    }
    ```
    After: %4 contracts %q itself, a factor 1/3 stands behind it, and %7 is the choice between that and −∞.
      - Constant factors of a score, of its operands, and in front of and behind views and masks of −∞ become one factor
        right behind the contraction. They are multiplied in f64 and round once, so that x / 3 becomes x · (1/3): the sum
        that it scales has rounded more often. Quotients of anything else stay.
      - x + (c ? 0 : −∞) becomes c ? x : −∞. They differ where x is ∞ or no number, which the mask now hides too.
      - Gradients of such operands have the same factor again, Σ ds (c·q) and c Σ ds k. It goes to ds, so that q is read as it
        lies and the sums are written where they belong. A sum that is only transposed is made in that order.

    Not handled: scores in f16, which may leave the range without their factor; factors that are no constants; finite fills
    of masks, which keep their value. `strict` programs stay as written.
    Order: after CSE, while softmax is one op and reads scores once.
  }];
  let dependentDialects = ["::tessera::tsr::TsrDialect"];
}

def DerivePlanes : Pass<"tsr-derive-planes", "::mlir::func::FuncOp"> {
  let summary = "Planes become cascades";
  let description = [{
    Problem: what two long dims make together (scores of all queries against all keys) is larger than everything it is
    made of, and each value is read a few times at most.

    Before:
    ```mlir
    func.func @program(%q: tensor<2x64x16xf32>, %k: tensor<2x96x16xf32>, %v: tensor<2x96x8xf32>) -> tensor<2x64x8xf32> {
      %0 = tsr.contract "bmd,bnd->bmn" %q, %k windows []
          : (tensor<2x64x16xf32>, tensor<2x96x16xf32>) -> tensor<2x64x96xf32>
      %1 = tsr.sigmoid %0 : tensor<2x64x96xf32>
      %2 = tsr.contract "bmn,bne->bme" %1, %v windows []
          : (tensor<2x64x96xf32>, tensor<2x96x8xf32>) -> tensor<2x64x8xf32>
      return %2 : tensor<2x64x8xf32>
    }
    ```
    After: one `fuse.cascade` in place of the three ops. A plane grows from each contraction of two free dims along
    elementwise ops, reductions and contractions (`ir/plane/plane.h`); its results are dealt to kernels that own rows or
    columns, in as few sweeps as their statistics allow (`sweeps.h`); each is written by definition and repaired
    (`repair.h`). A statistic without a repair gets a kernel of its own, which runs before.
    Operands that join elements of several places of a row, as rotated queries do, are computed where kernels read them
    (`prologue.h`); accumulations that others read in parts are computed in parts, with what follows (`part_results.h`).
    What reads a plane value in any other way gets it written to memory; a remark of category `plane` says so. Sums over
    rows and columns at once are taken apart first (`split_sums.h`).

    The backward of attention computes P again in kernels of its own, from what the forward kernel had at hand and writes
    beside its output: the maximum of each row and the reciprocal of its sum. One number, the logsumexp, would do, but
    rounding it moves all of a row the same way (see ir/plane/README.md).

    Not handled: planes whose rows are wider than a block, planes that are hardly larger than their operands
    (`cost.h`); these stay as they are, with a `missed` remark.
    Order: after CSE; before anything is copied for recomputation, and before kernels form.
  }];
  let dependentDialects = ["::tessera::tsr::TsrDialect", "::tessera::fuse::FuseDialect", "::mlir::arith::ArithDialect",
                           "::mlir::math::MathDialect"];
}

def Recompute : Pass<"tsr-recompute", "::mlir::func::FuncOp"> {
  let summary = "Compute again what is cheaper than a store and loads";
  let description = [{
    Problem: the backward of gelu reads five values that its forward passed through, so the forward kernel would write
    all of them, although each follows from one.

    Before:
    ```mlir
    func.func @program(%x: tensor<4x8xf32>, %w: tensor<8x8xf32>) -> tensor<4x8xf32> {
      %0 = tsr.tanh %x : tensor<4x8xf32>
      %1 = tsr.exp %0 : tensor<4x8xf32>
      %2 = tsr.contract "mk,kn->mn" %1, %w windows [] : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
      %3 = tsr.mul %2, %0 : tensor<4x8xf32>
      return %3 : tensor<4x8xf32>
    }
    ```
    After: the kernel of `tsr.mul` computes tanh again from %x, and the kernel of `tsr.exp` does not write it. The same
    grouping as in form-kernels says which values would be written; one is computed again where its readers then load
    at most one tensor of its size. Barriers hold the copies on the reader's side.

    What a fold reads it computes itself (`ir/form/free_ops.h`); where others read that too, it gets a copy.

    Not handled: values that are reductions or draws, and those that a contraction or a library routine reads.
    Order: right before form-kernels, after CSE, which would join the copies again.
  }];
  let dependentDialects = ["::tessera::tsr::TsrDialect"];
}

def FormKernels : Pass<"form-kernels", "::mlir::func::FuncOp"> {
  let summary = "Ops become kernels: tsr goes, fuse comes";
  let description = [{
    Problem: each op on its own would read and write memory once too often.

    Before:
    ```mlir
    func.func @program(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
      %0 = tsr.exp %x : tensor<4x8xf32>
      %1 = tsr.reduce "sum" %0 dims [1] : (tensor<4x8xf32>) -> tensor<4xf32>
      %2 = tsr.broadcast %1 dims [0] : (tensor<4xf32>) -> tensor<4x8xf32>
      %3 = tsr.div %0, %2 : tensor<4x8xf32>
      return %3 : tensor<4x8xf32>
    }
    ```
    After: one `fuse.kernel` over [4, 8] whose body is exp, a sum over dim 1 and a division. Ops join greedily in program
    order where one iteration space holds them (ir/form/space.h) and no other kernel must run in between. Views,
    constants and what is computed from them alone have no kernel: each reader computes them from coordinates.

    Not handled: `tsr.barrier` and ops with library routines keep to themselves. Every pair that does not join leaves a
    `missed` remark of category `fusion` with the reason.
    Order: last of tsr.
  }];
  let options = [Option<"fuse", "fuse", "bool", "true", "join ops; without, each op is its own kernel">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect", "::mlir::tensor::TensorDialect",
                           "::tessera::fuse::FuseDialect"];
}

def MmaPrecision : Pass<"tsr-mma-precision", "::mlir::func::FuncOp"> {
  let summary = "Contractions read their operands rounded";
  let description = [{
    Problem: under a mixed precision the units for products take narrow operands, while every op says f32.

    Before:
    ```mlir
    func.func @program(%x: tensor<4x8xf32>, %w: tensor<2x3x8xf32>) -> tensor<4x2x3xf32> attributes {tsr.mixed = bf16} {
      %0 = tsr.exp %x : tensor<4x8xf32>
      %1 = tsr.reshape %w : (tensor<2x3x8xf32>) -> tensor<6x8xf32>
      %2 = tsr.contract "mk,nk->mn" %0, %1 windows [] : (tensor<4x8xf32>, tensor<6x8xf32>) -> tensor<4x6xf32>
      %3 = tsr.reshape %2 : (tensor<4x6xf32>) -> tensor<4x2x3xf32>
      return %3 : tensor<4x2x3xf32>
    }
    ```
    After: %0 and %w are cast to bf16, the reshape is one of bf16, and %2 reads both widened again, so that its kernel reads
    bf16 and sums in f32 (a widening has no kernel). The rounding goes behind views to where the value is
    made, and into the parts of a concatenation that kernels other than contractions compute; after CSE each is rounded once, for its gradients' contractions too. Results are not rounded.

    Not handled: a contraction of which a user widened an operand from another format, in front of views and pads; it stays
    as it is.
    Order: when contractions have all their operands, with pads and sums; before CSE and planes.
  }];
  let dependentDialects = ["::tessera::tsr::TsrDialect"];
}

def StoragePrecision : Pass<"fuse-storage-precision", "::mlir::func::FuncOp"> {
  let summary = "What kernels leave for others lies in memory with fewer bits";
  let description = [{
    Problem: under a mixed precision a kernel would write f32 for readers that round it, and some values twice.

    Before:
    ```mlir
    func.func @program(%x: tensor<8xf32>) -> tensor<8xf32> attributes {tsr.mixed = bf16} {
      %0 = fuse.kernel "exp" dims [8] outer 1 ins(%x : tensor<8xf32>) at [affine_map<(d0) -> (d0)>]
          outs at [affine_map<(d0) -> (d0)>] {
      ^bb0(%v: f32):
        %e = math.exp %v : f32
        fuse.yield %e : f32
      } -> tensor<8xf32>
      %1 = fuse.kernel "neg" dims [8] outer 1 ins(%0 : tensor<8xf32>) at [affine_map<(d0) -> (d0)>]
          outs at [affine_map<(d0) -> (d0)>] {
      ^bb0(%v: f32):
        %n = arith.negf %v : f32
        fuse.yield %n : f32
      } -> tensor<8xf32>
      return %1 : tensor<8xf32>
    }
    ```
    After: %0 is a `tensor<8xbf16>`, rounded where it is stored; "neg" widens what it reads. If the body of "exp" went on
    with %e it would go on with what it stored, so that all kernels see the same number. A value that is written beside its
    own rounding is written once; a kernel that only rounds goes, and the kernel before it writes what it wrote. It stays where
    a user rounds on the way to what it writes, and behind a reduction over all rows, which grows where it lies.

    Wide stay arguments and results of the program, statistics, sums that kernel after kernel adds to (unless
    `tsr.residual` is narrow as well), what States are computed from, and what routines read and make
    (`ir/fuse/edges.h`). Each leaves a `missed` remark of category `precision`.

    Not handled: f64.
    Order: when kernels exist.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
}

def JoinSums : Pass<"fuse-join-sums", "::mlir::func::FuncOp"> {
  let summary = "A contraction also sums what it reads";
  let description = [{
    Problem: the gradient of a bias is a sum over the rows of a value that the gradient of the weight contracts over the
    same rows; a kernel of its own would read it once more.

    Before:
    ```mlir
    func.func @program(%dy: tensor<8x4xf32>, %x: tensor<8x6xf32>) -> (tensor<4x6xf32>, tensor<4xf32>) {
      %0 = fuse.kernel "contract" dims [4, 6, 8] outer 2 ins(%dy, %x : tensor<8x4xf32>, tensor<8x6xf32>)
          at [affine_map<(d0, d1, d2) -> (d0 + d2 * 4)>, affine_map<(d0, d1, d2) -> (d1 + d2 * 6)>]
          outs at [affine_map<(d0, d1, d2) -> (d0 * 6 + d1)>] {
      ^bb0(%a: f32, %b: f32):
        %w = fuse.contract %a, %b over [2] : f32 -> f32
        fuse.yield %w : f32
      } -> tensor<4x6xf32>
      %1 = fuse.kernel "reduce" dims [8, 4] outer 1 ins(%dy : tensor<8x4xf32>) at [affine_map<(d0, d1) -> (d0 * 4 + d1)>]
          outs at [affine_map<(d0, d1) -> (d1)>] {
      ^bb0(%v: f32):
        %s = fuse.reduce sum %v over [0] : f32
        fuse.yield %s : f32
      } -> tensor<4xf32>
      return %0, %1 : tensor<4x6xf32>, tensor<4xf32>
    }
    ```
    After: the first kernel has a second result, `fuse.reduce sum %a over [2]`, and the other kernel is gone. Dims are
    compared by what they walk in memory, so that a reshape on either side is no obstacle. What follows from the sum, and
    stood before the contraction, goes behind it.

    Not handled: operands that share dims with each other, sums that are stored narrow, and `tsr.strict` functions, whose
    sums keep their order.
    Order: when it is known what lies in memory with how many bits; for targets whose contractions can.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
}

#endif
