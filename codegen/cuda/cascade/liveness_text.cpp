#include <tessera/codegen/cuda/cascade/liveness_text.h>

#include <algorithm>
#include <limits>
#include <optional>

#include <fmt/format.h>

namespace tessera::cuda {
namespace {

using ir::Interval;
using Op = ir::Liveness::Op;
using Node = ir::Liveness::Node;

constexpr int64_t highest = std::numeric_limits<int>::max();

class Writer {
 public:
  explicit Writer(const std::vector<DimRange>& dims) : dims_(dims) {}

  void add(const Node& node) {
    switch (node.op) {
      case Op::less:
      case Op::no_more:
      case Op::equal:
      case Op::apart:
      case Op::all_bits:
      case Op::at_least:
      case Op::both:
      case Op::either:
        facts_.push_back(fact(node));
        numbers_.push_back(std::nullopt);
        break;
      default:
        facts_.push_back("");
        numbers_.push_back(number(node));
    }
  }

  std::string fact_of(int64_t node) const { return node < 0 ? "" : facts_[static_cast<size_t>(node)]; }

 private:
  // A number is none where it is not known, or may be more than an int holds.
  using Number = std::optional<DimRange>;

  const Number& of(int32_t node) const { return numbers_[static_cast<size_t>(node)]; }

  Number number(const Node& node) const {
    Number made = unchecked(node);
    if (made && (made->all.low < -highest || made->all.high > highest)) return std::nullopt;
    return made;
  }

  Number unchecked(const Node& node) const {
    if (node.op == Op::number) return constant(node.k);
    if (node.op == Op::dim) return dims_[static_cast<size_t>(node.k)];
    if (node.op == Op::any || node.op == Op::load) return std::nullopt;
    const Number &x = of(node.a), &y = of(node.b);
    if (!x) return std::nullopt;
    if (node.op == Op::fit) return x->all.low >= -highest >> (32 - std::min<int64_t>(node.k, 32)) &&
                                           x->all.high <= highest >> (32 - std::min<int64_t>(node.k, 32))
                                       ? x
                                       : std::nullopt;
    if (!y) return std::nullopt;
    const Interval a = x->all, b = y->all;
    switch (node.op) {
      case Op::add: return DimRange{sum(x->low, "+", y->low), sum(x->high, "+", y->high), {a.low + b.low, a.high + b.high}};
      case Op::sub: return DimRange{sum(x->low, "-", y->high), sum(x->high, "-", y->low), {a.low - b.high, a.high - b.low}};
      case Op::mul: return by_constant(*x, *y) ? by_constant(*x, *y) : by_constant(*y, *x);
      case Op::div:
        if (b.low != b.high || b.low <= 0) return std::nullopt;
        return DimRange{sum(x->low, "/", y->low), sum(x->high, "/", y->low), {a.low / b.low, a.high / b.low}};
      case Op::min: return DimRange{call("min", x->low, y->low), call("min", x->high, y->high),
                                    {std::min(a.low, b.low), std::min(a.high, b.high)}};
      case Op::max: return DimRange{call("max", x->low, y->low), call("max", x->high, y->high),
                                    {std::max(a.low, b.low), std::max(a.high, b.high)}};
      default: return std::nullopt;  // remainders, bits, and choices between numbers
    }
  }

  static Number constant(int64_t k) {
    if (k < -highest || k > highest) return std::nullopt;
    return DimRange{fmt::format("{}", k), fmt::format("{}", k), {k, k}};
  }
  // x times one number that is not negative.
  static Number by_constant(const DimRange& x, const DimRange& y) {
    const int64_t k = y.all.low;
    if (y.all.high != k || k < 0) return std::nullopt;
    return DimRange{sum(x.low, "*", y.low), sum(x.high, "*", y.low), {x.all.low * k, x.all.high * k}};
  }
  static std::string sum(const std::string& x, const char* sign, const std::string& y) {
    auto inside = [](const std::string& text) {
      return text.find_first_of(" -") == std::string::npos || text.back() == ')' ? text : "(" + text + ")";
    };
    return inside(x) + " " + sign + " " + inside(y);
  }
  static std::string call(const char* function, const std::string& x, const std::string& y) {
    return fmt::format("{}({}, {})", function, x, y);
  }

  std::string fact(const Node& node) const {
    if (node.op == Op::both || node.op == Op::either) {
      const std::string x = fact_of(node.a), y = fact_of(node.b);
      if (node.op == Op::both) return x.empty() || y.empty() ? "" : "(" + x + " && " + y + ")";
      return x.empty() ? y : y.empty() ? x : "(" + x + " || " + y + ")";
    }
    if (node.op == Op::all_bits || node.op == Op::at_least) return "";
    const Number &x = of(node.a), &y = of(node.b);
    if (!x || !y) return "";
    switch (node.op) {
      case Op::less: return x->high + " < " + y->low;
      case Op::no_more: return x->high + " <= " + y->low;
      case Op::apart: return "(" + x->high + " < " + y->low + " || " + y->high + " < " + x->low + ")";
      default: return fmt::format("({} == {} && {} == {} && {} == {})", x->low, x->high, y->low, y->high, x->low, y->low);
    }
  }

  const std::vector<DimRange>& dims_;
  std::vector<Number> numbers_;
  std::vector<std::string> facts_;
};

}  // namespace

LivenessText liveness_text(const ir::Liveness& blocks, const std::vector<DimRange>& dims) {
  Writer writer(dims);
  for (const Node& node : blocks.nodes) writer.add(node);
  return {writer.fact_of(blocks.empty), writer.fact_of(blocks.full)};
}

}  // namespace tessera::cuda
