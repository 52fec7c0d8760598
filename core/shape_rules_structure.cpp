#include <tessera/core/shape_rules_argument.h>

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

namespace tessera::rules {

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

}  // namespace tessera::rules
