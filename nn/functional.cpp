#include <tessera/nn/functional.h>

#include <cmath>
#include <limits>
#include <numbers>

#include <tessera/core/error.h>
#include <tessera/core/fault.h>
#include <tessera/core/random.h>
#include <tessera/nn/training.h>

namespace tessera {
namespace {
const Tensor& tensor_of(const Operand& x) {
  if (x.is_number())
    throw ValueError({.code = "T-V108", .fault = "a number came where a tensor is needed", .at = x.at()});
  return x.tensor();
}
}  // namespace

// Each opens a scope of its name: errors and reports show the caller's line and "….mlp.gelu".
Tensor relu(Operand x) {
  ScopeGuard scope("relu", x.at());
  return where(x <= 0, 0, x);
}
Tensor leaky_relu(Operand x, double slope) {
  ScopeGuard scope("leaky_relu", x.at());
  return where(x > 0, x, x * slope);
}
Tensor elu(Operand x, double alpha) {
  ScopeGuard scope("elu", x.at());
  // Not minimum(x, 0), whose derivative at 0 is 1/2: elu'(0) = alpha, as from the left.
  return where(x > 0, x, alpha * expm1(where(x > 0, 0, x)));
}
Tensor softplus(Operand x) {
  ScopeGuard scope("softplus", x.at());
  return maximum(x, 0) + log1p(exp(-abs(x)));
}
Tensor silu(Operand x) {
  ScopeGuard scope("silu", x.at());
  return x * sigmoid(x);
}
Tensor gelu(Operand x) {
  ScopeGuard scope("gelu", x.at());
  const double c = std::sqrt(2 / std::numbers::pi);
  return 0.5 * x * (1 + tanh(c * (x + 0.044715 * (x * x * x))));
}
Tensor gelu_exact(Operand x) {
  ScopeGuard scope("gelu", x.at());
  return 0.5 * x * (1 + erf(x * (1 / std::numbers::sqrt2)));
}
Tensor quick_gelu(Operand x) {
  ScopeGuard scope("gelu", x.at());
  return x * sigmoid(1.702 * x);
}

namespace nn {
namespace {

// Row i may see column j up to i + (columns − rows).
Tensor causal_mask(int64_t rows, int64_t columns) {
  Shape plane{rows, columns};
  return iota(plane, 0) + (columns - rows) >= iota(plane, 1);
}

void check_attention(const Tensor& q, const Tensor& k, const Tensor& v, Loc at) {
  bool fits = q.rank() == 4 && k.rank() == 4 && v.rank() == 4 && q.size(0) == k.size(0) && q.size(3) == k.size(3) &&
              v.size(0) == k.size(0) && v.size(1) == k.size(1) && v.size(2) == k.size(2) && k.size(2) > 0 &&
              q.size(2) % k.size(2) == 0;
  if (fits) return;
  throw ShapeError({.code = "T-S101",
                    .fault = "attention needs q [B, T, H, D] and k, v [B, S, K, D] with K dividing H",
                    .at = at,
                    .operands = {{"q", describe(*q.node())}, {"k", describe(*k.node())}, {"v", describe(*v.node())}}});
}

}  // namespace

// "ABi,oi->ABo" for rank 3: leading dims keep a letter each, so nothing is reshaped.
Tensor linear(Operand x, Operand weight) {
  std::string lead;
  for (int dim = 0; dim + 1 < tensor_of(x).rank(); ++dim) lead += static_cast<char>('A' + dim);
  return einsum(lead + "i,oi->" + lead + "o", x, weight);
}

Tensor attention(Operand q_in, Operand k_in, Operand v_in, const AttentionOptions& options) {
  ScopeGuard scope("attention", q_in.at());
  Tensor q = tensor_of(q_in), k = tensor_of(k_in), v = tensor_of(v_in);
  check_attention(q, k, v, q_in.at());
  const int64_t b = q.size(0), t = q.size(1), heads = q.size(2), d = q.size(3), s = k.size(1), groups = k.size(2);
  const bool grouped = groups != heads;  // g key heads, each serves r queries
  const double scale = options.scale != 0 ? options.scale : 1 / std::sqrt(static_cast<double>(d));

  if (grouped) q = reshape(q, {b, t, groups, heads / groups, d});
  Tensor scores = (grouped ? einsum("btgrd,bsgd->bgrts", q, k) : einsum("bthd,bshd->bhts", q, k)) * scale;
  if (options.causal) scores = where(causal_mask(t, s), scores, -std::numeric_limits<double>::infinity());
  if (options.mask.valid()) {
    Tensor mask = options.mask;
    if (grouped && mask.rank() >= 3) {  // [.., H or 1, T, S] follows the split of the heads
      Dims dims = mask.shape().dims();
      auto head = dims.end() - 3;
      bool per_head = *head == heads;
      *head = per_head ? heads / groups : 1;
      dims.insert(head, per_head ? groups : 1);
      mask = reshape(mask, dims);
    }
    scores = mask.dtype() == boolean ? where(mask, scores, -std::numeric_limits<double>::infinity()) : scores + mask;
  }
  Tensor weights = dropout(softmax(scores, -1), options.dropout);
  Tensor out = grouped ? einsum("bgrts,bsgd->btgrd", weights, v) : einsum("bhts,bshd->bthd", weights, v);
  return grouped ? reshape(out, {b, t, heads, v.size(3)}) : out;
}

Tensor dropout(Operand x, double p) {
  ScopeGuard scope("dropout", x.at());
  const Tensor& t = tensor_of(x);
  if (!(p >= 0 && p < 1))
    throw ValueError({.code = "T-V109", .fault = "dropout needs 0 ≤ p < 1, not " + std::to_string(p), .at = x.at()});
  if (p == 0 || !is_training()) return t;
  return where(bernoulli(t.shape(), 1 - p, x.at()), planted(Fault::dropout_unscaled) ? x.tensor() : x * (1 / (1 - p)),
               0);
}

Tensor upsample_nearest(Operand x, int64_t scale) {
  ScopeGuard scope("upsample_nearest", x.at());
  const Tensor& t = tensor_of(x);
  if (t.rank() < 3 || scale < 1)
    throw ShapeError({.code = "T-S102",
                      .fault = "upsample_nearest needs [N, C, spatial…] and a scale of 1 or more",
                      .at = x.at(),
                      .operands = {{"x", describe(*t.node())}}});
  // Each spatial dim gets a new neighbour of extent `scale` by broadcast; one reshape merges the pairs.
  Dims split{t.size(0), t.size(1)}, merged = split, from{0, 1};
  for (int dim = 2; dim < t.rank(); ++dim) {
    from.push_back(static_cast<int64_t>(split.size()));
    split.insert(split.end(), {t.size(dim), scale});
    merged.push_back(t.size(dim) * scale);
  }
  return reshape(broadcast_in_dim(x, split, from), merged);
}

}  // namespace nn
}  // namespace tessera
