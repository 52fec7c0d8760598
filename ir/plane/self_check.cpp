#include <tessera/ir/plane/self_check.h>

#include <cmath>
#include <limits>

#include "llvm/ADT/TypeSwitch.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <tessera/core/hash.h>

namespace tessera::ir {

namespace arith = mlir::arith;
namespace math = mlir::math;
using mlir::Operation;
using mlir::Value;

namespace {

constexpr int points = 64, edges = 8, enough = 8;
constexpr double infinity = std::numeric_limits<double>::infinity();

// Scalars of a body in f64. What it does not compute itself, statistics among that, it draws.
class Point {
 public:
  // On an edge, the stream is one point and what it holds is −∞.
  Point(BodyFacts& facts, uint64_t seed, bool edge) : facts_(facts), state_(seed), edge_(edge) {}

  double draw(double low, double high) {
    state_ = mix(state_ + 1);
    return low + (high - low) * static_cast<double>(state_ >> 11) * 0x1p-53;
  }
  void set(Value value, double x) { known_[value] = x; }
  // What was set or computed, before something else is set; what was drawn stays.
  void forget() { known_ = drawn_; }

  double of(Value value) {
    if (auto known = known_.find(value); known != known_.end()) return known->second;
    const std::optional<double> computed = compute(value.getDefiningOp());
    const double x = computed ? *computed : leaf(value);
    if (!computed) drawn_[value] = x;
    return known_[value] = x;
  }

  double draw_statistic(Operation* op) { return is_nonnegative(op->getResult(0)) ? draw(0.1, 3) : draw(-3, 3); }

 private:
  double leaf(Value value) {
    Operation* op = value.getDefiningOp();
    if (auto reduce = llvm::dyn_cast_if_present<fuse::ReduceOp>(op); reduce && edge_) return of(reduce.getValue());
    if (op && facts_.accumulates(op)) return draw_statistic(op);
    if (!llvm::isa<mlir::FloatType>(value.getType())) return draw(0, 1) < 0.5 ? 0 : 1;
    return edge_ && facts_.is_streamed(value) ? -infinity : draw(-2, 2);
  }

  std::optional<double> compute(Operation* op) {
    if (!op || op->getNumResults() != 1 || facts_.accumulates(op)) return {};
    if (auto number = real_constant(op->getResult(0))) return number;
    auto x = [&](unsigned i) { return of(op->getOperand(i)); };
    return llvm::TypeSwitch<Operation*, std::optional<double>>(op)
        .Case([&](arith::AddFOp) { return x(0) + x(1); })
        .Case([&](arith::SubFOp) { return x(0) - x(1); })
        .Case([&](arith::MulFOp) { return x(0) * x(1); })
        .Case([&](arith::DivFOp) { return x(0) / x(1); })
        .Case([&](arith::NegFOp) { return -x(0); })
        .Case([&](arith::MaximumFOp) {
          return std::isnan(x(0)) ? x(0) : std::isnan(x(1)) ? x(1) : std::max(x(0), x(1));
        })
        .Case([&](arith::MinimumFOp) {
          return std::isnan(x(0)) ? x(0) : std::isnan(x(1)) ? x(1) : std::min(x(0), x(1));
        })
        .Case<arith::ExtFOp, arith::TruncFOp>([&](Operation*) { return x(0); })
        .Case([&](arith::SelectOp) { return x(0) != 0 ? x(1) : x(2); })
        .Case([&](arith::CmpFOp compare) {
          return static_cast<double>(
              arith::applyCmpPredicate(compare.getPredicate(), llvm::APFloat(x(0)), llvm::APFloat(x(1))));
        })
        .Case([&](math::ExpOp) { return std::exp(x(0)); })
        .Case([&](math::Exp2Op) { return std::exp2(x(0)); })
        .Case([&](math::LogOp) { return std::log(x(0)); })
        .Case([&](math::SqrtOp) { return std::sqrt(x(0)); })
        .Case([&](math::TanhOp) { return std::tanh(x(0)); })
        .Case([&](math::AbsFOp) { return std::fabs(x(0)); })
        .Case([&](math::PowFOp) { return std::pow(x(0), x(1)); })
        .Default([](Operation*) { return std::optional<double>(); });
  }

  BodyFacts& facts_;
  uint64_t state_;
  bool edge_;
  llvm::DenseMap<Value, double> known_, drawn_;
};

bool agree(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  return a == b || std::fabs(a - b) <= 1e-9 * std::max(std::fabs(a), std::fabs(b)) + 1e-300;
}

double stepped(Point& at, llvm::ArrayRef<Step> steps, double x) {
  for (const Step& step : steps) switch (step.kind) {
      case Step::Kind::times: x *= at.of(step.by); break;
      case Step::Kind::over: x /= at.of(step.by); break;
      case Step::Kind::plus: x += at.of(step.by); break;
      case Step::Kind::increasing:
        at.forget();
        at.set(step.op->getOperand(0), x);
        x = at.of(step.op->getResult(0));
        at.forget();
    }
  return x;
}

bool all_numbers(Point& at, llvm::ArrayRef<Step> steps) {
  return llvm::all_of(steps, [&](const Step& step) {
    if (!step.by) return true;
    const double by = at.of(step.by);
    return std::isfinite(by) && !(step.kind == Step::Kind::over && by == 0);
  });
}

double factor_at(Point& at, fuse::RepairOp repair, double old, double fresh) {
  mlir::Block& region = repair.getFactor().front();
  at.forget();
  at.set(region.getArgument(0), old);
  at.set(region.getArgument(1), fresh);
  return at.of(region.getTerminator()->getOperand(0));
}

}  // namespace

std::optional<std::string> check_pulled_out(BodyFacts& facts, Value operand, const PulledOut& pulled) {
  int finite = 0;
  for (int i = 0; i < points + edges; ++i) {
    Point at(facts, static_cast<uint64_t>(i), i >= points);
    const double asked = at.of(operand), given = stepped(at, pulled.after, at.of(pulled.operand));
    // A factor of the row that is no number takes with it what a mask had made 0.
    if (!agree(asked, given) && (i < points || all_numbers(at, pulled.after)))
      return "does not equal what it was taken apart into";
    finite += std::isfinite(asked) && asked != 0 ? 1 : 0;
  }
  if (finite < enough) return "has hardly a point where what it was taken apart into could be checked";
  return {};
}

std::optional<std::string> check_parts(BodyFacts& facts, Value operand, const Parts& parts) {
  int finite = 0;
  for (int i = 0; i < points; ++i) {
    Point at(facts, static_cast<uint64_t>(i), false);
    const double asked = at.of(operand), a = at.of(parts.a), b = at.of(parts.b);
    // What cancels leaves the rounding of its terms.
    const double size = std::fabs(a) + std::fabs(b), whole = parts.is_difference ? a - b : a + b;
    if (std::isfinite(size) && !(std::fabs(asked - whole) <= 1e-9 * size))
      return "does not equal the parts that it was taken apart into";
    finite += std::isfinite(asked) && asked != 0 ? 1 : 0;
  }
  if (finite < enough) return "has hardly a point where its parts could be checked";
  return {};
}

std::optional<std::string> check_repair(BodyFacts& facts, Value operand, fuse::RepairOp repair) {
  Value statistic = repair.getStatistic();
  const bool grows = statistic.getDefiningOp<fuse::ReduceOp>().getKind() != fuse::ReduceKind::min;
  int finite = 0;
  for (int i = 0; i < points; ++i) {
    Point at(facts, static_cast<uint64_t>(i), false);
    double r[3];
    for (double& x : r) x = at.draw_statistic(statistic.getDefiningOp());
    std::sort(std::begin(r), std::end(r));
    if (!grows) std::reverse(std::begin(r), std::end(r));
    auto g = [&](double x) {
      at.forget();
      at.set(statistic, x);
      return at.of(operand);
    };
    const double before = g(r[0]), after = g(r[1]);
    const double h01 = factor_at(at, repair, r[0], r[1]), h12 = factor_at(at, repair, r[1], r[2]);
    if (!agree(after, before * h01)) return "is not moved by the factor found (H1)";
    if (!agree(h01 * h12, factor_at(at, repair, r[0], r[2])))
      return "is moved by a factor that depends on the way (H3)";
    if (!agree(factor_at(at, repair, r[0], r[0]), 1)) return "is moved by a statistic that does not move (H3)";
    if (!(h01 >= 0 && h01 <= 1)) return "would grow as its statistic moves";
    finite += std::isfinite(before) && before != 0 ? 1 : 0;
  }
  if (finite < enough) return "has hardly a point where the factor found could be checked";
  return {};
}

}  // namespace tessera::ir
