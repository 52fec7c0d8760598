#include <cmath>
#include <optional>

#include "llvm/ADT/TypeSwitch.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <tessera/ir/passes/Passes.h>
#include <tessera/ir/tsr/Tsr.h>

namespace tessera::ir {

#define GEN_PASS_DEF_SIMPLIFY
#include <tessera/ir/passes/Passes.h.inc>

namespace {

using llvm::ArrayRef;
using llvm::SmallVector;
using mlir::Operation;
using mlir::Type;
using mlir::Value;

// ---- splats ----

std::optional<double> splat(Value x) {
  auto constant = x.getDefiningOp<tsr::ConstantOp>();
  if (!constant) return std::nullopt;
  if (auto whole = llvm::dyn_cast<mlir::IntegerAttr>(constant.getValue())) return static_cast<double>(whole.getInt());
  return llvm::cast<mlir::FloatAttr>(constant.getValue()).getValueAsDouble();
}
bool is(Value x, double value) { return splat(x) == value; }

bool is_float(Value x) { return llvm::isa<mlir::FloatType>(tsr::element_of(x)); }

// The zero of this sign, or the one that integers have: −0 + 0 is 0, so only one of two adds nothing to every number.
bool is_zero(Value x, bool negative) {
  const std::optional<double> value = splat(x);
  return value && *value == 0 && (!is_float(x) || std::signbit(*value) == negative);
}

// The value as the tensor holds it.
double rounded(double x, Type element) {
  auto real = llvm::dyn_cast<mlir::FloatType>(element);
  return real ? mlir::FloatAttr::get(real, x).getValueAsDouble() : x;
}

// Where a sum is what it is written as, to the order of its terms and the sign of its zeros.
bool is_strict(Operation* op) { return op->getParentOp()->hasAttr("tsr.strict"); }

Value same_splat(Operation* op, Value constant) {
  mlir::OpBuilder b(op);
  return tsr::ConstantOp::create(b, op->getLoc(), op->getResult(0).getType(),
                                 constant.getDefiningOp<tsr::ConstantOp>().getValue());
}

// Two float splats combine as one element would: exactly, then rounded to the dtype.
Value folded(Operation* op, double (*combine)(double, double)) {
  std::optional<double> a = splat(op->getOperand(0)), b = splat(op->getOperand(1));
  Type element = tsr::element_of(op->getResult(0));
  if (!a || !b || !(element.isF32() || element.isF64())) return {};
  mlir::OpBuilder builder(op);
  const double value = rounded(combine(rounded(*a, element), rounded(*b, element)), element);
  return tsr::ConstantOp::create(builder, op->getLoc(), op->getResult(0).getType(), builder.getF64FloatAttr(value));
}

template <class Op> Value operand_of(Value x) {
  auto op = x.getDefiningOp<Op>();
  return op ? op->getOperand(0) : Value();
}

// ---- rules: each returns what stands for the op, or nothing ----

// The dim along which b's elements follow a's in a tensor that is 0 elsewhere.
std::optional<size_t> adjacent(tsr::PadOp a, tsr::PadOp b) {
  std::optional<size_t> dim;
  for (size_t d = 0; d < a.getLow().size(); ++d) {
    if (a.getInterior()[d] != 0 || b.getInterior()[d] != 0) return std::nullopt;
    if (a.getLow()[d] == b.getLow()[d] && a.getHigh()[d] == b.getHigh()[d]) continue;
    if (dim || a.getLow()[d] + tsr::shape_of(a.getX())[d] != b.getLow()[d]) return std::nullopt;
    dim = d;
  }
  return dim;
}

// pad(a) + pad(b) = pad(concat(a, b)): what the gradients of a split leave. Only a −0 of a or b was 0 before.
Value joined_pads(tsr::AddOp op, Value x, Value y) {
  for (auto [first, second] : {std::pair{x, y}, {y, x}}) {
    auto a = first.getDefiningOp<tsr::PadOp>(), b = second.getDefiningOp<tsr::PadOp>();
    if (!a || !b || !a.getValue().isZero() || !b.getValue().isZero()) continue;
    const std::optional<size_t> dim = adjacent(a, b);
    if (!dim) continue;
    mlir::OpBuilder builder(op);
    SmallVector<int64_t, 6> shape(tsr::shape_of(a.getX())), high(a.getHigh());
    shape[*dim] += tsr::shape_of(b.getX())[*dim];
    high[*dim] = b.getHigh()[*dim];
    SmallVector<Value, 4> parts;
    for (Value side : {a.getX(), b.getX()}) {
      auto before = side.getDefiningOp<tsr::ConcatOp>();
      if (before && before.getDim() == *dim) parts.append(before.getParts().begin(), before.getParts().end());
      else parts.push_back(side);
    }
    Type type = tsr::type_of(op.getY()).clone(shape);
    Value all = tsr::ConcatOp::create(builder, op.getLoc(), type, parts, static_cast<uint64_t>(*dim));
    if (all.getType() == op.getY().getType()) return all;
    return tsr::PadOp::create(builder, op.getLoc(), op.getY().getType(), all, a.getLowAttr(),
                              builder.getDenseI64ArrayAttr(high), a.getInteriorAttr(), a.getValueAttr());
  }
  return {};
}

// The same where something else was added first: x + pad(a) + pad(b).
Value joined_pads(tsr::AddOp op) {
  if (is_strict(op)) return {};
  if (Value joined = joined_pads(op, op.getA(), op.getB())) return joined;
  for (auto [sum, pad] : {std::pair{op.getA(), op.getB()}, {op.getB(), op.getA()}}) {
    auto before = sum.getDefiningOp<tsr::AddOp>();
    if (!before || !before.getY().hasOneUse()) continue;
    for (auto [x, other] : {std::pair{before.getA(), before.getB()}, {before.getB(), before.getA()}})
      if (Value joined = joined_pads(op, other, pad)) {
        mlir::OpBuilder b(op);
        return tsr::AddOp::create(b, op.getLoc(), x, joined);
      }
  }
  return {};
}

Value simplify(tsr::AddOp op) {
  if (Value joined = joined_pads(op)) return joined;
  if (is_zero(op.getB(), /*negative=*/true)) return op.getA();  // x + −0 = x
  if (is_zero(op.getA(), /*negative=*/true)) return op.getB();
  return folded(op, [](double a, double b) { return a + b; });
}
Value simplify(tsr::SubOp op) {
  if (is_zero(op.getB(), /*negative=*/false)) return op.getA();  // x − 0 = x
  return folded(op, [](double a, double b) { return a - b; });
}
Value simplify(tsr::MulOp op) {
  mlir::OpBuilder b(op);
  for (auto [x, y] : {std::pair{op.getA(), op.getB()}, {op.getB(), op.getA()}}) {
    if (is(y, 1)) return x;                                                      // x · 1 = x
    if (is(y, -1) && is_float(x)) return tsr::NegOp::create(b, op.getLoc(), x);  // x · −1 = −x
    if (is(y, 0) && !is_float(x)) return y;                                      // of integers alone: ∞ · 0 = NaN
  }
  return folded(op, [](double x, double y) { return x * y; });
}
Value simplify(tsr::DivOp op) {
  if (is(op.getB(), 1)) return op.getA();  // x / 1 = x
  return folded(op, [](double a, double b) { return a / b; });
}
Value simplify(tsr::PowOp op) {
  mlir::OpBuilder b(op);
  if (is(op.getB(), 1)) return op.getA();                                                 // x¹ = x
  if (is(op.getB(), 2)) return tsr::MulOp::create(b, op.getLoc(), op.getA(), op.getA());  // x² = x · x
  if (is(op.getB(), -1)) return tsr::RecipOp::create(b, op.getLoc(), op.getA());          // x⁻¹ = 1 / x
  return {};
}
Value simplify(tsr::NegOp op) { return operand_of<tsr::NegOp>(op.getX()); }  // −(−x) = x
Value simplify(tsr::NotOp op) { return operand_of<tsr::NotOp>(op.getX()); }  // ¬¬x = x
template <class Op> Value idempotent(Op op) { return op.getA() == op.getB() ? op.getA() : Value(); }
Value simplify(tsr::MinOp op) { return idempotent(op); }  // min(x, x) = x
Value simplify(tsr::MaxOp op) { return idempotent(op); }
Value simplify(tsr::AndOp op) { return idempotent(op); }
Value simplify(tsr::OrOp op) { return idempotent(op); }
Value simplify(tsr::SelectOp op) {
  if (op.getA() == op.getB()) return op.getA();  // c ? x : x = x
  if (auto c = splat(op.getCondition())) return *c != 0 ? op.getA() : op.getB();
  return {};
}
Value simplify(tsr::StopGradientOp op) { return op.getX(); }

Value simplify(tsr::CastOp op) {
  Type to = tsr::element_of(op.getY()), from = tsr::element_of(op.getX());
  if (to == from) return op.getX();
  if (auto x = splat(op.getX()); x && llvm::isa<mlir::FloatType>(to)) {
    mlir::OpBuilder b(op);
    return tsr::ConstantOp::create(b, op.getLoc(), op.getY().getType(), b.getF64FloatAttr(rounded(*x, from)));
  }
  // Through a type that holds every value of the first: bf16 → f32 → bf16.
  Value inner = operand_of<tsr::CastOp>(op.getX());
  if (!inner || tsr::element_of(inner) != to) return {};
  auto narrow = llvm::dyn_cast<mlir::FloatType>(to), wide = llvm::dyn_cast<mlir::FloatType>(from);
  return narrow && wide && wide.getWidth() >= 32 && wide.getWidth() > narrow.getWidth() ? inner : Value();
}

// ---- views ----

Value reshape(Operation* op, Value x) {
  if (x.getType() == op->getResult(0).getType()) return x;
  mlir::OpBuilder b(op);
  return tsr::ReshapeOp::create(b, op->getLoc(), op->getResult(0).getType(), x);
}

Value simplify(tsr::ReshapeOp op) {
  if (op.getX().getType() == op.getY().getType()) return op.getX();
  if (splat(op.getX())) return same_splat(op, op.getX());
  if (Value inner = operand_of<tsr::ReshapeOp>(op.getX())) return reshape(op, inner);
  return {};
}

Value simplify(tsr::TransposeOp op) {
  if (splat(op.getX())) return same_splat(op, op.getX());
  SmallVector<int64_t, 6> dims(op.getDims()), moved;
  Value x = op.getX();
  if (auto inner = x.getDefiningOp<tsr::TransposeOp>()) {  // two become one
    for (int64_t& d : dims) d = inner.getDims()[static_cast<size_t>(d)];
    x = inner.getX();
  }
  for (int64_t d : dims)
    if (tsr::shape_of(x)[static_cast<size_t>(d)] != 1) moved.push_back(d);
  if (llvm::is_sorted(moved)) return reshape(op, x);  // only extents of 1 move
  if (x == op.getX()) return {};
  mlir::OpBuilder b(op);
  return tsr::TransposeOp::create(b, op.getLoc(), op.getY().getType(), x, b.getDenseI64ArrayAttr(dims));
}

Value simplify(tsr::BroadcastOp op) {
  if (splat(op.getX())) return same_splat(op, op.getX());
  if (tsr::type_of(op.getX()).getNumElements() == tsr::type_of(op.getY()).getNumElements() &&
      llvm::is_sorted(op.getDims()))
    return reshape(op, op.getX());  // nothing repeats
  auto inner = op.getX().getDefiningOp<tsr::BroadcastOp>();
  if (!inner) return {};
  SmallVector<int64_t, 6> dims;  // two become one
  for (int64_t d : inner.getDims()) dims.push_back(op.getDims()[static_cast<size_t>(d)]);
  mlir::OpBuilder b(op);
  return tsr::BroadcastOp::create(b, op.getLoc(), op.getY().getType(), inner.getX(), b.getDenseI64ArrayAttr(dims));
}

Value simplify(tsr::SliceOp op) {
  if (op.getX().getType() == op.getY().getType()) return op.getX();
  return splat(op.getX()) ? same_splat(op, op.getX()) : Value();
}
Value simplify(tsr::ReverseOp op) {
  if (splat(op.getX()) || op.getDims().empty()) return op.getX();
  for (int64_t d : op.getDims())
    if (tsr::shape_of(op.getX())[static_cast<size_t>(d)] != 1) return {};
  return op.getX();
}
Value simplify(tsr::PadOp op) {
  if (op.getX().getType() == op.getY().getType()) return op.getX();
  auto inner = op.getX().getDefiningOp<tsr::PadOp>();
  if (!inner || !inner.getValue().bitwiseIsEqual(op.getValue())) return {};
  SmallVector<int64_t, 6> low(inner.getLow()), high(inner.getHigh());  // two become one
  for (size_t d = 0; d < low.size(); ++d) {
    if (op.getInterior()[d] != 0) return {};
    low[d] += op.getLow()[d];
    high[d] += op.getHigh()[d];
  }
  mlir::OpBuilder b(op);
  return tsr::PadOp::create(b, op.getLoc(), op.getY().getType(), inner.getX(), b.getDenseI64ArrayAttr(low),
                            b.getDenseI64ArrayAttr(high), inner.getInteriorAttr(), op.getValueAttr());
}
Value simplify(tsr::ConcatOp op) {
  auto parts = op.getParts();
  if (parts.size() == 1) return parts[0];
  if (!llvm::all_equal(parts)) return {};
  // One value again and again is a broadcast: a head of keys for each head of queries that it serves.
  const auto dim = static_cast<size_t>(op.getDim());
  SmallVector<int64_t, 6> shape(tsr::shape_of(parts[0])), places;
  shape.insert(shape.begin() + static_cast<ptrdiff_t>(dim), static_cast<int64_t>(parts.size()));
  for (size_t d = 0; d < shape.size(); ++d)
    if (d != dim) places.push_back(static_cast<int64_t>(d));
  mlir::OpBuilder b(op);
  Type repeated = tsr::type_of(op.getY()).clone(shape);
  return reshape(op, tsr::BroadcastOp::create(b, op.getLoc(), repeated, parts[0], b.getDenseI64ArrayAttr(places)));
}

// ---- indices that repeat each row of what they address ----

// How often each does: i / r for i = 0, 1, …, of which the last addresses row `rows` − 1.
std::optional<int64_t> repeats_of(Value indices, int64_t rows) {
  while (auto cast = indices.getDefiningOp<tsr::CastOp>()) {
    if (!tsr::element_of(cast.getX()).isInteger()) return std::nullopt;
    indices = cast.getX();
  }
  auto div = indices.getDefiningOp<tsr::FloorDivOp>();
  if (!div || tsr::type_of(indices).getRank() != 1 || !div.getA().getDefiningOp<tsr::IotaOp>()) return std::nullopt;
  const std::optional<double> r = splat(div.getB());
  const int64_t count = tsr::type_of(indices).getNumElements();
  if (!r || *r < 1 || static_cast<int64_t>(*r) * rows != count) return std::nullopt;
  return count / rows;
}

// Rows that follow each other in the result: a head of keys for each head of queries that it serves.
Value simplify(tsr::GatherOp op) {
  const auto dim = static_cast<size_t>(op.getDim());
  SmallVector<int64_t, 6> shape(tsr::shape_of(op.getX())), places;
  const std::optional<int64_t> repeats = repeats_of(op.getIndices(), shape[dim]);
  if (!repeats) return {};
  for (size_t d = 0; d < shape.size(); ++d) places.push_back(static_cast<int64_t>(d <= dim ? d : d + 1));
  shape.insert(shape.begin() + static_cast<ptrdiff_t>(dim) + 1, *repeats);
  mlir::OpBuilder b(op);
  Type repeated = tsr::type_of(op.getY()).clone(shape);
  return reshape(op, tsr::BroadcastOp::create(b, op.getLoc(), repeated, op.getX(), b.getDenseI64ArrayAttr(places)));
}

// And its gradient: what was repeated is summed, in an order that may be another one.
Value simplify(tsr::ScatterOp op) {
  const auto dim = static_cast<size_t>(op.getDim());
  SmallVector<int64_t, 6> shape(tsr::shape_of(op.getBase()));
  const std::optional<int64_t> repeats = repeats_of(op.getIndices(), shape[dim]);
  if (!repeats || op.getMode() != "add" || !is(op.getBase(), 0) || is_strict(op)) return {};
  shape.insert(shape.begin() + static_cast<ptrdiff_t>(dim) + 1, *repeats);
  mlir::OpBuilder b(op);
  Value parted = tsr::ReshapeOp::create(b, op.getLoc(), tsr::type_of(op.getUpdates()).clone(shape), op.getUpdates());
  return tsr::ReduceOp::create(b, op.getLoc(), op.getY().getType(), b.getStringAttr("sum"), parted,
                               b.getDenseI64ArrayAttr({static_cast<int64_t>(dim) + 1}));
}

// Along dims of extent 1. A sum begins with 0, which makes −0 a 0.
Value simplify(tsr::ReduceOp op) {
  if (tsr::type_of(op.getX()).getNumElements() != tsr::type_of(op.getY()).getNumElements()) return {};
  const Value x = reshape(op, op.getX());
  if (op.getKind() != "sum" || !is_float(x) || !is_strict(op)) return x;
  mlir::OpBuilder b(op);
  return tsr::AddOp::create(b, op.getLoc(), x,
                            tsr::ConstantOp::create(b, op.getLoc(), x.getType(), b.getF64FloatAttr(0)));
}

Value simplified(Operation* op) {
  return llvm::TypeSwitch<Operation*, Value>(op)
      .Case<tsr::AddOp, tsr::SubOp, tsr::MulOp, tsr::DivOp, tsr::PowOp, tsr::NegOp, tsr::NotOp, tsr::MinOp, tsr::MaxOp,
            tsr::AndOp, tsr::OrOp, tsr::SelectOp, tsr::StopGradientOp, tsr::CastOp, tsr::ReshapeOp, tsr::TransposeOp,
            tsr::BroadcastOp, tsr::SliceOp, tsr::ReverseOp, tsr::PadOp, tsr::ConcatOp, tsr::GatherOp, tsr::ScatterOp,
            tsr::ReduceOp>([](auto x) { return simplify(x); })
      .Default([](Operation*) { return Value(); });
}

class SimplifyPass : public impl::SimplifyBase<SimplifyPass> {
  void runOnOperation() override {
    mlir::Block& block = getOperation().getBody().front();
    for (Operation& op : llvm::make_early_inc_range(block.without_terminator())) {
      Value by = simplified(&op);
      if (!by) continue;
      // A rule may leave an op that another rule knows.
      for (Operation* again = by.getDefiningOp(); again && again->getNextNode() == &op;) {
        Value better = simplified(again);
        if (!better) break;
        by = better;
        again = by.getDefiningOp();
      }
      op.getResult(0).replaceAllUsesWith(by);
      op.erase();
    }
    for (Operation& op : llvm::make_early_inc_range(llvm::reverse(block)))
      if (mlir::isOpTriviallyDead(&op)) op.erase();
  }
};

}  // namespace
}  // namespace tessera::ir
