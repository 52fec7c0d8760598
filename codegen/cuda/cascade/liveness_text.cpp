#include <tessera/codegen/cuda/cascade/liveness_text.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

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
    const bool is_fact = node.op == Op::less || node.op == Op::no_more || node.op == Op::equal ||
                         node.op == Op::apart || node.op == Op::both || node.op == Op::either;
    facts_.push_back(is_fact ? fact(node) : Fact());
    numbers_.push_back(is_fact ? std::nullopt : number(node));
  }

  std::string text_of(int64_t node) const {
    if (node < 0) return "";
    std::string text;
    const Fact& all = facts_[static_cast<size_t>(node)];
    for (const Terms& terms : all) {
      const std::string one = fmt::format("{}", fmt::join(terms, " && "));
      if (!text.empty()) text += " || ";
      text += all.size() > 1 && terms.size() > 1 ? "(" + one + ")" : one;
    }
    return all.size() > 1 ? "(" + text + ")" : text;
  }

 private:
  // One of several ways to be known, each of which needs all of its terms; none: never known.
  using Terms = std::set<std::string>;
  using Fact = std::set<Terms>;
  static constexpr size_t most_ways = 16;

  // Without ways that need more than another one.
  static Fact shortest(const Fact& ways) {
    Fact made;
    for (const Terms& one : ways) {
      const bool needs_more = std::ranges::any_of(
          ways, [&](const Terms& other) { return other != one && std::ranges::includes(one, other); });
      if (!needs_more) made.insert(one);
    }
    return made.size() > most_ways ? Fact() : made;
  }

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
    if (node.op == Op::any || node.op == Op::load || node.op == Op::all_bits || node.op == Op::at_least)
      return std::nullopt;
    const Number &x = of(node.a), &y = of(node.b);
    if (!x) return std::nullopt;
    if (node.op == Op::fit)
      return x->all.low >= -highest >> (32 - std::min<int64_t>(node.k, 32)) &&
                     x->all.high <= highest >> (32 - std::min<int64_t>(node.k, 32))
                 ? x
                 : std::nullopt;
    if (!y) return std::nullopt;
    const Interval a = x->all, b = y->all;
    switch (node.op) {
      case Op::add:
        return DimRange{sum(x->low, "+", y->low), sum(x->high, "+", y->high), {a.low + b.low, a.high + b.high}};
      case Op::sub:
        return DimRange{sum(x->low, "-", y->high), sum(x->high, "-", y->low), {a.low - b.high, a.high - b.low}};
      case Op::mul: return by_constant(*x, *y) ? by_constant(*x, *y) : by_constant(*y, *x);
      case Op::div:
        if (b.low != b.high || b.low <= 0) return std::nullopt;
        return DimRange{sum(x->low, "/", y->low), sum(x->high, "/", y->low), {a.low / b.low, a.high / b.low}};
      case Op::min:
        return DimRange{call("min", x->low, y->low),
                        call("min", x->high, y->high),
                        {std::min(a.low, b.low), std::min(a.high, b.high)}};
      case Op::max:
        return DimRange{call("max", x->low, y->low),
                        call("max", x->high, y->high),
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
      return text.find_first_of(" -") == std::string::npos ? text : "(" + text + ")";
    };
    return inside(x) + " " + sign + " " + inside(y);
  }
  static std::string call(const char* function, const std::string& x, const std::string& y) {
    return fmt::format("{}({}, {})", function, x, y);
  }

  Fact fact(const Node& node) const {
    if (node.op == Op::both || node.op == Op::either) {
      const Fact &x = facts_[static_cast<size_t>(node.a)], &y = facts_[static_cast<size_t>(node.b)];
      Fact ways;
      if (node.op == Op::either) {
        ways = x;
        ways.insert(y.begin(), y.end());
      } else {
        for (const Terms& one : x)
          for (Terms both : y) {
            both.insert(one.begin(), one.end());
            ways.insert(std::move(both));
          }
      }
      return shortest(ways);
    }
    const Number &x = of(node.a), &y = of(node.b);
    if (!x || !y) return {};
    switch (node.op) {
      case Op::less: return {{x->high + " < " + y->low}};
      case Op::no_more: return {{x->high + " <= " + y->low}};
      case Op::apart: return {{x->high + " < " + y->low}, {y->high + " < " + x->low}};
      default:
        return {{fmt::format("{} == {}", x->low, x->high), fmt::format("{} == {}", y->low, y->high),
                 fmt::format("{} == {}", x->low, y->low)}};
    }
  }

  const std::vector<DimRange>& dims_;
  std::vector<Number> numbers_;
  std::vector<Fact> facts_;
};

}  // namespace

ir::Liveness without_data(ir::Liveness blocks) {
  for (Node& node : blocks.nodes) {
    if (node.op == Op::load) node = {.op = Op::any, .k = 64};
    if (node.op == Op::all_bits || node.op == Op::at_least) node = {.op = Op::number, .k = 0};
  }
  return blocks;
}

LivenessText liveness_text(const ir::Liveness& blocks, const std::vector<DimRange>& dims) {
  Writer writer(dims);
  for (const Node& node : blocks.nodes) writer.add(node);
  return {writer.text_of(blocks.empty), writer.text_of(blocks.full)};
}

}  // namespace tessera::cuda
