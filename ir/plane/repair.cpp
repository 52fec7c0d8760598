#include <tessera/ir/plane/repair.h>

#include "llvm/ADT/DenseSet.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Dominance.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/CSE.h"

#include <tessera/ir/fuse/Scatter.h>
#include <tessera/ir/plane/factor.h>
#include <tessera/ir/plane/part_sum.h>
#include <tessera/ir/plane/pull_out.h>
#include <tessera/ir/plane/self_check.h>

namespace tessera::ir {

namespace arith = mlir::arith;
using fuse::ReduceKind;
using mlir::Operation;
using mlir::Value;

namespace {

struct Stop {
  Operation* accumulation;
  Obstacle obstacle;
};

// Works on a copy of the cascade, accumulation by accumulation in program order.
class Repairer {
 public:
  Repairer(fuse::CascadeOp cascade, RepairSteps& steps)
      : body_(cascade.getBody().front()), facts_(cascade), steps_(steps) {}

  std::optional<Stop> run() {
    llvm::SmallVector<Operation*, 8> accumulations;
    for (Operation& op : body_)
      if (facts_.accumulates(&op) && !facts_.waits(op.getOperand(0)).empty()) accumulations.push_back(&op);
    for (Operation* op : accumulations)
      if (auto stop = accumulation(op)) return stop;
    for (auto sum : body_.getOps<fuse::ScatterAddOp>())
      for (Value operand : sum->getOperands())
        if (!facts_.waits(operand).empty())
          return Stop{sum, {facts_.waits(operand).back(), "is asked for by each point that goes into a table"}};
    Operation* yield = body_.getTerminator();
    for (Value value : yield->getOperands())
      if (facts_.is_streamed(value) && !facts_.waits(value).empty())
        return Stop{yield, {facts_.waits(value).back(), "is asked for at every point of the stream"}};
    return {};
  }

 private:
  std::optional<Stop> accumulation(Operation* op) {
    Value operand = op->getOperand(0);
    auto stop = [&](const std::string& why) { return Stop{op, {facts_.waits(operand).back(), why}}; };
    if (!llvm::isa<mlir::FloatType>(operand.getType())) return stop("accumulates no floats");
    Algebra algebra(op, facts_);
    auto reduce = llvm::dyn_cast<fuse::ReduceOp>(op);
    std::optional<PulledOut> pulled;
    if (!reduce || reduce.getKind() == ReduceKind::sum) pulled = pull_out_of_sum(algebra, operand, over(op));
    else if (reduce.getKind() != ReduceKind::prod) pulled = pull_out_of_order(algebra, operand);
    else return stop("is a factor of a product");
    if (!pulled) {
      const bool sums = !reduce || reduce.getKind() == ReduceKind::sum;
      if (sums && in_parts(op, algebra)) return {};
      return Stop{op, *algebra.obstacle};
    }
    if (auto why = check_pulled_out(facts_, operand, *pulled)) return stop(*why);
    op->setOperand(0, pulled->operand);
    if (pulled->flips) reduce.setKind(reduce.getKind() == ReduceKind::max ? ReduceKind::min : ReduceKind::max);
    finish(op, algebra, *pulled);
    return repairs(op, algebra);
  }

  // A sum in two: `op` of one part, and another one of the other.
  bool in_parts(Operation* op, Algebra& algebra) {
    Value operand = op->getOperand(0), result = op->getResult(0);
    const std::optional<Parts> parts = part_sum(algebra, operand);
    if (!parts || check_parts(facts_, operand, *parts)) return false;
    op->setOperand(0, parts->a);
    algebra.b.setInsertionPointAfter(op);
    Operation* second = algebra.b.clone(*op);
    second->setOperand(0, parts->b);
    Value other = second->getResult(0);
    Value whole = parts->is_difference ? arith::SubFOp::create(algebra.b, algebra.at, result, other).getResult()
                                       : arith::AddFOp::create(algebra.b, algebra.at, result, other).getResult();
    result.replaceAllUsesExcept(whole, whole.getDefiningOp());
    ++steps_.parted;
    for (Operation* part : {op, second})
      if (!facts_.waits(part->getOperand(0)).empty() && accumulation(part)) return false;
    return true;
  }

  static mlir::DenseI64ArrayAttr over(Operation* op) {
    if (auto reduce = llvm::dyn_cast<fuse::ReduceOp>(op)) return reduce.getOverAttr();
    return llvm::cast<fuse::ContractOp>(op).getOverAttr();
  }

  // What follows the accumulation, for all who read it.
  void finish(Operation* op, Algebra& algebra, const PulledOut& pulled) {
    algebra.b.setInsertionPointAfter(op);
    Value result = op->getResult(0), finished = apply(algebra, pulled.after, result);
    llvm::SmallPtrSet<Operation*, 8> steps;
    for (Operation* step = op->getNextNode(); step != &*algebra.b.getInsertionPoint(); step = step->getNextNode())
      steps.insert(step);
    if (finished != result) {
      result.replaceAllUsesExcept(finished, steps);
      ++steps_.pulled_out;
    }
    algebra.b.setInsertionPoint(op);
  }

  std::optional<Stop> repairs(Operation* op, Algebra& algebra) {
    Value operand = op->getOperand(0);
    const auto factors = factors_of(algebra, operand);
    if (!factors) return Stop{op, *algebra.obstacle};
    for (const auto& [statistic, factor] : *factors) {
      auto reduce = llvm::dyn_cast<fuse::ReduceOp>(statistic);
      if (!reduce || (reduce.getKind() != ReduceKind::max && reduce.getKind() != ReduceKind::min))
        return Stop{op, {statistic, "may move either way, and a repair could grow without bound"}};
      fuse::RepairOp repair = write_repair(op, statistic, factor);
      if (auto why = check_repair(facts_, operand, repair)) return Stop{op, {statistic, *why}};
      ++steps_.moved;
    }
    return {};
  }

  mlir::Block& body_;
  BodyFacts facts_;
  RepairSteps& steps_;
};

// Constants that are equal outside come back into the region: it reads its arguments alone.
void keep_to_itself(fuse::RepairOp repair) {
  mlir::Block& region = repair.getFactor().front();
  mlir::OpBuilder b = mlir::OpBuilder::atBlockBegin(&region);
  llvm::DenseMap<Operation*, Value> copies;
  for (Operation& op : llvm::make_early_inc_range(region))
    for (mlir::OpOperand& operand : op.getOpOperands()) {
      Operation* source = operand.get().getDefiningOp();
      if (!source || source->getBlock() == &region) continue;
      Value& copy = copies[source];
      if (!copy) copy = b.clone(*source)->getResult(0);
      operand.set(copy);
    }
}

// Accumulations that have become one, as sums of two softmaxes do, each had its repairs. They say the same, and one moves it.
void drop_repeated(fuse::CascadeOp cascade) {
  llvm::DenseSet<std::pair<Value, Value>> known;
  for (auto repair : llvm::make_early_inc_range(cascade.getBody().front().getOps<fuse::RepairOp>()))
    if (!known.insert({repair.getAccumulated(), repair.getStatistic()}).second) repair.erase();
}

// What the algebra wrote on its way and nothing reads, and what it wrote twice.
void tidy(fuse::CascadeOp cascade) {
  mlir::IRRewriter rewriter(cascade.getContext());
  mlir::DominanceInfo dominance;
  mlir::eliminateCommonSubExpressions(rewriter, dominance, cascade);
  for (Operation& op : llvm::make_early_inc_range(llvm::reverse(cascade.getBody().front())))
    if (mlir::isOpTriviallyDead(&op)) op.erase();
  drop_repeated(cascade);
  for (auto repair : cascade.getBody().front().getOps<fuse::RepairOp>()) keep_to_itself(repair);
}

}  // namespace

std::optional<Unrepaired> repair(fuse::CascadeOp cascade, RepairSteps& steps) {
  mlir::IRMapping copies;
  mlir::OwningOpRef<fuse::CascadeOp> copy = llvm::cast<fuse::CascadeOp>(cascade->clone(copies));
  if (auto stop = Repairer(*copy, steps).run()) {
    llvm::DenseMap<Operation*, Operation*> originals;
    for (auto [original, clone] : copies.getOperationMap()) originals[clone] = original;
    Operation* accumulation = originals.lookup(stop->accumulation);
    Operation* statistic = originals.lookup(stop->obstacle.statistic);
    // One that the algebra added stands for what it was added for.
    if (!statistic) statistic = BodyFacts(cascade).waits(accumulation->getOperand(0)).back();
    return Unrepaired{accumulation, statistic, stop->obstacle.why};
  }
  tidy(*copy);
  cascade.getBody().takeBody(copy->getBody());
  return {};
}

}  // namespace tessera::ir
