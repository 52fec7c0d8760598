// Models: as many parameters as their papers' and PyTorch's have, results of the right shape, and gradients.

#include <gtest/gtest.h>

#include <algorithm>

#include <tessera/autograd/gradcheck.h>
#include <tessera/core/random.h>
#include <tessera/nn/models/dit.h>
#include <tessera/nn/models/gpt.h>
#include <tessera/nn/models/resnet.h>
#include <tessera/nn/models/unet.h>
#include <tessera/nn/models/vit.h>
#include <tessera/nn/training.h>

#include "tests/nn/near.h"

namespace tessera::nn {
namespace {

int64_t count(const ModuleBase& model) {
  int64_t sum = 0;
  for (const State* p : model.parameters()) sum += p->shape().numel();
  return sum;
}

std::vector<std::string> names(const ModuleBase& model) {
  std::vector<std::string> out;
  for (const auto& [name, p] : model.named_parameters()) out.push_back(name);
  return out;
}

// 12·d² + 13·d a block, by hand for the rest. The residual network: torchvision's resnet50 has 25,557,032.
TEST(Models, have_as_many_parameters_as_their_papers_say) {
  EXPECT_EQ(count(Gpt({.vocabulary = 50304, .context = 1024, .dim = 768, .layers = 1, .heads = 12})),
            50304 * 768 + 1024 * 768 + 7'087'872 + 2 * 768);
  EXPECT_EQ(
      count(Vit({.image = 224, .channels = 3, .patch = 16, .dim = 768, .layers = 1, .heads = 12, .classes = 1000})),
      86'567'656 - 11 * 7'087'872);
  EXPECT_EQ(count(Dit({.dim = 768, .layers = 1, .heads = 12})), 129'355'792 - 11 * (7'087'872 + 769 * 4608));
  EXPECT_EQ(count(Resnet()), 25'557'032);
}

TEST(Models, of_residual_networks_are_named_as_in_torchvision) {
  Resnet model({.blocks = {1, 1, 1, 1}, .width = 4, .classes = 3});
  const std::vector<std::string> all = names(model);
  for (const char* name : {"conv1.weight", "bn1.bias", "layer1.0.conv2.weight", "layer1.0.downsample.0.weight",
                           "layer4.0.downsample.1.weight", "fc.weight", "fc.bias"})
    EXPECT_EQ(std::ranges::count(all, name), 1) << name;
}

TEST(Models, of_residual_networks_give_a_score_a_class) {
  Resnet model({.blocks = {2, 1, 1, 1}, .width = 2, .classes = 3});
  Tensor images = normal({2, 3, 64, 32}).eval();
  EXPECT_EQ(model(images).shape(), Shape({2, 3}));
  Training on;
  EXPECT_EQ(model(images).shape(), Shape({2, 3}));
}

// In f64, by the running statistics: those of a batch are States of f32.
TEST(Models, of_residual_networks_have_gradients) {
  Bottleneck block(4, 2, 2);
  GradcheckResult result = gradcheck([&](const Tensors& in) { return block(in[0]); }, {normal({2, 4, 5, 6}).eval()});
  EXPECT_TRUE(result) << result.str();
}

TEST(Models, of_diffusion_begin_as_the_head_of_their_patches) {
  Dit model({.image = 8, .dim = 8, .layers = 2, .heads = 2, .classes = 5, .time_features = 8});
  Tensor x = normal({3, 4, 8, 8}).eval(), t = uniform({3}).eval(), label = randint({3}, 0, 6).eval();
  Tensor y = model(x, t, label);
  EXPECT_EQ(y.shape(), x.shape());
  // Each block is the identity at first, whatever the time and the class.
  Tensor other = model(x, t * 0.5, randint({3}, 0, 6));
  EXPECT_EQ(y.to_vector<float>(), other.to_vector<float>());
}

// A pixel of the result is one of its patch's numbers: channel by channel, row by row.
TEST(Models, of_diffusion_put_patches_where_they_were) {
  Dit model({.image = 4, .channels = 2, .dim = 8, .layers = 1, .heads = 2, .classes = 1, .time_features = 4});
  model.head.weight.assign(zeros({8, 8}));
  std::vector<float> numbers(8);  // of a patch: 2·2 pixels, two channels each
  for (size_t k = 0; k < 8; ++k) numbers[k] = static_cast<float>(k);
  model.head.bias->assign(tensor(numbers, {8}));
  const std::vector<float> y = model(zeros({1, 2, 4, 4}), zeros({1}), zeros({1}, i32)).to_vector<float>();
  for (size_t c = 0; c < 2; ++c)
    for (size_t row = 0; row < 4; ++row)
      for (size_t column = 0; column < 4; ++column)
        EXPECT_EQ(y[c * 16 + row * 4 + column], static_cast<float>(row % 2 * 4 + column % 2 * 2 + c));
}

TEST(Models, of_diffusion_have_gradients) {
  DitBlock block(4, 2);
  seed(3);
  block.modulation.weight.assign(normal({24, 4}, 0, 0.5).eval());
  block.modulation.bias->assign(normal({24}, 0, 0.5).eval());
  GradcheckResult result = gradcheck([&](const Tensors& in) { return block(in[0], in[1]); },
                                     {normal({2, 3, 4}).eval(), normal({2, 4}).eval()});
  EXPECT_TRUE(result) << result.str();
}

}  // namespace
}  // namespace tessera::nn
