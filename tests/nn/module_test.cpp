#include <tessera/nn/module.h>

#include <sstream>

#include <gmock/gmock.h>

#include <tessera/core/error.h>
#include <tessera/core/ops.h>
#include <tessera/nn/containers.h>
#include <tessera/nn/functional.h>
#include <tessera/nn/layers/embedding.h>
#include <tessera/nn/layers/linear.h>
#include <tessera/nn/observe.h>

#include "tests/nn/near.h"

namespace tessera::nn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Mlp : Module<Mlp> {
  Linear up, down;
  Mlp(int in, int hidden, int out) : up{this, "up", {in, hidden}}, down{this, "down", {hidden, out}} {}
  Tensor forward(Tensor x) { return down(gelu(up(x))); }
};

struct Block : Module<Block> {
  Param scale{this, "scale", init::ones({1})};
  Buffer seen{this, "seen", scalar(int64_t{0}, i64)};
  Sub<Mlp> mlp;
  explicit Block(int dim) : mlp{this, "mlp", dim, 2 * dim, dim} {}
  Tensor forward(Tensor x, double gain) { return x + mlp(x) * scale * gain; }
};

struct Tower : Module<Tower> {
  Embedding embed{this, "embed", {10, 4}};
  List<Block> layers{this, "layers", 3, 4};
  Param& head = embed.weight;  // tied: one State, saved under its owner's name
  Tensor forward(Tensor ids) {
    Tensor x = embed(ids);
    for (Block& block : layers) x = block(x, 1.0);
    return linear(x, head);
  }
};

template <class T> std::vector<std::string> names(const Named<T>& all) {
  std::vector<std::string> out;
  for (auto& [name, value] : all) out.push_back(name);
  return out;
}

static_assert(!std::is_copy_constructible_v<Mlp> && !std::is_move_constructible_v<Mlp>, "modules are pinned");

TEST(Module, NamesAreDottedPathsInOrderOfDeclaration) {
  Mlp mlp(3, 5, 2);
  EXPECT_THAT(names(mlp.named_parameters()), ElementsAre("up.weight", "up.bias", "down.weight", "down.bias"));
  EXPECT_EQ(mlp.parameter_count(), 3 * 5 + 5 + 5 * 2 + 2);
  EXPECT_EQ(mlp.name(), "mlp");
  EXPECT_EQ(mlp.up.weight.name(), "up.weight");

  Tower tower;
  EXPECT_EQ(tower.layers[2].mlp->down.bias->name(), "layers.2.mlp.down.bias");
  EXPECT_EQ(names(tower.layers[1].named_parameters()).front(), "scale");
  EXPECT_THAT(names(tower.named_buffers()), ElementsAre("layers.0.seen", "layers.1.seen", "layers.2.seen"));
  EXPECT_EQ(tower.named_modules().size(), 1u + 1 + 1 + 3 * (1 + 1 + 2));
  EXPECT_EQ(tower.parameters().size(), 1u + 3 * 5) << "a tied weight counts once";
}

TEST(Module, CallsForwardInItsScopeWithTheCallersLine) {
  Tower tower;
  std::vector<std::string> paths;
  ObserveCalls observe([&](const ModuleBase&, const Tensor&) { paths.push_back(current_scope()->path()); });
  Tensor y = tower(tensor<int32_t>({1, 2, 3}));
  EXPECT_EQ(y.shape(), Shape({3, 10}));
  EXPECT_EQ(paths.size(), 1u + 3 * 4 + 1);
  EXPECT_EQ(paths[0], "tower.embed");
  EXPECT_EQ(paths[1], "tower.layers.0.mlp.up");
  EXPECT_EQ(paths.back(), "tower");

  Mlp mlp(3, 5, 2);
  try {
    mlp(tessera::testing::ramp({2, 4}));
    FAIL();
  } catch (const ShapeError& error) {
    EXPECT_THAT(error.what(), HasSubstr("expects extent 3"));
    EXPECT_THAT(error.what(), HasSubstr("built as 3 → 5"));
    EXPECT_THAT(error.what(), HasSubstr("module_test.cpp"));
    EXPECT_EQ(error.text().path, "mlp.up");
  }
}

TEST(Module, NamesAreCheckedWhenTheyRegister) {
  struct Twice : Module<Twice> {
    Linear a{this, "fc", {1, 1}}, b{this, "fc", {1, 1}};
  };
  struct Dotted : Module<Dotted> {
    Linear a{this, "fc.1", {1, 1}};
  };
  struct Clash : Module<Clash> {
    Linear a{this, "fc", {1, 1}};
    Param b{this, "fc", init::zeros({1})};
  };
  EXPECT_THROW(Twice(), ValueError);
  EXPECT_THROW(Dotted(), ValueError);
  EXPECT_THROW(Clash(), ValueError);
  EXPECT_THROW(Param(nullptr, "weight", init::zeros({1})), ValueError);
  EXPECT_THROW((Linear{nullptr, "fc", {0, 4}}), ValueError);
}

TEST(Module, FreezeTakesParametersOut) {
  Mlp mlp(3, 5, 2);
  mlp.freeze("up.*");
  EXPECT_THAT(mlp.parameters(), ElementsAre(&mlp.down.weight, &*mlp.down.bias));
  EXPECT_EQ(mlp.named_parameters().size(), 4u);
  mlp.freeze("*.weight|*.bias", false);
  EXPECT_EQ(mlp.parameters().size(), 4u);
  EXPECT_THROW(mlp.freeze("nothing"), ValueError);
}

TEST(Module, InitializeGivesOtherFirstValues) {
  seed(7);
  Mlp mlp(3, 5, 2);
  const std::vector<float> bias = mlp.up.bias->value().to_vector<float>();
  mlp.initialize("*.weight", [](Shape s) { return init::constant(s, 0.25); });
  EXPECT_EQ(mlp.down.weight.value().to_vector<float>(), std::vector<float>(10, 0.25f));
  EXPECT_EQ(mlp.up.bias->value().to_vector<float>(), bias);
  // The numbers of a parameter are those of its seed and path, whatever it held before.
  mlp.initialize("up.bias", [](Shape s) { return init::default_bias(s.numel(), 3); });
  EXPECT_EQ(mlp.up.bias->value().to_vector<float>(), bias);
  EXPECT_THROW(mlp.initialize("nothing", init::zeros), ValueError);
}

// Threads fill pieces of 65536.
TEST(Module, FirstValuesFollowFromTheirIndices) {
  std::vector<float> values(200'000);
  const Draw draw(7, 3);
  init::normal({200'000}).fill(values, draw);
  for (size_t i : {0, 65'535, 65'536, 131'072, 199'999}) EXPECT_EQ(values[i], static_cast<float>(draw.normal(i))) << i;
}

TEST(Module, FirstValuesDependOnSeedAndPathAlone) {
  seed(7);
  Mlp first(3, 5, 2);
  Linear other{nullptr, "other", {8, 8}};
  Mlp second(3, 5, 2);
  EXPECT_EQ(first.up.weight.value().to_vector<float>(), second.up.weight.value().to_vector<float>());
  seed(8);
  Mlp third(3, 5, 2);
  EXPECT_NE(first.up.weight.value().to_vector<float>(), third.up.weight.value().to_vector<float>());
  seed(0);
}

TEST(Module, CloneIsDeep) {
  Mlp mlp(3, 5, 2);
  mlp.down.bias->assign(tensor<float>({4, 5}));
  std::unique_ptr<Mlp> copy = mlp.clone(3, 5, 2);
  mlp.down.bias->assign(tensor<float>({6, 7}));
  tessera::testing::expect_near(*copy->down.bias, {4, 5});
  EXPECT_EQ(copy->up.weight.value().to_vector<float>(), mlp.up.weight.value().to_vector<float>());

  Tower tower;
  EXPECT_THROW(copy_states(tower, mlp), ValueError);
}

TEST(Module, CloneIsFrozenAsTheFirstOne) {
  Mlp mlp(3, 5, 2);
  mlp.freeze("up.*");
  std::unique_ptr<Mlp> copy = mlp.clone(3, 5, 2);
  EXPECT_THAT(copy->parameters(), ElementsAre(&copy->down.weight, &*copy->down.bias));
}

// As an average or a teacher is, which takes the values of a model in training.
TEST(Module, CopiedStatesLeaveTheCopyFrozen) {
  Mlp mlp(3, 5, 2), teacher(3, 5, 2);
  teacher.freeze("*");
  copy_states(mlp, teacher);
  EXPECT_THAT(teacher.parameters(), ElementsAre());
  EXPECT_EQ(teacher.up.weight.value().to_vector<float>(), mlp.up.weight.value().to_vector<float>());
}

TEST(Module, SeqChainsLayersAndFunctions) {
  struct Net : Module<Net> {
    Seq body{this, "body", LinearOptions{4, 8}, silu, LinearOptions{8, 2, false}, [](Tensor x) { return x * 2; }};
    Tensor forward(Tensor x) { return body(x); }
  } net;
  EXPECT_THAT(names(net.named_parameters()), ElementsAre("body.0.weight", "body.0.bias", "body.2.weight"));
  EXPECT_EQ(net(tessera::testing::ramp({3, 4})).shape(), Shape({3, 2}));
}

TEST(Module, PrintsItsTree) {
  Tower tower;
  std::ostringstream out;
  out << tower;
  EXPECT_EQ(out.str(),
            "tower             Tower              271\n"
            "├─ embed          Embedding(10 → 4)  40\n"
            "└─ layers         List<Block>(×3)    231\n"
            "   └─ 0…2 each    Block              77\n"
            "      ├─ scale    Param [1]          1\n"
            "      └─ mlp      Mlp                76\n"
            "         ├─ up    Linear(4 → 8)      40\n"
            "         └─ down  Linear(8 → 4)      36\n");
}

TEST(Module, TypeNamesHaveNoQualifiers) {
  EXPECT_EQ(short_type_name(typeid(List<Block>)), "List<Block>");
  EXPECT_EQ(Mlp(1, 1, 1).type(), "Mlp");
  EXPECT_EQ((Linear{nullptr, "fc", {1, 1}}.type()), "Linear");
}

}  // namespace
}  // namespace tessera::nn
