#include <tessera/ir/plane/index_compare.h>

#include <limits>

#include "llvm/ADT/TypeSwitch.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

namespace tessera::ir {

namespace arith = mlir::arith;
using mlir::Operation;
using mlir::Value;
using Predicate = arith::CmpIPredicate;

namespace {

// Σ factor · index + constant, and between which numbers it lies.
struct Affine {
  llvm::SmallVector<int64_t, 6> factors;
  int64_t constant = 0, least = 0, most = 0;
};

class Reader {
 public:
  explicit Reader(fuse::CascadeOp cascade) : extents_(cascade.getDims()) {}

  std::optional<Affine> read(Value value) const {
    std::optional<Affine> x = value.getDefiningOp() ? read(value.getDefiningOp()) : std::nullopt;
    if (!x || !finish(*x)) return std::nullopt;
    const unsigned bits = value.getType().isIndex() ? 64 : value.getType().getIntOrFloatBitWidth();
    return bits > 1 && x->least >= llvm::minIntN(bits) && x->most <= llvm::maxIntN(bits) ? x : std::nullopt;
  }

  // Of floats that hold integers exactly.
  std::optional<Affine> read_whole(Value value) const {
    const int64_t exact = int64_t{1} << (value.getType().isF64() ? 53 : 24);
    if (!value.getType().isF64() && !value.getType().isF32()) return std::nullopt;
    std::optional<Affine> x;
    if (auto from = value.getDefiningOp<arith::SIToFPOp>()) {
      x = read(from.getIn());
    } else if (auto constant = value.getDefiningOp<arith::ConstantOp>()) {
      const double number = llvm::cast<mlir::FloatAttr>(constant.getValue()).getValueAsDouble();
      if (!(number >= static_cast<double>(-exact) && number <= static_cast<double>(exact))) return std::nullopt;
      const auto whole = static_cast<int64_t>(number);
      if (static_cast<double>(whole) == number) x = this->number(whole);
    }
    return x && finish(*x) && x->least >= -exact && x->most <= exact ? x : std::nullopt;
  }

  bool finish(Affine& x) const {
    x.least = x.most = x.constant;
    for (auto [factor, extent] : llvm::zip(x.factors, extents_)) {
      int64_t reach = 0;
      if (llvm::MulOverflow(factor, extent - 1, reach)) return false;
      int64_t& end = reach < 0 ? x.least : x.most;
      if (llvm::AddOverflow(end, reach, end)) return false;
    }
    return true;
  }

  Affine number(int64_t constant) const {
    Affine x;
    x.factors.assign(extents_.size(), 0);
    x.constant = constant;
    return x;
  }

  // a + sign · b
  static std::optional<Affine> sum(Affine a, const Affine& b, int64_t sign) {
    auto add = [&](int64_t& to, int64_t by) {
      int64_t product = 0;
      return !llvm::MulOverflow(by, sign, product) && !llvm::AddOverflow(to, product, to);
    };
    for (auto [to, by] : llvm::zip(a.factors, b.factors))
      if (!add(to, by)) return std::nullopt;
    return add(a.constant, b.constant) ? std::optional(a) : std::nullopt;
  }

 private:
  std::optional<Affine> read(Operation* op) const {
    return llvm::TypeSwitch<Operation*, std::optional<Affine>>(op)
        .Case([&](fuse::IndexOp index) { return read(index.getMap().getResult(0)); })
        .Case([&](arith::ConstantOp constant) -> std::optional<Affine> {
          auto whole = llvm::dyn_cast<mlir::IntegerAttr>(constant.getValue());
          return whole ? std::optional(number(whole.getValue().getSExtValue())) : std::nullopt;
        })
        .Case<arith::IndexCastOp, arith::ExtSIOp, arith::TruncIOp>([&](Operation*) { return read(op->getOperand(0)); })
        .Case<arith::AddIOp, arith::SubIOp>([&](Operation*) -> std::optional<Affine> {
          const auto a = read(op->getOperand(0)), b = read(op->getOperand(1));
          return a && b ? sum(*a, *b, llvm::isa<arith::AddIOp>(op) ? 1 : -1) : std::nullopt;
        })
        .Case<arith::MulIOp>([&](Operation*) -> std::optional<Affine> {
          const auto a = read(op->getOperand(0)), b = read(op->getOperand(1));
          if (!a || !b) return std::nullopt;
          if (a->least == a->most) return sum(number(0), *b, a->least);
          return b->least == b->most ? sum(number(0), *a, b->least) : std::nullopt;
        })
        .Default([&](Operation*) { return std::nullopt; });
  }

  std::optional<Affine> read(mlir::AffineExpr expr) const {
    if (auto constant = llvm::dyn_cast<mlir::AffineConstantExpr>(expr)) return number(constant.getValue());
    if (auto dim = llvm::dyn_cast<mlir::AffineDimExpr>(expr)) {
      Affine x = number(0);
      x.factors[dim.getPosition()] = 1;
      return x;
    }
    auto two = llvm::cast<mlir::AffineBinaryOpExpr>(expr);
    const auto a = read(two.getLHS());
    if (!a) return std::nullopt;
    if (expr.getKind() == mlir::AffineExprKind::Add) {
      const auto b = read(two.getRHS());
      return b ? sum(*a, *b, 1) : std::nullopt;
    }
    auto by = llvm::dyn_cast<mlir::AffineConstantExpr>(two.getRHS());
    return expr.getKind() == mlir::AffineExprKind::Mul && by ? sum(number(0), *a, by.getValue()) : std::nullopt;
  }

  llvm::ArrayRef<int64_t> extents_;
};

// What is compared, as a − b ⋈ 0.
struct Comparison {
  Affine difference;
  Predicate predicate;  // sge, eq or ne
};

std::optional<Predicate> signed_predicate(Operation* op) {
  if (auto integers = llvm::dyn_cast<arith::CmpIOp>(op)) return integers.getPredicate();
  switch (llvm::cast<arith::CmpFOp>(op).getPredicate()) {
    case arith::CmpFPredicate::OEQ: return Predicate::eq;
    case arith::CmpFPredicate::UNE: return Predicate::ne;
    case arith::CmpFPredicate::OLT: return Predicate::slt;
    case arith::CmpFPredicate::OLE: return Predicate::sle;
    case arith::CmpFPredicate::OGT: return Predicate::sgt;
    case arith::CmpFPredicate::OGE: return Predicate::sge;
    default: return std::nullopt;
  }
}

std::optional<Comparison> read_comparison(const Reader& reader, Operation* op, bool negated) {
  if (!llvm::isa_and_present<arith::CmpIOp, arith::CmpFOp>(op)) return std::nullopt;
  const bool floats = llvm::isa<arith::CmpFOp>(op);
  auto side = [&](unsigned k) {
    return floats ? reader.read_whole(op->getOperand(k)) : reader.read(op->getOperand(k));
  };
  std::optional<Predicate> predicate = signed_predicate(op);
  const auto a = side(0), b = side(1);
  if (!predicate || !a || !b) return std::nullopt;
  if (negated) predicate = arith::invertPredicate(*predicate);
  const bool swaps = *predicate == Predicate::sle || *predicate == Predicate::slt;
  const bool excludes = *predicate == Predicate::sgt || *predicate == Predicate::slt;
  auto difference = swaps ? Reader::sum(*b, *a, -1) : Reader::sum(*a, *b, -1);
  if (difference && excludes) difference = Reader::sum(*difference, reader.number(1), -1);
  if (!difference || !reader.finish(*difference)) return std::nullopt;
  switch (*predicate) {
    case Predicate::sle:
    case Predicate::slt:
    case Predicate::sge:
    case Predicate::sgt: return Comparison{*difference, Predicate::sge};
    case Predicate::eq:
    case Predicate::ne: break;
    default: return std::nullopt;
  }
  // Either side may come first: the one with the first dim does.
  auto first = llvm::find_if(difference->factors, [](int64_t factor) { return factor != 0; });
  if (first != difference->factors.end() && *first < 0) difference = Reader::sum(reader.number(0), *difference, -1);
  return difference ? std::optional(Comparison{*difference, *predicate}) : std::nullopt;
}

// The part of `x` with this sign, as a function of its own.
Affine part(const Affine& x, int64_t sign) {
  Affine out;
  for (int64_t factor : x.factors) out.factors.push_back(factor * sign > 0 ? factor * sign : 0);
  out.constant = x.constant * sign > 0 ? x.constant * sign : 0;
  return out;
}

Value write(mlir::OpBuilder& b, mlir::Location at, const Affine& x, mlir::Type type) {
  mlir::AffineExpr sum = b.getAffineConstantExpr(x.constant);
  bool varies = false;
  for (auto [d, factor] : llvm::enumerate(x.factors)) {
    if (factor == 0) continue;
    varies = true;
    sum = sum + b.getAffineDimExpr(static_cast<unsigned>(d)) * factor;
  }
  if (!varies) return arith::ConstantOp::create(b, at, b.getIntegerAttr(type, x.constant));
  auto map = mlir::AffineMap::get(static_cast<unsigned>(x.factors.size()), 0, sum);
  Value index = fuse::IndexOp::create(b, at, b.getIndexType(), mlir::AffineMapAttr::get(map));
  return arith::IndexCastOp::create(b, at, type, index);
}

}  // namespace

Value index_comparison(mlir::OpBuilder& b, fuse::CascadeOp cascade, Value condition, bool negated) {
  const Reader reader(cascade);
  const auto found = read_comparison(reader, condition.getDefiningOp(), negated);
  if (!found || llvm::all_of(found->difference.factors, [](int64_t factor) { return factor == 0; })) return {};
  Affine above = part(found->difference, 1), below = part(found->difference, -1);
  if (!reader.finish(above) || !reader.finish(below)) return {};
  const bool small = std::max(above.most, below.most) <= std::numeric_limits<int32_t>::max();
  mlir::Type type = small ? b.getI32Type() : b.getI64Type();
  const mlir::Location at = condition.getLoc();
  return arith::CmpIOp::create(b, at, found->predicate, write(b, at, above, type), write(b, at, below, type));
}

}  // namespace tessera::ir
