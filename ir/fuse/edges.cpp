// Wide stays what a rounding would not average out of: statistics of rows (all of a row would move the same way), sums
// that each layer adds to (roundings would pile up), what a State becomes (small updates would be lost).

#include <tessera/ir/fuse/edges.h>

#include <optional>

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/STLExtras.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

#include <tessera/ir/fuse/Scatter.h>
#include <tessera/ir/fuse/body_dims.h>
#include <tessera/ir/fuse/operand_sums.h>

namespace tessera::fuse {

namespace arith = mlir::arith;
using mlir::Operation;
using mlir::Value;

KernelParts parts_of(Operation* op) {
  auto parts = [&](auto kernel) {
    return KernelParts{op,
                       &kernel.getBody().front(),
                       kernel.getInMaps(),
                       kernel.getOutMaps(),
                       kernel.getInputs(),
                       kernel.getInits(),
                       kernel.getInits().empty() ? llvm::ArrayRef<int64_t>() : *kernel.getInitOf()};
  };
  if (auto kernel = llvm::dyn_cast<KernelOp>(op)) return parts(kernel);
  if (auto cascade = llvm::dyn_cast<CascadeOp>(op)) return parts(cascade);
  return {nullptr, nullptr, {}, {}, op->getOperands().take_front(0), op->getOperands().take_front(0), {}};
}

bool grows_in_memory(const KernelParts& kernel, unsigned result) {
  auto sum = kernel.yielded(result).getDefiningOp<ReduceOp>();
  if (!sum) return false;
  auto rows = llvm::dyn_cast<KernelOp>(kernel.op);
  const int64_t inner = rows ? static_cast<int64_t>(rows.getOuter()) : llvm::cast<CascadeOp>(kernel.op).row_dim();
  return llvm::any_of(sum.getOver(), [&](int64_t d) { return d < inner; });
}

namespace {

bool is_f32_tensor(Value value) {
  auto type = llvm::dyn_cast<mlir::RankedTensorType>(value.getType());
  return type && type.getElementType().isF32();
}

class Finder {
 public:
  Finder(mlir::Block& block, mlir::Type narrow, bool sums_too) : block_(block), narrow_(narrow), sums_too_(sums_too) {}

  std::vector<Edge> run() {
    collect();
    keep_what_states_become();
    keep_what_results_copy();
    for (Operation& op : block_)
      if (KernelParts kernel = parts_of(&op)) classify(kernel);
      else if (llvm::isa<LibraryOp>(op)) keep_whole(op);
    std::vector<Edge> out;
    for (Edge& edge : edges_)
      if (!edge.tensors.empty()) {
        if (is_read_rounded(edge)) edge.why_wide.clear();
        out.push_back(std::move(edge));
      }
    return out;
  }

 private:
  // ---- which tensors are one memory ----

  void collect() {
    for (mlir::BlockArgument argument : block_.getArguments())
      if (is_f32_tensor(argument)) edge_of(argument).is_result = true;
    for (Operation& op : block_) {
      for (Value result : op.getResults())
        if (is_f32_tensor(result)) edge_of(result);
      KernelParts kernel = parts_of(&op);
      for (unsigned k = 0; kernel && k < op.getNumResults(); ++k) {
        const int64_t init = kernel.init(k);
        if (init >= 0) join(kernel.inits[static_cast<size_t>(init)], op.getResult(k));
        if (init < -1) join(op.getResult(static_cast<unsigned>(-2 - init)), op.getResult(k));
      }
    }
    for (Value result : block_.getTerminator()->getOperands())
      if (is_f32_tensor(result)) edge_of(result).is_result = true;
  }

  Edge& edge_of(Value tensor) {
    auto [known, is_new] = number_.try_emplace(tensor, static_cast<int>(edges_.size()));
    if (is_new) edges_.push_back({{tensor}, {}, false});
    return edges_[static_cast<size_t>(known->second)];
  }
  bool is_edge(Value tensor) const { return number_.contains(tensor); }

  void join(Value a, Value b) {
    if (!is_edge(a) || !is_edge(b)) return;
    const int into = number_.lookup(a), from = number_.lookup(b);
    if (into == from) return;
    Edge &to = edges_[static_cast<size_t>(into)], &gone = edges_[static_cast<size_t>(from)];
    for (Value tensor : gone.tensors) number_[tensor] = into;
    to.tensors.append(gone.tensors);
    to.is_result |= gone.is_result;
    gone.tensors.clear();
  }

  // ---- why an edge stays wide ----

  void keep(Value tensor, const char* why) {
    if (!is_edge(tensor)) return;
    if (Edge& edge = edge_of(tensor); edge.why_wide.empty()) edge.why_wide = why;
  }

  void keep_whole(Operation& op) {
    for (Value operand : op.getOperands()) keep(operand, "a routine reads it");
    for (Value result : op.getResults()) keep(result, "a routine makes it");
  }

  // What a new value of a State is computed from, element by element: gradients of parameters above all.
  void keep_what_states_become() {
    auto function = llvm::cast<mlir::FunctionOpInterface>(block_.getParentOp());
    llvm::DenseSet<int> kept;
    for (auto [k, result] : llvm::enumerate(block_.getTerminator()->getOperands()))
      if (function.getResultAttr(static_cast<unsigned>(k), "tsr.donor") && is_edge(result))
        kept.insert(number_.lookup(result));
    for (Operation& op : llvm::reverse(block_)) {
      KernelParts kernel = parts_of(&op);
      if (!kernel) continue;
      llvm::SmallVector<Value, 16> work;
      for (auto [k, result] : llvm::enumerate(op.getResults()))
        if (is_edge(result) && kept.contains(number_.lookup(result)))
          work.push_back(kernel.yielded(static_cast<unsigned>(k)));
      llvm::DenseSet<Value> seen;
      while (!work.empty()) {
        const Value value = work.pop_back_val();
        if (!seen.insert(value).second) continue;
        Operation* from = value.getDefiningOp();
        if (from && !llvm::isa<ReduceOp, ContractOp, ScatterAddOp>(from))
          work.append(from->operand_begin(), from->operand_end());
        if (from) continue;
        const Value tensor = kernel.inputs[llvm::cast<mlir::BlockArgument>(value).getArgNumber()];
        if (!is_edge(tensor)) continue;
        kept.insert(number_.lookup(tensor));
        keep(tensor, "a State is computed from it");
      }
    }
  }

  // A kernel that only moves elements gives what it is given.
  void keep_what_results_copy() {
    for (Value result : block_.getTerminator()->getOperands()) {
      Operation* op = result.getDefiningOp();
      if (!op) continue;
      const KernelParts kernel = parts_of(op);
      if (!kernel) continue;
      const Value value = kernel.yielded(llvm::cast<mlir::OpResult>(result).getResultNumber());
      if (auto read = llvm::dyn_cast<mlir::BlockArgument>(value))
        keep(kernel.inputs[read.getArgNumber()], "a result is a copy of it");
    }
  }

  void classify(const KernelParts& kernel) {
    const BodyDims dims(*kernel.body, kernel.in_maps);
    const llvm::DenseSet<Value> statistics = find_statistics(kernel, dims);
    for (Value init : kernel.inits)
      if (llvm::is_contained(kernel.inputs, init)) keep(init, "it is added up in memory");
    for (unsigned k = 0; k < kernel.op->getNumResults(); ++k) {
      const Value result = kernel.op->getResult(k), value = kernel.yielded(k);
      if (!sums_too_) keep_addends(kernel, value, dims);
      if (is_edge(result) && statistics.contains(value))
        keep(result, "it is a sum or an extreme, or one number for many");
    }
  }

  // What a reduction gives, and what follows from that without more dims. Statistics in memory are some already.
  llvm::DenseSet<Value> find_statistics(const KernelParts& kernel, const BodyDims& dims) const {
    llvm::DenseSet<Value> found;
    for (auto [argument, tensor] : llvm::zip(kernel.body->getArguments(), kernel.inputs))
      if (statistics_.contains(tensor)) found.insert(argument);
    for (Operation& op : *kernel.body) {
      if (op.getNumResults() != 1 || llvm::isa<ContractOp, LoadAtOp>(op)) continue;
      const Value result = op.getResult(0);
      const bool follows = llvm::any_of(op.getOperands(), [&](Value operand) {
        return found.contains(operand) && dims.of(operand) == dims.of(result);
      });
      if (llvm::isa<ReduceOp, ScatterAddOp>(op) || follows) found.insert(result);
    }
    for (unsigned k = 0; k < kernel.op->getNumResults(); ++k)
      if (found.contains(kernel.yielded(k))) statistics_.insert(kernel.op->getResult(k));
    return found;
  }

  // What is added to something else of its size, when the sum is stored too: a residual stream.
  void keep_addends(const KernelParts& kernel, Value yielded, const BodyDims& dims) {
    if (auto rounding = yielded.getDefiningOp<arith::TruncFOp>()) yielded = rounding.getIn();
    if (!yielded.getDefiningOp<arith::AddFOp>()) return;
    llvm::SmallVector<Value, 4> terms = {yielded};
    while (!terms.empty()) {
      const Value term = terms.pop_back_val();
      if (auto sum = term.getDefiningOp<arith::AddFOp>()) {
        terms.append({sum.getLhs(), sum.getRhs()});
        continue;
      }
      auto stored = llvm::dyn_cast<mlir::BlockArgument>(before_widening(term));
      if (stored && dims.of(stored) == dims.of(yielded))
        keep(kernel.inputs[stored.getArgNumber()], "kernel after kernel adds to it");
    }
  }

  // Do all readers round it before anything else?
  bool is_read_rounded(const Edge& edge) const {
    return llvm::all_of(edge.tensors, [&](Value tensor) {
      if (auto result = llvm::dyn_cast<mlir::OpResult>(tensor))
        if (const KernelParts maker = parts_of(result.getOwner());
            maker && grows_in_memory(maker, result.getResultNumber()))
          return false;
      return llvm::all_of(tensor.getUses(), [&](mlir::OpOperand& use) {
        const KernelParts kernel = parts_of(use.getOwner());
        if (!kernel) return false;
        if (use.getOperandNumber() >= kernel.inputs.size()) return true;  // the next part is written
        const Value read = kernel.body->getArgument(use.getOperandNumber());
        return llvm::all_of(read.getUsers(), [&](Operation* user) {
          auto rounding = llvm::dyn_cast<arith::TruncFOp>(user);
          return rounding && rounding.getType() == narrow_;
        });
      });
    });
  }

  mlir::Block& block_;
  mlir::Type narrow_;
  bool sums_too_;
  std::vector<Edge> edges_;
  llvm::DenseMap<Value, int> number_;         // of the edge that a tensor belongs to
  mutable llvm::DenseSet<Value> statistics_;  // tensors
};

}  // namespace

std::vector<Edge> find_edges(mlir::Block& block, mlir::Type narrow, bool sums_too) {
  return Finder(block, narrow, sums_too).run();
}

}  // namespace tessera::fuse
