#pragma once
// Products of whole tensors taken apart, so that two can be compared: what is multiplied point by point, in which dims.

#include <optional>

#include <tessera/ir/tsr/Tsr.h>

namespace tessera::ir {

// Does `to` hold all that `from` does, and more?
bool widens(mlir::Type to, mlir::Type from);

// A value in the dims of another, the *frame*: its dim d is dim order[d] of that. Without an order it has the elements of
// the frame in their order, if not its shape.
using Order = llvm::SmallVector<int64_t, 4>;
struct Framed {
  mlir::Value value;
  Order order = {};

  bool operator==(const Framed&) const = default;
  Order full_order() const;
  // Without views and casts that change nothing but shape and type; where numbers are narrowed to `rounded`, if given, those
  // before.
  Framed plain(mlir::Type rounded = {}) const;
};

// One entry a dim, in another frame, of which dim d of this one is dim order[d]; no order: the same.
template <class List> List turned(const List& list, const Order& order) {
  List made = list;
  for (auto [d, place] : llvm::enumerate(order)) made[static_cast<size_t>(place)] = list[d];
  return made;
}
inline Order shape_of(mlir::Value value) { return Order(tsr::shape_of(value)); }

// Values that are multiplied or divided by point by point, and conditions outside of which the product is 0. Reshapes,
// transposes and casts are no part of it.
struct Product {
  llvm::SmallVector<Framed, 4> factors, divisors, conditions;
  bool negative = false;

  Product() = default;
  // `rounded`: factors before they were narrowed to that type.
  explicit Product(mlir::Value value, mlir::Type rounded = {}) { add({value}, tsr::shape_of(value), rounded); }

  // `frame`: its shape.
  void add(Framed x, llvm::ArrayRef<int64_t> frame, mlir::Type rounded = {});
  // Factors before they were narrowed to this type, taken apart again. `frame`: the shape of the product.
  Product before(mlir::Type rounded, llvm::ArrayRef<int64_t> frame) const;
  // In another frame, of which dim d of this one is dim turn[d]; nothing where a part of it has other dims than this.
  std::optional<Product> turned(llvm::ArrayRef<int64_t> turn) const;
  Product without(const Framed& factor) const;
  // What it has beside another one; nothing where it lacks some of that, or is 0 elsewhere.
  std::optional<Product> without(const Product& part) const;
};

}  // namespace tessera::ir
