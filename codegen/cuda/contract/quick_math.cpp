#include <tessera/codegen/cuda/contract/quick_math.h>

#include <cmath>
#include <functional>
#include <optional>

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/MapVector.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <fmt/format.h>

#include <tessera/codegen/cuda/contract/sums_of_products.h>
#include <tessera/codegen/cuda/rows/scalar_text.h>
#include <tessera/codegen/cuda/rows/tanh_text.h>
#include <tessera/ir/fuse/Fuse.h>

namespace tessera::cuda {
namespace {

using namespace mlir;

std::optional<double> constant(Value value) {
  auto op = value.getDefiningOp<arith::ConstantOp>();
  auto number = op ? dyn_cast<FloatAttr>(op.getValue()) : FloatAttr();
  if (!number) return std::nullopt;
  return number.getValueAsDouble();
}

// The operand beside the constant `x`, of an op that commutes; null where there is none.
template <class Op>
Value beside(Value value, double x) {
  auto op = value.getDefiningOp<Op>();
  if (!op || !op->hasOneUse()) return {};
  if (constant(op.getLhs()) == x) return op.getRhs();
  return constant(op.getRhs()) == x ? op.getLhs() : Value();
}

// tanh(scale v). v may be u + cube u³.
struct Tanh {
  Value v, u;
  Attribute scale, cube;  // null: 1; v as it is
};

// c u³ for a constant c.
Attribute cubed(Value value, Value u) {
  auto op = value.getDefiningOp<arith::MulFOp>();
  if (!op || !op->hasOneUse()) return {};
  for (unsigned k = 0; k < 2; ++k) {
    auto cube = op->getOperand(1 - k).getDefiningOp<arith::MulFOp>();
    if (!constant(op->getOperand(k)) || !cube) continue;
    for (unsigned j = 0; j < 2; ++j) {
      auto square = cube->getOperand(j).getDefiningOp<arith::MulFOp>();
      if (cube->getOperand(1 - j) == u && square && square.getLhs() == u && square.getRhs() == u)
        return op->getOperand(k).getDefiningOp<arith::ConstantOp>().getValue();
    }
  }
  return {};
}

Tanh read_tanh(math::TanhOp op) {
  Tanh found{.v = op.getOperand()};
  auto scaled = found.v.getDefiningOp<arith::MulFOp>();
  for (unsigned k = 0; scaled && scaled->hasOneUse() && !found.scale && k < 2; ++k)
    if (constant(scaled->getOperand(k))) {
      found.scale = scaled->getOperand(k).getDefiningOp<arith::ConstantOp>().getValue();
      found.v = scaled->getOperand(1 - k);
    }
  auto sum = found.v.getDefiningOp<arith::AddFOp>();
  for (unsigned k = 0; sum && sum->hasOneUse() && !found.cube && k < 2; ++k)
    found.u = sum->getOperand(k), found.cube = cubed(sum->getOperand(1 - k), found.u);
  return found;
}

// x (1 + tanh(…)) / 2, written as (x / 2) (1 + tanh(…)).
struct Gelu {
  Value x;
  Tanh tanh;
};

std::optional<Gelu> as_gelu(arith::MulFOp op) {
  for (auto [half, rest] : {std::pair{op.getLhs(), op.getRhs()}, std::pair{op.getRhs(), op.getLhs()}}) {
    const Value x = beside<arith::MulFOp>(half, 0.5), turned = beside<arith::AddFOp>(rest, 1);
    auto tanh = turned ? turned.getDefiningOp<math::TanhOp>() : math::TanhOp();
    if (x && tanh && tanh->hasOneUse()) return Gelu{x, read_tanh(tanh)};
  }
  return std::nullopt;
}

bool is_sum(Operation* op) { return isa<arith::AddFOp, arith::SubFOp>(op); }

// Reads sums through, down to products of values.
class Sums {
 public:
  // Values that are products of a number and of what they are called.
  llvm::DenseMap<Value, std::pair<double, std::string>> known;
  std::function<bool(Operation*)> is_whole;  // is not seen through

  struct Read {
    std::vector<Product> sum;
    std::vector<Operation*> seen_through;  // sums that nothing else reads
  };
  // The sum that `root` ends, if joining its products saves any, or some share a value.
  std::optional<Read> read(Operation* root) {
    Read made;
    std::vector<Product> all;
    add(root, 1, all, made.seen_through);
    std::optional<std::vector<Product>> sum = joined(all);
    if (!sum || (sum->size() == all.size() && !share_values(*sum))) return std::nullopt;
    for (const Product& one : *sum)
      if (!std::isnormal(static_cast<float>(one.factor)) || one.values.size() > most_values) return std::nullopt;
    made.sum = std::move(*sum);
    return made;
  }
  std::string text(const std::vector<Product>& sum, ValuesText& values) const {
    return factored_text(sum, [&](int number) {
      const Value value = values_[static_cast<size_t>(number)];
      const auto found = known.find(value);
      return found == known.end() ? values.name_of(value) : found->second.second;
    });
  }

 private:
  static constexpr size_t most_values = 12;

  void add(Operation* op, double factor, std::vector<Product>& to, std::vector<Operation*>& seen_through) {
    for (unsigned k = 0; k < 2; ++k) {
      const double signed_factor = k == 1 && isa<arith::SubFOp>(op) ? -factor : factor;
      const Value value = op->getOperand(k);
      Operation* inner = value.getDefiningOp();
      if (inner && is_sum(inner) && inner->hasOneUse() && !known.contains(value) && !is_whole(inner)) {
        seen_through.push_back(inner);
        add(inner, signed_factor, to, seen_through);
        continue;
      }
      Product made{signed_factor, {}};
      multiply(value, made);
      llvm::sort(made.values);
      to.push_back(std::move(made));
    }
  }

  void multiply(Value value, Product& by) {
    if (const auto found = known.find(value); found != known.end()) {
      by.factor *= found->second.first;
      by.values.push_back(number(value));
    } else if (const std::optional<double> x = constant(value); x && std::isnormal(*x)) {
      by.factor *= *x;
    } else if (auto product = value.getDefiningOp<arith::MulFOp>();
               product && !is_whole(product) && by.values.size() <= most_values) {
      multiply(product.getLhs(), by);
      multiply(product.getRhs(), by);
    } else {
      by.values.push_back(number(value));
    }
  }

  int number(Value value) {
    const auto [at, is_new] = numbers_.try_emplace(value, static_cast<int>(values_.size()));
    if (is_new) values_.push_back(value);
    return at->second;
  }

  llvm::DenseMap<Value, int> numbers_;
  std::vector<Value> values_;
};

// The product in x + y z that nothing else reads.
arith::MulFOp product_in(arith::AddFOp op, unsigned operand) {
  auto product = op->getOperand(operand).getDefiningOp<arith::MulFOp>();
  return product && product->hasOneUse() ? product : arith::MulFOp();
}
// What the ops of one body are printed as.
class QuickMath {
 public:
  explicit QuickMath(ValuesText& values) : values_(values) {
    for (Operation& op : *values.form.body) {
      if (!is_quick(op)) continue;
      if (auto product = dyn_cast<arith::MulFOp>(op))
        if (std::optional<Gelu> gelu = as_gelu(product)) gelus_[&op] = *gelu, see_through(gelu->tanh);
      if (auto tanh = dyn_cast<math::TanhOp>(op)) name_parts(tanh);
    }
    // 1 + t and 1 - t² may be printed by a sigmoid under the name of t: only as a whole are they what they say.
    sums_.is_whole = [this](Operation* op) {
      return gelus_.contains(op) || (is_sum(op) && (!is_quick(*op) || tanh_read_by(op)));
    };
    for (Operation& op : llvm::reverse(*values.form.body))
      if (is_sum(&op) && is_quick(op) && !seen_through_.contains(&op) && !sums_.known.contains(op.getResult(0)))
        if (std::optional<Sums::Read> read = sums_.read(&op)) {
          shared_[&op] = std::move(read->sum);
          seen_through_.insert(read->seen_through.begin(), read->seen_through.end());
        }
  }

  void print() {
    for (Operation& op : *values_.form.body)
      if (is_quick(op) && !seen_through_.contains(&op)) print(op);
  }

 private:
  bool is_quick(Operation& op) const {
    return op.getNumResults() == 1 && op.getResult(0).getType().isF32() && values_.is_lane(op.getResult(0));
  }
  void see_through(const Tanh& tanh) {
    if (tanh.cube) seen_through_.insert(tanh.v.getDefiningOp());
  }

  // Where 1 + t and 1 - t² are all that is asked of t = tanh(…): h = (1 + t) / 2 and the slope h (1 - h), which is (1 - t²) / 4.
  void name_parts(math::TanhOp tanh) {
    const std::optional<TanhReaders> readers = readers_by_sigmoid(tanh);
    if (!readers || readers->differences.empty()) return;
    see_through(slopes_[tanh] = read_tanh(tanh));
    const std::string half = values_.names.numbered("half"), slope = values_.names.numbered("slope");
    parts_[tanh.getResult()] = {half, slope};
    auto call = [&](Operation* op, double factor, const std::string& part) {
      sums_.known[op->getResult(0)] = {factor, part};
      values_.call_in_lane(op->getResult(0), fmt::format("({}.f * {})", factor, part));
    };
    for (Operation* sum : readers->sums) call(sum, 2, half);
    for (Operation* difference : readers->differences) call(difference, 4, slope);
  }

  void print(Operation& op) {
    if (const auto gelu = gelus_.find(&op); gelu != gelus_.end())
      return name(op, values_.name_of(gelu->second.x) + " * " + half_one_plus(gelu->second.tanh));
    if (const auto tanh = slopes_.find(&op); tanh != slopes_.end()) {
      const auto& [half, slope] = parts_[op.getResult(0)];
      push(op, half, half_one_plus(tanh->second));
      return push(op, slope, fmt::format("::fmaf(-{0}, {0}, {0})", half));
    }
    if (const auto sum = shared_.find(&op); sum != shared_.end()) return name(op, sums_.text(sum->second, values_));
    auto sum = dyn_cast<arith::AddFOp>(op);
    if (!sum || sums_.known.contains(sum.getResult())) return;
    for (unsigned k : {1U, 0U})
      if (arith::MulFOp term = product_in(sum, k); term && !gelus_.contains(term)) {
        const std::string y = values_.name_of(term.getLhs()), z = values_.name_of(term.getRhs());
        return name(op, fmt::format("::fmaf({}, {}, {})", y, z, values_.name_of(sum->getOperand(1 - k))));
      }
  }
  std::string half_one_plus(const Tanh& tanh) {
    std::string factors = tanh.scale ? literal_text(tanh.scale) : "1.f";
    if (tanh.cube) factors += ", " + literal_text(tanh.cube);
    return fmt::format("half_one_plus_tanh({}, {})", factors, values_.name_of(tanh.cube ? tanh.u : tanh.v));
  }

  void push(Operation& op, const std::string& called, const std::string& text) {
    values_.lane.push_back("const float " + called + " = " + text + ";" + values_.comment(&op));
  }
  void name(Operation& op, const std::string& text) {
    const std::string called = values_.names.numbered(values_.word_of_value(&op));
    push(op, called, text);
    values_.call_in_lane(op.getResult(0), called);
  }

  ValuesText& values_;
  llvm::DenseMap<Operation*, Gelu> gelus_;
  llvm::MapVector<Operation*, Tanh> slopes_;  // see name_parts
  llvm::DenseMap<Value, std::pair<std::string, std::string>> parts_;
  llvm::DenseMap<Operation*, std::vector<Product>> shared_;
  llvm::DenseSet<Operation*> seen_through_;  // what another statement computes, and nothing else reads
  Sums sums_;
};

}  // namespace

bool rounds_all_results(fuse::KernelOp kernel) {
  return llvm::all_of(kernel->getResultTypes(), [](Type tensor) {
    Type type = cast<RankedTensorType>(tensor).getElementType();
    return type.isBF16() || type.isF16();
  });
}

void use_quick_math(ValuesText& values) { QuickMath(values).print(); }

}  // namespace tessera::cuda
