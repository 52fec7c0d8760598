#include <algorithm>
#include <cmath>
#include <numeric>

#include <tessera/core/ops.h>

#include "tests/onnx/rules.h"

namespace tessera::onnx_test {
namespace {

using Results = std::vector<Tensor>;

Results reshape_rule(const Call& c) {
  Dims dims = c.ints_or_operand("shape", 1);
  if (!c.integer("allowzero", 0))
    for (size_t i = 0; i < dims.size(); ++i)
      if (dims[i] == 0) dims[i] = c[0].size(static_cast<int>(i));
  return {reshape(c[0], dims)};
}

Results flatten_rule(const Call& c) {
  int axis = static_cast<int>(c.integer("axis", 1));
  if (axis < 0) axis += c[0].rank();
  int64_t rows = 1;
  for (int d = 0; d < axis; ++d) rows *= c[0].size(d);
  return {reshape(c[0], {rows, c[0].numel() / std::max<int64_t>(rows, 1)})};
}

Results squeeze_rule(const Call& c) {
  std::vector<int64_t> axes = c.ints_or_operand("axes", 1);
  Dims dims;
  for (int d = 0; d < c[0].rank(); ++d) {
    bool named = std::any_of(axes.begin(), axes.end(), [&](int64_t a) { return axis_of(a, c[0]) == d; });
    if (!(named || (axes.empty() && c[0].size(d) == 1))) dims.push_back(c[0].size(d));
  }
  return {reshape(c[0], dims)};
}

Results unsqueeze_rule(const Call& c) {
  std::vector<int64_t> axes = c.ints_or_operand("axes", 1);
  int64_t rank = c[0].rank() + static_cast<int64_t>(axes.size());
  for (int64_t& a : axes) a = a < 0 ? a + rank : a;
  std::sort(axes.begin(), axes.end());
  Dims dims = c[0].shape().dims();
  for (int64_t a : axes) dims.insert(dims.begin() + a, 1);
  return {reshape(c[0], dims)};
}

Results transpose_rule(const Call& c) {
  Dims perm(static_cast<size_t>(c[0].rank()));
  std::iota(perm.rbegin(), perm.rend(), 0);
  return {permute(c[0], c.ints("perm", perm))};
}

Results slice_rule(const Call& c) {
  std::vector<int64_t> starts = c.ints_or_operand("starts", 1), stops = c.ints_or_operand("ends", 2);
  std::vector<int64_t> axes = c.ints_or_operand("axes", 3),
                       steps = c.has(4) ? c.ints_of(4) : std::vector<int64_t>(starts.size(), 1);
  if (axes.empty()) {
    axes.resize(starts.size());
    std::iota(axes.begin(), axes.end(), 0);
  }
  Tensor x = c[0];
  for (size_t i = 0; i < starts.size(); ++i) {
    int d = axis_of(axes[i], x);
    int64_t n = x.size(d), step = steps[i];
    auto bound = [&](int64_t v, int64_t low, int64_t high) { return std::clamp(v < 0 ? v + n : v, low, high); };
    if (step > 0) {
      int64_t start = bound(starts[i], 0, n), stop = std::max(start, bound(stops[i], 0, n));
      x = slice(x, d, Range{start, stop, step});
    } else {  // downwards: reverse first
      int64_t start = bound(starts[i], 0, n - 1);
      int64_t stop = stops[i] < -n ? -1 : bound(stops[i], -1, n - 1);
      x = slice(reverse(x, {d}), d, Range{n - 1 - start, std::max(n - 1 - start, n - 1 - stop), -step});
    }
  }
  return {x};
}

Results split_rule(const Call& c) {
  int d = axis_of(c.integer("axis", 0), c[0]);
  std::vector<int64_t> sizes = c.ints_or_operand("split", 1);
  int64_t parts = c.outputs(), n = c[0].size(d);
  if (sizes.empty()) sizes.assign(static_cast<size_t>(parts), (n + parts - 1) / parts);
  Results out;
  int64_t at = 0;
  for (int64_t size : sizes) {
    int64_t stop = std::min(at + size, n);
    out.push_back(slice(c[0], d, Range{at, stop}));
    at = stop;
  }
  return out;
}

Results pad_rule(const Call& c) {
  if (c.text("mode", "constant") != "constant") throw NotCovered("Pad mode " + c.text("mode", ""));
  if (c.has(3)) throw NotCovered("Pad with axes");
  std::vector<int64_t> pads = c.ints_or_operand("pads", 1);
  double value = c.has(2) ? c[2].item<double>() : c.number("value", 0);
  std::vector<PadDim> dims;
  for (int d = 0; d < c[0].rank(); ++d)
    dims.push_back({pads[static_cast<size_t>(d)], pads[static_cast<size_t>(d + c[0].rank())], 0});
  for (const PadDim& d : dims)
    if (d.low < 0 || d.high < 0) throw NotCovered("Pad by a negative amount");
  return {pad(c[0], dims, value)};
}

Results expand_rule(const Call& c) { return {broadcast_to(c[0], *broadcast(c[0].shape(), Shape(c.ints_of(1))))}; }

Results trilu(const Call& c) {
  int64_t k = c.has(1) ? c[1].item<int64_t>() : 0;
  Shape shape = c[0].shape();
  Tensor row = iota(shape, shape.rank() - 2, i64), column = iota(shape, shape.rank() - 1, i64);
  Tensor keep = c.integer("upper", 1) ? column - row >= k : column - row <= k;
  return {where(keep, c[0], zeros_like(c[0]))};
}

Results depth_to_space(const Call& c) {
  int64_t b = c.integer("blocksize", 1), n = c[0].size(0), ch = c[0].size(1), h = c[0].size(2), w = c[0].size(3);
  bool dcr = c.text("mode", "DCR") == "DCR";
  Tensor x = dcr ? permute(reshape(c[0], {n, b, b, ch / (b * b), h, w}), {0, 3, 4, 1, 5, 2})
                 : permute(reshape(c[0], {n, ch / (b * b), b, b, h, w}), {0, 1, 4, 2, 5, 3});
  return {reshape(x, {n, ch / (b * b), h * b, w * b})};
}
Results space_to_depth(const Call& c) {
  int64_t b = c.integer("blocksize", 1), n = c[0].size(0), ch = c[0].size(1), h = c[0].size(2), w = c[0].size(3);
  Tensor x = permute(reshape(c[0], {n, ch, h / b, b, w / b, b}), {0, 3, 5, 1, 2, 4});
  return {reshape(x, {n, ch * b * b, h / b, w / b})};
}

Tensor from_ints(const std::vector<int64_t>& values) { return tensor(values, {static_cast<int64_t>(values.size())}); }

Results shape_rule(const Call& c) {
  std::vector<int64_t> dims = c[0].shape().dims();
  int64_t rank = c[0].rank(), start = c.integer("start", 0), stop = c.integer("end", rank);
  auto bound = [&](int64_t v) { return std::clamp(v < 0 ? v + rank : v, int64_t{0}, rank); };
  start = bound(start), stop = std::max(start, bound(stop));
  return {from_ints({dims.begin() + start, dims.begin() + stop})};
}

Results constant(const Call& c) {
  if (auto* t = c.tensor("value")) return {to_tensor(*t)};
  if (c.has_attr("value_int")) return {scalar(c.integer("value_int", 0), i64)};
  if (c.has_attr("value_float")) return {scalar(c.number("value_float", 0), f32)};
  if (c.has_attr("value_ints")) return {from_ints(c.ints("value_ints"))};
  throw NotCovered("Constant of this kind");
}
Results constant_of_shape(const Call& c) {
  Tensor value = c.tensor("value") ? to_tensor(*c.tensor("value")) : zeros({1});
  return {broadcast_to(reshape(value, Shape{}), Shape(c.ints_of(0)))};
}
Results range(const Call& c) {
  double start = c[0].item<double>(), limit = c[1].item<double>(), delta = c[2].item<double>();
  auto n = std::max<int64_t>(0, static_cast<int64_t>(std::ceil((limit - start) / delta)));
  return {cast(iota({n}, 0, f64) * delta + start, c[0].dtype())};
}
Results eye_like(const Call& c) {
  DType dtype = c.has_attr("dtype") ? to_dtype(static_cast<int>(c.integer("dtype", 1))) : c[0].dtype();
  Tensor row = iota(c[0].shape(), 0, i64), column = iota(c[0].shape(), 1, i64);
  return {cast(column - row == c.integer("k", 0), dtype)};
}

}  // namespace

void add_shape_rules(RuleMap& map) {
  map["Reshape"] = reshape_rule;
  map["Flatten"] = flatten_rule;
  map["Squeeze"] = squeeze_rule;
  map["Unsqueeze"] = unsqueeze_rule;
  map["Transpose"] = transpose_rule;
  map["Slice"] = slice_rule;
  map["Split"] = split_rule;
  map["Pad"] = pad_rule;
  map["Expand"] = expand_rule;
  map["Trilu"] = trilu;
  map["DepthToSpace"] = depth_to_space;
  map["SpaceToDepth"] = space_to_depth;
  map["Shape"] = shape_rule;
  map["Size"] = [](const Call& c) -> Results { return {scalar(c[0].numel(), i64)}; };
  map["Constant"] = constant;
  map["ConstantOfShape"] = constant_of_shape;
  map["Range"] = range;
  map["EyeLike"] = eye_like;
  map["Tile"] = [](const Call& c) -> Results { return {tile(c[0], c.ints_of(1))}; };
  map["Concat"] = [](const Call& c) -> Results { return {concat(c.operands(), axis_of(c.integer("axis", 0), c[0]))}; };
}

}  // namespace tessera::onnx_test
