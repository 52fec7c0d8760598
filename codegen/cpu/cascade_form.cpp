#include <tessera/codegen/cpu/cascade_form.h>

#include <algorithm>
#include <functional>

#include "llvm/ADT/DenseMap.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

#include <tessera/codegen/cpu/cascade_renaming.h>
#include <tessera/core/error.h>
#include <tessera/ir/fuse/Scatter.h>
#include <tessera/ir/fuse/body_dims.h>
#include <tessera/ir/plane/uneven.h>

namespace tessera::codegen {
namespace {

using Dims = std::vector<int64_t>;

int64_t evaluate(mlir::AffineExpr expr, llvm::ArrayRef<int64_t> point) {
  if (auto constant = mlir::dyn_cast<mlir::AffineConstantExpr>(expr)) return constant.getValue();
  if (auto dim = mlir::dyn_cast<mlir::AffineDimExpr>(expr)) return point[dim.getPosition()];
  auto binary = mlir::cast<mlir::AffineBinaryOpExpr>(expr);
  const int64_t x = evaluate(binary.getLHS(), point), y = evaluate(binary.getRHS(), point);
  switch (expr.getKind()) {
    case mlir::AffineExprKind::Add: return x + y;
    case mlir::AffineExprKind::Mul: return x * y;
    case mlir::AffineExprKind::FloorDiv: return x / y;  // indices are never negative
    case mlir::AffineExprKind::Mod: return x % y;
    default: return (x + y - 1) / y;
  }
}

// The element offsets of one operand, dims by dims.
class OffsetTables {
 public:
  OffsetTables(mlir::AffineMap map, const Dims& extents) : terms_(map), extents_(extents) {}

  // The part of the offset that comes from `dims`, at every point of them in row-major order.
  Table over(const Dims& dims, int64_t start) {
    Table table;
    Dims point(extents_.size(), 0);
    uint32_t set = fuse::dim_bits(dims);
    std::function<void(size_t)> walk = [&](size_t depth) {
      if (depth == dims.size()) {
        table.push_back(start + at(point, dims, set));
        return;
      }
      auto d = static_cast<size_t>(dims[depth]);
      for (point[d] = 0; point[d] < extents_[d]; ++point[d]) walk(depth + 1);
      point[d] = 0;
    };
    walk(0);
    for (size_t k = 0; k < terms_.rest.size(); ++k) {
      if ((dims_of_term(k) & ~set) == 0) placed_ |= uint64_t{1} << k;
    }
    return table;
  }

  // Has every term that is not linear found its dims?
  bool complete() const { return placed_ == (uint64_t{1} << terms_.rest.size()) - 1; }
  int64_t constant() const { return terms_.constant; }

 private:
  fuse::DimBits dims_of_term(size_t k) const {
    return fuse::dims_of(mlir::AffineMap::get(static_cast<unsigned>(extents_.size()), 0, terms_.rest[k].second));
  }

  int64_t at(llvm::ArrayRef<int64_t> point, const Dims& dims, uint32_t set) const {
    int64_t sum = 0;
    for (int64_t d : dims) sum += terms_.stride[static_cast<size_t>(d)] * point[static_cast<size_t>(d)];
    for (size_t k = 0; k < terms_.rest.size(); ++k) {
      if ((dims_of_term(k) & ~set) == 0) sum += terms_.rest[k].first * evaluate(terms_.rest[k].second, point);
    }
    return sum;
  }

  AffineTerms terms_;
  const Dims& extents_;
  uint64_t placed_ = 0;
};

class Reader {
 public:
  explicit Reader(fuse::CascadeOp cascade) : cascade_(cascade), dims_(cascade.getBody().front(), cascade.getInMaps()) {}

  CascadeForm read() {
    read_dims();
    for (mlir::Operation& op : *form_.body) {
      if (auto contract = mlir::dyn_cast<fuse::ContractOp>(op)) read_contraction(contract);
      if (auto reduce = mlir::dyn_cast<fuse::ReduceOp>(op)) read_reduction(reduce);
      if (auto scatter = mlir::dyn_cast<fuse::ScatterAddOp>(op)) read_table(scatter);
    }
    for (int64_t d = form_.row_dim - form_.summed_dims; d < form_.row_dim; ++d)
      form_.summed *= form_.dims[static_cast<size_t>(d)];
    for (mlir::Value value : form_.body->getTerminator()->getOperands()) {
      form_.of_plane.push_back((dims_.of(value) & stream_) != 0);
    }
    form_.liveness = ir::find_liveness(cascade_);
    return std::move(form_);
  }

 private:
  void read_dims() {
    form_.op = cascade_;
    form_.body = &cascade_.getBody().front();
    form_.name = cascade_.getName().str();
    form_.dims.assign(cascade_.getDims().begin(), cascade_.getDims().end());
    form_.row_dim = cascade_.row_dim();
    form_.first_rest = cascade_.first_rest_dim();
    form_.column_dim = form_.first_rest - 1;
    for (int64_t d = 0; d < form_.first_rest; ++d) {
      if (d < form_.row_dim) batch_dims_.push_back(d);
      else if (d > form_.row_dim && d < form_.column_dim) outer_dims_.push_back(d);
      if (d > form_.row_dim) stream_ |= fuse::DimBits{1} << d;
    }
    form_.batch = points(batch_dims_), form_.outer = points(outer_dims_);
    form_.rows = form_.dims[static_cast<size_t>(form_.row_dim)];
    form_.columns = form_.dims[static_cast<size_t>(form_.column_dim)];
    for (mlir::AffineMap map : cascade_.getInMaps().getAsValueRange<mlir::AffineMapAttr>())
      form_.in_maps.push_back(map);
    for (mlir::AffineMap map : cascade_.getOutMaps().getAsValueRange<mlir::AffineMapAttr>()) {
      form_.out_maps.push_back(map);
    }
  }

  int64_t points(const Dims& dims) const {
    int64_t count = 1;
    for (int64_t d : dims) count *= form_.dims[static_cast<size_t>(d)];
    return count;
  }

  void read_reduction(fuse::ReduceOp reduce) {
    if (fuse::dim_bits(reduce.getOver()) == stream_) {
      form_.statistics.push_back({reduce, repairs_of(reduce)});
      return;
    }
    const int64_t result = reduce->use_begin()->getOperandNumber();  // (K9)
    form_.batch_sums.push_back({reduce, result});
    for (int64_t d : reduce.getOver()) form_.summed_dims = std::max(form_.summed_dims, form_.row_dim - d);
  }

  void read_table(fuse::ScatterAddOp scatter) {
    const auto dim = static_cast<int64_t>(scatter.getDim());
    mlir::OpOperand* use = &*scatter->use_begin();  // (K10)
    while (use->getOwner() != form_.body->getTerminator()) use = &*use->getOwner()->use_begin();
    form_.tables.push_back({scatter, dim, form_.dims[static_cast<size_t>(dim)], use->getOperandNumber()});
    for (int64_t d : scatter.getOver()) form_.summed_dims = std::max(form_.summed_dims, form_.row_dim - d);
  }

  std::vector<mlir::Operation*> repairs_of(mlir::Operation* op) {
    std::vector<mlir::Operation*> repairs;
    for (mlir::Operation& other : *form_.body) {
      auto repair = mlir::dyn_cast<fuse::RepairOp>(other);
      if (repair && repair.getAccumulated().getDefiningOp() == op) repairs.push_back(&other);
    }
    return repairs;
  }

  void read_contraction(fuse::ContractOp contract) {
    if (fuse::dim_bits(contract.getOver()) != stream_) {
      const Dims depth = cases_first(Dims(contract.getOver().begin(), contract.getOver().end()),
                                     cases_of(contract.getLhs()) | cases_of(contract.getRhs()));
      sum_ = contract.getType();
      const bool straight = (dims_.of(contract.getLhs()) & stream_) == 0;
      form_.scores.push_back({contract, operand(straight ? contract.getLhs() : contract.getRhs(), form_.row_dim, depth),
                              operand(straight ? contract.getRhs() : contract.getLhs(), form_.column_dim, depth),
                              points(depth)});
      return;
    }
    CascadeAccumulation made;
    made.contract = contract;
    sum_ = contract.getType();
    made.plane = contract.getLhs();
    for (auto d = static_cast<size_t>(form_.first_rest); d < form_.dims.size(); ++d) {
      if ((dims_.of(contract.getRhs()) >> d & 1) != 0) made.dims.push_back(static_cast<int64_t>(d));
    }
    made.dims = cases_first(std::move(made.dims), cases_of(contract.getRhs()));
    made.columns = points(made.dims);
    made.stream = operand(contract.getRhs(), form_.column_dim, made.dims);
    std::swap(made.stream.rows, made.stream.k);  // panels of the result's columns, summed along the stream
    made.repairs = repairs_of(contract);
    form_.accumulations.push_back(std::move(made));
  }

  // `row`: the dim that its rows are; `depth`: what is left.
  CascadeOperand operand(mlir::Value value, int64_t row, const Dims& depth) {
    CascadeOperand result;
    const mlir::Value whole = value;
    for (mlir::Operation* op; (op = value.getDefiningOp());) {
      if (!mlir::isa<mlir::arith::ExtFOp, mlir::arith::SIToFPOp, mlir::arith::BitcastOp>(op))
        return computed_operand(whole, row, depth);
      result.widening.insert(result.widening.begin(), op);
      value = op->getOperand(0);
    }
    result.argument = static_cast<int>(mlir::cast<mlir::BlockArgument>(value).getArgNumber());
    result.storage = value.getType();
    OffsetTables tables(form_.in_maps[static_cast<size_t>(result.argument)], form_.dims);
    result.batch = tables.over(batch_dims_, tables.constant());
    result.outer = row == form_.row_dim ? Table{0} : tables.over(outer_dims_, 0);
    result.rows = tables.over({row}, 0);
    result.k = tables.over(depth, 0);
    if (!tables.complete()) {
      std::string text;
      llvm::raw_string_ostream(text) << form_.in_maps[static_cast<size_t>(result.argument)];
      throw InternalError("an operand of a cascade mixes dims of different parts in one term: " + text);
    }
    return result;
  }

  // One that a prologue leaves row after row. Who else reads the same, or a part of it, finds it there too.
  CascadeOperand computed_operand(mlir::Value value, int64_t row, const Dims& depth) {
    CascadeOperand result;
    int64_t start = 0;
    for (size_t k = 0; k < form_.prologues.size() && result.prologue < 0; ++k) {
      const std::optional<int64_t> within = find_in(form_.prologues[k], value, row, depth);
      if (within) result.prologue = static_cast<int64_t>(k), start = *within;
    }
    if (result.prologue < 0) {
      CascadePrologue made{value, sum_, row, depth, 0, points(depth)};
      const fuse::DimBits cases = cases_of(value);
      while (made.cases < depth.size() && (cases >> depth[made.cases] & 1) != 0) ++made.cases;
      result.prologue = static_cast<int64_t>(form_.prologues.size());
      form_.prologues.push_back(std::move(made));
    }
    const int64_t line = form_.prologues[static_cast<size_t>(result.prologue)].depth;
    result.argument = -1;
    result.storage = sum_;
    result.batch.assign(static_cast<size_t>(form_.batch), 0);
    result.outer.assign(static_cast<size_t>(row == form_.row_dim ? 1 : form_.outer), 0);
    for (int64_t i = 0; i < form_.dims[static_cast<size_t>(row)]; ++i) result.rows.push_back(i * line);
    for (int64_t k = 0; k < points(depth); ++k) result.k.push_back(start + k);
    return result;
  }

  // Where in its rows a prologue leaves `value`: all of them under other names of the dims, or those of one case.
  std::optional<int64_t> find_in(const CascadePrologue& one, mlir::Value value, int64_t row, const Dims& depth) {
    if (one.along != row || one.sum != sum_) return {};
    std::vector<Renamed> names(form_.dims.size());
    for (size_t d = 0; d < names.size(); ++d) names[d].dim = static_cast<int64_t>(d);
    auto rename = [&](size_t first) {
      if (one.dims.size() - first != depth.size()) return false;
      for (size_t d = 0; d < depth.size(); ++d) {
        const auto from = static_cast<size_t>(one.dims[first + d]), to = static_cast<size_t>(depth[d]);
        if (form_.dims[from] != form_.dims[to]) return false;
        names[from].dim = depth[d];
      }
      return true;
    };
    if (rename(0) && is_renamed(cascade_, value, one.value, names)) return 0;
    if (one.cases == 0 || !rename(one.cases)) return {};
    for (int64_t start = 0; start < one.depth; start += points(depth)) {
      for (int64_t rest = start / points(depth), d = static_cast<int64_t>(one.cases); d-- > 0;) {
        const auto dim = static_cast<size_t>(one.dims[static_cast<size_t>(d)]);
        names[dim].at = rest % form_.dims[dim];
        rest /= form_.dims[dim];
      }
      if (is_renamed(cascade_, value, one.value, names)) return start;
    }
    return {};
  }

  // The rest dims that choices in the computation of an operand depend on, if they make few cases.
  fuse::DimBits cases_of(mlir::Value value) const {
    fuse::DimBits found = 0;
    std::function<void(mlir::Value)> walk = [&](mlir::Value at) {
      mlir::Operation* op = at.getDefiningOp();
      if (!op) return;
      if (auto select = mlir::dyn_cast<mlir::arith::SelectOp>(op)) {
        const fuse::DimBits dims = dims_.of(select.getCondition());
        if (dims >> form_.first_rest << form_.first_rest == dims) found |= dims;
      }
      for (mlir::Value operand : op->getOperands()) walk(operand);
    };
    walk(value);
    int64_t count = 1;
    for (size_t d = 0; d < form_.dims.size(); ++d)
      if ((found >> d & 1) != 0) count *= form_.dims[d];
    return count <= ir::most_parts ? found : 0;
  }
  static Dims cases_first(Dims dims, fuse::DimBits cases) {
    std::stable_partition(dims.begin(), dims.end(), [&](int64_t d) { return (cases >> d & 1) != 0; });
    return dims;
  }

  fuse::CascadeOp cascade_;
  fuse::BodyDims dims_;
  CascadeForm form_;
  Dims batch_dims_, outer_dims_;
  fuse::DimBits stream_ = 0;
  mlir::Type sum_;  // of the contraction that is read
};

void add_terms(mlir::AffineExpr expr, int64_t factor, AffineTerms& terms) {
  if (auto constant = mlir::dyn_cast<mlir::AffineConstantExpr>(expr)) {
    terms.constant += factor * constant.getValue();
    return;
  }
  if (auto dim = mlir::dyn_cast<mlir::AffineDimExpr>(expr)) {
    terms.stride[dim.getPosition()] += factor;
    return;
  }
  auto binary = mlir::cast<mlir::AffineBinaryOpExpr>(expr);
  if (expr.getKind() == mlir::AffineExprKind::Add) {
    add_terms(binary.getLHS(), factor, terms);
    add_terms(binary.getRHS(), factor, terms);
    return;
  }
  auto by = mlir::dyn_cast<mlir::AffineConstantExpr>(binary.getRHS());
  if (by && expr.getKind() == mlir::AffineExprKind::Mul)
    return add_terms(binary.getLHS(), factor * by.getValue(), terms);
  terms.rest.emplace_back(factor, expr);
}

template <class List, class Member> int64_t find_op(const List& list, Member member, mlir::Operation* op) {
  for (size_t k = 0; k < list.size(); ++k) {
    if (list[k].*member == op) return static_cast<int64_t>(k);
  }
  return -1;
}

}  // namespace

AffineTerms::AffineTerms(mlir::AffineMap map) : stride(map.getNumDims(), 0) {
  if (map.getNumResults() > 0) add_terms(map.getResult(0), 1, *this);
}

int64_t CascadeForm::score_of(mlir::Operation* found) const { return find_op(scores, &CascadeScore::contract, found); }
int64_t CascadeForm::statistic_of(mlir::Operation* found) const {
  return find_op(statistics, &CascadeStatistic::reduce, found);
}
int64_t CascadeForm::accumulation_of(mlir::Operation* found) const {
  return find_op(accumulations, &CascadeAccumulation::contract, found);
}

int64_t CascadeForm::batch_sum_of(mlir::Operation* found) const {
  return find_op(batch_sums, &CascadeBatchSum::reduce, found);
}

int64_t CascadeForm::table_of(mlir::Operation* found) const { return find_op(tables, &CascadeTable::scatter, found); }

bool CascadeForm::is_table(int64_t result) const {
  return std::any_of(tables.begin(), tables.end(), [&](const CascadeTable& one) { return one.result == result; });
}

CascadeForm read_cascade(fuse::CascadeOp cascade) { return Reader(cascade).read(); }

}  // namespace tessera::codegen
