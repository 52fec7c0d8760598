#include <tessera/codegen/cuda/cascade/cascade.h>

#include <algorithm>

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/SetVector.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

#include <tessera/codegen/cpu/cascade_form.h>
#include <tessera/codegen/cuda/rows/unsupported.h>
#include <tessera/ir/fuse/Scatter.h>

namespace tessera::cuda {
namespace {

using mlir::Value;

bool is_half(mlir::Type type) { return type.isBF16() || type.isF16(); }

// What is multiplied: a value of f32 or of 16 bits, the latter widened or not.
Value factor_behind(Value value) {
  auto wide = value.getDefiningOp<mlir::arith::ExtFOp>();
  return wide && is_half(wide.getIn().getType()) ? wide.getIn() : value;
}

class Reader {
 public:
  explicit Reader(fuse::CascadeOp op) : c_{.op = op, .dims = fuse::BodyDims(op.getBody().front(), op.getInMaps())} {}

  Cascade read() {
    read_dims();
    for (mlir::Operation& op : c_.body()) {
      read_level(op);
      if (auto contract = mlir::dyn_cast<fuse::ContractOp>(op)) read_contraction(contract);
      if (auto reduce = mlir::dyn_cast<fuse::ReduceOp>(op)) read_statistic(reduce);
      if (mlir::isa<fuse::ScatterAddOp>(op)) throw Unsupported{"a table that a plane adds to", &op};
    }
    for (Value result : c_.body().getTerminator()->getOperands())
      if (c_.is_streamed(result)) throw Unsupported{"a result as large as the plane", result.getDefiningOp()};
    find_repairs();
    find_kept();
    c_.liveness = ir::find_liveness(c_.cascade());
    return std::move(c_);
  }

 private:
  void read_dims() {
    fuse::CascadeOp op = c_.cascade();
    c_.extent.assign(op.getDims().begin(), op.getDims().end());
    c_.row_dim = static_cast<int>(op.row_dim());
    c_.first_rest = static_cast<int>(op.first_rest_dim());
    c_.column_dim = c_.first_rest - 1;
    for (int d = 0; d < c_.first_rest; ++d) {
      const int64_t extent = c_.extent[static_cast<size_t>(d)];
      if (d < c_.row_dim) c_.batch *= extent;
      else if (d == c_.row_dim) c_.rows = extent;
      else if (d < c_.column_dim) c_.outer *= extent;
      else c_.columns = extent;
    }
  }

  void read_level(mlir::Operation& op) {
    if (op.getNumResults() == 0) return;
    int level = 0;
    for (Value operand : op.getOperands()) level = std::max(level, c_.level_of(operand));
    if (mlir::isa<fuse::ReduceOp>(op)) ++level;
    c_.level[op.getResult(0)] = level;
  }

  void read_statistic(fuse::ReduceOp reduce) {
    if (fuse::dim_bits(reduce.getOver()) != c_.stream_set()) throw Unsupported{"a sum over batches of a plane", reduce};
    if (!reduce.getType().isF32()) throw Unsupported{"a statistic of a plane that is not f32", reduce};
    c_.statistics.push_back({.reduce = reduce, .level = c_.level_of(reduce.getValue())});
  }

  void read_contraction(fuse::ContractOp contract) {
    if (!contract.getType().isF32()) throw Unsupported{"products of a plane that are not summed in f32", contract};
    if (fuse::dim_bits(contract.getOver()) == c_.stream_set()) return read_accumulation(contract);
    const Value left = factor_behind(contract.getLhs()), right = factor_behind(contract.getRhs());
    if (left.getType() != right.getType()) throw Unsupported{"products of two types in a plane", contract};
    const std::vector<int64_t> over(contract.getOver().begin(), contract.getOver().end());
    const bool straight = !c_.is_streamed(left);
    c_.scores.push_back({contract, add(c_.row_operands, straight ? left : right, over, contract),
                         add(c_.stream_operands, straight ? right : left, over, contract)});
  }

  void read_accumulation(fuse::ContractOp contract) {
    PlaneAccumulation made{.contract = contract};
    const Value right = factor_behind(contract.getRhs());
    made.plane = contract.getLhs();
    const Value left = factor_behind(made.plane);
    made.is_rounded = right.getType().isF32() || is_half(left.getType());
    if (right.getType().isF32()) {
      if (!made.plane.getType().isF32()) throw Unsupported{"products of two types in a plane", contract};
    } else if (made.is_rounded) {
      auto rounded = left.getDefiningOp<mlir::arith::TruncFOp>();
      if (left.getType() != right.getType() || !rounded || !rounded.getIn().getType().isF32())
        throw Unsupported{"a plane value that is multiplied in another type than it is rounded to", contract};
      made.plane = rounded.getIn();
    } else if (!right.getType().isBF16() || !is_narrow_in_results(contract)) {
      throw Unsupported{"products of f32 with 16 bits in a plane", contract};
    }
    made.level = c_.level_of(made.plane);
    for (size_t d = static_cast<size_t>(c_.first_rest); d < c_.extent.size(); ++d)
      if ((c_.dims.of(right) >> d & 1) != 0) made.dims.push_back(static_cast<int64_t>(d));
    made.right = add(c_.stream_operands, right, made.dims, contract);
    c_.accumulations.push_back(std::move(made));
  }

  // Are all results that are made of it rounded to 16 bits? Then 16 bits of what is summed are enough.
  bool is_narrow_in_results(mlir::Operation* sum) const {
    llvm::SetVector<Value> follow;
    follow.insert(sum->getResult(0));
    for (size_t k = 0; k < follow.size(); ++k)
      for (mlir::Operation* user : follow[k].getUsers()) {
        if (user == c_.body().getTerminator() && !is_half(follow[k].getType())) return false;
        follow.insert(user->result_begin(), user->result_end());
      }
    return true;
  }

  // The number of the operand among those that are known.
  size_t add(std::vector<PlaneOperand>& all, Value value, const std::vector<int64_t>& depth, mlir::Operation* product) {
    auto argument = mlir::dyn_cast<mlir::BlockArgument>(value);
    if (!argument) throw Unsupported{"an operand of a plane that is computed where it is read", product};
    const codegen::AffineTerms terms(c_.in_map(argument.getArgNumber()));
    if (!terms.rest.empty()) throw Unsupported{"an operand of a plane whose rows do not lie at equal steps", product};
    PlaneOperand made{.tensor = c_.cascade().getInputs()[argument.getArgNumber()],
                      .argument = argument.getArgNumber(),
                      .element = value.getType(),
                      .base = terms.constant};
    made.stride.assign(terms.stride.begin(), terms.stride.begin() + c_.first_rest);
    for (int64_t d : depth) {
      const int64_t extent = c_.extent[static_cast<size_t>(d)], stride = terms.stride[static_cast<size_t>(d)];
      if (extent == 1) continue;
      if (!made.along.empty() && made.along.back().second == stride * extent)
        made.along.back() = {made.along.back().first * extent, stride};
      else made.along.emplace_back(extent, stride);
    }
    for (size_t k = 0; k < all.size(); ++k)
      if (all[k].is_same(made)) return k;
    all.push_back(std::move(made));
    return all.size() - 1;
  }

  void find_repairs() {
    for (auto repair : c_.body().getOps<fuse::RepairOp>()) {
      for (PlaneStatistic& one : c_.statistics)
        if (repair.getAccumulated() == one.reduce->getResult(0)) one.repairs.push_back(repair);
      for (PlaneAccumulation& one : c_.accumulations)
        if (repair.getAccumulated() == one.contract->getResult(0)) one.repairs.push_back(repair);
    }
  }

  // From the last level on: what a level computes it reads from earlier ones, or computes too.
  void find_kept() {
    int levels = 0;
    for (const PlaneStatistic& one : c_.statistics) levels = std::max(levels, one.level + 1);
    for (const PlaneAccumulation& one : c_.accumulations) levels = std::max(levels, one.level + 1);
    c_.kept.resize(static_cast<size_t>(levels));
    for (int level = levels; level-- > 0;) {
      seen_.clear();
      for (const PlaneStatistic& one : c_.statistics)
        if (one.level == level) look(one.value(), level);
      for (const PlaneAccumulation& one : c_.accumulations)
        if (one.level == level) look(one.plane, level);
      for (size_t k = 0; k < c_.kept[static_cast<size_t>(level)].size(); ++k)
        look(c_.kept[static_cast<size_t>(level)][k], level);
    }
  }

  void look(Value value, int level) {
    mlir::Operation* op = value.getDefiningOp();
    if (!op || !seen_.insert(value).second || mlir::isa<fuse::ContractOp>(op)) return;
    if (mlir::isa<fuse::ReduceOp>(op)) {
      for (PlaneStatistic& one : c_.statistics) one.is_read_by_plane |= one.reduce == op;
      return;
    }
    if (c_.is_of_plane(value) && c_.level_of(value) < level) {
      std::vector<Value>& kept = c_.kept[static_cast<size_t>(c_.level_of(value))];
      if (!llvm::is_contained(kept, value)) kept.push_back(value);
      return;
    }
    for (Value operand : op->getOperands()) look(operand, level);
  }

  Cascade c_;
  llvm::DenseSet<Value> seen_;
};

}  // namespace

int64_t PlaneOperand::depth() const {
  int64_t points = 1;
  for (const auto& [extent, step] : along) points *= extent;
  return points;
}

bool PlaneOperand::is_same(const PlaneOperand& other) const {
  return tensor == other.tensor && element == other.element && base == other.base && stride == other.stride &&
         along == other.along;
}

mlir::AffineMap Cascade::in_map(unsigned argument) const {
  return mlir::cast<mlir::AffineMapAttr>(cascade().getInMaps()[argument]).getValue();
}

mlir::AffineMap Cascade::out_map(unsigned result) const {
  return mlir::cast<mlir::AffineMapAttr>(cascade().getOutMaps()[result]).getValue();
}

fuse::DimBits Cascade::stream_set() const {
  fuse::DimBits set = 0;
  for (int d = row_dim + 1; d <= column_dim; ++d) set |= fuse::DimBits{1} << d;
  return set;
}

Cascade read_cascade(fuse::CascadeOp op) { return Reader(op).read(); }

}  // namespace tessera::cuda
