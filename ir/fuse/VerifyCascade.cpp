// The constraints (K2) to (K10) of fuse.cascade, as FuseOps.td and FuseScatter.td number them.

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

#include <tessera/ir/fuse/Scatter.h>
#include <tessera/ir/fuse/body_dims.h>

namespace tessera::fuse {

using mlir::LogicalResult;
using mlir::Operation;
using mlir::Value;

namespace {

// A block argument, or what is computed from such and from indices, point by point.
bool is_of_memory(Value value) {
  Operation* op = value.getDefiningOp();
  if (!op) return !llvm::isa<mlir::RankedTensorType>(value.getType());
  const llvm::StringRef dialect = op->getName().getDialectNamespace();
  return (dialect == "arith" || dialect == "math" || llvm::isa<IndexOp>(op)) &&
         llvm::all_of(op->getOperands(), is_of_memory);
}

class CascadeVerifier {
 public:
  explicit CascadeVerifier(CascadeOp cascade)
      : cascade_(cascade), body_(cascade.getBody().front()), dims_(body_, cascade.getInMaps()) {
    row_ = DimBits{1} << cascade.row_dim();
    for (int64_t d = cascade.first_stream_dim(); d < cascade.first_rest_dim(); ++d) stream_ |= DimBits{1} << d;
    rest_ = ~((DimBits{1} << cascade.first_rest_dim()) - 1);
  }

  LogicalResult run() {
    for (Operation& op : body_) {
      LogicalResult result = mlir::success();
      if (auto reduce = llvm::dyn_cast<ReduceOp>(op))
        result = runs_over_batches(reduce) ? sum_over_batches(reduce) : statistic(reduce);
      else if (auto contract = llvm::dyn_cast<ContractOp>(op)) result = contraction(contract);
      else if (auto repair = llvm::dyn_cast<RepairOp>(op)) result = this->repair(repair);
      else if (auto sum = llvm::dyn_cast<ScatterAddOp>(op)) result = scattered_sum(sum);
      if (mlir::failed(result)) return result;
      for (Value result_value : op.getResults()) depend(op, result_value);
    }
    return mlir::failed(repaired()) ? mlir::failure() : yields();
  }

 private:
  // The statistics that a value waits for. (A sum over batches waits for what it sums.)
  void depend(Operation& op, Value result) {
    llvm::SmallSetVector<Value, 2> all;
    for (Value operand : op.getOperands()) {
      const auto from = waits_.lookup(operand);
      all.insert(from.begin(), from.end());
    }
    auto is_late = [&](Value operand) { return accumulated_.contains(operand); };
    if (llvm::any_of(op.getOperands(), is_late)) accumulated_.insert(result);
    if (auto reduce = llvm::dyn_cast<ReduceOp>(op)) {
      if (!runs_over_batches(reduce)) {
        all.clear();
        all.insert(result);
      }
    } else if (auto contract = llvm::dyn_cast<ContractOp>(op); contract && runs_over_stream(contract.getOver())) {
      accumulated_.insert(result);
      all.clear();  // complete once the stream has ended, as what it is repaired by
    }
    waits_[result] = std::move(all);
  }

  bool runs_over_stream(llvm::ArrayRef<int64_t> over) const { return dim_bits(over) == stream_; }
  bool runs_over_batches(ReduceOp reduce) const {
    const DimBits over = dim_bits(reduce.getOver());
    return over != 0 && over < row_;
  }
  bool is_plane(Value value) const { return (dims_.of(value) & row_) != 0 && (dims_.of(value) & stream_) != 0; }

  LogicalResult statistic(ReduceOp reduce) {
    if (!runs_over_stream(reduce.getOver())) return reduce.emitOpError("(K3) does not run over the stream dims alone");
    if (!is_plane(reduce.getValue()) || (dims_.of(reduce.getValue()) & rest_) != 0)
      return reduce.emitOpError("(K3) reduces no value of the plane");
    if (accumulated_.contains(reduce.getValue())) return reduce.emitOpError(after_the_stream);
    return mlir::success();
  }

  LogicalResult sum_over_batches(ReduceOp sum) {
    if (sum.getKind() != ReduceKind::sum || !is_plane(sum.getValue()) || (dims_.of(sum.getValue()) & rest_) != 0)
      return sum.emitOpError("(K3) reduces no value of the plane, or does not sum");
    if (accumulated_.contains(sum.getValue())) return sum.emitOpError(after_the_stream);
    const mlir::Type type = sum.getType();
    if (!(type.isF32() || type.isF64()) || !sum->hasOneUse() || *sum->user_begin() != body_.getTerminator())
      return sum.emitOpError("(K9) is no sum over batches in f32 or f64 that is yielded once");
    summed_ |= dim_bits(sum.getOver());
    return mlir::success();
  }

  LogicalResult scattered_sum(ScatterAddOp sum) {
    const DimBits over = dim_bits(sum.getOver()), batches = row_ - 1, of = DimBits{1} << sum.getDim();
    const DimBits read = dims_.of(sum.getValue()) | dims_.of(sum.getEntry());
    if ((over & ~batches) != (row_ | stream_) || ((over | read) & batches) != batches || !is_plane(sum.getValue()))
      return sum.emitOpError("(K10) sums no value of the plane over the row, the stream and some batch dims");
    if ((read & rest_) != 0 || (of & rest_) == 0 || sum.getDim() >= cascade_.getDims().size())
      return sum.emitOpError("(K10) reads rest dims, or its entries are none");
    for (Value operand : sum->getOperands()) {
      if (!waits_[operand].empty()) return sum.emitOpError("(K10) depends on a statistic");
      if (accumulated_.contains(operand)) return sum.emitOpError(after_the_stream);
    }
    Operation* reader = sum;
    while (reader->hasOneUse() && llvm::isa<mlir::arith::TruncFOp>(*reader->user_begin()))
      reader = *reader->user_begin();
    const mlir::Type type = sum.getType();
    if (!(type.isF32() || type.isF64()) || !reader->hasOneUse() || *reader->user_begin() != body_.getTerminator())
      return sum.emitOpError("(K10) is no sum in f32 or f64 that is yielded once");
    summed_ |= over & batches;
    tables_.push_back(sum);
    return mlir::success();
  }

  LogicalResult contraction(ContractOp contract) {
    const DimBits over = dim_bits(contract.getOver()), a = dims_.of(contract.getLhs()), b = dims_.of(contract.getRhs());
    if (over == stream_) {
      if (accumulated_.contains(contract.getLhs())) return contract.emitOpError(after_the_stream);
      if (!is_plane(contract.getLhs()) || (a & rest_) != 0 || !is_of_memory(contract.getRhs()) || (b & row_) != 0)
        return contract.emitOpError("(K5) accumulates something else than plane times memory without the row");
      return mlir::success();
    }
    if ((over & ~rest_) != 0)
      return contract.emitOpError("(K3) runs neither over the stream dims alone nor over rest dims");
    const bool fits = is_of_memory(contract.getLhs()) && is_of_memory(contract.getRhs()) &&
                      (((a & row_) == 0 && (b & stream_) == 0) || ((b & row_) == 0 && (a & stream_) == 0));
    if (!fits) return contract.emitOpError("(K4) needs memory without the row times memory without stream dims");
    return mlir::success();
  }

  LogicalResult repair(RepairOp repair) {
    mlir::Block& factor = repair.getFactor().front();
    Operation* of = repair.getAccumulated().getDefiningOp();
    if (!llvm::isa_and_nonnull<ReduceOp, ContractOp>(of) || !repair.getStatistic().getDefiningOp<ReduceOp>())
      return repair.emitOpError("(K6) repairs a reduction or accumulation by a statistic");
    if (factor.getNumArguments() != 2 || factor.getTerminator()->getNumOperands() != 1)
      return repair.emitOpError("(K6) takes the old and the new statistic and yields one factor");
    if (!repairs_[of].insert(repair.getStatistic()))
      return repair.emitOpError("(K6) repairs what another one repairs by the same statistic");
    return mlir::success();
  }

  LogicalResult repaired() {
    for (Operation& op : body_) {
      auto contract = llvm::dyn_cast<ContractOp>(op);
      auto reduce = llvm::dyn_cast<ReduceOp>(op);
      if (!(reduce && !runs_over_batches(reduce)) && !(contract && runs_over_stream(contract.getOver()))) continue;
      for (Value statistic : waits_[op.getOperand(0)])
        if (!repairs_[&op].contains(statistic))
          return op.emitOpError("(K6) depends on a statistic that it has no repair by");
    }
    return mlir::success();
  }

  LogicalResult yields() {
    const DimBits first = summed_ & -summed_;
    if (summed_ != 0 && summed_ != row_ - first)
      return cascade_.emitOpError("(K3) the batch dims that sums run over are not the last");
    for (ScatterAddOp sum : tables_)
      if ((dim_bits(sum.getOver()) & (row_ - 1)) != summed_)
        return sum.emitOpError("(K10) does not run over all batch dims that are summed");
    for (Value value : body_.getTerminator()->getOperands())
      if ((dims_.of(value) & stream_) != 0 && !waits_[value].empty())
        return cascade_.emitOpError("(K7) yields a value of the stream that depends on a statistic");
    for (Value value : body_.getTerminator()->getOperands())
      if ((dims_.of(value) & stream_) != 0 && accumulated_.contains(value))
        return cascade_.emitOpError(after_the_stream);
    return mlir::success();
  }

  static constexpr const char* after_the_stream =
      "(K8) needs what is accumulated over all of the stream at a point of the stream";

  CascadeOp cascade_;
  mlir::Block& body_;
  BodyDims dims_;
  DimBits row_ = 0, stream_ = 0, rest_ = 0;
  DimBits summed_ = 0;  // batch dims that sums run over
  llvm::SmallVector<ScatterAddOp, 2> tables_;
  llvm::DenseMap<Value, llvm::SmallSetVector<Value, 2>> waits_;
  llvm::DenseSet<Value> accumulated_;  // accumulations, and what depends on them
  llvm::DenseMap<Operation*, llvm::SmallSetVector<Value, 2>> repairs_;
};

}  // namespace

LogicalResult verify_cascade_body(CascadeOp cascade) { return CascadeVerifier(cascade).run(); }

}  // namespace tessera::fuse
