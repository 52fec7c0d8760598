#include <tessera/codegen/cpu/cascade_pieces.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/IRMapping.h"

#include <tessera/codegen/cpu/cascade_piece.h>
#include <tessera/core/error.h>
#include <tessera/core/fault.h>
#include <tessera/ir/fuse/Scatter.h>

namespace tessera::codegen {

using namespace mlir;

namespace {

using Where = PieceOperand::Where;

// ---- scalar ops of a body ----

Value neutral(OpBuilder& b, Location loc, fuse::ReduceKind kind, Type type) {
  if (auto real = dyn_cast<FloatType>(type)) {
    const double infinity = std::numeric_limits<double>::infinity();
    const double value = kind == fuse::ReduceKind::sum    ? 0
                         : kind == fuse::ReduceKind::prod ? 1
                         : kind == fuse::ReduceKind::max  ? -infinity
                                                          : infinity;
    return arith::ConstantOp::create(b, loc, b.getFloatAttr(real, value));
  }
  const unsigned width = type.getIntOrFloatBitWidth();
  APInt value(width, kind == fuse::ReduceKind::prod ? 1 : 0);
  if (width > 1 && kind == fuse::ReduceKind::max) value = APInt::getSignedMinValue(width);
  if (kind == fuse::ReduceKind::min) value = width > 1 ? APInt::getSignedMaxValue(width) : APInt(1, 1);
  return arith::ConstantOp::create(b, loc, b.getIntegerAttr(type, value));
}

Value combine(OpBuilder& b, Location loc, fuse::ReduceKind kind, Value x, Value y) {
  const bool real = isa<FloatType>(x.getType()), boolean = x.getType().isInteger(1);
  switch (kind) {
    case fuse::ReduceKind::sum:
      if (real) return arith::AddFOp::create(b, loc, x, y);
      if (boolean) return arith::OrIOp::create(b, loc, x, y);
      return arith::AddIOp::create(b, loc, x, y);
    case fuse::ReduceKind::prod:
      if (real) return arith::MulFOp::create(b, loc, x, y);
      if (boolean) return arith::AndIOp::create(b, loc, x, y);
      return arith::MulIOp::create(b, loc, x, y);
    case fuse::ReduceKind::max:
      if (real) return arith::MaximumFOp::create(b, loc, x, y);
      if (boolean) return arith::OrIOp::create(b, loc, x, y);
      return arith::MaxSIOp::create(b, loc, x, y);
    case fuse::ReduceKind::min:
      if (real) return arith::MinimumFOp::create(b, loc, x, y);
      if (boolean) return arith::AndIOp::create(b, loc, x, y);
      return arith::MinSIOp::create(b, loc, x, y);
  }
  return {};
}

Value is_equal(OpBuilder& b, Location loc, Value x, Value y) {
  if (isa<FloatType>(x.getType())) return arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, x, y);
  return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, x, y);
}

// How a repair acts: a product on sums, a sum on extremes.
fuse::ReduceKind action_on(fuse::ReduceKind kind) {
  if (kind == fuse::ReduceKind::prod) throw InternalError("a cascade repairs a product");
  return kind == fuse::ReduceKind::sum ? fuse::ReduceKind::prod : fuse::ReduceKind::sum;
}

// What repairs results that statistics moved under.
class RepairingPiece : public PieceBuilder {
 public:
  using PieceBuilder::PieceBuilder;

 protected:
  // What a repair makes of the step of its statistic from `old` to `now`; neutral where nothing had been seen.
  Value step(Operation* op, fuse::ReduceKind action, Value old, Value now) {
    auto repair = cast<fuse::RepairOp>(op);
    Block& region = repair.getFactor().front();
    IRMapping mapping;
    mapping.map(region.getArgument(0), old);
    mapping.map(region.getArgument(1), now);
    auto inside = [&](Value value) {
      if (!mapping.contains(value)) mapping.map(value, get(value));
      return mapping.lookup(value);
    };
    for (Operation& one : region.without_terminator()) {
      for (Value operand : one.getOperands()) inside(operand);
      b_.clone(one, mapping);
    }
    Value made = inside(region.getTerminator()->getOperand(0));
    const auto kind = cast<fuse::ReduceOp>(statistic_behind(op)).getKind();
    Value nothing = is_equal(b_, loc_, old, neutral(b_, loc_, kind, old.getType()));
    return arith::SelectOp::create(b_, loc_, nothing, neutral(b_, loc_, action, made.getType()), made);
  }

  static Operation* statistic_behind(Operation* repair) {
    return cast<fuse::RepairOp>(repair).getStatistic().getDefiningOp();
  }

  // The product of the steps of all repairs, each of which `of` makes, in the type of the sums.
  template <class Step> Value factor_of(const CascadeAccumulation& sums, const Step& of) {
    Value product;
    for (Operation* repair : sums.repairs) {
      Value one = of(repair);
      product = product ? combine(b_, loc_, fuse::ReduceKind::prod, product, one) : one;
    }
    if (product.getType() != sums.contract->getResult(0).getType()) {
      throw InternalError("a repair of a cascade has another type than what it repairs");
    }
    return product;
  }
};

// What reads a tile of scores and moves the statistics.
class TilePiece : public RepairingPiece {
 public:
  TilePiece(const CascadeForm& cascade, int64_t line, int64_t tile, int64_t block)
      : RepairingPiece(cascade, {cascade.row_dim, cascade.column_dim}, {tile, block}), line_(line) {}

  void statistic(int64_t number) {
    Operation* reduce = cascade_.statistics[static_cast<size_t>(number)].reduce;
    scratch_result({Where::statistic, number}, new_of(reduce), by_row(), 1);
  }

  void factor(int64_t number, const CascadeAccumulation& of) {
    Value made = factor_of(of, [&](Operation* repair) { return last_step(repair, fuse::ReduceKind::prod); });
    scratch_result({Where::factor, number}, made, by_row(), 0);
  }

  // In the type of the sums that it goes into.
  void plane(int64_t number, Value of, Type sum) {
    Value value = get(of);
    if (value.getType() != sum) value = arith::ExtFOp::create(b_, loc_, sum, value);
    scratch_result({Where::plane, number}, value, {line_, 1}, 0);
  }

  // An index outside goes to an entry behind the last.
  void addends(int64_t number) {
    const CascadeTable& table = cascade_.tables[static_cast<size_t>(number)];
    auto scatter = cast<fuse::ScatterAddOp>(table.scatter);
    scratch_result({Where::addend, number}, get(scatter.getValue()), {line_, 1}, 0);
    Value last = arith::ConstantIndexOp::create(b_, loc_, table.entries);
    Value entry = arith::MinUIOp::create(b_, loc_, get(scatter.getEntry()), last);
    entry = arith::IndexCastOp::create(b_, loc_, b_.getI32Type(), entry);
    scratch_result({Where::entry, number}, entry, {line_, 1}, 0);
  }

 private:
  Value product(Operation* op) override {
    const int64_t score = cascade_.score_of(op);
    check_internal(score >= 0, "a tile piece multiplies scores alone");  // (K8)
    return scratch_input({Where::score, score}, op->getResult(0).getType(), {line_, 1}, 0);
  }

  // A statistic as the plane reads it: of what has been seen until now.
  Value reduction(Operation* op) override {
    if (const int64_t number = cascade_.batch_sum_of(op); number >= 0)
      return batch_sum(cascade_.batch_sums[static_cast<size_t>(number)]);
    const CascadeStatistic& statistic = cascade_.statistics[static_cast<size_t>(cascade_.statistic_of(op))];
    auto reduce = cast<fuse::ReduceOp>(op);
    const auto kind = reduce.getKind();
    Type type = op->getResult(0).getType();
    Value part = fuse::ReduceOp::create(b_, loc_, type, kind, get(reduce.getValue()), b_.getDenseI64ArrayAttr({1}));
    Value kept = old_of(op);
    for (Operation* repair : statistic.repairs) {
      kept = combine(b_, loc_, action_on(kind), kept, last_step(repair, action_on(kind)));
    }
    Value now = combine(b_, loc_, kind, kept, part);
    const bool extreme = isa<FloatType>(type) && (kind == fuse::ReduceKind::max || kind == fuse::ReduceKind::min);
    Value zero = extreme ? arith::ConstantOp::create(b_, loc_, b_.getZeroAttr(type)).getResult() : Value();
    if (extreme && planted(Fault::maximum_lost)) now = zero;
    new_[op] = now;
    if (!extreme) return now;
    // Nothing but neutral elements so far: under any finite reference they add nothing, but −∞ − −∞ is NaN.
    return arith::SelectOp::create(b_, loc_, is_equal(b_, loc_, now, neutral(b_, loc_, kind, type)), zero, now);
  }

  // The first batch writes, the others add.
  Value batch_sum(const CascadeBatchSum& sum) {
    auto reduce = cast<fuse::ReduceOp>(sum.reduce);
    AffineExpr point = b_.getAffineConstantExpr(0);
    for (int64_t d : reduce.getOver()) point = point + b_.getAffineDimExpr(static_cast<unsigned>(d));
    Value at = index(AffineMap::get(static_cast<unsigned>(cascade_.dims.size()), 0, point));
    Value first =
        arith::CmpIOp::create(b_, loc_, arith::CmpIPredicate::eq, at, arith::ConstantIndexOp::create(b_, loc_, 0));
    Value here = get(reduce.getValue());
    Value all = arith::AddFOp::create(b_, loc_, written_before(sum.result), here);
    return arith::SelectOp::create(b_, loc_, first, here, all);
  }

  Value old_of(Operation* reduce) {
    Value old = old_.lookup(reduce);
    if (!old) {
      const PieceOperand operand{Where::statistic, cascade_.statistic_of(reduce)};
      old_[reduce] = old = scratch_input(operand, reduce->getResult(0).getType(), by_row(), 1);
    }
    return old;
  }

  Value new_of(Operation* reduce) {
    get(reduce->getResult(0));
    return new_.lookup(reduce);
  }

  Value last_step(Operation* repair, fuse::ReduceKind action) {
    Operation* statistic = statistic_behind(repair);
    Value now = new_of(statistic);
    return step(repair, action, old_of(statistic), now);
  }

  const int64_t line_;
  llvm::DenseMap<Operation*, Value> old_, new_;  // of statistics
};

// What two parts of a stream know of its rows becomes what they know together.
class MergePiece : public RepairingPiece {
 public:
  MergePiece(const CascadeForm& cascade, int64_t group) : RepairingPiece(cascade, {cascade.row_dim}, {group}) {}

  void statistic(int64_t number) {
    Operation* reduce = cascade_.statistics[static_cast<size_t>(number)].reduce;
    scratch_result({Where::statistic, number}, get(reduce->getResult(0)), by_row(), 1);
  }

  void factors(int64_t number, const CascadeAccumulation& of) {
    for (bool other : {false, true}) {
      Value made = factor_of(of, [&](Operation* repair) { return step_of(repair, fuse::ReduceKind::prod, other); });
      scratch_result({other ? Where::other_factor : Where::factor, number}, made, by_row(), 1);
    }
  }

 private:
  Value product(Operation*) override { throw InternalError("a factor of a cascade's sums reads a product"); }

  Value reduction(Operation* op) override {
    const CascadeStatistic& statistic = cascade_.statistics[static_cast<size_t>(cascade_.statistic_of(op))];
    const auto kind = cast<fuse::ReduceOp>(op).getKind();
    Value sides[2];
    for (bool other : {false, true}) {
      sides[other] = part_of(op, other);
      for (Operation* repair : statistic.repairs) {
        sides[other] = combine(b_, loc_, action_on(kind), sides[other], step_of(repair, action_on(kind), other));
      }
    }
    return combine(b_, loc_, kind, sides[0], sides[1]);
  }

  Value step_of(Operation* repair, fuse::ReduceKind action, bool other) {
    Operation* statistic = statistic_behind(repair);
    Value now = get(statistic->getResult(0));
    return step(repair, action, part_of(statistic, other), now);
  }

  Value part_of(Operation* reduce, bool other) {
    Value& part = parts_[other][reduce];
    if (!part) {
      const Where where = other ? Where::other_statistic : Where::statistic;
      part = scratch_input({where, cascade_.statistic_of(reduce)}, reduce->getResult(0).getType(), by_row(), 1);
    }
    return part;
  }

  llvm::DenseMap<Operation*, Value> parts_[2];  // of statistics
};

// The sums of two parts of a stream, row by row.
class MergeSumsPiece : public PieceBuilder {
 public:
  MergeSumsPiece(const CascadeForm& cascade, int64_t group, int64_t columns)
      : PieceBuilder(cascade, {cascade.row_dim, cascade.column_dim}, {group, columns}) {}

  // `factor`: number of its factors; −1: it has none.
  void sums(int64_t number, int64_t line, int64_t factor) {
    Type type = cascade_.accumulations[static_cast<size_t>(number)].contract->getResult(0).getType();
    Value sides[2];
    for (bool other : {false, true}) {
      sides[other] = scratch_input({other ? Where::other_sums : Where::sums, number}, type, {line, 1}, line);
      if (factor < 0) continue;
      Value by = scratch_input({other ? Where::other_factor : Where::factor, factor}, type, by_row(), 1);
      sides[other] = combine(b_, loc_, fuse::ReduceKind::prod, sides[other], by);
    }
    scratch_result({Where::sums, number}, combine(b_, loc_, fuse::ReduceKind::sum, sides[0], sides[1]), {line, 1},
                   line);
  }

 private:
  Value reduction(Operation*) override { throw InternalError("merged sums of a cascade read a statistic"); }
  Value product(Operation*) override { throw InternalError("merged sums of a cascade read a product"); }
};

// What becomes of statistics and sums when the stream has ended.
class FinishPiece : public PieceBuilder {
 public:
  FinishPiece(const CascadeForm& cascade, const std::vector<int64_t>& lines, std::vector<int64_t> walked,
              std::vector<int64_t> extents)
      : PieceBuilder(cascade, std::move(walked), std::move(extents)), lines_(lines) {}

 private:
  Value product(Operation* op) override {
    const int64_t number = cascade_.accumulation_of(op);
    if (number < 0) throw InternalError("a result of a cascade reads a score when the stream has ended");
    const auto k = static_cast<size_t>(number);
    const CascadeAccumulation& sums = cascade_.accumulations[k];
    std::vector<int64_t> strides(walked_.size(), 0);
    strides[0] = lines_[k];
    int64_t step = 1;
    for (size_t d = sums.dims.size(); d-- > 0;) {
      auto found = llvm::find(walked_, sums.dims[d]);
      if (found == walked_.end()) throw InternalError("a result of a cascade lacks a dim of what it reads");
      strides[static_cast<size_t>(found - walked_.begin())] = step;
      step *= cascade_.dims[static_cast<size_t>(sums.dims[d])];
    }
    return scratch_input({Where::sums, number}, op->getResult(0).getType(), strides, lines_[k]);
  }

  Value reduction(Operation* op) override {
    return scratch_input({Where::statistic, cascade_.statistic_of(op)}, op->getResult(0).getType(), by_row(), 1);
  }

  const std::vector<int64_t>& lines_;
};

// The entries of a table, summed in f64.
class TablePiece : public PieceBuilder {
 public:
  TablePiece(const CascadeForm& cascade, const CascadeTable& table)
      : PieceBuilder(cascade, {cascade.row_dim, table.dim}, {1, table.entries}) {}

 private:
  Value reduction(Operation*) override { throw InternalError("a table of a cascade reads a statistic"); }
  Value product(Operation*) override { throw InternalError("a table of a cascade reads a product"); }
  Value table(Operation* op) override {
    Value sum = scratch_input({Where::table, cascade_.table_of(op)}, b_.getF64Type(), {0, 1}, 0);
    const Type type = op->getResult(0).getType();
    return type == sum.getType() ? sum : arith::TruncFOp::create(b_, loc_, type, sum).getResult();
  }
};

// An operand of a product, as it is packed later.
class ProloguePiece : public PieceBuilder {
 public:
  // `most_rows`: how many are computed at a time.
  ProloguePiece(const CascadeForm& cascade, const CascadePrologue& of, int64_t most_rows)
      : PieceBuilder(cascade, walk(of), extents(cascade, of, most_rows)), of_(of) {}

  // Of case number `which`, counted in the order of the dims that make them.
  void operand(int64_t number, int64_t which) {
    std::vector<int64_t> strides(walked_.size());
    strides[0] = of_.depth;
    int64_t step = 1, start = 0;
    for (size_t d = of_.dims.size(); d-- > 0;) {
      const int64_t extent = cascade_.dims[static_cast<size_t>(of_.dims[d])];
      if (d >= of_.cases) {
        strides[1 + d - of_.cases] = step;
      } else {
        fix(of_.dims[d], which % extent);
        start += which % extent * step;
        which /= extent;
      }
      step *= extent;
    }
    Value value = get(of_.value);
    if (value.getType() != of_.sum) value = arith::ExtFOp::create(b_, loc_, of_.sum, value);
    scratch_result({Where::prologue, number}, value, strides, 0, start);
  }

 private:
  static std::vector<int64_t> walk(const CascadePrologue& of) {
    std::vector<int64_t> dims(of.dims.begin() + static_cast<std::ptrdiff_t>(of.cases), of.dims.end());
    dims.insert(dims.begin(), of.along);
    return dims;
  }
  static std::vector<int64_t> extents(const CascadeForm& cascade, const CascadePrologue& of, int64_t rows) {
    std::vector<int64_t> all;
    for (int64_t d : walk(of)) all.push_back(cascade.dims[static_cast<size_t>(d)]);
    all.front() = rows;
    return all;
  }

  Value reduction(Operation*) override { throw InternalError("an operand of a cascade reads a statistic"); }
  Value product(Operation*) override { throw InternalError("an operand of a cascade reads a product"); }

  const CascadePrologue& of_;
};

void add_prologues(const CascadeForm& form, const CascadeSizes& sizes, CascadePieces& all) {
  for (size_t k = 0; k < form.prologues.size(); ++k) {
    const CascadePrologue& one = form.prologues[k];
    int64_t cases = 1;
    for (size_t d = 0; d < one.cases; ++d) cases *= form.dims[static_cast<size_t>(one.dims[d])];
    all.cases.push_back(cases);
    for (int64_t which = 0; which < cases; ++which) {
      ProloguePiece piece(form, one, one.along == form.row_dim ? sizes.group : sizes.block);
      piece.operand(static_cast<int64_t>(k), which);
      all.prologue.push_back(piece.finish(*all.holder, form.name + "_operand"));
    }
  }
}

// The rest dims of a result, the one that it walks with the smallest steps last.
std::vector<int64_t> walk_of(const CascadeForm& cascade, size_t result) {
  AffineTerms terms(cascade.out_maps[result]);
  std::vector<int64_t> dims;
  for (auto d = static_cast<size_t>(cascade.first_rest); d < terms.stride.size(); ++d) {
    if (terms.stride[d] != 0) dims.push_back(static_cast<int64_t>(d));
  }
  std::stable_sort(dims.begin(), dims.end(), [&](int64_t x, int64_t y) {
    return std::abs(terms.stride[static_cast<size_t>(x)]) > std::abs(terms.stride[static_cast<size_t>(y)]);
  });
  dims.insert(dims.begin(), cascade.row_dim);
  return dims;
}

// `known`: bools of the body and what they are.
CascadePiece tile_piece(const CascadeForm& form, const CascadeSizes& sizes, const CascadePieces& all,
                        llvm::ArrayRef<std::pair<Value, bool>> known) {
  TilePiece tile(form, sizes.line, sizes.tile, sizes.block);
  for (auto [condition, holds] : known) tile.know(condition, holds);
  for (size_t k = 0; k < form.statistics.size(); ++k) tile.statistic(static_cast<int64_t>(k));
  for (size_t k = 0; k < all.planes.size(); ++k) {
    const auto reader = static_cast<size_t>(llvm::find(all.plane_of, static_cast<int64_t>(k)) - all.plane_of.begin());
    tile.plane(static_cast<int64_t>(k), all.planes[k], form.accumulations[reader].contract->getResult(0).getType());
  }
  for (size_t k = 0; k < form.accumulations.size(); ++k) {
    if (all.factor_of[k] >= 0) tile.factor(all.factor_of[k], form.accumulations[k]);
  }
  for (size_t k = 0; k < form.of_plane.size(); ++k) {
    if (form.of_plane[k]) tile.result(static_cast<int64_t>(k));
  }
  for (size_t k = 0; k < form.tables.size(); ++k) tile.addends(static_cast<int64_t>(k));
  return tile.finish(*all.holder, form.name + (known.empty() ? "_tile" : "_full_tile"));
}

void add_merge_pieces(const CascadeForm& form, const CascadeSizes& sizes, CascadePieces& all) {
  if (!form.statistics.empty()) {
    MergePiece piece(form, sizes.group);
    for (size_t k = 0; k < form.statistics.size(); ++k) piece.statistic(static_cast<int64_t>(k));
    for (size_t k = 0; k < form.accumulations.size(); ++k) {
      if (all.factor_of[k] >= 0) piece.factors(all.factor_of[k], form.accumulations[k]);
    }
    all.merge.push_back(piece.finish(*all.holder, form.name + "_merge"));
  }
  for (size_t k = 0; k < form.accumulations.size(); ++k) {
    MergeSumsPiece piece(form, sizes.group, form.accumulations[k].columns);
    piece.sums(static_cast<int64_t>(k), sizes.sums_lines[k], all.factor_of[k]);
    all.merge.push_back(piece.finish(*all.holder, form.name + "_merge_sums"));
  }
}

}  // namespace

std::shared_ptr<CascadePieces> make_pieces(const CascadeForm& form, const CascadeSizes& sizes) {
  auto all = std::make_shared<CascadePieces>();
  all->holder = ModuleOp::create(form.op->getLoc());
  for (const CascadeAccumulation& sums : form.accumulations) {
    auto found = llvm::find(all->planes, sums.plane);
    all->plane_of.push_back(found - all->planes.begin());
    if (found == all->planes.end()) all->planes.push_back(sums.plane);
    all->factor_of.push_back(sums.repairs.empty() ? -1 : all->factors++);
  }
  all->tile.push_back(tile_piece(form, sizes, *all, {}));
  if (form.liveness.blocks.full >= 0) all->tile.push_back(tile_piece(form, sizes, *all, form.liveness.conditions));
  for (size_t k = 0; k < form.of_plane.size(); ++k) {
    if (form.of_plane[k] || form.is_table(static_cast<int64_t>(k))) continue;
    std::vector<int64_t> walked = walk_of(form, k), extents{sizes.group};
    for (size_t d = 1; d < walked.size(); ++d) extents.push_back(form.dims[static_cast<size_t>(walked[d])]);
    FinishPiece piece(form, sizes.sums_lines, walked, extents);
    piece.result(static_cast<int64_t>(k));
    all->finish.push_back(piece.finish(*all->holder, form.name + "_finish"));
  }
  if (sizes.parts > 1) add_merge_pieces(form, sizes, *all);
  for (const CascadeTable& table : form.tables) {
    TablePiece piece(form, table);
    piece.result(table.result);
    all->table.push_back(piece.finish(*all->holder, form.name + "_table"));
  }
  add_prologues(form, sizes, *all);
  return all;
}

}  // namespace tessera::codegen
