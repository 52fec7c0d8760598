#include <limits>

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <tessera/ir/passes/Passes.h>
#include <tessera/ir/tsr/Tsr.h>

namespace tessera::ir {

#define GEN_PASS_DEF_DECOMPOSE
#include <tessera/ir/passes/Passes.h.inc>

namespace {

using mlir::Type;
using mlir::Value;

constexpr double infinity = std::numeric_limits<double>::infinity();

// Ops on the location and shapes of one op that goes.
struct Writer {
  mlir::OpBuilder b;
  mlir::Location at;

  explicit Writer(mlir::Operation* op) : b(op), at(op->getLoc()) {}

  Value number(Type type, double x) { return tsr::ConstantOp::create(b, at, type, b.getF64FloatAttr(x)); }
  Value reduce(llvm::StringRef kind, Value x, llvm::ArrayRef<int64_t> dims) {
    llvm::SmallVector<int64_t, 4> kept;
    for (auto [d, n] : llvm::enumerate(tsr::shape_of(x)))
      if (!llvm::is_contained(dims, static_cast<int64_t>(d))) kept.push_back(n);
    Type type = mlir::RankedTensorType::get(kept, tsr::element_of(x));
    return tsr::ReduceOp::create(b, at, type, b.getStringAttr(kind), x, b.getDenseI64ArrayAttr(dims));
  }
  // Back to the shape of `like`, where `dims` had left.
  Value spread(Value reduced, Value like, llvm::ArrayRef<int64_t> dims) {
    llvm::SmallVector<int64_t, 4> to;
    for (int64_t d = 0; d < tsr::type_of(like).getRank(); ++d)
      if (!llvm::is_contained(dims, d)) to.push_back(d);
    return tsr::BroadcastOp::create(b, at, like.getType(), reduced, b.getDenseI64ArrayAttr(to));
  }
  Value cast(Value x, Type element) {
    if (tsr::element_of(x) == element) return x;
    return tsr::CastOp::create(b, at, tsr::type_of(x).clone(element), x);
  }
};

// Narrow floats are computed in f32 and rounded once, as one op would.
Value wide(Writer& w, Value x) {
  return tsr::element_of(x).getIntOrFloatBitWidth() < 32 ? w.cast(x, w.b.getF32Type()) : x;
}

// max, Σ exp(x − shift) and what they are made of: softmax and logsumexp of one x share them after CSE.
struct Exponentials {
  Value x, maximum, nothing, shift, e, sum;

  Exponentials(Writer& w, Value of, int64_t dim) : x(wide(w, of)), maximum(w.reduce("max", x, dim)) {
    // A lane of −∞ shifts by 0; NaN and ∞ go their way into the sum.
    Type lane = maximum.getType();
    nothing = tsr::EqualOp::create(w.b, w.at, tsr::bool_like(lane), maximum, w.number(lane, -infinity));
    shift = tsr::SelectOp::create(w.b, w.at, lane, nothing, w.number(lane, 0), maximum);
    e = tsr::ExpOp::create(w.b, w.at, tsr::SubOp::create(w.b, w.at, x, w.spread(shift, x, dim)).getResult());
    sum = w.reduce("sum", e, dim);
  }
};

Value softmax(tsr::SoftmaxOp op) {
  Writer w(op);
  const int64_t dim = static_cast<int64_t>(op.getDim());
  const Exponentials all(w, op.getX(), dim);
  Type lane = all.sum.getType();
  Value divisor = tsr::SelectOp::create(w.b, w.at, lane, all.nothing, w.number(lane, 1), all.sum);
  // One division a lane: as many as there are elements would take longer than all the rest.
  Value share = tsr::RecipOp::create(w.b, w.at, divisor);
  return w.cast(tsr::MulOp::create(w.b, w.at, all.e, w.spread(share, all.x, dim)), tsr::element_of(op.getX()));
}

Value logsumexp(tsr::LogSumExpOp op) {
  Writer w(op);
  const Exponentials all(w, op.getX(), static_cast<int64_t>(op.getDim()));
  Type lane = all.sum.getType();
  Value log = tsr::AddOp::create(w.b, w.at, all.shift, tsr::LogOp::create(w.b, w.at, all.sum).getResult());
  // An infinite maximum is the result: the sum would hold ∞ − ∞.
  Value finite = tsr::IsFiniteOp::create(w.b, w.at, tsr::bool_like(lane), all.maximum);
  Value result = tsr::SelectOp::create(w.b, w.at, lane, finite, log, all.maximum);
  return w.cast(result, tsr::element_of(op.getX()));
}

Value variance(tsr::VarianceOp op) {
  Writer w(op);
  llvm::ArrayRef<int64_t> dims = op.getDims();
  Value x = wide(w, op.getX());
  double count = 1;
  for (int64_t d : dims) count *= static_cast<double>(tsr::shape_of(x)[static_cast<size_t>(d)]);
  auto mean = [&](Value of) -> Value {
    Value sum = w.reduce("sum", of, dims);
    return tsr::MulOp::create(w.b, w.at, sum, w.number(sum.getType(), 1 / count));  // as mean() is recorded
  };
  Value centred = tsr::SubOp::create(w.b, w.at, x, w.spread(mean(x), x, dims));
  return w.cast(mean(tsr::MulOp::create(w.b, w.at, centred, centred)), tsr::element_of(op.getX()));
}

// A kernel reduces signed integers and floats of full width, and yields what it reduced as it is.
Value reduction(tsr::ReduceOp op) {
  Writer w(op);
  Type element = tsr::element_of(op.getX()), by = element;
  const bool orders = op.getKind() == "max" || op.getKind() == "min";
  if (llvm::isa<mlir::FloatType>(element) && element.getIntOrFloatBitWidth() < 32) by = w.b.getF32Type();
  else if (element.isInteger(1)) by = w.b.getI32Type();
  else if (element.isUnsignedInteger() && orders) by = w.b.getI64Type();
  if (by == element) return {};
  return w.cast(w.reduce(op.getKind(), w.cast(op.getX(), by), op.getDims()), element);
}

class DecomposePass : public impl::DecomposeBase<DecomposePass> {
  void runOnOperation() override {
    for (mlir::Operation& op : llvm::make_early_inc_range(getOperation().getBody().front())) {
      Value by;
      if (auto x = llvm::dyn_cast<tsr::SoftmaxOp>(op)) by = softmax(x);
      else if (auto y = llvm::dyn_cast<tsr::LogSumExpOp>(op)) by = logsumexp(y);
      else if (auto z = llvm::dyn_cast<tsr::VarianceOp>(op)) by = variance(z);
      else if (auto r = llvm::dyn_cast<tsr::ReduceOp>(op)) by = reduction(r);
      if (!by) continue;
      op.getResult(0).replaceAllUsesWith(by);
      op.erase();
    }
  }
};

}  // namespace
}  // namespace tessera::ir
