#include <tessera/nn/models/dit.h>

#include <tessera/nn/models/time_features.h>

namespace tessera::nn {

DitBlock::DitBlock(int64_t dim, int64_t heads)
    : modulation{this, "modulation", {dim, 6 * dim}},
      norm1{this, "norm1", {dim}},
      attn{this, "attn", {.dim = dim, .heads = heads}},
      norm2{this, "norm2", {dim}},
      mlp{this, "mlp", {dim, 4 * dim}} {
  initialize("modulation.*", init::zeros);
}

Tensor DitBlock::forward(Tensor x, Tensor condition) {
  const std::vector<Tensor> m = split(unsqueeze(modulation(silu(condition)), 1), 6, -1);
  x = x + m[2] * attn(norm1(x) * (1 + m[1]) + m[0]);
  return x + m[5] * mlp(norm2(x) * (1 + m[4]) + m[3]);
}

Dit::Dit(DitOptions o)
    : options(o),
      patches{this, "patches", {.in = o.channels, .out = o.dim, .kernel = o.patch, .stride = o.patch}},
      positions{this, "positions", init::trunc_normal({1, (o.image / o.patch) * (o.image / o.patch), o.dim}, 0, 0.02)},
      time1{this, "time1", {o.time_features, o.dim}},
      time2{this, "time2", {o.dim, o.dim}},
      labels{this, "labels", {o.classes + 1, o.dim, 0.02}},
      layers{this, "layers", o.layers, o.dim, o.heads},
      norm{this, "norm", {.dim = o.dim, .affine = false}},
      head{this, "head", {o.dim, o.patch * o.patch * o.channels}} {}

Tensor Dit::forward(Tensor x, Tensor t, Tensor label) {
  const int64_t batch = x.size(0), side = options.image / options.patch, patch = options.patch;
  Tensor condition = time2(silu(time1(time_features(t, options.time_features)))) + labels(label);
  Tensor h = transpose(flatten(patches(x), 2), 1, 2) + positions;  // [B, patches, dim]
  for (DitBlock& block : layers) h = block(h, condition);
  Tensor pixels = reshape(head(norm(h)), {batch, side, side, patch, patch, options.channels});
  return reshape(permute(pixels, {0, 5, 1, 3, 2, 4}), {batch, options.channels, side * patch, side * patch});
}

}  // namespace tessera::nn
