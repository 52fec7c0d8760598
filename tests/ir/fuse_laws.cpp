#include "tests/ir/fuse_laws.h"

#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallVector.h"
#include "mlir/IR/Operation.h"

#include "tests/ir/fuse_scalar.h"

namespace tessera::testing {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// The scalars of a body at one point of it. Inputs and what other ops of the body accumulate are drawn, and stay.
class OnePoint {
 public:
  OnePoint(Draw& draw, bool minus_infinite) : draw_(draw), minus_infinite_(minus_infinite) {}

  void set(mlir::Value value, double x) { set_[value] = x; }

  double real(mlir::Value value) {
    if (auto found = set_.find(value); found != set_.end()) return found->second;
    mlir::Operation* op = value.getDefiningOp();
    if (op && !llvm::isa<fuse::ReduceOp, fuse::ContractOp>(op)) {
      const auto [x, n] = operands(op);
      return real_result(op, x.data(), n.data());
    }
    // A contraction that no statistic is made of is a score: −∞ stands for one that a mask hides.
    const double x = llvm::isa_and_present<fuse::ContractOp>(op) && minus_infinite_ ? -infinity : draw_.uniform(0.1, 2);
    return set_[value] = x;
  }

 private:
  std::pair<llvm::SmallVector<double>, llvm::SmallVector<int64_t>> operands(mlir::Operation* op) {
    std::pair<llvm::SmallVector<double>, llvm::SmallVector<int64_t>> all;
    for (mlir::Value operand : op->getOperands()) {
      const bool is_real = llvm::isa<mlir::FloatType>(operand.getType());
      all.first.push_back(is_real ? real(operand) : 0);
      all.second.push_back(is_real ? 0 : whole(operand));
    }
    return all;
  }
  int64_t whole(mlir::Value value) {
    if (mlir::Operation* op = value.getDefiningOp()) {
      const auto [x, n] = operands(op);
      return whole_result(op, x.data(), n.data());
    }
    const auto [found, fresh] = coins_.try_emplace(value, 0);
    if (fresh) found->second = draw_.below(2);
    return found->second;
  }

  Draw& draw_;
  const bool minus_infinite_;
  llvm::DenseMap<mlir::Value, double> set_;
  llvm::DenseMap<mlir::Value, int64_t> coins_;
};

bool agree(double a, double b, double tolerance) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  return a == b || std::fabs(a - b) <= tolerance * std::max(std::fabs(a), std::fabs(b));
}

// ⊞ and ⊙ of what is accumulated.
struct Accumulation {
  explicit Accumulation(mlir::Operation* accumulates) : op(accumulates) {
    if (auto reduce = llvm::dyn_cast<fuse::ReduceOp>(op)) kind = reduce.getKind();
  }
  double combine(double a, double b) const {
    return kind == fuse::ReduceKind::sum ? a + b : kind == fuse::ReduceKind::max ? std::max(a, b) : std::min(a, b);
  }
  double moved(double a, double h) const { return kind == fuse::ReduceKind::sum ? a * h : a + h; }
  double neutral() const {
    return kind == fuse::ReduceKind::sum ? 0 : kind == fuse::ReduceKind::max ? -infinity : infinity;
  }
  double neutral_move() const { return kind == fuse::ReduceKind::sum ? 1 : 0; }
  double combined(OnePoint& at) const {
    if (auto reduce = llvm::dyn_cast<fuse::ReduceOp>(op)) return at.real(reduce.getValue());
    auto contract = llvm::cast<fuse::ContractOp>(op);
    return at.real(contract.getLhs()) * at.real(contract.getRhs());
  }

  mlir::Operation* op;
  fuse::ReduceKind kind = fuse::ReduceKind::sum;
};

std::string broken_law(fuse::RepairOp repair, Draw& draw, double tolerance, bool edge, int& points) {
  auto same = [&](double a, double b) { return agree(a, b, tolerance); };
  const Accumulation accumulation(repair.getAccumulated().getDefiningOp());
  mlir::Value statistic = repair.getStatistic();
  auto reduce = statistic.getDefiningOp<fuse::ReduceOp>();
  const bool falls = reduce && reduce.getKind() == fuse::ReduceKind::min;
  OnePoint at(draw, edge);
  const double r[3] = {draw.uniform(0.1, 3), draw.uniform(0.1, 3), draw.uniform(0.1, 3)};
  auto g = [&](double under) {
    at.set(statistic, under);
    return accumulation.combined(at);
  };
  auto h = [&](double old, double fresh) {
    mlir::Block& region = repair.getFactor().front();
    at.set(region.getArgument(0), old);
    at.set(region.getArgument(1), fresh);
    return at.real(region.getTerminator()->getOperand(0));
  };
  const double before = g(r[0]), after = g(r[1]), h01 = h(r[0], r[1]), h12 = h(r[1], r[2]);
  if (!same(after, accumulation.moved(before, h01)))
    return fmt::format("(H1) {} moves to {}, not {}", before, accumulation.moved(before, h01), after);

  const double other = draw.uniform(-2, 2);
  if (!same(accumulation.moved(accumulation.combine(before, other), h01),
            accumulation.combine(accumulation.moved(before, h01), accumulation.moved(other, h01))))
    return fmt::format("(H2) {} and {} move by {} to something else together", before, other, h01);
  if (accumulation.moved(accumulation.neutral(), h01) != accumulation.neutral())
    return fmt::format("(H2) nothing moves by {}", h01);

  if (!same(accumulation.moved(h01, h12), h(r[0], r[2])))
    return fmt::format("(H3) {} and {} are {} in one step", h01, h12, h(r[0], r[2]));
  if (!same(h(r[0], r[0]), accumulation.neutral_move())) return fmt::format("(H3) {} by itself", h(r[0], r[0]));
  const double end = falls ? -infinity : infinity;
  if (edge && !same(accumulation.moved(h01, h(r[1], end)), h(r[0], end)))
    return fmt::format("(H3) {} and {} are {} in one step to {}", h01, h(r[1], end), h(r[0], end), end);
  points += std::isfinite(before) && before != accumulation.neutral();
  return "";
}

}  // namespace

std::string broken_law(fuse::CascadeOp cascade, Draw& draw, double tolerance, int& points) {
  for (auto repair : cascade.getBody().front().getOps<fuse::RepairOp>())
    for (int i = 0; i < 40; ++i)
      if (std::string broken = broken_law(repair, draw, tolerance, i % 4 == 0, points); !broken.empty()) return broken;
  return "";
}

}  // namespace tessera::testing
