#include <tessera/core/shape_rules.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <tessera/core/error.h>

namespace tessera::rules {
namespace {

using Shown = std::vector<std::pair<std::string, std::string>>;

ErrorText text(const Call& call, const char* code, const std::string& fault, Shown operands, std::string hint) {
  return {.code = code,
          .fault = fmt::format("{} {}", call.op, fault),
          .at = call.at,
          .operands = std::move(operands),
          .hint = std::move(hint)};
}

std::string str(const Number& n) {
  return std::visit([](auto v) { return fmt::format("{}", v); }, n);
}
std::string str(DType t) { return std::string(name(t)); }
std::string str(const Dims& dims) { return Shape(dims).str(); }

std::string describe(const Operand& x) {
  return x.is_number() ? "number " + str(x.number()) : describe(*x.tensor().node());
}

Shown shown(Arguments arguments) {
  Shown out;
  for (const Argument& a : arguments) out.emplace_back(a.label, describe(a.operand));
  return out;
}

// Up to two operands of a rule. They are described when an error needs it: that costs more than recording the op.
class Operands {
 public:
  explicit Operands(const Node& x) : Operands("x", x) {}
  Operands(const Node& lhs, const Node& rhs) : Operands("lhs", lhs, "rhs", rhs) {}
  Operands(const char* label, const Node& x) : labels_{label}, nodes_{&x} {}
  Operands(const char* label, const Node& x, const char* second, const Node& y)
      : labels_{label, second}, nodes_{&x, &y} {}
  Operands(const char* label, const Shape& shape) : labels_{label}, shape_(&shape) {}

  operator Shown() const {
    Shown out;
    if (shape_) out.emplace_back(labels_[0], shape_->str());
    for (size_t i = 0; i < nodes_.size() && nodes_[i]; ++i) out.emplace_back(labels_[i], describe(*nodes_[i]));
    return out;
  }

 private:
  std::array<const char*, 2> labels_{};
  std::array<const Node*, 2> nodes_{};
  const Shape* shape_ = nullptr;
};
Shown shown(const Operands& operands) { return operands; }

int checked_dim(const Call& call, int64_t dim, int rank, const Operands& operands) {
  if (dim < -rank || dim >= rank)  // argument_c3
    throw ValueError(rank == 0 ? text(call, "T-V010", fmt::format("has no dim {}: a scalar has no dims", dim), operands,
                                      "reshape() or unsqueeze() it first")
                               : text(call, "T-V010",
                                      fmt::format("has no dim {}: dims go from {} to {}", dim, -rank, rank - 1),
                                      operands, "the first dim is 0, the last is −1"));
  return static_cast<int>(dim < 0 ? dim + rank : dim);
}

Dims checked_dims(const Call& call, const Dims& dims, int rank, const Operands& operands) {
  Dims out;
  for (int64_t d : dims) {
    out.push_back(checked_dim(call, d, rank, operands));
    if (std::count(out.begin(), out.end(), out.back()) > 1)  // argument_c4
      throw ValueError(text(call, "T-V011", fmt::format("names dim {} twice in {}", out.back(), str(dims)), operands,
                            "name each dim once; a negative dim counts from the end"));
  }
  return out;
}

void one_per_dim(const Call& call, const char* what, size_t have, const Node& x, bool leading = false) {
  const auto rank = static_cast<size_t>(x.shape.rank());
  if (leading ? have > rank : have != rank)  // argument_c5
    throw ValueError(text(call, "T-V013", fmt::format("got {} {} for a tensor of {} dims", have, what, rank),
                          Operands(x),
                          fmt::format("give {} {} per dim, outermost first", leading ? "at most one" : "one", what)));
}

void not_storage_only(const Call& call, DType type, const auto& operands) {
  if (is_storage_only(type))  // elementwise_c1
    throw DTypeError(text(call, "T-D010", fmt::format("cannot compute in {}", str(type)), shown(operands),
                          fmt::format("{} only stores: cast(x, f32) first, and back afterwards", str(type))));
}

bool is_narrow(DType t) { return !is_float(t) && size_of(t) < 4; }

}  // namespace

// ---- any op ----

const NodePtr& value(const Call& call, const Tensor& x) {
  if (!x.valid())  // argument_c1
    throw ValueError(text(call, "T-V002", "was given an empty Tensor", {{"x", "no value"}},
                          "it was default-constructed or moved from: assign it first"));
  return x.node();
}

void extents(const Call& call, const Shape& shape) {
  if (std::any_of(shape.begin(), shape.end(), [](int64_t e) { return e < 0; }))  // argument_c2
    throw ShapeError(text(call, "T-S011", fmt::format("got the negative extent in {}", shape.str()), {},
                          "extents are 0 or more; only reshape() takes one −1"));
}

int dim(const Call& call, int64_t dim, const Node& x) { return checked_dim(call, dim, x.shape.rank(), Operands(x)); }
int dim(const Call& call, int64_t dim, const Shape& shape) {
  return checked_dim(call, dim, shape.rank(), Operands("shape", shape));
}
Dims dims(const Call& call, const Dims& dims, const Node& x) {
  return checked_dims(call, dims, x.shape.rank(), Operands(x));
}

bool fits(const Number& number, DType type) {
  if (is_float(type)) return true;
  const int bits = type == boolean ? 1 : static_cast<int>(size_of(type)) * 8 - (is_unsigned(type) ? 0 : 1);
  const bool negative = type != boolean && !is_unsigned(type);
  if (const auto* n = std::get_if<int64_t>(&number)) {
    const int64_t high = bits >= 63 ? std::numeric_limits<int64_t>::max() : (int64_t{1} << bits) - 1;
    return *n <= high && *n >= (negative ? -high - 1 : 0);
  }
  const double x = std::get<double>(number), limit = std::ldexp(1.0, bits);
  return x == std::floor(x) && x < limit && x >= (negative ? -limit : 0);
}

void number(const Call& call, const Number& number, DType type) {
  if (!fits(number, type))  // argument_c6
    throw ValueError(text(call, "T-V012", fmt::format("cannot hold {} in {}", str(number), str(type)),
                          {{"number", str(number)}},
                          "numbers take the tensor's dtype: cast the tensor to a wider one, or change the number"));
}

// ---- sources ----

void countable(const Call& call, const Shape& shape, int dim, DType type) {
  not_storage_only(call, type, Operands("shape", shape));
  if (type == boolean)  // source_c1
    throw DTypeError(text(call, "T-D015", "cannot count in bool", Operands("shape", shape),
                          "count in i32 or i64, and compare to get bool"));
  if (shape[dim] > 0) number(call, shape[dim] - 1, type);
}

void count(const Call& call, const char* what, int64_t n) {
  if (n < 0)  // source_c2
    throw ValueError(
        text(call, "T-V029", fmt::format("got the negative {} {}", what, n), {}, fmt::format("{} is 0 or more", what)));
}

// ---- elementwise ----

DType number_type(const Number& n) {
  if (std::holds_alternative<double>(n)) return f32;
  return fits(n, i32) ? i32 : i64;
}

DType elementwise_type(const Call& call, TypeRule rule, Arguments arguments) {
  std::optional<DType> type;
  for (const Argument& a : arguments) {
    if (a.operand.is_number()) continue;
    const DType t = value(call, a.operand.tensor())->dtype;
    const bool moved =
        rule == TypeRule::Own && (!type || *type == t);  // f8 may be chosen and copied, not computed with
    if (!moved) {
      not_storage_only(call, t, arguments);
      if (type) not_storage_only(call, *type, arguments);
    }
    type = type ? promote(*type, t) : t;
  }
  // Numbers are weak (D18): they take the tensors' dtype unless that cannot say what they are.
  const bool alone = !type;
  for (const Argument& a : arguments) {
    if (!a.operand.is_number()) continue;
    const Number& n = a.operand.number();
    if (std::holds_alternative<double>(n)) {
      if (!type || !is_float(*type)) type = f32;
    } else if (alone) {
      type = type ? promote(*type, number_type(n)) : number_type(n);
    } else if (*type == boolean && (rule == TypeRule::Numeric || !fits(n, boolean))) {
      type = i32;
    }
  }
  const DType common = type.value_or(f32);
  switch (rule) {
    case TypeRule::Float: return is_float(common) ? common : f32;
    case TypeRule::Numeric:
      if (common == boolean)  // elementwise_c2
        throw DTypeError(text(call, "T-D011", "does not compute with bool", shown(arguments),
                              "for logic use & | ^ !, for counting cast to i32 first"));
      break;
    case TypeRule::Bits:
      if (is_float(common))  // elementwise_c3
        throw DTypeError(text(call, "T-D012", fmt::format("needs bool or integers, not {}", str(common)),
                              shown(arguments), "compare first, for instance x != 0, or cast to an integer dtype"));
      break;
    case TypeRule::Bool:
      for (const Argument& a : arguments) boolean_operand(call, a);
      break;
    case TypeRule::Any:
    case TypeRule::Compare:
    case TypeRule::Own: break;
  }
  return common;
}

namespace {

std::string broadcast_hint(const Shape& a, const Shape& b) {
  const Dims &longer = (a.rank() < b.rank() ? b : a).dims(), &shorter = (a.rank() < b.rank() ? a : b).dims();
  if (longer.size() > shorter.size() && std::equal(shorter.begin(), shorter.end(), longer.begin())) {
    Dims left = shorter;
    left.resize(longer.size(), 1);
    return fmt::format("shapes align at the right: reshape {} to {} to align it at the left", str(shorter), str(left));
  }
  if (a.rank() == 2 && b == Shape{a[1], a[0]}) return "one side is the transpose of the other: transpose() it";
  return "shapes align at the right; an extent of 1 stretches";
}

}  // namespace

Shape elementwise_shape(const Call& call, Arguments arguments) {
  Shape out;
  for (const Argument& a : arguments) {
    if (a.operand.is_number() || a.operand.tensor().shape() == out) continue;
    const Shape& shape = a.operand.tensor().shape();
    std::optional<Shape> met = broadcast(out, shape);
    if (!met) {  // elementwise_c4
      throw ShapeError(text(call, "T-S010", fmt::format("cannot broadcast {} with {}", out.str(), shape.str()),
                            shown(arguments), broadcast_hint(out, shape)));
    }
    out = std::move(*met);
  }
  return out;
}

void boolean_operand(const Call& call, const Argument& a) {
  const bool ok =
      a.operand.is_number() ? fits(a.operand.number(), boolean) : value(call, a.operand.tensor())->dtype == boolean;
  if (!ok)  // elementwise_c5
    throw DTypeError(text(call, "T-D013", fmt::format("needs bool for {}", a.label), {{a.label, describe(a.operand)}},
                          "compare first, for instance x != 0"));
}

DType arithmetic(const Call& call, const Node& x) {
  not_storage_only(call, x.dtype, Operands(x));
  return x.dtype;
}
DType real(const Call& call, const Node& x) {
  const DType type = arithmetic(call, x);
  return is_float(type) ? type : f32;
}
DType accumulated(const Call& call, const Node& x) {
  const DType type = arithmetic(call, x);
  return is_narrow(type) ? i32 : type;
}

// ---- structure ----

Dims broadcast_to(const Call& call, const Node& x, const Shape& to) {
  extents(call, to);
  std::optional<Shape> met = broadcast(x.shape, to);
  if (!met || *met != to)  // broadcast_c1
    throw ShapeError(text(call, "T-S013", fmt::format("cannot stretch {} to {}", x.shape.str(), to.str()), Operands(x),
                          "shapes align at the right; only an extent of 1 stretches, and no dim goes away"));
  Dims out(static_cast<size_t>(x.shape.rank()));
  std::iota(out.begin(), out.end(), int64_t{to.rank() - x.shape.rank()});
  return out;
}

void broadcast_in_dim(const Call& call, const Node& x, const Shape& to, const Dims& dims) {
  extents(call, to);
  one_per_dim(call, "result dims", dims.size(), x);
  for (size_t i = 0; i < dims.size(); ++i) {
    checked_dim(call, dims[i], to.rank(), Operands(x));
    if (dims[i] < 0 || (i > 0 && dims[i] <= dims[i - 1]))  // broadcast_c2
      throw ValueError(text(call, "T-V011", fmt::format("needs ascending result dims, not {}", str(dims)), Operands(x),
                            "permute() the tensor first, then place its dims from left to right"));
    const int64_t have = x.shape[static_cast<int>(i)], want = to[static_cast<int>(dims[i])];
    if (have != want && have != 1)  // broadcast_c3
      throw ShapeError(text(call, "T-S014",
                            fmt::format("cannot stretch dim {} of {} to dim {} of {}: {} vs {}", i, x.shape.str(),
                                        dims[i], to.str(), have, want),
                            Operands(x), "an extent must be equal or 1"));
  }
}

Shape reshape(const Call& call, const Node& x, const Shape& to) {
  Shape out = to;
  int inferred = -1;
  int64_t known = 1;
  for (int d = 0; d < to.rank(); ++d) {
    if (to[d] < -1) extents(call, to);
    if (to[d] == -1 && inferred >= 0)  // reshape_c1
      throw ShapeError(text(call, "T-S016", fmt::format("has two extents −1 in {}", to.str()), Operands(x),
                            "one extent may be −1; the others must be given"));
    if (to[d] == -1) inferred = d;
    else known *= to[d];
  }
  const int64_t have = x.shape.numel();
  if (inferred >= 0) {
    if (known == 0 || have % known != 0)  // reshape_c2
      throw ShapeError(
          text(call, "T-S016",
               fmt::format("cannot infer −1 in {}: {} elements are no multiple of {}", to.str(), have, known),
               Operands(x), "the given extents must divide the number of elements"));
    out[inferred] = have / known;
  } else if (known != have) {  // reshape_c3
    throw ShapeError(
        text(call, "T-S015",
             fmt::format("cannot make {} with {} elements from {} with {}", to.str(), known, x.shape.str(), have),
             Operands(x), "the number of elements must stay; −1 infers one extent"));
  }
  return out;
}

void ascending(const Call& call, const Node& x, int start, int stop, int64_t distance) {
  if (distance < 0)  // flatten_c1
    throw ValueError(text(call, "T-V030", fmt::format("got start {} behind stop {}", start, stop), Operands(x),
                          "it merges the dims from start to stop, both included"));
}

void squeeze(const Call& call, const Node& x, int dim) {
  if (x.shape[dim] != 1)  // squeeze_c1
    throw ShapeError(text(call, "T-S017",
                          fmt::format("needs extent 1 in dim {} of {}, it is {}", dim, x.shape.str(), x.shape[dim]),
                          Operands(x), "sum() or select() removes a dim of another extent"));
}

int new_dim(const Call& call, int64_t dim, const Node& x) {
  return checked_dim(call, dim, x.shape.rank() + 1, Operands(x));
}

Dims permutation(const Call& call, const Node& x, const Dims& order) {
  one_per_dim(call, "dims", order.size(), x);
  return dims(call, order, x);
}

SliceAttrs slice(const Call& call, const Node& x, const std::vector<Range>& ranges) {
  one_per_dim(call, "ranges", ranges.size(), x, /*leading=*/true);
  SliceAttrs out{Dims(x.shape.dims().size(), 0), x.shape.dims(), Dims(x.shape.dims().size(), 1)};
  for (size_t i = 0; i < ranges.size(); ++i) {
    const int64_t extent = x.shape[static_cast<int>(i)];
    const auto from_front = [&](int64_t k) { return k < 0 ? k + extent : k; };
    const Range& r = ranges[i];
    const int64_t start = from_front(r.start), stop = from_front(r.stop.value_or(extent));
    if (start < 0 || start > stop || stop > extent)  // slice_c1
      throw ValueError(text(call, "T-V014",
                            fmt::format("range [{}, {}) lies outside dim {} of {}", r.start,
                                        r.stop ? std::to_string(*r.stop) : "end", i, x.shape.str()),
                            Operands(x),
                            fmt::format("0 ≤ start ≤ stop ≤ {}; negative values count from the end", extent)));
    if (r.step < 1)  // slice_c2
      throw ValueError(text(call, "T-V015", fmt::format("has step {} in dim {}", r.step, i), Operands(x),
                            "a step is 1 or more; reverse() turns a dim round"));
    out.start[i] = start;
    out.stop[i] = stop;
    out.step[i] = r.step;
  }
  return out;
}

Shape sliced(const SliceAttrs& attrs) {
  Dims out;
  for (size_t i = 0; i < attrs.start.size(); ++i)
    out.push_back((attrs.stop[i] - attrs.start[i] + attrs.step[i] - 1) / attrs.step[i]);
  return out;
}

int64_t index(const Call& call, const Node& x, int dim, int64_t index) {
  const int64_t extent = x.shape[dim];
  if (index < -extent || index >= extent)  // index_c1
    throw ValueError(text(
        call, "T-V016", fmt::format("index {} is out of range for dim {} of {}", index, dim, x.shape.str()),
        Operands(x), extent == 0 ? "the dim is empty" : fmt::format("indices go from {} to {}", -extent, extent - 1)));
  return index < 0 ? index + extent : index;
}

int64_t whole_index(const Call& call, const Node& x, int dim, const Number& number) {
  const auto* n = std::get_if<int64_t>(&number);
  if (!n)  // index_c3
    throw DTypeError(text(call, "T-D016", fmt::format("needs a whole number as index, not {}", str(number)),
                          Operands(x), "write it without a decimal point"));
  return index(call, x, dim, *n);
}

int64_t split(const Call& call, const Node& x, int parts, int dim) {
  if (parts < 1)  // split_c1
    throw ValueError(text(call, "T-V017", fmt::format("got {} parts", parts), Operands(x), "parts are 1 or more"));
  if (x.shape[dim] % parts != 0)  // split_c2
    throw ShapeError(text(call, "T-S018",
                          fmt::format("cannot cut dim {} of {} into {} equal parts", dim, x.shape.str(), parts),
                          Operands(x), "slice() takes parts of different extents"));
  return x.shape[dim] / parts;
}

PadAttrs pad(const Call& call, const Node& x, const std::vector<PadDim>& dims, double value) {
  one_per_dim(call, "paddings", dims.size(), x);
  PadAttrs out;
  out.value = value;
  for (const PadDim& d : dims) {
    if (d.low < 0 || d.high < 0 || d.interior < 0)  // pad_c1
      throw ValueError(text(
          call, "T-V018", fmt::format("got a negative amount: low {}, high {}, interior {}", d.low, d.high, d.interior),
          Operands(x), "slice() cuts off what a negative padding would"));
    out.low.push_back(d.low);
    out.high.push_back(d.high);
    out.interior.push_back(d.interior);
  }
  number(call, value, x.dtype);
  return out;
}

Shape padded(const Shape& shape, const PadAttrs& attrs) {
  Dims out;
  for (size_t i = 0; i < attrs.low.size(); ++i) {
    const int64_t extent = shape[static_cast<int>(i)];
    out.push_back(attrs.low[i] + extent + std::max<int64_t>(extent - 1, 0) * attrs.interior[i] + attrs.high[i]);
  }
  return out;
}

DType concat_type(const Call& call, const std::vector<Tensor>& parts) {
  if (parts.empty())  // concat_c1
    throw ValueError(text(call, "T-V019", "was given no tensors", {}, "give at least one"));
  DType type = value(call, parts[0])->dtype;
  for (const Tensor& part : parts) {
    const DType t = value(call, part)->dtype;
    if (t != type) {
      const Operands operands("#0", *parts[0].node(), "other", *part.node());
      not_storage_only(call, t, operands);
      not_storage_only(call, type, operands);
    }
    type = promote(type, t);
  }
  return type;
}

Shape concat(const Call& call, const std::vector<Tensor>& parts, int dim) {
  Shape out = parts[0].shape();
  for (size_t i = 1; i < parts.size(); ++i) {
    const Shape& shape = parts[i].shape();
    const std::string label = fmt::format("#{}", i);
    const Operands operands("#0", *parts[0].node(), label.c_str(), *parts[i].node());
    if (shape.rank() != out.rank())  // concat_c2
      throw ShapeError(text(call, "T-S019", fmt::format("mixes {} dims with {}", out.rank(), shape.rank()), operands,
                            "unsqueeze() the smaller one, or stack() to make a new dim"));
    for (int d = 0; d < out.rank(); ++d)
      if (d != dim && shape[d] != out[d])  // concat_c3
        throw ShapeError(text(
            call, "T-S020",
            fmt::format("along dim {} needs equal extents elsewhere, dim {} has {} and {}", dim, d, out[d], shape[d]),
            operands, "only the dim of concatenation may differ"));
    out[dim] += shape[dim];
  }
  return out;
}

void same_shape(const Call& call, const std::vector<Tensor>& parts) {
  for (size_t i = 1; i < parts.size(); ++i)
    if (parts[i].shape() != parts[0].shape())  // stack_c1
      throw ShapeError(
          text(call, "T-S020",
               fmt::format("needs equal shapes, not {} and {}", parts[0].shape().str(), parts[i].shape().str()),
               Operands("#0", *parts[0].node(), fmt::format("#{}", i).c_str(), *parts[i].node()),
               "concat() joins along a dim that is there"));
}

void tile(const Call& call, const Node& x, const Dims& repeats) {
  one_per_dim(call, "repeats", repeats.size(), x);
  for (int64_t r : repeats)
    if (r < 0)  // tile_c1
      throw ValueError(text(call, "T-V020", fmt::format("got {} repeats", r), Operands(x), "repeats are 0 or more"));
}

// ---- indexing ----

void indices(const Call& call, const char* label, const Node& indices) {
  if (indices.dtype != i32 && indices.dtype != i64)  // index_c2
    throw DTypeError(text(call, "T-D016", fmt::format("needs i32 or i64 for {}, not {}", label, str(indices.dtype)),
                          Operands(label, indices),
                          indices.dtype == boolean ? "where() chooses by bool; indices count positions"
                                                   : "cast the indices to i32 or i64"));
}

Shape gather(const Call& call, const Node& x, const Node& indices, int dim) {
  rules::indices(call, "indices", indices);
  Dims out(x.shape.begin(), x.shape.begin() + dim);
  out.insert(out.end(), indices.shape.begin(), indices.shape.end());
  out.insert(out.end(), x.shape.begin() + dim + 1, x.shape.end());
  return out;
}

void take_along(const Call& call, const Node& x, const Node& indices, int dim) {
  rules::indices(call, "indices", indices);
  bool ok = indices.shape.rank() == x.shape.rank();
  for (int d = 0; ok && d < x.shape.rank(); ++d) ok = d == dim || indices.shape[d] <= x.shape[d];
  if (!ok)  // take_along_c1
    throw ShapeError(
        text(call, "T-S021",
             fmt::format("needs indices like {} but for dim {}, not {}", x.shape.str(), dim, indices.shape.str()),
             Operands("x", x, "indices", indices),
             "indices have x's rank and no more than its extents: unsqueeze() or broadcast_to() them"));
}

Shape scatter_updates(const Call& call, const Node& base, const Node& indices, int dim) {
  return gather(call, base, indices, dim);
}

void scatter(const Call& call, const Node& base, const Node& updates, const Shape& wanted, ScatterMode mode) {
  if (mode != ScatterMode::set) not_storage_only(call, base.dtype, Operands("base", base));
  if (mode == ScatterMode::add && base.dtype == boolean)  // scatter_c1
    throw DTypeError(text(call, "T-D011", "does not add bool", Operands("base", base),
                          "use ScatterMode::max for a logical or, or cast to i32"));
  if (updates.shape != wanted)  // scatter_c2
    throw ShapeError(text(call, "T-S022",
                          fmt::format("needs updates of shape {}, not {}", wanted.str(), updates.shape.str()),
                          Operands("base", base, "updates", updates),
                          "updates have base's shape with the scattered dim replaced by the shape of the indices"));
}

void update_type(const Call& call, const char* label, const Node& base, const Operand& update) {
  if (update.is_number()) return number(call, update.number(), base.dtype);
  const Node& node = *value(call, update.tensor());
  if (node.dtype == base.dtype) return;
  const bool storage = is_storage_only(node.dtype) || is_storage_only(base.dtype);
  if (storage || promote(node.dtype, base.dtype) != base.dtype)  // update_c1
    throw DTypeError(text(call, "T-D017", fmt::format("cannot put {} into {}", str(node.dtype), str(base.dtype)),
                          Operands("base", base, label, node),
                          fmt::format("cast({}, {}), so that the rounding is written down", label, str(base.dtype))));
}

namespace {

void starts(const Call& call, const Node& x, const std::vector<Tensor>& start) {
  one_per_dim(call, "starts", start.size(), x);
  for (const Tensor& s : start) {
    const Node& node = *value(call, s);
    indices(call, "start", node);
    if (node.shape.rank() != 0)  // dynamic_slice_c1
      throw ShapeError(text(call, "T-S023", fmt::format("needs scalars as starts, not {}", node.shape.str()),
                            Operands("x", x, "start", node), "give one rank-0 tensor per dim"));
  }
}

bool holds(const Shape& outer, const Shape& inner) {
  return outer.rank() == inner.rank() &&
         std::equal(inner.begin(), inner.end(), outer.begin(), [](int64_t in, int64_t out) { return in <= out; });
}

}  // namespace

void dynamic_slice(const Call& call, const Node& x, const std::vector<Tensor>& start, const Shape& sizes) {
  extents(call, sizes);
  starts(call, x, start);
  if (!holds(x.shape, sizes))  // dynamic_slice_c2
    throw ShapeError(text(call, "T-S024", fmt::format("cannot cut {} out of {}", sizes.str(), x.shape.str()),
                          Operands(x), "sizes have one extent per dim, none larger than the tensor's"));
}

void dynamic_update_slice(const Call& call, const Node& x, const Node& update, const std::vector<Tensor>& start) {
  starts(call, x, start);
  if (!holds(x.shape, update.shape))  // dynamic_slice_c3
    throw ShapeError(text(call, "T-S024", fmt::format("cannot put {} into {}", update.shape.str(), x.shape.str()),
                          Operands("x", x, "update", update),
                          "the update has one extent per dim, none larger than the tensor's"));
}

// ---- reductions and scans ----

Dims reduced_dims(const Call& call, const Dims& wanted, const Node& x) {
  Dims out = dims(call, wanted, x);
  if (out.empty()) {
    out.resize(static_cast<size_t>(x.shape.rank()));
    std::iota(out.begin(), out.end(), int64_t{0});
  }
  std::sort(out.begin(), out.end());
  return out;
}

Shape without(const Shape& shape, const Dims& sorted) {
  Dims out;
  for (int d = 0; d < shape.rank(); ++d)
    if (!std::binary_search(sorted.begin(), sorted.end(), d)) out.push_back(shape[d]);
  return out;
}

void not_empty(const Call& call, const Node& x, const Dims& reduced) {
  for (int64_t d : reduced)
    if (x.shape[static_cast<int>(d)] == 0)  // reduce_c1
      throw ValueError(text(call, "T-V026",
                            fmt::format("of nothing has no value: dim {} of {} is empty", d, x.shape.str()),
                            Operands(x), "give it at least one element, for instance with pad() or concat()"));
}

void topk(const Call& call, const Node& x, int64_t k, int dim) {
  if (k < 0 || k > x.shape[dim])  // topk_c1
    throw ValueError(text(call, "T-V021",
                          fmt::format("cannot take {} of the {} elements of dim {}", k, x.shape[dim], dim), Operands(x),
                          fmt::format("k goes from 0 to {}", x.shape[dim])));
}

// ---- contraction ----

namespace {

// What a contraction knows of each letter: its extent, and where it stands.
class Letters {
 public:
  static constexpr int64_t unknown = -1;
  Letters() { extent_.fill(unknown); }
  int64_t& operator[](char c) { return extent_[static_cast<size_t>(static_cast<unsigned char>(c))]; }

 private:
  std::array<int64_t, 256> extent_;
};

void read_operand(const Call& call, const std::string& word, const Node& x, Letters& letters,
                  const Operands& operands) {
  if (static_cast<int>(word.size()) != x.shape.rank())  // contract_c4
    throw ShapeError(text(
        call, "T-S028", fmt::format("names {} dims in '{}' for a tensor of {} dims", word.size(), word, x.shape.rank()),
        operands, "write one letter per dim"));
  for (size_t i = 0; i < word.size(); ++i) {
    const int64_t have = x.shape[static_cast<int>(i)];
    if (int64_t& known = letters[word[i]]; known == Letters::unknown) known = have;
    else if (known != have)  // contract_c5
      throw ShapeError(text(call, "T-S029", fmt::format("letter '{}' is {} in lhs and {} in rhs", word[i], known, have),
                            operands, fmt::format("a letter has one extent: dim {} of rhs must be {}", i, known)));
  }
}

// The places that a forward convolution visits: the largest `out` whose last tap still lies in the padded input.
int64_t window_count(int64_t in, int64_t taps, int64_t stride, int64_t dilation, int64_t pad) {
  const int64_t room = in + 2 * pad - dilation * (taps - 1) - 1;
  return taps < 1 || room < 0 ? 0 : room / stride + 1;
}

void read_window(const Call& call, const Einsum& words, const WindowRelation& w, Letters& letters, std::string& taken,
                 const Operands& operands) {
  const std::string all = words.a + words.b + words.out;
  for (char c : {w.in, w.out, w.tap}) {
    if (all.find(c) == std::string::npos)  // contract_c7
      throw ValueError(text(call, "T-V024",
                            fmt::format("relates the letter '{}', which '{}' does not have", c, words.str()), operands,
                            "in, out and tap are letters of the einsum string"));
    if (taken.find(c) != std::string::npos)  // contract_c8
      throw ValueError(text(call, "T-V024", fmt::format("relates the letter '{}' twice", c), operands,
                            "each letter is in, out or tap of one window"));
    taken += c;
  }
  if (w.stride < 1 || w.dilation < 1)  // contract_c9
    throw ValueError(text(call, "T-V025", fmt::format("has stride {} and dilation {}", w.stride, w.dilation), operands,
                          "both are 1 or more"));
  if (letters[w.out] != Letters::unknown || letters[w.in] == Letters::unknown || letters[w.tap] == Letters::unknown)
    return;
  letters[w.out] = window_count(letters[w.in], letters[w.tap], w.stride, w.dilation, w.pad);
  if (letters[w.out] == 0)  // contract_c10
    throw ShapeError(text(call, "T-S031",
                          fmt::format("window '{}' of {} taps does not fit into '{}' of {} with padding {}", w.tap,
                                      letters[w.tap], w.in, letters[w.in], w.pad),
                          operands, "pad more, or use a smaller kernel or dilation"));
}

std::string missing_extent_hint(char c, const std::vector<WindowRelation>& windows, Letters& letters) {
  for (const WindowRelation& w : windows)
    if (c == w.in && letters[w.out] > 0 && letters[w.tap] > 0)
      return fmt::format("give its extent: {{{{'{}', {}}}}} is the smallest that every tap reaches", c,
                         w.stride * (letters[w.out] - 1) + w.dilation * (letters[w.tap] - 1) + 1 - 2 * w.pad);
  return fmt::format("no operand has '{}': correct the letter, or give its extent as {{{{'{}', n}}}}", c, c);
}

}  // namespace

Contraction contract(const Call& call, const Node& a, const Node& b, std::string_view einsum,
                     std::vector<WindowRelation> windows, const std::vector<LetterExtent>& extents) {
  const Operands operands(a, b);
  not_storage_only(call, a.dtype, operands);
  not_storage_only(call, b.dtype, operands);
  const DType dtype = promote(a.dtype, b.dtype);
  if (dtype == boolean)  // contract_c1
    throw DTypeError(text(call, "T-D018", "does not multiply bool", operands, "cast to i32 or f32 first"));

  std::optional<Einsum> words = parse_einsum(einsum);
  if (!words)  // contract_c2
    throw ValueError(text(call, "T-V022", fmt::format("cannot read the einsum string '{}'", einsum), operands,
                          "write two operands and the result, a letter per dim: \"ij,jk->ik\""));
  for (const std::string* word : {&words->a, &words->b, &words->out})
    for (char c : *word)
      if (std::count(word->begin(), word->end(), c) > 1)  // contract_c3
        throw ValueError(text(call, "T-V023", fmt::format("has the letter '{}' twice in '{}'", c, *word), operands,
                              "a letter stands once per tensor; for a diagonal multiply by eye() and sum"));

  Letters letters;
  read_operand(call, words->a, a, letters, operands);
  read_operand(call, words->b, b, letters, operands);
  for (const LetterExtent& e : extents) {
    int64_t& known = letters[e.letter];
    const bool used = words->str().find(e.letter) != std::string::npos;
    if (!used || e.extent < 0 || (known != Letters::unknown && known != e.extent))  // contract_c6
      throw ShapeError(text(call, "T-S029",
                            used && e.extent >= 0 ? fmt::format("letter '{}' is {}, not {}", e.letter, known, e.extent)
                                                  : fmt::format("has no use for extent {} of '{}'", e.extent, e.letter),
                            operands, "extents are for letters that stand only in the result"));
    known = e.extent;
  }
  std::string taken;
  for (const WindowRelation& w : windows) read_window(call, *words, w, letters, taken, operands);

  Dims out;
  for (char c : words->out) {
    if (letters[c] == Letters::unknown)  // contract_c11
      throw ShapeError(text(call, "T-S030", fmt::format("result letter '{}' has no extent", c), operands,
                            missing_extent_hint(c, windows, letters)));
    out.push_back(letters[c]);
  }
  return {dtype, {words->str(), std::move(windows)}, std::move(out)};
}

Shape matmul(const Call& call, const Node& a, const Node& b) {
  const Operands operands(a, b);
  const int ranks[] = {a.shape.rank(), b.shape.rank()};
  if (ranks[0] == 0 || ranks[1] == 0)  // matmul_c1
    throw ShapeError(text(call, "T-S026", "needs at least one dim on each side", operands, "scale by a scalar with *"));
  const int64_t inner = a.shape[-1], other = b.shape[ranks[1] == 1 ? -1 : -2];
  if (inner != other) {  // matmul_c2
    std::string hint = "the last dim of lhs meets the last but one of rhs";
    if (ranks[1] > 1 && b.shape[-1] == inner) hint = "rhs lies the other way round: matmul(a, transpose(b))";
    else if (ranks[0] > 1 && a.shape[-2] == other) hint = "lhs lies the other way round: matmul(transpose(a), b)";
    throw ShapeError(
        text(call, "T-S012", fmt::format("inner dimensions differ: {} vs {}", inner, other), operands, hint));
  }
  const auto leading = [](const Shape& s) { return Shape(Dims(s.begin(), s.end() - std::min(2, s.rank()))); };
  std::optional<Shape> met = broadcast(leading(a.shape), leading(b.shape));
  if (!met)  // matmul_c3
    throw ShapeError(
        text(call, "T-S027",
             fmt::format("leading dims {} and {} do not broadcast", leading(a.shape).str(), leading(b.shape).str()),
             operands, "all dims but the last two align at the right; an extent of 1 stretches"));
  return *met;
}

// ---- windows ----

Windowed window(const Call& call, const char* label, const Node& x, const Shape& whole, WindowAttrs attrs) {
  const Operands operands(label, x);
  const size_t count = attrs.dims.size();
  if (attrs.stride.empty()) attrs.stride.assign(count, 1);
  if (attrs.dilation.empty()) attrs.dilation.assign(count, 1);
  if (attrs.size.size() != count || attrs.stride.size() != count || attrs.dilation.size() != count)  // window_c1
    throw ValueError(text(call, "T-V013",
                          fmt::format("got {} sizes, {} strides and {} dilations for {} dims", attrs.size.size(),
                                      attrs.stride.size(), attrs.dilation.size(), count),
                          operands, "give one of each per windowed dim; no strides or no dilations means 1"));
  attrs.dims = checked_dims(call, attrs.dims, whole.rank(), operands);
  Shape shape = whole;
  for (size_t i = 0; i < count; ++i) {
    if (attrs.size[i] < 1 || attrs.stride[i] < 1 || attrs.dilation[i] < 1)  // window_c2
      throw ValueError(
          text(call, "T-V025",
               fmt::format("has size {}, stride {} and dilation {}", attrs.size[i], attrs.stride[i], attrs.dilation[i]),
               operands, "all are 1 or more"));
    int64_t& extent = shape[static_cast<int>(attrs.dims[i])];
    const int64_t windows = window_count(extent, attrs.size[i], attrs.stride[i], attrs.dilation[i], 0);
    if (windows == 0)  // window_c3
      throw ShapeError(text(call, "T-S032",
                            fmt::format("of {} taps with dilation {} does not fit into dim {} of {}", attrs.size[i],
                                        attrs.dilation[i], attrs.dims[i], whole.str()),
                            operands, "pad() the tensor first, or use a smaller window"));
    extent = windows;
  }
  Dims out = shape.dims();
  out.insert(out.end(), attrs.size.begin(), attrs.size.end());
  return {std::move(attrs), std::move(out)};
}

void fold(const Call& call, const Node& windows, const Shape& whole, const Shape& wanted) {
  not_storage_only(call, windows.dtype, Operands("windows", windows));
  if (windows.dtype == boolean)  // fold_c1
    throw DTypeError(text(call, "T-D011", "does not add bool", Operands("windows", windows), "cast to i32 first"));
  if (windows.shape != wanted)  // fold_c2
    throw ShapeError(
        text(call, "T-S033",
             fmt::format("to {} needs windows of shape {}, not {}", whole.str(), wanted.str(), windows.shape.str()),
             Operands("windows", windows), "fold() undoes window() with the same attributes"));
}

}  // namespace tessera::rules
