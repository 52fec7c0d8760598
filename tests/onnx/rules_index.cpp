#include <tessera/core/ops.h>

#include "tests/onnx/rules.h"

namespace tessera::onnx_test {
namespace {

using Results = std::vector<Tensor>;

// ONNX counts negative indices from the end.
Tensor from_start(const Tensor& indices, int64_t extent) { return where(indices < 0, indices + extent, indices); }

Results gather_rule(const Call& c) {
  int d = axis_of(c.integer("axis", 0), c[0]);
  return {gather(c[0], from_start(c[1], c[0].size(d)), d)};
}
Results gather_elements(const Call& c) {
  int d = axis_of(c.integer("axis", 0), c[0]);
  return {take_along(c[0], from_start(c[1], c[0].size(d)), d)};
}

// The position in the flattened base of every element of `indices` when it replaces coordinate `d`.
Tensor flat_positions(const Tensor& indices, const Shape& base, int d) {
  Dims strides = row_major_strides(base);
  Tensor at = cast(from_start(indices, base[d]), i64) * strides[static_cast<size_t>(d)];
  for (int k = 0; k < base.rank(); ++k)
    if (k != d) at = at + iota(indices.shape(), k, i64) * strides[static_cast<size_t>(k)];
  return reshape(at, {-1});
}

ScatterMode mode_of(const Call& c) {
  std::string mode = c.text("reduction", "none");
  if (mode == "none") return ScatterMode::set;
  if (mode == "add") return ScatterMode::add;
  if (mode == "max") return ScatterMode::max;
  throw NotCovered(c.op() + " with reduction " + mode);
}

Results scatter_elements(const Call& c) {
  int d = axis_of(c.integer("axis", 0), c[0]);
  Tensor flat = scatter(reshape(c[0], {-1}), flat_positions(c[1], c[0].shape(), d), reshape(c[2], {-1}), 0, mode_of(c));
  return {reshape(flat, c[0].shape())};
}

// Index tuples in the last dim of `indices` address the leading dims of `shape` from dim `first` on: their row number.
Tensor row_of_tuple(const Tensor& indices, const Shape& shape, int first) {
  int64_t depth = indices.size(-1);
  Tensor row = zeros(Shape(Dims(indices.shape().begin(), indices.shape().end() - 1)), i64);
  for (int64_t k = 0; k < depth; ++k) {
    int64_t extent = shape[first + static_cast<int>(k)];
    row = row * extent + cast(from_start(select(indices, -1, k), extent), i64);
  }
  return row;
}

Shape merged(const Shape& shape, int64_t depth) {  // the first `depth` dims as one
  Dims dims{1};
  for (int d = 0; d < shape.rank(); ++d) {
    if (d < depth) dims[0] *= shape[d];
    else dims.push_back(shape[d]);
  }
  return Shape(dims);
}

Results gather_nd(const Call& c) {
  if (c.integer("batch_dims", 0) != 0) throw NotCovered("GatherND with batch dims");
  return {gather(reshape(c[0], merged(c[0].shape(), c[1].size(-1))), row_of_tuple(c[1], c[0].shape(), 0), 0)};
}
Results scatter_nd(const Call& c) {
  Tensor base = reshape(c[0], merged(c[0].shape(), c[1].size(-1)));
  Tensor row = reshape(row_of_tuple(c[1], c[0].shape(), 0), {-1});
  Dims update = base.shape().dims();
  update[0] = row.numel();
  return {reshape(scatter(base, row, reshape(c[2], update), 0, mode_of(c)), c[0].shape())};
}

Results one_hot_rule(const Call& c) {
  int64_t depth = c[1].item<int64_t>();
  Tensor indices = cast(c[0], i64);
  Tensor hot = one_hot(where(indices < 0, indices + depth, indices), depth, boolean);
  int64_t axis = c.integer("axis", -1), rank = hot.rank();
  if (axis < 0) axis += rank;
  Dims order;
  for (int64_t d = 0; d < rank; ++d) order.push_back(d == axis ? rank - 1 : d < axis ? d : d - 1);
  Tensor off = reshape(slice(c[2], 0, Range{0, 1}), Shape{}), on = reshape(slice(c[2], 0, Range{1, 2}), Shape{});
  return {where(permute(hot, order), on, off)};
}

Results topk_rule(const Call& c) {
  int d = axis_of(c.integer("axis", -1), c[0]);
  int64_t k = c.has(1) ? c[1].item<int64_t>() : c.integer("k", 1);
  if (c.integer("largest", 1)) {
    auto [values, indices] = topk(c[0], k, d);
    return {values, indices};
  }
  Tensor order = slice(argsort(c[0], d), d, Range{0, k});
  return {take_along(c[0], order, d), order};
}

Results cumsum_rule(const Call& c) {
  int d = axis_of(c[1].item<int64_t>(), c[0]);
  Tensor sums = cumsum(c[0], d, c.integer("reverse", 0));
  return {c.integer("exclusive", 0) ? sums - c[0] : sums};
}

Results reverse_sequence(const Call& c) {
  int batch = static_cast<int>(c.integer("batch_axis", 1)), time = static_cast<int>(c.integer("time_axis", 0));
  const Shape& shape = c[0].shape();
  Dims lead(static_cast<size_t>(shape.rank()), 1);
  lead[static_cast<size_t>(batch)] = shape[batch];
  Tensor length = broadcast_to(reshape(c[1], lead), shape), at = iota(shape, time, i64);
  return {take_along(c[0], where(at < length, length - 1 - at, at), time)};
}

}  // namespace

void add_index_rules(RuleMap& map) {
  map["Gather"] = gather_rule;
  map["GatherElements"] = gather_elements;
  map["GatherND"] = gather_nd;
  map["Scatter"] = scatter_elements;
  map["ScatterElements"] = scatter_elements;
  map["ScatterND"] = scatter_nd;
  map["OneHot"] = one_hot_rule;
  map["TopK"] = topk_rule;
  map["CumSum"] = cumsum_rule;
  map["ReverseSequence"] = reverse_sequence;
}

}  // namespace tessera::onnx_test
