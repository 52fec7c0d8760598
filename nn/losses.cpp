#include <tessera/nn/losses.h>

#include <limits>

#include <tessera/core/error.h>
#include <tessera/nn/functional.h>

namespace tessera::nn {
namespace {

Tensor reduced(const Tensor& each, Reduction reduction) {
  switch (reduction) {
    case Reduction::mean: return mean(each);
    case Reduction::sum: return sum(each);
    case Reduction::none: break;
  }
  return each;
}

// A prediction that broadcasts against its target is nearly always a mistake: [8] with [8, 1] compares all with all.
void check_same_shape(const Operand& prediction, const Operand& target) {
  if (prediction.is_number() || target.is_number() || prediction.tensor().shape() == target.tensor().shape()) return;
  throw ShapeError({.code = "T-S107",
                    .fault = "prediction and target differ in shape",
                    .at = prediction.at(),
                    .operands = {{"prediction", describe(*prediction.tensor().node())},
                                 {"target", describe(*target.tensor().node())}},
                    .hint = "losses do not broadcast; reshape or broadcast_to first"});
}

// The targets themselves, and a ValueError of the run when one is no class: gather is what looks at indices.
Tensor checked(const Tensor& targets, int64_t classes, const CrossEntropyOptions& options) {
  Tensor counted = options.ignore_index ? where(targets == *options.ignore_index, 0, targets) : targets;
  return gather(arange(classes, targets.dtype()), counted, 0);
}

}  // namespace

Tensor cross_entropy(Operand logits_in, Operand targets_in, CrossEntropyOptions options) {
  ScopeGuard scope("cross_entropy", logits_in.at());
  const Tensor &logits = logits_in.tensor(), &targets = targets_in.tensor();
  Dims rows(logits.shape().begin(), logits.shape().end());
  if (!rows.empty()) rows.pop_back();
  if (logits.rank() == 0 || targets.shape() != Shape(rows))
    throw ShapeError({.code = "T-S108",
                      .fault = "cross_entropy needs logits [.., classes] and targets [..]",
                      .at = logits_in.at(),
                      .operands = {{"logits", describe(*logits.node())}, {"targets", describe(*targets.node())}}});
  if (!is_integer(targets.dtype()))
    throw DTypeError({.code = "T-D101",
                      .fault = "cross_entropy needs integer targets",
                      .at = targets_in.at(),
                      .operands = {{"targets", describe(*targets.node())}}});

  // logsumexp(x) − x[target], the target picked by comparing indices: elementwise, so no row of x need be stored.
  const int last = logits.rank() - 1;
  Tensor normalizer = logsumexp(logits, last);
  Tensor hit =
      iota(logits.shape(), last, targets.dtype()) == unsqueeze(checked(targets, logits.size(last), options), -1);
  Tensor loss = normalizer - sum(where(hit, logits, 0), {last});
  if (options.label_smoothing != 0)
    loss = loss * (1 - options.label_smoothing) + (normalizer - mean(logits, {last})) * options.label_smoothing;
  if (!options.ignore_index) return reduced(loss, options.reduction);

  Tensor counts = targets != *options.ignore_index;
  loss = where(counts, loss, 0);
  if (options.reduction != Reduction::mean) return reduced(loss, options.reduction);
  // As mean() does: what is narrow is summed and counted in f32.
  const DType wide = promote(loss.dtype(), f32);
  return cast(sum(cast(loss, wide)) / maximum(sum(cast(counts, wide)), 1), loss.dtype());
}

Tensor mse(Operand prediction, Operand target, Reduction reduction) {
  ScopeGuard scope("mse", prediction.at());
  check_same_shape(prediction, target);
  return reduced(square(prediction - target), reduction);
}
Tensor l1(Operand prediction, Operand target, Reduction reduction) {
  ScopeGuard scope("l1", prediction.at());
  check_same_shape(prediction, target);
  return reduced(abs(prediction - target), reduction);
}
Tensor huber(Operand prediction, Operand target, double delta, Reduction reduction) {
  ScopeGuard scope("huber", prediction.at());
  check_same_shape(prediction, target);
  Tensor d = prediction - target, size = abs(d);
  return reduced(where(size <= delta, 0.5 * d * d, delta * (size - 0.5 * delta)), reduction);
}
Tensor bce_with_logits(Operand logits, Operand target, Reduction reduction) {
  ScopeGuard scope("bce_with_logits", logits.at());
  check_same_shape(logits, target);
  return reduced(softplus(logits) - logits * target, reduction);
}
Tensor kl(Operand log_p, Operand log_q, Reduction reduction) {
  ScopeGuard scope("kl", log_p.at());
  check_same_shape(log_p, log_q);
  // p log p is 0 where p is 0.
  Tensor apart = where(log_p > -std::numeric_limits<double>::infinity(), log_p - log_q, 0);
  return reduced(sum(exp(log_p) * apart, {-1}), reduction);
}

}  // namespace tessera::nn
