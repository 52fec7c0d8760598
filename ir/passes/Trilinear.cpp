#include "llvm/ADT/STLExtras.h"
#include "mlir/IR/Remarks.h"

#include <tessera/ir/form/free_ops.h>
#include <tessera/ir/passes/Passes.h>
#include <tessera/ir/plane/plane.h>
#include <tessera/ir/tsr/Einsum.h>
#include <tessera/ir/tsr/Tsr.h>

namespace tessera::ir {

#define GEN_PASS_DEF_TRILINEAR
#include <tessera/ir/passes/Passes.h.inc>

namespace {

using mlir::Operation;
using mlir::Value;

// Does `to` hold all that `from` does, but for rounding?
bool has_range_of(mlir::Type to, mlir::Type from) {
  auto x = llvm::dyn_cast<mlir::FloatType>(to), y = llvm::dyn_cast<mlir::FloatType>(from);
  return x && y &&
         llvm::APFloat::semanticsMaxExponent(x.getFloatSemantics()) >=
             llvm::APFloat::semanticsMaxExponent(y.getFloatSemantics());
}
bool widens(mlir::Type to, mlir::Type from) {
  return has_range_of(to, from) && to.getIntOrFloatBitWidth() > from.getIntOrFloatBitWidth();
}

bool is_zero(Value value) {
  while (auto broadcast = value.getDefiningOp<tsr::BroadcastOp>()) value = broadcast.getX();
  auto constant = value.getDefiningOp<tsr::ConstantOp>();
  auto number = constant ? llvm::dyn_cast<mlir::FloatAttr>(constant.getValue()) : mlir::FloatAttr();
  return number && number.getValue().isZero();
}

// The value of which `value` is a reshape: the same elements in the same order.
Value behind_reshapes(Value value) {
  while (auto reshape = value.getDefiningOp<tsr::ReshapeOp>()) value = reshape.getX();
  return value;
}

// And of which it is the same numbers; where they are narrowed to `rounded`, if given, the numbers before.
Value behind_casts(Value value, mlir::Type rounded = {}) {
  for (;;) {
    value = behind_reshapes(value);
    auto cast = value.getDefiningOp<tsr::CastOp>();
    if (!cast) return value;
    const mlir::Type to = tsr::element_of(value), from = tsr::element_of(cast.getX());
    if (!widens(to, from) && !(to == rounded && has_range_of(to, from))) return value;
    value = cast.getX();
  }
}

// A product taken apart: values that are multiplied point by point, and conditions outside of which it is 0. Reshapes and
// casts are no part of it.
struct Product {
  llvm::SmallVector<Value, 4> factors, conditions;

  explicit Product(Value value) { add(value); }
  // Factors before they were narrowed to this type.
  Product before(mlir::Type rounded) const {
    Product product = *this;
    for (Value& factor : product.factors) factor = behind_casts(factor, rounded);
    return product;
  }
  bool operator==(const Product& b) const {
    auto within = [](llvm::ArrayRef<Value> all, llvm::ArrayRef<Value> some) {
      return llvm::all_of(some, [&](Value x) { return llvm::is_contained(all, x); });
    };
    // Being 0 outside of the same condition twice is the same as once.
    return factors.size() == b.factors.size() &&
           std::is_permutation(factors.begin(), factors.end(), b.factors.begin()) && within(conditions, b.conditions) &&
           within(b.conditions, conditions);
  }

 private:
  void add(Value value) {
    value = behind_reshapes(value);
    if (auto mul = value.getDefiningOp<tsr::MulOp>()) {
      add(mul.getA());
      add(mul.getB());
    } else if (auto select = value.getDefiningOp<tsr::SelectOp>(); select && is_zero(select.getB())) {
      conditions.push_back(behind_reshapes(select.getCondition()));
      add(select.getA());
    } else {
      factors.push_back(behind_casts(value));
    }
  }
};

// Σ_n A · (B C over e): what is needed to say it as Σ_e B · (A C over n).
struct Match {
  tsr::ContractOp existing;  // A C
  Value b;
  std::string b_word, existing_word;  // both in letters of `existing`
  std::string kept;                   // letters of what the sum keeps, in its order
};

class Rewriter {
 public:
  explicit Rewriter(tsr::ReduceOp sum) : sum_(sum) {}

  std::optional<Match> find() {
    if (sum_.getKind() != "sum") return std::nullopt;
    Product all(sum_.getX());
    for (Value factor : all.factors) {
      auto inner = factor.getDefiningOp<tsr::ContractOp>();
      if (!inner || !inner.getWindows().empty() || !find_dims(tsr::shape_of(factor))) continue;
      Product rest = all;
      rest.factors.erase(llvm::find(rest.factors, factor));
      for (Value c : {inner.getB(), inner.getA()})
        for (Operation* user : c.getUsers()) {
          auto existing = llvm::dyn_cast<tsr::ContractOp>(user);
          if (!existing || existing == inner || !existing.getWindows().empty() || !existing->isBeforeInBlock(sum_))
            continue;
          if (auto match = fits(inner, c, existing, rest)) return match;
        }
    }
    return std::nullopt;
  }

  Value rewrite(Match& match) {
    mlir::OpBuilder b(sum_);
    mlir::Location at = sum_.getLoc();
    // o in the order of b's dims, then the letters that go last are summed.
    llvm::SmallVector<int64_t, 4> order, over, shape;
    std::string left;
    for (auto [d, letter] : llvm::enumerate(match.b_word)) {
      order.push_back(static_cast<int64_t>(match.existing_word.find(letter)));
      if (match.kept.find(letter) == std::string::npos) over.push_back(static_cast<int64_t>(d));
      else left += letter, shape.push_back(tsr::shape_of(match.b)[d]);
    }
    mlir::Type element = tsr::element_of(sum_.getY());
    auto as_summed = [&](Value x) -> Value {
      if (tsr::element_of(x) == element) return x;
      return tsr::CastOp::create(b, at, tsr::type_of(x).clone(element), x);
    };
    Value o = match.existing.getY();
    if (!llvm::is_sorted(order)) {
      mlir::Type type = tsr::type_of(o).clone(tsr::shape_of(match.b));
      o = tsr::TransposeOp::create(b, at, type, o, b.getDenseI64ArrayAttr(order));
    }
    Value factor = as_summed(match.b);
    Value product = tsr::MulOp::create(b, at, factor, as_summed(o));
    Value total = tsr::ReduceOp::create(b, at, mlir::RankedTensorType::get(shape, element), b.getStringAttr("sum"),
                                        product, b.getDenseI64ArrayAttr(over));
    llvm::SmallVector<int64_t, 4> back, back_shape;
    for (char letter : match.kept) {
      back.push_back(static_cast<int64_t>(left.find(letter)));
      back_shape.push_back(shape[static_cast<size_t>(back.back())]);
    }
    if (!llvm::is_sorted(back))
      total = tsr::TransposeOp::create(b, at, mlir::RankedTensorType::get(back_shape, element), total,
                                       b.getDenseI64ArrayAttr(back));
    if (total.getType() != sum_.getY().getType()) total = tsr::ReshapeOp::create(b, at, sum_.getY().getType(), total);
    return total;
  }

 private:
  // Which dims of a reshape of the sum's operand, of shape `to`, the sum is over. False where one was split or merged.
  bool find_dims(llvm::ArrayRef<int64_t> to) {
    over_.clear();
    auto step_of = [](llvm::ArrayRef<int64_t> shape, size_t d) {
      int64_t step = 1;
      for (int64_t n : shape.drop_front(d + 1)) step *= n;
      return step;
    };
    llvm::ArrayRef<int64_t> from = tsr::shape_of(sum_.getX());
    for (int64_t dim : sum_.getDims()) {
      const auto d = static_cast<size_t>(dim);
      size_t e = 0;
      while (e < to.size() && (to[e] != from[d] || step_of(to, e) != step_of(from, d))) ++e;
      if (e == to.size()) return false;
      over_.push_back(static_cast<int64_t>(e));
    }
    return true;
  }

  std::optional<Match> fits(tsr::ContractOp inner, Value c, tsr::ContractOp existing, const Product& rest) {
    const Einsum of_inner = *parse_einsum(std::string_view(inner.getEinsum()));
    const Einsum of_existing = *parse_einsum(std::string_view(existing.getEinsum()));
    const bool c_is_a = inner.getA() == c, c_was_a = existing.getA() == c;
    Value a = c_was_a ? existing.getB() : existing.getA();
    if (existing.getA() == existing.getB() || inner.getA() == inner.getB()) return std::nullopt;
    const mlir::Type element = tsr::element_of(sum_.getY()), stored = tsr::element_of(existing.getY());
    // A product of a narrow type takes narrowed factors, and rounds more than that does.
    if (!(Product(a).before(stored) == rest.before(stored))) return std::nullopt;
    if (tsr::shape_of(a) != tsr::shape_of(inner.getY()) || (stored != element && !widens(element, stored)))
      return std::nullopt;
    const std::string &a_word = c_was_a ? of_existing.b : of_existing.a,
                      &c_word = c_was_a ? of_existing.a : of_existing.b;
    const std::string& inner_c = c_is_a ? of_inner.a : of_inner.b;
    // A letter of `inner` is a dim of the sum's operand, and so a letter of A; or it is summed, and then C tells.
    llvm::DenseMap<char, char> to_existing;
    for (auto [letter, place] : llvm::zip(of_inner.out, a_word)) to_existing[letter] = place;
    for (auto [letter, place] : llvm::zip(inner_c, c_word)) {
      auto [known, fresh] = to_existing.try_emplace(letter, place);
      if (!fresh && known->second != place) return std::nullopt;
    }
    Match match{existing, c_is_a ? inner.getB() : inner.getA(), {}, of_existing.out, {}};
    for (char letter : c_is_a ? of_inner.b : of_inner.a) {
      if (!to_existing.contains(letter)) return std::nullopt;
      match.b_word += to_existing[letter];
    }
    std::string summed;
    for (auto [d, letter] : llvm::enumerate(a_word))
      (llvm::is_contained(over_, static_cast<int64_t>(d)) ? summed : match.kept) += letter;
    for (char letter : a_word + c_word) {
      const bool goes = match.existing_word.find(letter) == std::string::npos;
      if (goes != (summed.find(letter) != std::string::npos)) return std::nullopt;
    }
    // B must have all letters that stay, O none that B lacks.
    if (match.b_word.size() != match.existing_word.size()) return std::nullopt;
    for (char letter : match.existing_word)
      if (match.b_word.find(letter) == std::string::npos) return std::nullopt;
    for (char letter : match.kept)
      if (match.b_word.find(letter) == std::string::npos) return std::nullopt;
    return match;
  }

  tsr::ReduceOp sum_;
  llvm::SmallVector<int64_t, 2> over_;  // dims of the contraction at hand
};

class TrilinearPass : public impl::TrilinearBase<TrilinearPass> {
  void runOnOperation() override {
    if (keeps_order(getOperation())) return;
    for (Operation& op : llvm::make_early_inc_range(getOperation().getBody().front())) {
      auto sum = llvm::dyn_cast<tsr::ReduceOp>(op);
      if (!sum) continue;
      Rewriter rewriter(sum);
      std::optional<Match> match = rewriter.find();
      if (!match) continue;
      mlir::remark::passed(sum.getLoc(), mlir::remark::RemarkOpts::name("trilinear").category("plane"))
          << mlir::remark::add("Σ A·(B C) becomes Σ B·(A C), which is there already");
      sum.getY().replaceAllUsesWith(rewriter.rewrite(*match));
      sum.erase();
    }
  }
};

}  // namespace
}  // namespace tessera::ir
