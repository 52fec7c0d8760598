// Cutting tensors apart and putting them together.

#include <algorithm>

#include <tessera/core/promotion.h>

namespace tessera {
namespace {

// [start, stop) of one dim, as the list that slice() and its rule take: all of every dim before it.
std::vector<Range> along(int dim, Range range) {
  std::vector<Range> out(static_cast<size_t>(dim));
  out.push_back(range);
  return out;
}

NodePtr slice_node(NodePtr x, SliceAttrs attrs, Loc at) {
  Shape out = rules::sliced(attrs);
  if (out == x->shape) return x;
  const DType dtype = x->dtype;
  return record(Op::Slice, std::move(attrs), {std::move(x)}, dtype, std::move(out), at);
}

NodePtr pad_node(NodePtr x, PadAttrs attrs, Loc at) {
  Shape out = rules::padded(x->shape, attrs);
  if (out == x->shape) return x;
  const DType dtype = x->dtype;
  return record(Op::Pad, std::move(attrs), {std::move(x)}, dtype, std::move(out), at);
}

// The padding that puts a slice back where it was cut out of `whole`.
PadAttrs inverse(const SliceAttrs& cut, const Shape& region, const Shape& whole) {
  PadAttrs out;
  for (size_t i = 0; i < cut.start.size(); ++i) {
    const int64_t last = cut.start[i] + (region[static_cast<int>(i)] - 1) * cut.step[i];
    out.low.push_back(cut.start[i]);
    out.high.push_back(whole[static_cast<int>(i)] - 1 - last);
    out.interior.push_back(cut.step[i] - 1);
  }
  return out;
}

NodePtr concat_node(const Call& call, const std::vector<Tensor>& parts, DType dtype, int dim) {
  Shape out = rules::concat(call, parts, dim);
  std::vector<NodePtr> inputs;
  inputs.reserve(parts.size());
  for (const Tensor& part : parts) inputs.push_back(cast_node(part.node(), dtype, call.at));
  if (inputs.size() == 1) return inputs[0];
  return record(Op::Concat, DimAttrs{dim}, std::move(inputs), dtype, std::move(out), call.at);
}

}  // namespace

Tensor slice(Operand x, int dim, Range range) {
  const Call call{"slice", x.at()};
  NodePtr node = resolve(call, x);
  SliceAttrs attrs = rules::slice(call, *node, along(rules::dim(call, dim, *node), range));
  return Tensor(slice_node(std::move(node), std::move(attrs), x.at()));
}

Tensor slice(Operand x, const std::vector<Range>& ranges) {
  const Call call{"slice", x.at()};
  NodePtr node = resolve(call, x);
  SliceAttrs attrs = rules::slice(call, *node, ranges);
  return Tensor(slice_node(std::move(node), std::move(attrs), x.at()));
}

Tensor select(Operand x, int dim, int64_t index) {
  const Call call{"select", x.at()};
  NodePtr node = resolve(call, x);
  dim = rules::dim(call, dim, *node);
  const int64_t at = rules::index(call, *node, dim, index);
  Shape out = rules::without(node->shape, {dim});
  SliceAttrs attrs = rules::slice(call, *node, along(dim, {at, at + 1}));
  return Tensor(reshape_node(slice_node(std::move(node), std::move(attrs), x.at()), std::move(out), x.at()));
}

std::vector<Tensor> split(Operand x, int parts, int dim) {
  const Call call{"split", x.at()};
  NodePtr node = resolve(call, x);
  dim = rules::dim(call, dim, *node);
  const int64_t extent = rules::split(call, *node, parts, dim);
  std::vector<Tensor> out;
  for (int64_t i = 0; i < parts; ++i) {
    SliceAttrs attrs = rules::slice(call, *node, along(dim, {i * extent, (i + 1) * extent}));
    out.emplace_back(slice_node(node, std::move(attrs), x.at()));
  }
  return out;
}

Tensor set(Operand x, const std::vector<Range>& ranges, Operand value) {
  const Call call{"set", x.at()};
  NodePtr whole = resolve(call, x);
  SliceAttrs cut = rules::slice(call, *whole, ranges);
  Shape region = rules::sliced(cut);
  rules::update_type(call, "value", *whole, value);
  NodePtr update = materialize(call, value, whole->dtype, region);
  if (region == whole->shape) return Tensor(update);
  if (region.numel() == 0) return Tensor(whole);

  const DType dtype = whole->dtype;
  Shape shape = whole->shape;
  if (std::all_of(cut.step.begin(), cut.step.end(), [](int64_t s) { return s == 1; })) {
    std::vector<NodePtr> inputs{std::move(whole), std::move(update)};
    for (int64_t start : cut.start) inputs.push_back(constant_node(call, start, i64, {}));
    return Tensor(record(Op::DynamicUpdateSlice, NoAttrs{}, std::move(inputs), dtype, std::move(shape), call.at));
  }
  // Every step-th place: spread the value out and choose it there.
  const PadAttrs spread = inverse(cut, region, shape);
  NodePtr chosen = pad_node(constant_node(call, int64_t{1}, boolean, region), spread, call.at);
  update = pad_node(std::move(update), spread, call.at);
  return Tensor(record(Op::Select, NoAttrs{}, {std::move(chosen), std::move(update), std::move(whole)}, dtype,
                       std::move(shape), call.at));
}

Tensor pad(Operand x, const std::vector<PadDim>& dims, double value) {
  const Call call{"pad", x.at()};
  NodePtr node = resolve(call, x);
  PadAttrs attrs = rules::pad(call, *node, dims, value);
  return Tensor(pad_node(std::move(node), std::move(attrs), x.at()));
}

Tensor concat(const std::vector<Tensor>& parts, int dim, Loc at) {
  const Call call{"concat", at};
  const DType dtype = rules::concat_type(call, parts);
  return Tensor(concat_node(call, parts, dtype, rules::dim(call, dim, *parts[0].node())));
}

Tensor stack(const std::vector<Tensor>& parts, int dim, Loc at) {
  const Call call{"stack", at};
  const DType dtype = rules::concat_type(call, parts);
  rules::same_shape(call, parts);
  dim = rules::new_dim(call, dim, *parts[0].node());
  std::vector<Tensor> slices;
  slices.reserve(parts.size());
  for (const Tensor& part : parts) slices.push_back(unsqueeze({part, at}, dim));
  return Tensor(concat_node(call, slices, dtype, dim));
}

}  // namespace tessera
