#include <tessera/core/shape_rules_argument.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

namespace tessera::rules {

Operands::operator Shown() const {
  Shown out;
  if (shape_) out.emplace_back(labels_[0], shape_->str());
  for (size_t i = 0; i < nodes_.size() && nodes_[i]; ++i) out.emplace_back(labels_[i], tessera::describe(*nodes_[i]));
  return out;
}
Shown shown(const Operands& operands) { return operands; }
Shown shown(Arguments arguments) {
  Shown out;
  for (const Argument& a : arguments) out.emplace_back(a.label, describe(a.operand));
  return out;
}

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

void one_per_dim(const Call& call, const char* what, size_t have, const Node& x, bool leading) {
  const auto rank = static_cast<size_t>(x.shape.rank());
  if (leading ? have > rank : have != rank)  // argument_c5
    throw ValueError(text(call, "T-V013", fmt::format("got {} {} for a tensor of {} dims", have, what, rank),
                          Operands(x),
                          fmt::format("give {} {} per dim, outermost first", leading ? "at most one" : "one", what)));
}

namespace {

template <class Described> void check_computes(const Call& call, DType type, const Described& operands) {
  if (is_storage_only(type))  // argument_c7
    throw DTypeError(text(call, "T-D010", fmt::format("cannot compute in {}", str(type)), shown(operands),
                          fmt::format("{} only stores: cast(x, f32) first, and back afterwards", str(type))));
}

}  // namespace

void not_storage_only(const Call& call, DType type, const Operands& operands) { check_computes(call, type, operands); }
void not_storage_only(const Call& call, DType type, Arguments operands) { check_computes(call, type, operands); }

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

}  // namespace tessera::rules
