#pragma once
// Residual network of bottlenecks, which shrink pictures in their 3×3 convolution. He et al., "Deep Residual Learning for
// Image Recognition", 2015; Goyal et al., "Accurate, Large Minibatch SGD", 2017 (where the stride is). Parameters are named
// as in torchvision.

#include <array>
#include <optional>

#include <tessera/nn/containers.h>
#include <tessera/nn/layers/conv.h>
#include <tessera/nn/layers/linear.h>
#include <tessera/nn/layers/norm.h>

namespace tessera::nn {

// 1×1 to `width` channels, 3×3, 1×1 to four times as many; the skip has a 1×1 where the shape changes.
struct Bottleneck : Module<Bottleneck> {
  Conv2d conv1;
  BatchNorm bn1;
  Conv2d conv2;
  BatchNorm bn2;
  Conv2d conv3;
  BatchNorm bn3;
  std::optional<Seq> downsample;

  Bottleneck(int64_t in, int64_t width, int64_t stride);
  Tensor forward(Tensor x);
};

struct ResnetOptions {
  std::array<int64_t, 4> blocks = {3, 4, 6, 3};  // a layer: 50 in all
  int64_t channels = 3, width = 64, classes = 1000;
};

struct Resnet : Module<Resnet> {
  Conv2d conv1;
  BatchNorm bn1;
  List<Bottleneck> layer1, layer2, layer3, layer4;
  Linear fc;

  explicit Resnet(ResnetOptions o = {});
  Tensor forward(Tensor images);  // [B, channels, H, W] → logits [B, classes]
};

}  // namespace tessera::nn
