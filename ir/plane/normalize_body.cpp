#include <tessera/ir/plane/normalize_body.h>

#include <cmath>
#include <string>

#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/raw_ostream.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include <tessera/core/hash.h>
#include <tessera/ir/fuse/Scatter.h>
#include <tessera/ir/fuse/body_dims.h>
#include <tessera/ir/plane/facts.h>
#include <tessera/ir/plane/index_compare.h>

namespace tessera::ir {

namespace arith = mlir::arith;
using mlir::Operation;
using mlir::Value;

namespace {

bool is_number(Value value, double x) { return real_constant(value) == x; }

// x where value is ¬x
Value negated(Value value) {
  auto flip = value.getDefiningOp<arith::XOrIOp>();
  if (!flip || !value.getType().isInteger(1)) return {};
  for (auto [x, by] : {std::pair{flip.getLhs(), flip.getRhs()}, {flip.getRhs(), flip.getLhs()}})
    if (auto constant = by.getDefiningOp<arith::ConstantOp>())
      if (!llvm::cast<mlir::IntegerAttr>(constant.getValue()).getValue().isZero()) return x;
  return {};
}

// value = condition ? 1 : 0
Value coin(Value value) {
  if (auto from = value.getDefiningOp<arith::UIToFPOp>())
    return from.getIn().getType().isInteger(1) ? from.getIn() : Value();
  auto select = value.getDefiningOp<arith::SelectOp>();
  return select && is_number(select.getTrueValue(), 1) && is_number(select.getFalseValue(), 0) ? select.getCondition()
                                                                                               : Value();
}

class Rewriter {
 public:
  explicit Rewriter(fuse::CascadeOp cascade) : cascade_(cascade), b_(cascade.getContext()) {}

  void run() {
    mlir::Block& body = cascade_.getBody().front();
    for (Operation& op : llvm::make_early_inc_range(body.without_terminator())) {
      b_.setInsertionPoint(&op);
      at_ = op.getLoc();
      // A rule may leave an op that another rule knows.
      for (Operation* now = &op; now;) {
        Value by = rewrite(now);
        if (!by) break;
        now->getResult(0).replaceAllUsesWith(by);
        now = by.getDefiningOp();
        if (!now || (now != &*std::prev(b_.getInsertionPoint()))) break;
        b_.setInsertionPoint(now);
      }
    }
    for (Operation& op : llvm::make_early_inc_range(llvm::reverse(body)))
      if (mlir::isOpTriviallyDead(&op)) op.erase();
  }

 private:
  Value rewrite(Operation* op) {
    return llvm::TypeSwitch<Operation*, Value>(op)
        .Case([&](arith::SelectOp select) { return choice(select); })
        .Case([&](arith::MulFOp mul) {
          Value x = product(mul.getLhs(), mul.getRhs());
          return x ? x : product(mul.getRhs(), mul.getLhs());
        })
        .Case([&](arith::DivFOp div) { return quotient(div); })
        .Case([&](arith::AddFOp add) -> Value {
          for (auto [x, y] : {std::pair{add.getLhs(), add.getRhs()}, {add.getRhs(), add.getLhs()}})
            if (auto neg = y.getDefiningOp<arith::NegFOp>()) return arith::SubFOp::create(b_, at_, x, neg.getOperand());
          return {};
        })
        .Case([&](arith::SubFOp sub) -> Value {
          auto neg = sub.getRhs().getDefiningOp<arith::NegFOp>();
          return neg ? arith::AddFOp::create(b_, at_, sub.getLhs(), neg.getOperand()).getResult() : Value();
        })
        .Default([](Operation*) { return Value(); });
  }

  // Without a negation, or a comparison in its one form; null where it is that already.
  Value condition(Value c, bool negate) {
    if (Value x = negated(c)) {
      Value better = condition(x, !negate);
      return better ? better : negate ? x : Value();
    }
    if (auto compare = c.getDefiningOp<arith::CmpFOp>())
      if (auto [x, is_negated] = of_coin(compare); x) {
        Value better = condition(x, negate != is_negated);
        return better ? better : negate == is_negated ? x : Value();
      }
    return index_comparison(b_, cascade_, c, negate);
  }

  // (x ? 1 : 0) ⋈ k is x or ¬x.
  static std::pair<Value, bool> of_coin(arith::CmpFOp compare) {
    const bool first = real_constant(compare.getRhs()).has_value();
    Value x = coin(first ? compare.getLhs() : compare.getRhs());
    const auto k = real_constant(first ? compare.getRhs() : compare.getLhs());
    if (!x || !k || std::isnan(*k)) return {};
    auto holds = [&](double v) {
      const double a = first ? v : *k, b = first ? *k : v;
      switch (compare.getPredicate()) {
        case arith::CmpFPredicate::OEQ: return a == b;
        case arith::CmpFPredicate::UNE: return a != b;
        case arith::CmpFPredicate::OLT: return a < b;
        case arith::CmpFPredicate::OLE: return a <= b;
        case arith::CmpFPredicate::OGT: return a > b;
        default: return a >= b;
      }
    };
    using P = arith::CmpFPredicate;
    const P p = compare.getPredicate();
    const bool known = p == P::OEQ || p == P::UNE || p == P::OLT || p == P::OLE || p == P::OGT || p == P::OGE;
    if (!known || holds(1) == holds(0)) return {};
    return {x, holds(0)};
  }

  Value choice(arith::SelectOp op) {
    Value c = op.getCondition(), a = op.getTrueValue(), b = op.getFalseValue();
    auto constant = [](Value x) { return x.getDefiningOp<arith::ConstantOp>() != nullptr; };
    bool swaps = false;
    if (Value x = negated(c)) c = x, swaps = true;
    Value better;
    if (constant(swaps ? b : a) && !constant(swaps ? a : b)) {
      better = condition(c, true);
      if (better) swaps = !swaps;
    } else {
      better = condition(c, false);
    }
    if (better && same_value(better, c)) better = {};
    if (!better && !swaps) return {};
    return arith::SelectOp::create(b_, at_, better ? better : c, swaps ? b : a, swaps ? a : b);
  }

  Value product(Value x, Value by) {
    if (Value c = coin(by)) return arith::SelectOp::create(b_, at_, c, x, zero(x));
    const std::optional<double> k = real_constant(by);
    auto select = x.getDefiningOp<arith::SelectOp>();
    if (!k || !select || !std::isfinite(*k)) return {};
    const bool first = is_number(select.getTrueValue(), 0), second = is_number(select.getFalseValue(), 0);
    if (first == second) return {};
    Value kept = arith::MulFOp::create(b_, at_, first ? select.getFalseValue() : select.getTrueValue(), by);
    return arith::SelectOp::create(b_, at_, select.getCondition(), first ? select.getTrueValue() : kept,
                                   first ? kept : select.getFalseValue());
  }

  // By a power of two: exactly the product with its reciprocal.
  Value quotient(arith::DivFOp op) {
    const std::optional<double> k = real_constant(op.getRhs());
    int exponent = 0;
    if (!k || std::fabs(std::frexp(*k, &exponent)) != 0.5 || std::abs(exponent) > 100) return {};
    Value inverse = arith::ConstantOp::create(b_, at_, b_.getFloatAttr(op.getType(), 1 / *k));
    return arith::MulFOp::create(b_, at_, op.getLhs(), inverse);
  }

  Value zero(Value like) { return arith::ConstantOp::create(b_, at_, b_.getZeroAttr(like.getType())); }

  fuse::CascadeOp cascade_;
  mlir::OpBuilder b_;
  mlir::Location at_ = b_.getUnknownLoc();
};

// Orders operands that commute by a hash of what they compute: ops, attributes and which kinds of dims they depend on.
// Nothing in it tells layouts, numbers of batch dims or places in memory apart.
class Order {
 public:
  explicit Order(fuse::CascadeOp cascade) : cascade_(cascade), dims_(cascade.getBody().front(), cascade.getInMaps()) {}

  void run() {
    for (Operation& op : cascade_.getBody().front()) {
      if (op.hasTrait<mlir::OpTrait::IsCommutative>() && op.getNumOperands() == 2) {
        Value a = op.getOperand(0), b = op.getOperand(1);
        if (rank(b) < rank(a)) op.setOperands({b, a});
      }
      // Of a score the row comes first; of an accumulation the plane always does.
      if (llvm::isa<fuse::ContractOp>(op) && (roles(dims_.of(op.getOperand(1))) & row)) {
        Value a = op.getOperand(0), b = op.getOperand(1);
        op.setOperands({b, a});
      }
      for (Value result : op.getResults()) hashes_[result] = hash(op);
    }
  }

 private:
  std::pair<bool, uint64_t> rank(Value value) {
    return {value.getDefiningOp<arith::ConstantOp>() != nullptr, hash(value)};
  }

  uint64_t hash(Value value) {
    if (auto known = hashes_.find(value); known != hashes_.end()) return known->second;
    return combine(combine(hash_text("argument"), roles(dims_.of(value))), type(value));  // a block argument
  }

  uint64_t hash(Operation& op) {
    uint64_t h = hash_text(std::string_view(op.getName().getStringRef()));
    for (Value operand : op.getOperands()) h = combine(h, hash(operand));
    for (mlir::NamedAttribute attribute : op.getAttrDictionary()) {
      const bool is_place = llvm::isa<fuse::IndexOp>(op) || attribute.getName() == "over" ||
                            (llvm::isa<fuse::RandomOp>(op) && attribute.getName() == "stream") ||
                            (llvm::isa<fuse::ScatterAddOp>(op) && attribute.getName() == "dim");
      if (!is_place) h = combine(h, text_hash(attribute.getValue()));
    }
    for (Value result : op.getResults()) h = combine(combine(h, roles(dims_.of(result))), type(result));
    return h;
  }

  enum Role : uint64_t { batch = 1, row = 2, stream = 4, rest = 8 };  // kinds of dims
  uint64_t roles(fuse::DimBits bits) {
    uint64_t out = 0;
    for (int64_t d = 0; d < static_cast<int64_t>(cascade_.getDims().size()); ++d)
      if ((bits >> d) & 1)
        out |= d < cascade_.row_dim()          ? batch
               : d == cascade_.row_dim()       ? row
               : d < cascade_.first_rest_dim() ? stream
                                               : rest;
    return out;
  }

  static uint64_t type(Value value) {
    auto tensor = llvm::dyn_cast<mlir::RankedTensorType>(value.getType());
    return text_hash(tensor ? tensor.getElementType() : value.getType());
  }
  template <class T> static uint64_t text_hash(T printed) {
    std::string text;
    llvm::raw_string_ostream(text) << printed;
    return hash_text(text);
  }

  fuse::CascadeOp cascade_;
  fuse::BodyDims dims_;
  llvm::DenseMap<Value, uint64_t> hashes_;
};

}  // namespace

void normalize_body(fuse::CascadeOp cascade) {
  Rewriter(cascade).run();
  Order(cascade).run();
}

}  // namespace tessera::ir
