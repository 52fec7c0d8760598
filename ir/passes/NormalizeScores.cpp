#include <cmath>
#include <limits>

#include "mlir/Interfaces/SideEffectInterfaces.h"

#include <tessera/ir/passes/Passes.h>
#include <tessera/ir/plane/cost.h>
#include <tessera/ir/plane/sweeps.h>
#include <tessera/ir/tsr/Einsum.h>

namespace tessera::ir {

#define GEN_PASS_DEF_NORMALIZESCORES
#include <tessera/ir/passes/Passes.h.inc>

namespace {

using mlir::Operation;
using mlir::Value;

constexpr double infinity = std::numeric_limits<double>::infinity();

std::optional<double> splat(Value x) {
  auto constant = x.getDefiningOp<tsr::ConstantOp>();
  auto number = constant ? llvm::dyn_cast<mlir::FloatAttr>(constant.getValue()) : mlir::FloatAttr();
  if (!number) return std::nullopt;
  return number.getValueAsDouble();
}
bool is_infinite(Value x) {
  const std::optional<double> number = splat(x);
  return number && std::isinf(*number);
}

Value number(mlir::OpBuilder& b, mlir::Location at, mlir::Type type, double x) {
  return tsr::ConstantOp::create(b, at, type, b.getF64FloatAttr(x));
}

// What was looked through on the way to a value: views, and choices between it and an infinity.
class Path {
 public:
  // Goes one step down from `x` and notes it; null if there is none.
  Value down(Value x, bool through_masks) {
    Operation* op = x.getDefiningOp();
    if (!op) return {};
    unsigned operand = 0;
    if (auto select = llvm::dyn_cast<tsr::SelectOp>(op)) {
      const bool first = is_infinite(select.getA()), second = is_infinite(select.getB());
      if (!through_masks || first == second) return {};
      operand = first ? 2 : 1;
      masks_ = true;
    } else if (!is_view(op)) {
      return {};
    }
    steps_.push_back({op, operand});
    return op->getOperand(operand);
  }

  // The same through a choice of elements, which is linear in what it chooses from.
  Value down_gather(Value x) {
    auto gather = x.getDefiningOp<tsr::GatherOp>();
    if (!gather) return {};
    steps_.push_back({gather, 0});
    return gather.getX();
  }

  // The same on top of `base`, whose element type the views take on.
  Value rebuild(mlir::OpBuilder& b, Value base) const {
    for (const auto& [op, operand] : llvm::reverse(steps_)) {
      mlir::Type type = tsr::type_of(op->getResult(0)).clone(tsr::element_of(base));
      Operation* copy = b.clone(*op);
      copy->setOperand(operand, base);
      copy->getResult(0).setType(type);
      base = copy->getResult(0);
    }
    return base;
  }

  bool empty() const { return steps_.empty(); }
  bool has_masks() const { return masks_; }

 private:
  llvm::SmallVector<std::pair<Operation*, unsigned>, 4> steps_;  // outermost first, and the operand that led on
  bool masks_ = false;
};

// A value as factor · base, the factor collected along the path.
struct Factored {
  Value base;
  double factor = 1;
  Path path;
};
Factored factored(Value x, bool through_masks) {
  Factored out{x};
  while (Operation* op = out.base.getDefiningOp()) {
    Value next;
    double by = 1;
    if (auto mul = llvm::dyn_cast<tsr::MulOp>(op)) {
      if (auto k = splat(mul.getB())) next = mul.getA(), by = *k;
      else if (auto j = splat(mul.getA())) next = mul.getB(), by = *j;
    } else if (auto div = llvm::dyn_cast<tsr::DivOp>(op)) {
      if (auto k = splat(div.getB())) next = div.getA(), by = 1 / *k;
    } else if (auto neg = llvm::dyn_cast<tsr::NegOp>(op)) {
      next = neg.getX(), by = -1;
    }
    if (!next && !through_masks) next = out.path.down_gather(out.base);
    if (!next) next = out.path.down(out.base, through_masks);
    if (!next || !llvm::isa<mlir::FloatType>(tsr::element_of(next))) break;
    out.base = next;
    out.factor *= by;
  }
  return out;
}

// Neither the factor nor what lacks it leaves the range of the dtype that f32 sums are kept in.
bool is_moderate(double factor, double most) {
  const double size = std::fabs(factor);
  return size <= most && size >= 1 / most;
}

using Factors = llvm::SmallVector<double, 2>;
using Ops = llvm::DenseSet<Operation*>;

// c·q contracted with k is c times q contracted with k. `factors`: those that were taken from operands.
Value factor_out(tsr::ContractOp contract, Factors& factors) {
  constexpr double most = 0x1p16;
  if (tsr::element_of(contract.getY()).isF16()) return {};  // without its factor a sum may leave the range
  const Factored a = factored(contract.getA(), false), b = factored(contract.getB(), false);
  const double factor = a.factor * b.factor;
  const bool none = a.factor == 1 && b.factor == 1;
  if (none || !is_moderate(a.factor, most) || !is_moderate(b.factor, most)) return {};
  factors.append({a.factor, b.factor});
  mlir::OpBuilder builder(contract);
  Operation* copy = builder.clone(*contract);
  if (a.factor != 1) copy->setOperand(0, a.path.rebuild(builder, a.base));
  if (b.factor != 1) copy->setOperand(1, b.path.rebuild(builder, b.base));
  copy->moveAfter(&*std::prev(builder.getInsertionPoint()));
  Value sum = copy->getResult(0);
  if (factor == 1) return sum;
  return tsr::MulOp::create(builder, contract.getLoc(), sum, number(builder, contract.getLoc(), sum.getType(), factor));
}

// The product with one of `factors` that alone reads `value`, behind views.
tsr::MulOp sole_product(Value value, const Factors& factors) {
  while (value.hasOneUse()) {
    Operation* user = *value.user_begin();
    if (auto mul = llvm::dyn_cast<tsr::MulOp>(user)) {
      const std::optional<double> by = splat(mul.getB());
      return by && llvm::is_contained(factors, *by) ? mul : tsr::MulOp();
    }
    if (!is_view(user)) break;
    value = user->getResult(0);
  }
  return {};
}

// A contraction's result, perhaps scaled and rounded by the user: what scales it rounds no more than it has.
bool is_sum(Value x) {
  x = factored(x, false).base;
  while (auto cast = x.getDefiningOp<tsr::CastOp>()) x = factored(cast.getX(), false).base;
  return x.getDefiningOp<tsr::ContractOp>() != nullptr;
}

// Factors of a contraction's result, in front of and behind views and masks, are one factor right behind it.
Value one_factor(Operation* scaling) {
  constexpr double most = 0x1p100;
  const Factored x = factored(scaling->getResult(0), true);
  if (!is_sum(x.base) || !is_moderate(x.factor, most)) return {};
  if (x.path.has_masks() && x.factor < 0) return {};  // −∞ would become ∞
  auto mul = llvm::dyn_cast<tsr::MulOp>(scaling);
  if (mul && mul.getA() == x.base) return {};  // so it is
  mlir::OpBuilder b(scaling);
  mlir::Location at = scaling->getLoc();
  Value scaled = x.base;
  if (x.factor != 1) scaled = tsr::MulOp::create(b, at, scaled, number(b, at, scaled.getType(), x.factor));
  return x.path.rebuild(b, scaled);
}

// Gradients of queries and keys have the factor of scores once more: Σ ds (c·q) and c Σ ds k are sums of c·ds. So q is
// read as it lies, and results are written where they belong. `in_plane`: its ops, and what became of them.
Value factor_into(const Ops& in_plane, tsr::ContractOp contract, const Factors& factors) {
  const bool a_is_plane = in_plane.contains(base_of(contract.getA()).getDefiningOp());
  const Factored read = factored(a_is_plane ? contract.getB() : contract.getA(), false);
  const bool reads = read.factor != 1 && llvm::is_contained(factors, read.factor);
  tsr::MulOp behind = sole_product(contract.getY(), factors);
  if (!reads && !behind) return {};
  const double factor = (reads ? read.factor : 1) * (behind ? *splat(behind.getB()) : 1);
  mlir::OpBuilder b(contract);
  Value sum = a_is_plane ? contract.getA() : contract.getB();
  sum = tsr::MulOp::create(b, contract.getLoc(), sum, number(b, contract.getLoc(), sum.getType(), factor));
  if (Value scaled = one_factor(sum.getDefiningOp())) sum = scaled;
  Value memory = reads ? read.path.rebuild(b, read.base) : contract.getOperand(a_is_plane ? 1 : 0);
  Operation* copy = b.clone(*contract);
  copy->setOperand(a_is_plane ? 0 : 1, sum);
  copy->setOperand(a_is_plane ? 1 : 0, memory);
  if (behind) behind.getY().replaceAllUsesWith(behind.getA());
  return copy->getResult(0);
}

// What alone reads an accumulation in another order of dims gets it so.
bool make_in_order(tsr::ContractOp contract) {
  if (!contract.getY().hasOneUse()) return false;
  auto transpose = llvm::dyn_cast<tsr::TransposeOp>(*contract->user_begin());
  if (!transpose) return false;
  Einsum words = *parse_einsum(std::string_view(contract.getEinsum()));
  const std::string out = words.out;
  for (auto [d, from] : llvm::enumerate(transpose.getDims())) words.out[d] = out[static_cast<size_t>(from)];
  mlir::OpBuilder b(transpose);
  auto made = llvm::cast<tsr::ContractOp>(b.clone(*contract));
  made.setEinsum(words.str());
  made.getY().setType(transpose.getY().getType());
  transpose.getY().replaceAllUsesWith(made.getY());
  return true;
}

// x + (c ? 0 : −∞) is c ? x : −∞.
Value hide(Operation* op, Value x, Value added, double sign) {
  if (splat(x)) return {};
  Path path;
  Value inner = added;
  while (Value next = path.down(inner, false)) inner = next;
  auto select = inner.getDefiningOp<tsr::SelectOp>();
  if (!select) return {};
  auto is = [](Value v, double value) { return splat(v) == value; };
  const bool keeps_first = is(select.getA(), 0) && is(select.getB(), -infinity * sign);
  const bool keeps_second = is(select.getB(), 0) && is(select.getA(), -infinity * sign);
  if (!keeps_first && !keeps_second) return {};
  mlir::OpBuilder b(op);
  Value condition = path.rebuild(b, select.getCondition());
  Value hidden = number(b, op->getLoc(), x.getType(), -infinity);
  return tsr::SelectOp::create(b, op->getLoc(), condition, keeps_first ? x : hidden, keeps_first ? hidden : x);
}

Value normalized(const Plane& plane, const Ops& in_plane, Operation* op, Factors& factors) {
  if (!llvm::isa<mlir::FloatType>(tsr::element_of(op->getResult(0)))) return {};
  if (auto contract = llvm::dyn_cast<tsr::ContractOp>(op))
    return plane.is_score(op) ? factor_out(contract, factors) : factor_into(in_plane, contract, factors);
  if (llvm::isa<tsr::MulOp, tsr::DivOp, tsr::NegOp>(op)) return one_factor(op);
  if (auto add = llvm::dyn_cast<tsr::AddOp>(op)) {
    if (Value x = hide(op, add.getA(), add.getB(), 1)) return x;
    return hide(op, add.getB(), add.getA(), 1);
  }
  if (auto sub = llvm::dyn_cast<tsr::SubOp>(op)) return hide(op, sub.getA(), sub.getB(), -1);
  return {};
}

class NormalizeScoresPass : public impl::NormalizeScoresBase<NormalizeScoresPass> {
  void runOnOperation() override {
    if (keeps_order(getOperation())) return;
    mlir::Block& block = getOperation().getBody().front();
    llvm::DenseSet<Operation*> seen;
    FreeOps free(block, is_table_sum);
    for (tsr::ContractOp seed : llvm::to_vector(block.getOps<tsr::ContractOp>())) {
      if (seen.contains(seed) || sums_wide_rows(seed)) continue;
      std::string why;
      const std::unique_ptr<Plane> plane = grow_plane(seed, free, why);
      auto plan = [&] { return plan_kernels(*plane, free, {}); };
      if (!plane) continue;
      if (why_materialise(*plane, free, plan)) {
        seen.insert_range(scores_of(*plane));  // what grows from another one is that plane again
        continue;
      }
      seen.insert(plane->ops.begin(), plane->ops.end());
      // In program order, so that an op sees what became of its operands. What is replaced stays until the end: a plane
      // is known by its ops.
      bool changed = false;
      Factors factors;
      Ops in_plane(plane->ops.begin(), plane->ops.end());
      for (Operation* op : plane->ops) {
        Value by = normalized(*plane, in_plane, op, factors);
        if (by) {
          op->getResult(0).replaceAllUsesWith(by);
          in_plane.insert(base_of(by).getDefiningOp());
        }
        auto sum = llvm::dyn_cast_if_present<tsr::ContractOp>(by ? by.getDefiningOp() : op);
        const bool moved = sum && !plane->is_score(op) && make_in_order(sum);
        changed |= by || moved;
      }
      if (changed) free.forget();
    }
    for (Operation& op : llvm::make_early_inc_range(llvm::reverse(block)))
      if (mlir::isOpTriviallyDead(&op)) op.erase();
  }
};

}  // namespace
}  // namespace tessera::ir
