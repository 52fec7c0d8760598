#include <tessera/nn/models/resnet.h>

#include <tessera/nn/functional.h>
#include <tessera/nn/layers/pool.h>

namespace tessera::nn {
namespace {

constexpr int64_t expansion = 4;

Conv2dOptions conv(int64_t in, int64_t out, int64_t kernel, int64_t stride = 1) {
  return {.in = in, .out = out, .kernel = kernel, .stride = stride, .pad = kernel / 2, .bias = false};
}

void add_layer(List<Bottleneck>& layer, int64_t in, int64_t width, int64_t blocks, int64_t stride) {
  for (int64_t k = 0; k < blocks; ++k) layer.add(k == 0 ? in : expansion * width, width, k == 0 ? stride : 1);
}

}  // namespace

Bottleneck::Bottleneck(int64_t in, int64_t width, int64_t stride)
    : conv1{this, "conv1", conv(in, width, 1)},
      bn1{this, "bn1", {width}},
      conv2{this, "conv2", conv(width, width, 3, stride)},
      bn2{this, "bn2", {width}},
      conv3{this, "conv3", conv(width, expansion * width, 1)},
      bn3{this, "bn3", {expansion * width}} {
  if (stride != 1 || in != expansion * width)
    downsample.emplace(this, "downsample", conv(in, expansion * width, 1, stride), BatchNormOptions{expansion * width});
}

Tensor Bottleneck::forward(Tensor x) {
  Tensor y = relu(bn1(conv1(x)));
  y = relu(bn2(conv2(y)));
  return relu(bn3(conv3(y)) + (downsample ? (*downsample)(x) : x));
}

Resnet::Resnet(ResnetOptions o)
    : conv1{this, "conv1", conv(o.channels, o.width, 7, 2)},
      bn1{this, "bn1", {o.width}},
      layer1{this, "layer1"},
      layer2{this, "layer2"},
      layer3{this, "layer3"},
      layer4{this, "layer4"},
      fc{this, "fc", {8 * expansion * o.width, o.classes}} {
  add_layer(layer1, o.width, o.width, o.blocks[0], 1);
  add_layer(layer2, expansion * o.width, 2 * o.width, o.blocks[1], 2);
  add_layer(layer3, 2 * expansion * o.width, 4 * o.width, o.blocks[2], 2);
  add_layer(layer4, 4 * expansion * o.width, 8 * o.width, o.blocks[3], 2);
  initialize("*conv?.weight|*downsample.0.weight", [](Shape s) { return init::kaiming_normal(s, 0, Fan::out); });
}

Tensor Resnet::forward(Tensor images) {
  Tensor x = max_pool2d(relu(bn1(conv1(images))), {.size = 3, .stride = 2, .pad = 1});
  for (List<Bottleneck>* layer : {&layer1, &layer2, &layer3, &layer4})
    for (Bottleneck& block : *layer) x = block(x);
  return fc(mean(x, {2, 3}));
}

}  // namespace tessera::nn
