#include "llvm/ADT/STLExtras.h"
#include "mlir/IR/Remarks.h"

#include <tessera/ir/passes/Passes.h>
#include <tessera/ir/plane/plane.h>
#include <tessera/ir/plane/product.h>
#include <tessera/ir/tsr/Einsum.h>
#include <tessera/ir/tsr/Tsr.h>

namespace tessera::ir {

#define GEN_PASS_DEF_TRILINEAR
#include <tessera/ir/passes/Passes.h.inc>

namespace {

using mlir::Operation;
using mlir::Value;

// Σ_n A · (B C over e): what is needed to say it as Σ_e B · (A C over n).
struct Match {
  tsr::ContractOp existing;  // A C
  Value b;
  std::string b_word, existing_word;  // both in letters of `existing`
  std::string kept;                   // letters of what the sum keeps, in its order
};

// A part of the sum, said by what is there already: that match, or another sum; times numbers that all of a row share.
struct Term {
  std::optional<Match> match;
  tsr::ReduceOp sum;
  Product by_row;
};

class Rewriter {
 public:
  explicit Rewriter(tsr::ReduceOp sum) : sum_(sum) {}

  // Empty: it stays.
  llvm::SmallVector<Term, 2> find() {
    llvm::SmallVector<Term, 2> terms;
    const bool found = sum_.getKind() == "sum" && resolve(Product(sum_.getX()), /*whole=*/true, terms) &&
                       llvm::any_of(terms, [](const Term& term) { return term.match.has_value(); });
    if (!found || (!is_plain(terms) && !is_smaller(terms))) terms.clear();
    return terms;
  }

  Value rewrite(llvm::ArrayRef<Term> terms) {
    mlir::OpBuilder b(sum_);
    mlir::Location at = sum_.getLoc();
    Value total;
    for (const Term& term : terms) {
      Value part = term.match ? rewrite(b, *term.match) : term.sum->getResult(0);
      for (const Framed& factor : term.by_row.factors) part = tsr::MulOp::create(b, at, part, row(b, factor.value));
      for (const Framed& divisor : term.by_row.divisors) part = tsr::DivOp::create(b, at, part, row(b, divisor.value));
      if (term.by_row.negative) part = tsr::NegOp::create(b, at, part);
      total = total ? tsr::AddOp::create(b, at, total, part).getResult() : part;
    }
    return total;
  }

 private:
  // One triple product and nothing else.
  static bool is_plain(llvm::ArrayRef<Term> terms) {
    const Product& row = terms.front().by_row;
    return terms.size() == 1 && row.factors.empty() && row.divisors.empty();
  }
  // Taken apart further, other sums fit too, as those of a norm in front of a product, which their kernel makes for nothing.
  // So it must be a product of batches, as a norm's with its weight is none, or what is summed instead little beside the
  // plane.
  bool is_smaller(llvm::ArrayRef<Term> terms) {
    constexpr int64_t least_ratio = 2;
    const int64_t elements = tsr::type_of(sum_.getX()).getNumElements();
    return llvm::all_of(terms, [&](const Term& term) {
      return !term.match || is_of_batches(term.match->existing) ||
             elements > least_ratio * tsr::type_of(term.match->b).getNumElements();
    });
  }
  static bool is_of_batches(tsr::ContractOp contract) {
    const Einsum words = *parse_einsum(std::string_view(contract.getEinsum()));
    return llvm::any_of(words.out, [&](char letter) {
      return words.a.find(letter) != std::string::npos && words.b.find(letter) != std::string::npos;
    });
  }

  bool resolve(const Product& all, bool whole, llvm::SmallVectorImpl<Term>& terms) {
    if (auto term = by_contraction(all)) return terms.push_back(*term), true;
    if (auto term = whole ? std::nullopt : by_sum(all)) return terms.push_back(*term), true;
    for (const Framed& factor : all.factors) {
      auto add = factor.value.getDefiningOp<tsr::AddOp>();
      if (!add || tsr::element_of(factor.value) != tsr::element_of(sum_.getY())) continue;
      const size_t before = terms.size();
      auto resolves = [&](Value addend) {
        Product part = all.without(factor);
        part.add({addend, factor.order}, tsr::shape_of(sum_.getX()));
        return resolve(part, /*whole=*/false, terms);
      };
      if (resolves(add.getA()) && resolves(add.getB())) return true;
      terms.truncate(before);
    }
    return false;
  }

  std::optional<Term> by_contraction(const Product& all) {
    for (const Framed& factor : all.factors) {
      auto inner = factor.value.getDefiningOp<tsr::ContractOp>();
      if (!inner || !inner.getWindows().empty() || !find_dims(factor)) continue;
      for (Value c : {inner.getB(), inner.getA()})
        for (Operation* user : c.getUsers()) {
          auto existing = llvm::dyn_cast<tsr::ContractOp>(user);
          if (!existing || existing == inner || !existing.getWindows().empty() || !existing->isBeforeInBlock(sum_))
            continue;
          if (auto term = fits(inner, factor.order, c, existing, all.without(factor))) return term;
        }
    }
    return std::nullopt;
  }

  // Σ x · r is r times another sum, if that is there.
  std::optional<Term> by_sum(const Product& all) {
    for (const Framed& factor : all.factors) {
      const Product rest = all.without(factor);
      if (!factor.order.empty() || !is_by_row(rest)) continue;
      for (Operation* user : factor.value.getUsers()) {
        auto other = llvm::dyn_cast<tsr::ReduceOp>(user);
        if (other && other != sum_ && other.getKind() == "sum" && other->isBeforeInBlock(sum_) &&
            other.getY().getType() == sum_.getY().getType() && other.getX().getType() == sum_.getX().getType() &&
            other.getDims() == sum_.getDims())
          return Term{std::nullopt, other, rest};
      }
    }
    return std::nullopt;
  }

  bool is_by_row(const Product& product) {
    auto is_row = [&](const Framed& x) { return x.order.empty() && this->is_row(x.value); };
    return product.conditions.empty() && llvm::all_of(product.factors, is_row) &&
           llvm::all_of(product.divisors, is_row);
  }
  bool is_summed(int64_t dim) { return llvm::is_contained(sum_.getDims(), dim); }

  // One number for all that is added up.
  bool is_row(Value x) {
    if (tsr::shape_of(x) != tsr::shape_of(sum_.getX())) return false;
    auto broadcast = x.getDefiningOp<tsr::BroadcastOp>();
    if (!broadcast) return x.getDefiningOp<tsr::ConstantOp>() != nullptr;
    return llvm::all_of(llvm::zip(broadcast.getDims(), tsr::shape_of(broadcast.getX())),
                        [&](auto dim) { return !is_summed(std::get<0>(dim)) || std::get<1>(dim) == 1; });
  }

  // The same, once for each.
  Value row(mlir::OpBuilder& b, Value x) {
    mlir::Location at = sum_.getLoc();
    mlir::RankedTensorType type = tsr::type_of(sum_.getY());
    if (auto constant = x.getDefiningOp<tsr::ConstantOp>())
      return tsr::ConstantOp::create(b, at, type, constant.getValue());
    auto broadcast = x.getDefiningOp<tsr::BroadcastOp>();
    llvm::SmallVector<int64_t, 4> shape, dims;
    for (auto [dim, n] : llvm::zip(broadcast.getDims(), tsr::shape_of(broadcast.getX()))) {
      if (is_summed(dim)) continue;
      shape.push_back(n);
      dims.push_back(dim - llvm::count_if(sum_.getDims(), [&](int64_t d) { return d < dim; }));
    }
    Value from = broadcast.getX();
    if (tsr::element_of(from) != type.getElementType())
      from = tsr::CastOp::create(b, at, tsr::type_of(from).clone(type.getElementType()), from);
    if (tsr::shape_of(from) != llvm::ArrayRef(shape))
      from = tsr::ReshapeOp::create(b, at, mlir::RankedTensorType::get(shape, type.getElementType()), from);
    return from.getType() == type
               ? from
               : tsr::BroadcastOp::create(b, at, type, from, b.getDenseI64ArrayAttr(dims)).getResult();
  }

  Value rewrite(mlir::OpBuilder& b, const Match& match) {
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
    Value o = match.existing->getResult(0);
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

  // Which dims of a reshape of the sum's operand, of shape `to`, the sum is over. False where one was split or merged.
  bool find_dims(const Framed& factor) {
    over_.assign(sum_.getDims().begin(), sum_.getDims().end());
    if (!factor.order.empty()) return true;
    over_.clear();
    const llvm::ArrayRef<int64_t> to = tsr::shape_of(factor.value);
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

  std::optional<Term> fits(tsr::ContractOp inner, const Order& inner_order, Value c, tsr::ContractOp existing,
                           const Product& rest) {
    const Einsum of_inner = *parse_einsum(std::string_view(inner.getEinsum()));
    const Einsum of_existing = *parse_einsum(std::string_view(existing.getEinsum()));
    const bool c_is_a = inner.getA() == c, c_was_a = existing.getA() == c;
    Value a = c_was_a ? existing.getB() : existing.getA();
    if (existing.getA() == existing.getB() || inner.getA() == inner.getB()) return std::nullopt;
    const mlir::Type element = tsr::element_of(sum_.getY()), stored = tsr::element_of(existing.getY());
    if (stored != element && !widens(element, stored)) return std::nullopt;
    // A product of a narrow type takes narrowed factors, and rounds more than that does.
    const Product wanted(a, stored), there = rest.before(stored, tsr::shape_of(sum_.getX()));
    const std::optional<Order> turn = turn_of(wanted, tsr::shape_of(a), there);
    if (!turn) return std::nullopt;
    const std::optional<Product> as_there = turn->empty() ? wanted : wanted.turned(*turn);
    const std::optional<Product> by_row = as_there ? there.without(*as_there) : std::nullopt;
    if (!by_row || !is_by_row(*by_row)) return std::nullopt;
    // Both in the frame of the sum.
    const std::string a_word = turned(c_was_a ? of_existing.b : of_existing.a, *turn),
                      inner_word = turned(of_inner.out, inner_order);
    if (turned(shape_of(a), *turn) != turned(shape_of(inner.getY()), inner_order)) return std::nullopt;
    const std::string &c_word = c_was_a ? of_existing.a : of_existing.b, &inner_c = c_is_a ? of_inner.a : of_inner.b;
    // A letter of `inner` is a dim of the sum's operand, and so a letter of A; or it is summed, and then C tells.
    llvm::DenseMap<char, char> to_existing;
    for (auto [letter, place] : llvm::zip(inner_word, a_word)) to_existing[letter] = place;
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
    return Term{match, {}, *by_row};
  }

  // How the dims of `wanted`, whose frame has that shape, lie among those of `all`, as the first factor that both have tells;
  // empty: as they are.
  static std::optional<Order> turn_of(const Product& wanted, llvm::ArrayRef<int64_t> shape, const Product& all) {
    if (wanted.factors.empty()) return std::nullopt;
    const Framed& first = wanted.factors.front();
    auto same = llvm::find_if(all.factors, [&](const Framed& x) { return x.value == first.value; });
    if (same == all.factors.end()) return std::nullopt;
    if (same->order == first.order) return Order();
    Order turn(shape.size());
    const Order from = first.full_order(), to = same->full_order();
    if (from.size() != shape.size() || llvm::ArrayRef(turned(shape_of(first.value), from)) != shape)
      return std::nullopt;
    for (auto [place, other] : llvm::zip(from, to)) turn[static_cast<size_t>(place)] = other;
    return turn;
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
      const llvm::SmallVector<Term, 2> terms = rewriter.find();
      if (terms.empty()) continue;
      mlir::remark::passed(sum.getLoc(), mlir::remark::RemarkOpts::name("trilinear").category("plane"))
          << mlir::remark::add("Σ A·(B C) becomes Σ B·(A C), which is there already");
      sum.getY().replaceAllUsesWith(rewriter.rewrite(terms));
      sum.erase();
    }
  }
};

}  // namespace
}  // namespace tessera::ir
