#include <tessera/core/ops.h>

#include "tests/onnx/rules.h"

namespace tessera::onnx_test {
namespace {

using Results = std::vector<Tensor>;

template <auto reduce> Results reduction(const Call& c) {
  Dims dims = c.ints_or_operand("axes", 1);
  if (dims.empty() && c.integer("noop_with_empty_axes", 0)) return {c[0]};
  return {reduce(c[0], dims, c.integer("keepdims", 1) != 0)};
}

Tensor log_sum_exp(const Tensor& x, const Dims& dims, bool keep) {
  Tensor top = max(x, dims, true);
  Tensor total = log(sum(exp(x - top), dims, true)) + top;
  return keep ? total : sum(total, dims);  // the dims have extent 1
}

template <bool largest> Results arg_reduction(const Call& c) {
  int d = axis_of(c.integer("axis", 0), c[0]);
  auto best = [&](const Tensor& x) { return largest ? argmax(x, d) : argmin(x, d); };
  Tensor index = c.integer("select_last_index", 0) ? c[0].size(d) - 1 - best(reverse(c[0], {d})) : best(c[0]);
  return {c.integer("keepdims", 1) ? unsqueeze(index, d) : index};
}

// Before opset 13 softmax flattened its operand to rows at the axis.
template <Tensor (*f)(Operand, int)> Results softmax_like(const Call& c) {
  const Tensor& x = c[0];
  if (c.opset >= 13) return {f(x, axis_of(c.integer("axis", -1), x))};
  int axis = axis_of(c.integer("axis", 1), x);
  int64_t rows = 1;
  for (int d = 0; d < axis; ++d) rows *= x.size(d);
  return {reshape(f(reshape(x, {rows, -1}), 1), x.shape())};
}
Tensor hardmax(Operand x, int dim) {
  int64_t n = x.tensor().size(dim);
  Tensor hot = one_hot(argmax(x, dim), n, x.tensor().dtype());  // the class dim comes last
  Dims order;
  int64_t rank = hot.rank();
  for (int64_t d = 0; d < rank; ++d) order.push_back(d == dim ? rank - 1 : d < dim ? d : d - 1);
  return permute(hot, order);
}

}  // namespace

void add_reduce_rules(RuleMap& map) {
  map["ReduceSum"] = reduction<[](const Tensor& x, const Dims& d, bool k) { return sum(x, d, k); }>;
  map["ReduceMean"] = reduction<[](const Tensor& x, const Dims& d, bool k) { return mean(x, d, k); }>;
  map["ReduceMax"] = reduction<[](const Tensor& x, const Dims& d, bool k) { return max(x, d, k); }>;
  map["ReduceMin"] = reduction<[](const Tensor& x, const Dims& d, bool k) { return min(x, d, k); }>;
  map["ReduceProd"] = reduction<[](const Tensor& x, const Dims& d, bool k) { return prod(x, d, k); }>;
  map["ReduceL1"] = reduction<[](const Tensor& x, const Dims& d, bool k) { return sum(abs(x), d, k); }>;
  map["ReduceL2"] = reduction<[](const Tensor& x, const Dims& d, bool k) { return sqrt(sum(square(x), d, k)); }>;
  map["ReduceLogSum"] = reduction<[](const Tensor& x, const Dims& d, bool k) { return log(sum(x, d, k)); }>;
  map["ReduceSumSquare"] = reduction<[](const Tensor& x, const Dims& d, bool k) { return sum(square(x), d, k); }>;
  map["ReduceLogSumExp"] = reduction<log_sum_exp>;
  map["ArgMax"] = arg_reduction<true>;
  map["ArgMin"] = arg_reduction<false>;
  map["Softmax"] = softmax_like<softmax>;
  map["LogSoftmax"] = softmax_like<log_softmax>;
  map["Hardmax"] = softmax_like<hardmax>;
}

}  // namespace tessera::onnx_test
