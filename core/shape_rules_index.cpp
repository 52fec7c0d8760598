#include <tessera/core/shape_rules_argument.h>

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

namespace tessera::rules {

// ---- indexing ----

void indices(const Call& call, const char* label, const Node& indices) {
  if (indices.dtype != i32 && indices.dtype != i64)  // index_c2
    throw DTypeError(text(call, "T-D016", fmt::format("needs i32 or i64 for {}, not {}", label, str(indices.dtype)),
                          Operands(label, indices),
                          indices.dtype == boolean ? "where() chooses by bool; indices count positions"
                                                   : "cast the indices to i32 or i64"));
}

namespace {

// A run would find every index out of range.
void something_to_index(const Call& call, const char* label, const Node& x, const Node& indices, int dim) {
  if (x.shape[dim] == 0 && indices.shape.numel() > 0)  // index_c4
    throw ValueError(text(call, "T-V031",
                          fmt::format("has no element to index: dim {} of {} is empty", dim, x.shape.str()),
                          Operands(label, x, "indices", indices),
                          fmt::format("give {} at least one element along dim {}, or no indices", label, dim)));
}

Shape with_indices(const Node& x, const Node& indices, int dim) {
  Dims out(x.shape.begin(), x.shape.begin() + dim);
  out.insert(out.end(), indices.shape.begin(), indices.shape.end());
  out.insert(out.end(), x.shape.begin() + dim + 1, x.shape.end());
  return out;
}

}  // namespace

Shape gather(const Call& call, const Node& x, const Node& indices, int dim) {
  rules::indices(call, "indices", indices);
  something_to_index(call, "x", x, indices, dim);
  return with_indices(x, indices, dim);
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
  something_to_index(call, "x", x, indices, dim);
}

Shape scatter_updates(const Call& call, const Node& base, const Node& indices, int dim) {
  rules::indices(call, "indices", indices);
  something_to_index(call, "base", base, indices, dim);
  return with_indices(base, indices, dim);
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

}  // namespace tessera::rules
