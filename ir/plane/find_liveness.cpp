#include <tessera/ir/plane/find_liveness.h>

#include <cmath>

#include "llvm/ADT/TypeSwitch.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <tessera/ir/fuse/Scatter.h>
#include <tessera/ir/fuse/body_dims.h>
#include <tessera/ir/plane/conditions.h>
#include <tessera/ir/plane/facts.h>

namespace tessera::ir {
namespace {

namespace arith = mlir::arith;
namespace math = mlir::math;
using mlir::Operation;
using mlir::Value;

// What a float may be known to be.
enum class Special { minus_infinity, zero, infinity };
Special negated(Special x) {
  if (x == Special::zero) return x;
  return x == Special::infinity ? Special::minus_infinity : Special::infinity;
}

class Finder : Conditions {
 public:
  explicit Finder(fuse::CascadeOp cascade)
      : Conditions(cascade), body_(cascade.getBody().front()), dims_(body_, cascade.getInMaps()) {
    for (int64_t d = cascade.first_stream_dim(); d < cascade.first_rest_dim(); ++d) stream_ |= fuse::DimBits{1} << d;
    rest_ = ~((fuse::DimBits{1} << cascade.first_rest_dim()) - 1);
  }

  FoundLiveness find() {
    if (cascade_.first_rest_dim() > Liveness::max_dims) return {};
    Known empty = always;
    for (Operation& op : body_) empty = both(empty, combines_nothing(op));
    for (Value value : body_.getTerminator()->getOperands())
      if (is_streamed(value) && !value.getDefiningOp<fuse::ReduceOp>()) empty = never;  // written at every point
    Known full = always;
    for (Operation& op : body_) full = both(full, keeps(op));
    if (conditions_.empty()) full = never;
    if (full < 0) conditions_.clear();
    return {finish(empty, full), std::move(conditions_)};
  }

 private:
  bool is_streamed(Value value) const { return (dims_.of(value) & stream_) != 0; }

  // ---- what a block does ----

  // That what `op` combines over the stream is neutral; other ops combine nothing anyway.
  Known combines_nothing(Operation& op) {
    if (auto contract = llvm::dyn_cast<fuse::ContractOp>(op))
      return is_streamed(contract.getResult()) ? Known{always} : is(contract.getLhs(), Special::zero);
    if (auto sum = llvm::dyn_cast<fuse::ScatterAddOp>(op)) return is(sum.getValue(), Special::zero);
    auto reduce = llvm::dyn_cast<fuse::ReduceOp>(op);
    if (!reduce) return always;
    if (!llvm::isa<mlir::FloatType>(reduce.getValue().getType())) return never;
    switch (reduce.getKind()) {
      case fuse::ReduceKind::max:
        return either(is(reduce.getValue(), Special::minus_infinity), is_far_below(reduce.getValue(), reduce));
      case fuse::ReduceKind::min: return is(reduce.getValue(), Special::infinity);
      case fuse::ReduceKind::sum: return is(reduce.getValue(), Special::zero);
      case fuse::ReduceKind::prod: return never;
    }
    return never;
  }

  // That `op` chooses what no mask hides, if it is a choice between plane values that a block can decide. One that also
  // depends on where in its row or column it stands is of an operand.
  Known keeps(Operation& op) {
    auto select = llvm::dyn_cast<arith::SelectOp>(op);
    if (!select || !llvm::isa<mlir::FloatType>(select.getType()) || !is_streamed(select.getResult()) ||
        (dims_.of(select.getResult()) & rest_) != 0)
      return always;
    const int hides = hiding(select.getTrueValue()) - hiding(select.getFalseValue());
    if (hides == 0) return always;
    const bool side = hides < 0;
    const Known known = fact(select.getCondition(), side);
    if (known == never) return always;  // stays to be evaluated
    const std::pair<Value, bool> condition{select.getCondition(), side};
    if (!llvm::is_contained(conditions_, condition)) conditions_.push_back(condition);
    return known;
  }
  // How surely a mask puts it in the place of what it hides: −∞ or −10⁹ of scores, then 0 of anything.
  static int hiding(Value value) {
    const std::optional<double> x = real_constant(value);
    return !x ? 0 : *x < -1e3 ? 2 : *x == 0 ? 1 : 0;
  }

  // ---- floats ----

  // That `value` is `what`.
  Known is(Value value, Special what) {
    if (!llvm::isa<mlir::FloatType>(value.getType())) return never;
    auto [known, fresh] = is_.try_emplace({value, static_cast<int>(what)}, never);
    if (!fresh) return known->second;
    const Known found = find(value, what);
    is_[{value, static_cast<int>(what)}] = found;
    return found;
  }

  Known find(Value value, Special what) {
    Operation* op = value.getDefiningOp();
    if (!op) return loaded(llvm::cast<mlir::BlockArgument>(value), what);
    auto x = [&](Special of) { return is(op->getOperand(0), of); };
    auto y = [&](Special of) { return is(op->getOperand(1), of); };
    const bool zero = what == Special::zero;
    return llvm::TypeSwitch<Operation*, Known>(op)
        .Case([&](arith::ConstantOp) {
          const double c = *real_constant(value);
          const double wanted = zero ? 0 : what == Special::infinity ? HUGE_VAL : -HUGE_VAL;
          return c == wanted ? always : never;
        })
        .Case([&](arith::SelectOp select) {
          const Known a = is(select.getTrueValue(), what), b = is(select.getFalseValue(), what);
          if (a == never && b == never) return Known{never};
          return either(both(a, b), either(both(fact(select.getCondition(), true), a),
                                           both(fact(select.getCondition(), false), b)));
        })
        .Case<arith::ExtFOp, arith::TruncFOp>([&](Operation*) { return x(what); })
        .Case<arith::NegFOp>([&](Operation*) { return x(negated(what)); })
        .Case<arith::AddFOp>([&](Operation*) { return zero ? both(x(what), y(what)) : either(x(what), y(what)); })
        .Case<arith::SubFOp>(
            [&](Operation*) { return zero ? both(x(what), y(what)) : either(x(what), y(negated(what))); })
        .Case<arith::MulFOp>([&](Operation*) {
          if (zero) return either(x(what), y(what));
          return either(scaled(op->getOperand(0), op->getOperand(1), what),
                        scaled(op->getOperand(1), op->getOperand(0), what));
        })
        .Case<arith::DivFOp>([&](Operation*) {
          if (!zero) return scaled(op->getOperand(0), op->getOperand(1), what);
          return either(x(what), either(y(Special::infinity), y(Special::minus_infinity)));
        })
        .Case<arith::MaximumFOp>(
            [&](Operation*) { return what == Special::infinity ? either(x(what), y(what)) : both(x(what), y(what)); })
        .Case<arith::MinimumFOp>([&](Operation*) {
          return what == Special::minus_infinity ? either(x(what), y(what)) : both(x(what), y(what));
        })
        .Case<math::ExpOp, math::Exp2Op>([&](Operation*) {
          if (!zero) return what == Special::minus_infinity ? Known{never} : x(what);
          auto from = op->getOperand(0).getDefiningOp<arith::SubFOp>();
          return either(x(Special::minus_infinity), from ? is_far_below(from.getLhs(), from.getRhs()) : Known{never});
        })
        .Case<math::AbsFOp>([&](Operation*) {
          if (what == Special::minus_infinity) return Known{never};
          return zero ? x(what) : either(x(Special::infinity), x(Special::minus_infinity));
        })
        .Case<math::TanhOp, math::ErfOp, math::SinOp, math::SqrtOp>(
            [&](Operation*) { return zero ? x(what) : Known{never}; })
        .Case<arith::SIToFPOp, arith::UIToFPOp>([&](Operation*) {
          Value in = op->getOperand(0);
          if (!zero) return Known{never};
          return in.getType().isInteger(1) ? fact(in, false) : compare(Liveness::Op::equal, number(in), constant(0));
        })
        .Default([&](Operation*) { return Known{never}; });
  }

  // ---- finite fills ----

  // That what masks put in the place of `x` is so far below `statistic`, a maximum of the row, that exp(x − statistic) is 0
  // and x no maximum. Of a row that is hidden from end to end it is not, and all of it weighs alike.
  Known is_far_below(Value x, Value statistic) {
    constexpr double distance = 2048;  // 2⁻²⁰⁴⁸ is 0 in every type
    constexpr double least = -1e18;    // the node holds an integer
    const std::optional<double> fill = fill_of(x);
    if (!fill) return never;
    return both(is_at_most(x, *fill), is_at_least(statistic, std::max(std::ceil(*fill + distance), least)));
  }

  // The largest such number in `x`.
  static std::optional<double> fill_of(Value x) {
    constexpr double least_size = 1e4;
    if (const std::optional<double> c = real_constant(x))
      return std::isfinite(*c) && *c <= -least_size ? c : std::nullopt;
    auto select = x.getDefiningOp<arith::SelectOp>();
    if (!select) return {};
    const std::optional<double> a = fill_of(select.getTrueValue()), b = fill_of(select.getFalseValue());
    return a && b ? std::max(*a, *b) : a ? a : b;
  }

  Known is_at_most(Value x, double most) {
    if (const std::optional<double> c = real_constant(x)) return *c <= most ? always : never;
    auto select = x.getDefiningOp<arith::SelectOp>();
    if (!select) return never;
    const Known a = is_at_most(select.getTrueValue(), most), b = is_at_most(select.getFalseValue(), most);
    return either(both(a, b),
                  either(both(fact(select.getCondition(), true), a), both(fact(select.getCondition(), false), b)));
  }

  // A maximum of this kernel, as far as the stream has come; or what a kernel before has written.
  Known is_at_least(Value statistic, double least) {
    if (!statistic.getType().isF32() && !statistic.getType().isF64()) return never;
    std::optional<int32_t> load;
    if (auto argument = llvm::dyn_cast<mlir::BlockArgument>(statistic)) {
      load = load_of(argument);
    } else {
      bool guarded = false;
      Value behind = behind_guard(statistic, guarded);
      if (behind) load = load_of_statistic(behind.getDefiningOp<fuse::ReduceOp>());
    }
    return load ? add({Liveness::Op::at_least, *load, 0, 0, 0, static_cast<int64_t>(least)}) : Known{never};
  }
  // Statistics are numbered as they stand in the body.
  std::optional<int32_t> load_of_statistic(fuse::ReduceOp found) {
    if (found.getKind() != fuse::ReduceKind::max) return {};
    Liveness::Load load;
    load.is_statistic = 1;
    load.bytes = found.getType().getIntOrFloatBitWidth() / 8;
    load.strides[static_cast<size_t>(cascade_.row_dim())] = 1;
    for (auto reduce : body_.getOps<fuse::ReduceOp>()) {
      if (fuse::dim_bits(reduce.getOver()) != stream_) continue;
      if (reduce == found) return add(load);
      ++load.input;
    }
    return {};
  }

  // That x times or by a constant is `what`, an infinity.
  Known scaled(Value x, Value by, Special what) {
    const std::optional<double> c = real_constant(by);
    if (!c || *c == 0 || !std::isfinite(*c)) return never;
    return is(x, *c > 0 ? what : negated(what));
  }

  // Masks in memory that are added or multiplied.
  Known loaded(mlir::BlockArgument argument, Special what) {
    auto type = llvm::dyn_cast<mlir::FloatType>(argument.getType());
    const unsigned bits = type ? type.getIntOrFloatBitWidth() : 0;
    if (bits < 16 || what == Special::infinity) return never;
    const std::optional<int32_t> load = load_of(argument);
    if (!load) return never;
    const auto value = what == Special::zero ? llvm::APFloat::getZero(type.getFloatSemantics())
                                             : llvm::APFloat::getInf(type.getFloatSemantics(), /*Negative=*/true);
    return add({Liveness::Op::all_bits, *load, what == Special::zero, 0, 0,
                static_cast<int64_t>(value.bitcastToAPInt().getZExtValue())});
  }

  mlir::Block& body_;
  fuse::BodyDims dims_;
  fuse::DimBits stream_ = 0, rest_ = 0;
  llvm::SmallVector<std::pair<Value, bool>, 4> conditions_;
  llvm::DenseMap<std::pair<Value, int>, Known> is_;
};

}  // namespace

FoundLiveness find_liveness(fuse::CascadeOp cascade) { return Finder(cascade).find(); }

std::optional<BlockCount> count_blocks(fuse::CascadeOp cascade, const Liveness& blocks) {
  constexpr int64_t side = 64, most_blocks = 1 << 17;
  std::vector<Interval> block(static_cast<size_t>(cascade.first_rest_dim()));
  const auto row = static_cast<size_t>(cascade.row_dim()), column = block.size() - 1;
  const int64_t rows = cascade.getDims()[row], columns = cascade.getDims()[column];
  if (blocks.empty < 0 || !blocks.loads.empty() || rows > most_blocks * side * side / columns) return {};
  BlockCount count;
  for (int64_t m = 0; m < rows; m += side)
    for (int64_t n = 0; n < columns; n += side, ++count.all) {
      block[row] = {m, std::min(m + side, rows) - 1};
      block[column] = {n, std::min(n + side, columns) - 1};
      count.empty += state_of(blocks, block, {}) == BlockState::empty;
    }
  return count;
}

}  // namespace tessera::ir
