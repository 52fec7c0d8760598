#include <optional>

#include <tessera/core/ops.h>

#include "tests/onnx/rules.h"

namespace tessera::onnx_test {
namespace {

using Results = std::vector<Tensor>;

// −Σ weight[t] · log_p[t] over the class dim 1, reduced as ONNX says: the mean divides by the weights that counted.
Tensor negative_log_likelihood(const Call& c, const Tensor& log_p, size_t weight_operand) {
  Tensor target = unsqueeze(c[1], 1);
  Tensor hot = iota(log_p.shape(), 1, i64) == cast(target, i64);
  if (c.has_attr("ignore_index"))
    hot = hot && broadcast_to(cast(target, i64) != c.integer("ignore_index", 0), hot.shape());
  Tensor weight = where(hot, ones_like(log_p), zeros_like(log_p));
  if (c.has(weight_operand)) {
    Dims dims(static_cast<size_t>(log_p.rank()), 1);
    dims[1] = log_p.size(1);
    weight = weight * reshape(c[weight_operand], dims);
  }
  Tensor each = -sum(where(hot, log_p, zeros_like(log_p)) * weight, {1});
  std::string reduction = c.text("reduction", "mean");
  if (reduction == "none") return each;
  return reduction == "sum" ? sum(each) : sum(each) / sum(weight);
}

}  // namespace

void add_loss_rules(RuleMap& map) {
  map["NegativeLogLikelihoodLoss"] = [](const Call& c) -> Results { return {negative_log_likelihood(c, c[0], 2)}; };
  map["SoftmaxCrossEntropyLoss"] = [](const Call& c) -> Results {
    Tensor log_p = log_softmax(c[0], 1);
    return {negative_log_likelihood(c, log_p, 2), log_p};
  };
}

}  // namespace tessera::onnx_test
