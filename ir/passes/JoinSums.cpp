#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "mlir/Analysis/FlatLinearValueConstraints.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Remarks.h"

#include <tessera/ir/fuse/body_dims.h>
#include <tessera/ir/fuse/operand_sums.h>
#include <tessera/ir/passes/Passes.h>
#include <tessera/ir/remarks.h>

namespace tessera::ir {

#define GEN_PASS_DEF_JOINSUMS
#include <tessera/ir/passes/Passes.h.inc>

namespace {

using llvm::ArrayRef;
using llvm::SmallVector;
using mlir::Operation;
using mlir::Value;

// One dim as an access walks it: `stride` in the tensor that is summed, `to` in the one that holds the sums.
struct Leg {
  int64_t extent, stride, to;
  bool operator==(const Leg&) const = default;
};
using Legs = SmallVector<Leg, 4>;

// Strides of a map per dim, then its constant; 0 for dims of extent 1. Empty: it is not linear.
SmallVector<int64_t, 8> read(mlir::AffineMap map, ArrayRef<int64_t> extents) {
  SmallVector<int64_t, 8> by;
  if (map.getNumResults() != 1 ||
      mlir::failed(mlir::getFlattenedAffineExpr(map.getResult(0), map.getNumDims(), 0, &by)) ||
      by.size() != extents.size() + 1)
    return {};
  for (auto [d, n] : llvm::enumerate(extents))
    if (n == 1) by[d] = 0;
  return by;
}

mlir::AffineMap map_at(mlir::ArrayAttr maps, unsigned k) { return llvm::cast<mlir::AffineMapAttr>(maps[k]).getValue(); }

// Largest strides first; dims that follow each other without a gap, in both tensors, are one.
Legs merged(Legs legs) {
  llvm::stable_sort(legs, [](const Leg& a, const Leg& b) { return a.stride > b.stride; });
  Legs out;
  for (const Leg& leg : legs) {
    const bool goes_on =
        !out.empty() && out.back().stride == leg.stride * leg.extent && out.back().to == leg.to * leg.extent;
    if (goes_on) out.back() = {out.back().extent * leg.extent, leg.stride, leg.to};
    else out.push_back(leg);
  }
  return out;
}

// A kernel that does nothing but add up one tensor over some dims.
struct Sum {
  fuse::KernelOp kernel;
  fuse::ReduceOp reduce;
  Legs over, kept;
  int64_t from = 0, to = 0;  // where both accesses begin

  explicit operator bool() const { return static_cast<bool>(reduce); }
};

Sum sum_of(fuse::KernelOp kernel) {
  mlir::Block& body = kernel.getBody().front();
  if (kernel.getInputs().size() != 1 || kernel.getNumResults() != 1 || !kernel.getInits().empty()) return {};
  auto reduce = body.getTerminator()->getOperand(0).getDefiningOp<fuse::ReduceOp>();
  if (!reduce || reduce.getKind() != fuse::ReduceKind::sum || !llvm::isa<mlir::FloatType>(reduce.getType())) return {};
  if (fuse::before_widening(reduce.getValue()) != body.getArgument(0)) return {};
  const SmallVector<int64_t, 8> in = read(map_at(kernel.getInMaps(), 0), kernel.getDims());
  const SmallVector<int64_t, 8> out = read(map_at(kernel.getOutMaps(), 0), kernel.getDims());
  if (in.empty() || out.empty()) return {};
  Sum sum{kernel, reduce, {}, {}, in.back(), out.back()};
  const fuse::DimBits over = fuse::dim_bits(reduce.getOver());
  for (auto [d, n] : llvm::enumerate(kernel.getDims())) {
    if (n == 1) continue;
    const bool goes = (over >> d & 1) != 0;
    if (in[d] <= 0 || (out[d] != 0) == goes) return {};
    (goes ? sum.over : sum.kept).push_back({n, in[d], out[d]});
  }
  sum.over = merged(sum.over);
  sum.kept = merged(sum.kept);
  return sum;
}

// Where a dim of `stride` goes, which is a part of one of `legs`.
const Leg* leg_of(const Legs& legs, int64_t extent, int64_t stride) {
  for (const Leg& leg : legs)
    if (stride % leg.stride == 0 && stride / leg.stride * extent <= leg.extent) return &leg;
  return nullptr;
}

// The contraction's operand `own` is what is summed, over the same dims, and the other operand has no dim that is kept:
// then this is where the sums lie, in dims of the contraction.
mlir::AffineMap place_of_sums(Sum& sum, fuse::KernelOp kernel, fuse::ContractOp contract, Value own, Value other) {
  auto argument = [](Value operand) { return llvm::dyn_cast<mlir::BlockArgument>(fuse::before_widening(operand)); };
  const mlir::BlockArgument summed = argument(own), met = argument(other);
  if (!summed || !met || kernel.getInputs()[summed.getArgNumber()] != sum.kernel.getInputs()[0]) return {};
  const SmallVector<int64_t, 8> by = read(map_at(kernel.getInMaps(), summed.getArgNumber()), kernel.getDims());
  const SmallVector<int64_t, 8> of_met = read(map_at(kernel.getInMaps(), met.getArgNumber()), kernel.getDims());
  if (by.empty() || of_met.empty() || by.back() != sum.from) return {};
  const fuse::DimBits over = fuse::dim_bits(contract.getOver());
  Legs summed_over, kept;
  mlir::AffineExpr to = mlir::getAffineConstantExpr(sum.to, kernel.getContext());
  for (auto [d, n] : llvm::enumerate(kernel.getDims())) {
    if (n == 1) continue;
    if ((over >> d & 1) != 0) {
      if (by[d] <= 0) return {};
      summed_over.push_back({n, by[d], 0});
    } else if (by[d] == 0) {
      if (of_met[d] == 0) return {};  // a dim along which the product repeats
    } else {
      const Leg* leg = of_met[d] == 0 && by[d] > 0 ? leg_of(sum.kept, n, by[d]) : nullptr;
      if (!leg) return {};
      kept.push_back({n, by[d], by[d] / leg->stride * leg->to});
      to = to + mlir::getAffineDimExpr(static_cast<unsigned>(d), kernel.getContext()) * kept.back().to;
    }
  }
  if (merged(summed_over) != sum.over || merged(kept) != sum.kept) return {};
  return mlir::AffineMap::get(static_cast<unsigned>(kernel.getDims().size()), 0, to);
}

// What follows from the sum and stands before the contraction goes behind it. False if the contraction follows from it.
bool make_way(fuse::KernelOp sum, fuse::KernelOp contraction) {
  if (contraction->isBeforeInBlock(sum)) return true;
  llvm::SmallPtrSet<Operation*, 8> follows = {sum};
  SmallVector<Operation*, 8> late;
  auto waits = [&](Operation* op) {
    return llvm::any_of(op->getOperands(), [&](Value x) { return follows.contains(x.getDefiningOp()); });
  };
  for (Operation* op = sum->getNextNode(); op != contraction; op = op->getNextNode())
    if (waits(op)) follows.insert(op), late.push_back(op);
  if (waits(contraction)) return false;
  Operation* before = contraction;
  for (Operation* op : late) {
    op->moveAfter(before);
    before = op;
  }
  return true;
}

class JoinSumsPass : public impl::JoinSumsBase<JoinSumsPass> {
  void runOnOperation() override {
    if (getOperation()->hasAttr("tsr.strict")) return;
    SmallVector<Sum, 8> sums;  // joining one moves and replaces ops, but no other of these
    for (auto kernel : getOperation().getOps<fuse::KernelOp>())
      if (Sum sum = sum_of(kernel)) sums.push_back(std::move(sum));
    for (Sum& sum : sums) join(sum);
  }

  static void join(Sum& sum) {
    SmallVector<fuse::KernelOp, 4> readers;
    for (Operation* user : sum.kernel.getInputs()[0].getUsers())
      if (auto kernel = llvm::dyn_cast<fuse::KernelOp>(user); kernel && kernel != sum.kernel) readers.push_back(kernel);
    llvm::sort(readers, [](fuse::KernelOp a, fuse::KernelOp b) { return a->isBeforeInBlock(b); });
    for (fuse::KernelOp reader : readers)
      if (join(sum, reader)) return;
  }

  static bool join(Sum& sum, fuse::KernelOp kernel) {
    mlir::Block& body = kernel.getBody().front();
    const auto contracts = body.getOps<fuse::ContractOp>();
    if (contracts.empty()) return false;
    fuse::ContractOp contract = *contracts.begin();
    if (contract.getType() != sum.reduce.getType()) return false;
    const Value lhs = contract.getLhs(), rhs = contract.getRhs();
    for (auto [own, other] : {std::pair(lhs, rhs), std::pair(rhs, lhs)}) {
      const Value stored = fuse::before_widening(own);
      const bool is_summed = llvm::any_of(body.getOps<fuse::ReduceOp>(), [&](fuse::ReduceOp reduce) {
        return fuse::before_widening(reduce.getValue()) == stored;
      });
      if (is_summed) continue;
      const mlir::AffineMap to = place_of_sums(sum, kernel, contract, own, other);
      if (!to || !make_way(sum.kernel, kernel)) continue;
      mlir::remark::passed(sum.reduce.getLoc(), mlir::remark::RemarkOpts::name("joins").category(sum_category))
          << mlir::remark::add("{0} sums what it reads", kernel.getName().str());
      rewrite(sum, kernel, contract, stored, to);
      return true;
    }
    return false;
  }

  // The kernel with one result more: the sums of the operand that is `stored`.
  static void rewrite(Sum& sum, fuse::KernelOp kernel, fuse::ContractOp contract, Value stored, mlir::AffineMap to) {
    mlir::OpBuilder b(contract);
    b.setInsertionPointAfter(contract);
    const mlir::Type type = sum.reduce.getType();
    Value element = stored;
    if (element.getType() != type) element = mlir::arith::ExtFOp::create(b, sum.reduce.getLoc(), type, element);
    Value total =
        fuse::ReduceOp::create(b, sum.reduce.getLoc(), type, sum.reduce.getKindAttr(), element, contract.getOverAttr());
    auto yield = llvm::cast<fuse::YieldOp>(kernel.getBody().front().getTerminator());
    yield.getValuesMutable().append(total);

    b.setInsertionPoint(kernel);
    SmallVector<mlir::Type, 4> types(kernel->getResultTypes());
    types.push_back(sum.kernel.getResult(0).getType());
    SmallVector<mlir::Attribute, 4> maps(kernel.getOutMaps().getValue());
    maps.push_back(mlir::AffineMapAttr::get(to));
    mlir::DenseI64ArrayAttr init_of = kernel.getInitOfAttr();
    if (init_of) {
      SmallVector<int64_t, 4> more(init_of.asArrayRef());
      more.push_back(-1);
      init_of = b.getDenseI64ArrayAttr(more);
    }
    auto joined = fuse::KernelOp::create(b, b.getFusedLoc({kernel.getLoc(), sum.kernel.getLoc()}), types,
                                         b.getStringAttr(kernel.getName() + "_reduce"), kernel.getDimsAttr(),
                                         kernel.getOuterAttr(), kernel.getInputs(), kernel.getInMapsAttr(),
                                         kernel.getInits(), init_of, b.getArrayAttr(maps));
    joined.getBody().takeBody(kernel.getBody());
    kernel->replaceAllUsesWith(joined.getResults().drop_back());
    sum.kernel->replaceAllUsesWith(joined.getResults().take_back());
    kernel.erase();
    sum.kernel->erase();
  }
};

}  // namespace
}  // namespace tessera::ir
