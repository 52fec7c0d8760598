#include <tessera/nn/models/vit.h>

namespace tessera::nn {

Vit::Vit(VitOptions o)
    : options(o),
      patches{this, "patches", {.in = o.channels, .out = o.dim, .kernel = o.patch, .stride = o.patch}},
      class_token{this, "class_token", init::zeros({1, 1, o.dim})},
      positions{this, "positions",
                init::trunc_normal({1, (o.image / o.patch) * (o.image / o.patch) + 1, o.dim}, 0, 0.02)},
      layers{this, "layers", o.layers, TransformerBlockOptions{.dim = o.dim, .heads = o.heads}},
      norm{this, "norm", {o.dim}},
      head{this, "head", {o.dim, o.classes}} {}

Tensor Vit::features(Tensor images) {
  const int64_t batch = images.size(0);
  Tensor x = transpose(flatten(patches(images), 2), 1, 2);  // [B, patches, dim]
  x = concat({broadcast_to(class_token, {batch, 1, options.dim}), x}, 1) + positions;
  for (TransformerBlock& block : layers) x = block(x);
  return norm(select(x, 1, 0));
}

Tensor Vit::forward(Tensor images) { return head(features(images)); }

}  // namespace tessera::nn
