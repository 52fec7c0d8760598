#include <tessera/codegen/cuda/contract/quick_math.h>

#include <optional>

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <fmt/format.h>

#include <tessera/codegen/cuda/rows/scalar_text.h>
#include <tessera/ir/fuse/Fuse.h>

namespace tessera::cuda {
namespace {

using namespace mlir;

std::optional<double> constant(Value value) {
  auto op = value.getDefiningOp<arith::ConstantOp>();
  auto number = op ? dyn_cast<FloatAttr>(op.getValue()) : FloatAttr();
  if (!number) return std::nullopt;
  return number.getValueAsDouble();
}

// The operand beside the constant `x`, of an op that commutes; null where there is none.
template <class Op>
Value beside(Value value, double x) {
  auto op = value.getDefiningOp<Op>();
  if (!op || !op->hasOneUse()) return {};
  if (constant(op.getLhs()) == x) return op.getRhs();
  return constant(op.getRhs()) == x ? op.getLhs() : Value();
}

// x (1 + tanh(scale v)) / 2, written as (x / 2) (1 + tanh(scale v)). v may be u + cube u³.
struct Gelu {
  Value x, v, u;
  Attribute scale, cube;  // null: 1; v as it is
};

// c u³ for a constant c.
Attribute cubed(Value value, Value u) {
  auto op = value.getDefiningOp<arith::MulFOp>();
  if (!op || !op->hasOneUse()) return {};
  for (unsigned k = 0; k < 2; ++k) {
    auto cube = op->getOperand(1 - k).getDefiningOp<arith::MulFOp>();
    if (!constant(op->getOperand(k)) || !cube) continue;
    for (unsigned j = 0; j < 2; ++j) {
      auto square = cube->getOperand(j).getDefiningOp<arith::MulFOp>();
      if (cube->getOperand(1 - j) == u && square && square.getLhs() == u && square.getRhs() == u)
        return op->getOperand(k).getDefiningOp<arith::ConstantOp>().getValue();
    }
  }
  return {};
}

void read_cube(Gelu& gelu) {
  auto sum = gelu.v.getDefiningOp<arith::AddFOp>();
  for (unsigned k = 0; sum && sum->hasOneUse() && !gelu.cube && k < 2; ++k)
    gelu.u = sum->getOperand(k), gelu.cube = cubed(sum->getOperand(1 - k), gelu.u);
}

std::optional<Gelu> as_gelu(arith::MulFOp op) {
  for (auto [half, rest] : {std::pair{op.getLhs(), op.getRhs()}, std::pair{op.getRhs(), op.getLhs()}}) {
    Gelu found;
    found.x = beside<arith::MulFOp>(half, 0.5);
    const Value turned = beside<arith::AddFOp>(rest, 1);
    auto tanh = turned ? turned.getDefiningOp<math::TanhOp>() : math::TanhOp();
    if (!found.x || !tanh || !tanh->hasOneUse()) continue;
    found.v = tanh.getOperand();
    auto scaled = found.v.getDefiningOp<arith::MulFOp>();
    for (unsigned k = 0; scaled && scaled->hasOneUse() && !found.scale && k < 2; ++k)
      if (constant(scaled->getOperand(k))) {
        found.scale = scaled->getOperand(k).getDefiningOp<arith::ConstantOp>().getValue();
        found.v = scaled->getOperand(1 - k);
      }
    read_cube(found);
    return found;
  }
  return std::nullopt;
}

// The product in x + y z that nothing else reads.
arith::MulFOp product_in(arith::AddFOp op, unsigned operand) {
  auto product = op->getOperand(operand).getDefiningOp<arith::MulFOp>();
  return product && product->hasOneUse() ? product : arith::MulFOp();
}

}  // namespace

bool rounds_all_results(fuse::KernelOp kernel) {
  return llvm::all_of(kernel->getResultTypes(), [](Type tensor) {
    Type type = cast<RankedTensorType>(tensor).getElementType();
    return type.isBF16() || type.isF16();
  });
}

void use_quick_math(ValuesText& values) {
  auto name = [&](Operation& op, const std::string& text) {
    const std::string called = values.names.numbered(values.word_of_value(&op));
    values.lane.push_back("const float " + called + " = " + text + ";" + values.comment(&op));
    values.call_in_lane(op.getResult(0), called);
  };
  auto is_quick = [&](Operation& op) {
    return op.getNumResults() == 1 && op.getResult(0).getType().isF32() && values.is_lane(op.getResult(0));
  };
  llvm::DenseMap<Operation*, Gelu> gelus;
  llvm::DenseSet<Operation*> in_gelus;  // nothing else reads them
  for (arith::MulFOp product : values.form.body->getOps<arith::MulFOp>())
    if (std::optional<Gelu> gelu = as_gelu(product); gelu && is_quick(*product)) {
      gelus[product] = *gelu;
      if (gelu->cube) in_gelus.insert(gelu->v.getDefiningOp());
    }
  for (Operation& op : *values.form.body) {
    if (!is_quick(op) || in_gelus.contains(&op)) continue;
    if (auto known = gelus.find(&op); known != gelus.end()) {
      const Gelu& gelu = known->second;
      const std::string x = values.name_of(gelu.x), of = values.name_of(gelu.cube ? gelu.u : gelu.v);
      std::string factors = gelu.scale ? literal_text(gelu.scale) : "1.f";
      if (gelu.cube) factors += ", " + literal_text(gelu.cube);
      name(op, fmt::format("{} * half_one_plus_tanh({}, {})", x, factors, of));
    } else if (auto sum = dyn_cast<arith::AddFOp>(op)) {
      for (unsigned k : {1U, 0U})
        if (arith::MulFOp term = product_in(sum, k)) {
          const std::string y = values.name_of(term.getLhs()), z = values.name_of(term.getRhs());
          name(op, fmt::format("::fmaf({}, {}, {})", y, z, values.name_of(sum->getOperand(1 - k))));
          break;
        }
    }
  }
}

}  // namespace tessera::cuda
