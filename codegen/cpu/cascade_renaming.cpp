#include <tessera/codegen/cpu/cascade_renaming.h>

#include "llvm/ADT/STLExtras.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

#include <tessera/codegen/cpu/cascade_form.h>

namespace tessera::codegen {

namespace arith = mlir::arith;
using mlir::Operation;
using mlir::Value;

namespace {

class Comparer {
 public:
  Comparer(fuse::CascadeOp cascade, const std::vector<Renamed>& dims) : cascade_(cascade), dims_(dims) {}

  bool same(Value x, Value y) const {
    y = chosen(y);
    Operation *a = x.getDefiningOp(), *b = y.getDefiningOp();
    if (!a || !b) return !a && !b && same_argument(x, y);
    if (auto index = mlir::dyn_cast<fuse::IndexOp>(b)) {
      auto other = mlir::dyn_cast<fuse::IndexOp>(a);
      return other && same_place(other.getMap(), index.getMap());
    }
    return a->getName() == b->getName() && a->getAttrDictionary() == b->getAttrDictionary() &&
           a->getResultTypes() == b->getResultTypes() && a->getNumOperands() == b->getNumOperands() &&
           llvm::all_of(llvm::zip(a->getOperands(), b->getOperands()),
                        [&](auto pair) { return same(std::get<0>(pair), std::get<1>(pair)); });
  }

 private:
  // Behind choices that dims which stand still decide.
  Value chosen(Value y) const {
    while (auto select = y.getDefiningOp<arith::SelectOp>()) {
      const std::optional<int64_t> holds = number(select.getCondition());
      if (!holds) break;
      y = *holds ? select.getTrueValue() : select.getFalseValue();
    }
    return y;
  }

  std::optional<int64_t> number(Value value) const {
    if (auto constant = value.getDefiningOp<arith::ConstantOp>()) {
      auto whole = mlir::dyn_cast<mlir::IntegerAttr>(constant.getValue());
      return whole ? std::optional(whole.getValue().getSExtValue()) : std::nullopt;
    }
    if (auto cast = value.getDefiningOp<arith::IndexCastOp>()) return number(cast.getIn());
    if (auto index = value.getDefiningOp<fuse::IndexOp>()) {
      const AffineTerms terms = renamed(index.getMap());
      const bool stands = terms.rest.empty() && llvm::all_of(terms.stride, [](int64_t s) { return s == 0; });
      return stands ? std::optional(terms.constant) : std::nullopt;
    }
    auto compare = value.getDefiningOp<arith::CmpIOp>();
    if (!compare) return std::nullopt;
    const std::optional<int64_t> a = number(compare.getLhs()), b = number(compare.getRhs());
    if (!a || !b) return std::nullopt;
    switch (compare.getPredicate()) {
      case arith::CmpIPredicate::eq: return *a == *b;
      case arith::CmpIPredicate::ne: return *a != *b;
      case arith::CmpIPredicate::sge: return *a >= *b;
      default: return std::nullopt;
    }
  }

  AffineTerms renamed(mlir::AffineMap map) const {
    AffineTerms terms(map);
    const std::vector<int64_t> before = std::exchange(terms.stride, std::vector<int64_t>(terms.stride.size(), 0));
    for (auto [d, stride] : llvm::enumerate(before)) {
      if (dims_[d].at) terms.constant += stride * *dims_[d].at;
      else terms.stride[static_cast<size_t>(dims_[d].dim)] += stride;
    }
    return terms;
  }

  bool same_place(mlir::AffineMap x, mlir::AffineMap y) const {
    const AffineTerms a(x), b = renamed(y);
    return a.rest.empty() && b.rest.empty() && a.constant == b.constant && a.stride == b.stride;
  }

  bool same_argument(Value x, Value y) const {
    const auto a = mlir::cast<mlir::BlockArgument>(x).getArgNumber(),
               b = mlir::cast<mlir::BlockArgument>(y).getArgNumber();
    auto map = [&](unsigned k) { return mlir::cast<mlir::AffineMapAttr>(cascade_.getInMaps()[k]).getValue(); };
    return cascade_->getOperand(a) == cascade_->getOperand(b) && same_place(map(a), map(b));
  }

  mutable fuse::CascadeOp cascade_;
  const std::vector<Renamed>& dims_;
};

}  // namespace

bool is_renamed(fuse::CascadeOp cascade, Value x, Value y, const std::vector<Renamed>& dims) {
  return Comparer(cascade, dims).same(x, y);
}

}  // namespace tessera::codegen
