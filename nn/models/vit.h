#pragma once
// Vision Transformer: an image is cut into patches, each patch is a token, a class token gathers the answer.
// Dosovitskiy et al., "An Image is Worth 16x16 Words", 2020.

#include <tessera/nn/containers.h>
#include <tessera/nn/layers/conv.h>
#include <tessera/nn/models/transformer.h>

namespace tessera::nn {

struct VitOptions {
  int64_t image = 28, channels = 1, patch = 4, dim = 128, layers = 6, heads = 4, classes = 10;
};

struct Vit : Module<Vit> {
  VitOptions options;
  Conv2d patches;
  Param class_token, positions;
  List<TransformerBlock> layers;
  LayerNorm norm;
  Linear head;

  explicit Vit(VitOptions o = {});
  Tensor features(Tensor images);  // [B, channels, image, image] → the normalised class token [B, dim]
  Tensor forward(Tensor images);   // → logits [B, classes]
};

}  // namespace tessera::nn
