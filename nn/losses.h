#pragma once
// Losses: each returns one number, the mean over everything it compares, unless told otherwise.

#include <optional>

#include <tessera/core/ops.h>

namespace tessera::nn {

enum class Reduction { mean, sum, none };

struct CrossEntropyOptions {
  std::optional<int64_t> ignore_index = std::nullopt;  // targets that count neither in the sum nor in the mean
  double label_smoothing = 0;                          // ε: target (1 − ε)·onehot + ε / classes
  Reduction reduction = Reduction::mean;
};
// −log softmax(logits)[target]: logits [.., classes], integer targets [..]. The class dim is the last one. A target
// outside [0, classes) that is not ignore_index is a ValueError of the run that meets it.
Tensor cross_entropy(Operand logits, Operand targets, CrossEntropyOptions = {});

Tensor mse(Operand prediction, Operand target, Reduction = Reduction::mean);  // (p − t)²
Tensor l1(Operand prediction, Operand target, Reduction = Reduction::mean);   // |p − t|
// ½d² where |d| ≤ δ, else δ(|d| − ½δ).
Tensor huber(Operand prediction, Operand target, double delta = 1, Reduction = Reduction::mean);
// −t·log σ(x) − (1 − t)·log(1 − σ(x)), without overflow.
Tensor bce_with_logits(Operand logits, Operand target, Reduction = Reduction::mean);
// Σ p·(log p − log q) over the last dim, 0 where p is 0, then the reduction over rows; both given as logarithms.
Tensor kl(Operand log_p, Operand log_q, Reduction = Reduction::mean);

}  // namespace tessera::nn
