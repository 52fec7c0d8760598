#include <tessera/ir/plane/product.h>

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/Sequence.h"

#include <tessera/ir/plane/plane.h>

namespace tessera::ir {

using mlir::Value;

namespace {

// Does `to` hold all that `from` does, but for rounding?
bool has_range_of(mlir::Type to, mlir::Type from) {
  auto x = llvm::dyn_cast<mlir::FloatType>(to), y = llvm::dyn_cast<mlir::FloatType>(from);
  return x && y &&
         llvm::APFloat::semanticsMaxExponent(x.getFloatSemantics()) >=
             llvm::APFloat::semanticsMaxExponent(y.getFloatSemantics());
}

// The value of which `value` is a reshape: the same elements in the same order.
Value behind_reshapes(Value value) {
  while (auto reshape = value.getDefiningOp<tsr::ReshapeOp>()) value = reshape.getX();
  return value;
}

// And of which it is the same numbers; where they are narrowed to `rounded`, if given, the numbers before.
Value behind_casts(Value value, mlir::Type rounded) {
  while (auto cast = value.getDefiningOp<tsr::CastOp>()) {
    const mlir::Type to = tsr::element_of(value), from = tsr::element_of(cast.getX());
    if (!widens(to, from) && !(to == rounded && has_range_of(to, from))) break;
    value = cast.getX();
  }
  return value;
}

}  // namespace

bool widens(mlir::Type to, mlir::Type from) {
  return has_range_of(to, from) && to.getIntOrFloatBitWidth() > from.getIntOrFloatBitWidth();
}

Order Framed::full_order() const {
  return order.empty() ? llvm::to_vector<4>(llvm::seq<int64_t>(tsr::type_of(value).getRank())) : order;
}

Framed Framed::plain(mlir::Type rounded) const {
  Value x = value;
  for (Value before; before != x;) {
    before = x;
    x = behind_casts(order.empty() ? behind_reshapes(x) : x, rounded);
  }
  return {x, order};
}

void Product::add(Framed x, llvm::ArrayRef<int64_t> frame, mlir::Type rounded) {
  x = x.plain(rounded);
  auto with = [&](Value value) { return Framed{value, x.order}; };
  if (auto mul = x.value.getDefiningOp<tsr::MulOp>()) {
    add(with(mul.getA()), frame, rounded);
    add(with(mul.getB()), frame, rounded);
  } else if (auto div = x.value.getDefiningOp<tsr::DivOp>()) {
    add(with(div.getA()), frame, rounded);
    divisors.push_back(with(div.getB()).plain());
  } else if (auto neg = x.value.getDefiningOp<tsr::NegOp>()) {
    add(with(neg.getX()), frame, rounded);
    negative = !negative;
  } else if (auto select = x.value.getDefiningOp<tsr::SelectOp>(); select && is_zero(select.getB())) {
    conditions.push_back(with(select.getCondition()).plain());
    add(with(select.getA()), frame, rounded);
  } else if (auto turn = x.value.getDefiningOp<tsr::TransposeOp>();
             turn && (!x.order.empty() || tsr::shape_of(x.value) == frame)) {
    Order order(frame.size());
    for (auto [dim, place] : llvm::zip(turn.getDims(), x.full_order())) order[static_cast<size_t>(dim)] = place;
    if (llvm::is_sorted(order)) order.clear();
    add({turn.getX(), order}, frame, rounded);
  } else {
    factors.push_back(x);
  }
}

Product Product::before(mlir::Type rounded, llvm::ArrayRef<int64_t> frame) const {
  Product product;
  product.divisors = divisors;
  product.conditions = conditions;
  product.negative = negative;
  for (const Framed& factor : factors) product.add(factor, frame, rounded);
  return product;
}

std::optional<Product> Product::turned(llvm::ArrayRef<int64_t> turn) const {
  Product product = *this;
  for (auto* list : {&product.factors, &product.divisors, &product.conditions})
    for (Framed& x : *list) {
      x.order = x.full_order();
      if (x.order.size() != turn.size()) return std::nullopt;
      for (int64_t& place : x.order) place = turn[static_cast<size_t>(place)];
      if (llvm::is_sorted(x.order)) x.order.clear();
    }
  return product;
}

Product Product::without(const Framed& factor) const {
  Product product = *this;
  product.factors.erase(llvm::find(product.factors, factor));
  return product;
}

std::optional<Product> Product::without(const Product& part) const {
  auto within = [](llvm::ArrayRef<Framed> all, llvm::ArrayRef<Framed> some) {
    return llvm::all_of(some, [&](const Framed& x) { return llvm::is_contained(all, x); });
  };
  auto take = [](llvm::SmallVectorImpl<Framed>& from, llvm::ArrayRef<Framed> some) {
    return llvm::all_of(some, [&](const Framed& x) {
      auto found = llvm::find(from, x);
      if (found == from.end()) return false;
      from.erase(found);
      return true;
    });
  };
  Product left = *this;
  // Being 0 outside of the same condition twice is the same as once.
  if (!within(conditions, part.conditions) || !within(part.conditions, conditions) ||
      !take(left.factors, part.factors) || !take(left.divisors, part.divisors))
    return std::nullopt;
  left.conditions.clear();
  left.negative = negative != part.negative;
  return left;
}

}  // namespace tessera::ir
