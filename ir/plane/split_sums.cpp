#include <tessera/ir/plane/split_sums.h>

#include "llvm/ADT/STLExtras.h"

namespace tessera::ir {

namespace {

// Dims of a sum over columns, and those that are left for a sum of its result.
struct Two {
  llvm::SmallVector<int64_t, 2> inner, rest;
};
Two in_two(tsr::ReduceOp sum, const Plane& plane) {
  Two dims;
  auto& [inner, rest] = dims;
  for (auto [d, dim] : llvm::enumerate(plane.lists->of(sum.getX()))) {
    const int64_t at = static_cast<int64_t>(d);
    if (!llvm::is_contained(sum.getDims(), at)) continue;
    const AtomList atoms = plane.lists->expanded(dim);
    const bool in_columns = llvm::all_of(atoms, [&](int a) { return llvm::is_contained(plane.columns, a); });
    // After the first sum the dims that stay move up.
    if (in_columns && !atoms.empty()) inner.push_back(at);
    else rest.push_back(at - static_cast<int64_t>(inner.size()));
  }
  return dims;
}

bool split(tsr::ReduceOp sum, const Plane& plane) {
  const auto [inner, rest] = in_two(sum, plane);
  if (inner.empty() || rest.empty()) return false;
  llvm::SmallVector<int64_t, 4> kept;
  for (auto [d, n] : llvm::enumerate(tsr::shape_of(sum.getX())))
    if (!llvm::is_contained(inner, static_cast<int64_t>(d))) kept.push_back(n);
  mlir::OpBuilder b(sum);
  mlir::Value rows = tsr::ReduceOp::create(b, sum.getLoc(), tsr::type_of(sum.getX()).clone(kept), sum.getKindAttr(),
                                           sum.getX(), b.getDenseI64ArrayAttr(inner));
  mlir::Value all = tsr::ReduceOp::create(b, sum.getLoc(), sum.getY().getType(), sum.getKindAttr(), rows,
                                          b.getDenseI64ArrayAttr(rest));
  sum.getY().replaceAllUsesWith(all);
  sum.erase();
  return true;
}

// A sum over batches alone in a type narrower than f32.
bool widen(tsr::ReduceOp sum, const Plane& plane) {
  auto narrow = llvm::dyn_cast<mlir::FloatType>(tsr::element_of(sum.getX()));
  if (!narrow || narrow.getWidth() >= 32) return false;
  for (int64_t d : sum.getDims())
    for (int atom : plane.lists->expanded(plane.lists->of(sum.getX())[static_cast<size_t>(d)]))
      if (llvm::is_contained(plane.rows, atom) || llvm::is_contained(plane.columns, atom)) return false;
  mlir::OpBuilder b(sum);
  auto wide = [&](mlir::Value value) { return tsr::type_of(value).clone(b.getF32Type()); };
  mlir::Value x = tsr::CastOp::create(b, sum.getLoc(), wide(sum.getX()), sum.getX());
  mlir::Value all = tsr::ReduceOp::create(b, sum.getLoc(), wide(sum.getY()), sum.getKindAttr(), x, sum.getDimsAttr());
  sum.getY().replaceAllUsesWith(tsr::CastOp::create(b, sum.getLoc(), sum.getY().getType(), all));
  sum.erase();
  return true;
}

// Sums of plane values that are no members.
llvm::SmallVector<tsr::ReduceOp, 4> sums_beside(const Plane& plane) {
  llvm::SmallVector<tsr::ReduceOp, 4> all;
  for (mlir::Operation* op : plane.ops) {
    if (!plane.spans(op->getResult(0))) continue;
    for (mlir::Operation* user : op->getUsers())
      if (auto sum = llvm::dyn_cast<tsr::ReduceOp>(user); sum && sum.getKind() == "sum" && !plane.lists->is_member(sum))
        all.push_back(sum);
  }
  return all;
}

}  // namespace

bool sums_both_sides(const Plane& plane) {
  return llvm::any_of(sums_beside(plane), [&](tsr::ReduceOp sum) {
    const auto [inner, rest] = in_two(sum, plane);
    return !inner.empty() && !rest.empty();
  });
}

bool split_sums(const Plane& plane) {
  bool any = false;
  for (tsr::ReduceOp sum : sums_beside(plane)) any |= split(sum, plane) || widen(sum, plane);
  return any;
}

}  // namespace tessera::ir
