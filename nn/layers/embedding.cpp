#include <tessera/nn/layers/embedding.h>

#include <tessera/core/ops.h>
#include <tessera/nn/functional.h>
#include <tessera/nn/layers/check.h>

namespace tessera::nn {

Embedding::Embedding(ModuleBase* parent, MemberName name, EmbeddingOptions o)
    : Module(parent, std::move(name)), options(o), weight{this, "weight", init::normal({o.count, o.dim}, 0, o.std)} {}

Tensor Embedding::forward(Tensor ids) { return gather(weight, ids); }

Tensor Embedding::attend(Input x) {
  ScopeGuard scope(scope_name(), x.at);
  check_extent(*this, x.tensor, -1, options.dim);
  return linear(x.tensor, weight);
}

std::string Embedding::details() const { return sizes(options.count, options.dim); }

}  // namespace tessera::nn
