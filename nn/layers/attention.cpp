#include <tessera/nn/layers/attention.h>

#include <tessera/nn/layers/check.h>

namespace tessera::nn {
namespace {

SelfAttentionOptions complete(SelfAttentionOptions o) {
  if (o.kv_heads == 0) o.kv_heads = o.heads;
  return o;
}
int64_t packed(const SelfAttentionOptions& o) { return o.heads > 0 ? o.dim / o.heads * (o.heads + 2 * o.kv_heads) : 0; }

}  // namespace

Attention::Attention(ModuleBase* parent, MemberName name, SelfAttentionOptions o)
    : Module(parent, std::move(name)),
      options(complete(o)),
      qkv{this, "qkv", {options.dim, packed(options), options.bias}},
      out{this, "out", {options.dim, options.dim, options.bias}} {
  divided(*this, "dim", options.dim, options.heads);
  divided(*this, "heads", options.heads, options.kv_heads);
}

Tensor Attention::forward(Tensor x, Tensor mask) {
  check_rank(*this, x, 3, "[B, T, dim]");
  const SelfAttentionOptions& o = options;
  const int64_t b = x.size(0), t = x.size(1), d = o.dim / o.heads;
  // [B, T, heads + 2 kv_heads, D]: q, k and v are slices of the head dim.
  Tensor all = reshape(qkv(x), {b, t, o.heads + 2 * o.kv_heads, d});
  Tensor q = slice(all, 2, {0, o.heads});
  Tensor k = slice(all, 2, {o.heads, o.heads + o.kv_heads});
  Tensor v = slice(all, 2, {o.heads + o.kv_heads});
  Tensor y = attention(q, k, v, {.causal = o.causal, .mask = mask, .dropout = o.dropout});
  return out(reshape(y, {b, t, o.dim}));
}

std::string Attention::details() const {
  std::string text = std::to_string(options.dim) + ", heads " + std::to_string(options.heads);
  if (options.kv_heads != options.heads) text += ", kv heads " + std::to_string(options.kv_heads);
  return options.causal ? text + ", causal" : text;
}

}  // namespace tessera::nn
