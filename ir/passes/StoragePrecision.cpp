#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include <tessera/ir/fuse/edges.h>
#include <tessera/ir/passes/Passes.h>
#include <tessera/ir/precision.h>
#include <tessera/ir/remarks.h>

namespace tessera::ir {

#define GEN_PASS_DEF_STORAGEPRECISION
#include <tessera/ir/passes/Passes.h.inc>

namespace {

namespace arith = mlir::arith;
using fuse::KernelParts;
using fuse::parts_of;
using llvm::SmallVector;
using mlir::Operation;
using mlir::Value;

mlir::Type with_element(Value tensor, mlir::Type element) {
  return llvm::cast<mlir::RankedTensorType>(tensor.getType()).clone(element);
}

// A result of a kernel that is written anew.
struct Result {
  Value yielded;
  mlir::AffineMap map;
  mlir::Type type;
  int64_t init = -1;
  Value old = {};  // what it replaces
};

SmallVector<Result, 4> results_of(const KernelParts& kernel) {
  SmallVector<Result, 4> out;
  for (auto [k, result] : llvm::enumerate(kernel.op->getResults())) {
    const auto number = static_cast<unsigned>(k);
    out.push_back({kernel.yielded(number), llvm::cast<mlir::AffineMapAttr>(kernel.out_maps[number]).getValue(),
                   result.getType(), kernel.init(number), result});
  }
  return out;
}

// The kernel with these results in place of those that it had. None goes that another one goes on from.
Operation* with_results(const KernelParts& kernel, llvm::ArrayRef<Result> results) {
  mlir::OpBuilder b(kernel.op);
  SmallVector<mlir::Type, 4> types;
  SmallVector<mlir::Attribute, 4> maps;
  SmallVector<int64_t, 4> init_of;
  SmallVector<Value, 4> yielded;
  for (const Result& result : results) {
    types.push_back(result.type);
    maps.push_back(mlir::AffineMapAttr::get(result.map));
    yielded.push_back(result.yielded);
    int64_t init = result.init;
    if (init < -1) {  // by the number that the other result has now
      const Value before = kernel.op->getResult(static_cast<unsigned>(-2 - init));
      init = -2 - (llvm::find_if(results, [&](const Result& r) { return r.old == before; }) - results.begin());
    }
    init_of.push_back(init);
  }
  const mlir::DenseI64ArrayAttr of = kernel.inits.empty() ? mlir::DenseI64ArrayAttr() : b.getDenseI64ArrayAttr(init_of);
  Operation* made = nullptr;
  if (auto row = llvm::dyn_cast<fuse::KernelOp>(kernel.op)) {
    auto op = fuse::KernelOp::create(b, row.getLoc(), types, row.getNameAttr(), row.getDimsAttr(), row.getOuterAttr(),
                                     row.getInputs(), row.getInMapsAttr(), row.getInits(), of, b.getArrayAttr(maps));
    op.getBody().takeBody(row.getBody());
    made = op;
  } else {
    auto cascade = llvm::cast<fuse::CascadeOp>(kernel.op);
    auto op = fuse::CascadeOp::create(b, cascade.getLoc(), types, cascade.getNameAttr(), cascade.getDimsAttr(),
                                      cascade.getBatchAttr(), cascade.getStreamAttr(), cascade.getInputs(),
                                      cascade.getInMapsAttr(), cascade.getInits(), of, b.getArrayAttr(maps));
    op.getBody().takeBody(cascade.getBody());
    made = op;
  }
  made->getRegion(0).front().getTerminator()->setOperands(yielded);
  for (auto [result, value] : llvm::zip(results, made->getResults()))
    if (Value old = result.old) old.replaceAllUsesWith(value);
  kernel.op->erase();
  return made;
}

// `value` rounded, at the end of a body; a rounding that is there already is taken. Between formats of one width the way
// leads through f32, which holds both.
Value narrowed(mlir::Block& body, Value value, mlir::Type narrow) {
  if (auto widening = value.getDefiningOp<arith::ExtFOp>(); widening && widening.getIn().getType() == narrow)
    return widening.getIn();
  for (Operation* user : value.getUsers())
    if (auto rounding = llvm::dyn_cast<arith::TruncFOp>(user); rounding && rounding.getType() == narrow)
      return rounding;
  mlir::OpBuilder b(body.getTerminator());
  if (value.getType().getIntOrFloatBitWidth() <= narrow.getIntOrFloatBitWidth())
    value = arith::ExtFOp::create(b, value.getLoc(), b.getF32Type(), value);
  return arith::TruncFOp::create(b, value.getLoc(), narrow, value);
}

class StoragePrecisionPass : public impl::StoragePrecisionBase<StoragePrecisionPass> {
  void runOnOperation() override {
    const std::optional<MixedPrecision> precision = mixed_precision(getOperation());
    if (!precision) return;
    narrow_ = precision->narrow;
    mlir::Block& block = getOperation().getBody().front();
    for (Operation& op : block)
      if (KernelParts kernel = parts_of(&op)) round_once(*kernel.body);
    for (const fuse::Edge& edge :
         fuse::find_edges(block, narrow_, /*sums_too=*/precision->residual == precision->narrow)) {
      if (edge.is_result) continue;
      if (edge.why_wide.empty()) narrow(edge);
      else report_wide(edge);
    }
    for (Operation& op : llvm::make_early_inc_range(block))
      if (KernelParts kernel = parts_of(&op)) share_results(kernel);
    for (Operation& op : llvm::make_early_inc_range(block))
      if (auto kernel = llvm::dyn_cast<fuse::KernelOp>(op); kernel && is_cast(kernel)) take_away(kernel);
    for (Operation& op : llvm::make_early_inc_range(llvm::reverse(block)))
      if (mlir::isOpTriviallyDead(&op)) op.erase();
      else if (KernelParts kernel = parts_of(&op)) drop_unread(kernel);
  }

  // What was rounded, widened and is rounded again: a cast in a body, and its result.
  static void round_once(mlir::Block& body) {
    for (Operation& op : llvm::make_early_inc_range(body)) {
      auto rounding = llvm::dyn_cast<arith::TruncFOp>(op);
      auto widening = rounding ? rounding.getIn().getDefiningOp<arith::ExtFOp>() : arith::ExtFOp();
      if (!widening || widening.getIn().getType() != rounding.getType()) continue;
      rounding.replaceAllUsesWith(widening.getIn());
      rounding.erase();
    }
  }

  // ---- edges become narrow ----

  void narrow(const fuse::Edge& edge) {
    for (Value tensor : edge.tensors) {
      tensor.setType(with_element(tensor, narrow_));
      if (Operation* op = tensor.getDefiningOp())
        if (KernelParts kernel = parts_of(op))
          write_narrow(kernel, llvm::cast<mlir::OpResult>(tensor).getResultNumber());
    }
    for (Value tensor : edge.tensors) {
      llvm::SmallPtrSet<Operation*, 4> readers(tensor.user_begin(), tensor.user_end());
      for (Operation* reader : readers)
        if (KernelParts kernel = parts_of(reader)) read_narrow(kernel, tensor);
    }
  }

  // What the kernel goes on to compute with is what it stored: others compare with that.
  void write_narrow(const KernelParts& kernel, unsigned result) {
    Value value = kernel.yielded(result);
    const Value rounded = narrowed(*kernel.body, value, narrow_);
    kernel.body->getTerminator()->setOperand(result, rounded);
    auto rounding = rounded.getDefiningOp<arith::TruncFOp>();
    if (!rounding || llvm::isa<fuse::CascadeOp>(kernel.op) || value.hasOneUse()) return;
    if (auto widening = value.getDefiningOp<arith::ExtFOp>(); widening && widening.getIn() == rounded) return;
    if (Operation* maker = value.getDefiningOp()) rounding->moveAfter(maker);
    else rounding->moveBefore(kernel.body, kernel.body->begin());
    mlir::OpBuilder b(value.getContext());
    b.setInsertionPointAfter(rounding);
    Value again = arith::ExtFOp::create(b, value.getLoc(), value.getType(), rounding.getResult());
    value.replaceUsesWithIf(again, [&](mlir::OpOperand& use) { return !llvm::isa<arith::TruncFOp>(use.getOwner()); });
  }

  void read_narrow(const KernelParts& kernel, Value tensor) {
    mlir::OpBuilder b = mlir::OpBuilder::atBlockBegin(kernel.body);
    for (auto [input, argument] : llvm::zip(kernel.inputs, kernel.body->getArguments())) {
      if (input != tensor || argument.getType() == tensor.getType() || argument.getType() == narrow_) continue;
      if (llvm::isa<mlir::RankedTensorType>(argument.getType())) {
        argument.setType(tensor.getType());
        for (Operation* user : argument.getUsers()) widen(user->getResult(0), b);
        continue;
      }
      argument.setType(narrow_);
      if (argument.use_empty()) continue;
      b.setInsertionPointToStart(kernel.body);
      widen_uses(argument, b);
    }
  }

  void widen(Value loaded, mlir::OpBuilder& b) {
    loaded.setType(narrow_);
    b.setInsertionPointAfterValue(loaded);
    widen_uses(loaded, b);
  }

  static void widen_uses(Value narrow, mlir::OpBuilder& b) {
    Value wide = arith::ExtFOp::create(b, narrow.getLoc(), b.getF32Type(), narrow);
    narrow.replaceAllUsesExcept(wide, wide.getDefiningOp());
    // x, stored and read again, and rounded for a contraction: one rounding.
    for (Operation* user : llvm::make_early_inc_range(wide.getUsers()))
      if (auto rounding = llvm::dyn_cast<arith::TruncFOp>(user); rounding && rounding.getType() == narrow.getType()) {
        rounding.replaceAllUsesWith(narrow);
        rounding.erase();
      }
  }

  // ---- results that are one ----

  // A kernel that writes a value for some and its rounding for others now writes the same twice.
  static void share_results(const KernelParts& kernel) {
    for (unsigned k = 0; k < kernel.op->getNumResults(); ++k)
      for (unsigned j = 0; j < k; ++j) {
        Value a = kernel.op->getResult(j), b = kernel.op->getResult(k);
        if (kernel.yielded(j) != kernel.yielded(k) || kernel.out_maps[j] != kernel.out_maps[k] ||
            kernel.init(j) != -1 || kernel.init(k) != -1 || a.getType() != b.getType())
          continue;
        b.replaceAllUsesWith(a);
        break;
      }
  }

  static void drop_unread(const KernelParts& kernel) {
    SmallVector<Result, 4> results = results_of(kernel), kept;
    llvm::SmallDenseSet<int64_t> gone_on;  // results that another one goes on from
    for (const Result& result : results)
      if (result.init < -1) gone_on.insert(-2 - result.init);
    for (auto [k, result] : llvm::enumerate(results))
      if (!result.old.use_empty() || gone_on.contains(static_cast<int64_t>(k))) kept.push_back(result);
    if (kept.size() < results.size()) with_results(kernel, kept);
  }

  // ---- kernels that only round ----

  // Reads one tensor and writes the same elements, rounded to the result's format if at all. What was rounded to another
  // one on the way was rounded by a user, who may mean it: cast(cast(x, f8), f32) holds numbers of f8.
  static bool is_cast(fuse::KernelOp kernel) {
    auto bits = [](Value tensor) {
      return llvm::cast<mlir::RankedTensorType>(tensor.getType()).getElementTypeBitWidth();
    };
    if (kernel.getInputs().size() != 1 || kernel.getNumResults() != 1 || !kernel.getInits().empty() ||
        kernel.getInMaps() != kernel.getOutMaps() || bits(kernel.getResult(0)) > bits(kernel.getInputs()[0]))
      return false;
    Value value = kernel.getBody().front().getTerminator()->getOperand(0);
    SmallVector<mlir::Type, 4> passed;
    while (Operation* op = value.getDefiningOp()) {
      if (!llvm::isa<arith::ExtFOp, arith::TruncFOp>(op)) return false;
      value = op->getOperand(0);
      passed.push_back(value.getType());
    }
    return llvm::all_of(passed, [&](mlir::Type format) { return holds(format, value.getType()); });
  }

  // May a tensor of type `by` stand for `old`? Whoever reads elements by their offset does not mind the shape.
  static bool may_replace(Value old, mlir::Type by) {
    return old.getType() == by || llvm::all_of(old.getUses(), [&](mlir::OpOperand& use) {
             KernelParts kernel = parts_of(use.getOwner());
             if (!kernel || use.getOperandNumber() >= kernel.inputs.size()) return false;
             return !llvm::isa<mlir::RankedTensorType>(kernel.body->getArgument(use.getOperandNumber()).getType());
           });
  }

  // Its readers read what the kernel before wrote, which writes it rounded too if that is needed.
  void take_away(fuse::KernelOp cast) {
    Value from = cast.getInputs()[0], to = cast.getResult(0);
    const mlir::Type element = llvm::cast<mlir::RankedTensorType>(to.getType()).getElementType();
    const mlir::Type type = with_element(from, element);
    if (type == from.getType()) {
      if (may_replace(to, type)) to.replaceAllUsesWith(from);
      return;
    }
    Operation* maker = from.getDefiningOp();
    KernelParts kernel = maker ? parts_of(maker) : KernelParts(parts_of(cast->getBlock()->getTerminator()));
    const auto number = maker ? llvm::cast<mlir::OpResult>(from).getResultNumber() : 0;
    if (!kernel || kernel.init(number) != -1 || fuse::grows_in_memory(kernel, number) || !may_replace(to, type)) {
      report_cast(cast, !maker ? "the program is given the value" : "no kernel can write it rounded");
      return;
    }
    const Value rounded = narrowed(*kernel.body, kernel.yielded(number), element);
    SmallVector<Result, 4> results = results_of(kernel);
    results.push_back({rounded, results[number].map, type, -1, to});
    with_results(kernel, results);
  }

  // ---- remarks ----

  static void report_wide(const fuse::Edge& edge) {
    Value chief = edge.tensors.back();
    if (auto remark =
            mlir::remark::missed(chief.getLoc(), mlir::remark::RemarkOpts::name("wide").category("precision")))
      remark << mlir::remark::add("f32 in memory") << mlir::remark::reason("{0}", edge.why_wide);
  }
  static void report_cast(fuse::KernelOp cast, const char* why) {
    if (auto remark = mlir::remark::missed(cast.getLoc(), mlir::remark::RemarkOpts::name("cast").category("precision")))
      remark << mlir::remark::add("a kernel of its own rounds it") << mlir::remark::reason("{0}", why);
  }

  mlir::FloatType narrow_;
};

}  // namespace
}  // namespace tessera::ir
