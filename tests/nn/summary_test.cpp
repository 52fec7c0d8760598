#include <tessera/nn/summary.h>

#include <gmock/gmock.h>

#include <tessera/nn/containers.h>
#include <tessera/nn/functional.h>
#include <tessera/nn/layers/conv.h>
#include <tessera/nn/layers/linear.h>

namespace tessera::nn {
namespace {

struct Net : Module<Net> {
  Conv2d conv{this, "conv", {.in = 1, .out = 4, .kernel = 3, .pad = 1}};
  List<Linear> heads{this, "heads", 2, LinearOptions{64, 10, false}};
  Tensor forward(Tensor x) {
    x = flatten(relu(conv(x)), 1);
    return heads[0](x) + heads[1](x);
  }
};

TEST(Summary, CountsOperationsAndShapesWithoutComputing) {
  Net net;
  std::vector<SummaryRow> rows = summary_rows(net, spec({8, 1, 4, 4}));
  ASSERT_EQ(rows.size(), 4u);
  const double conv = 2.0 * 8 * 4 * 16 * 9, bias = 8 * 4 * 16, head = 2.0 * 8 * 64 * 10;
  EXPECT_EQ(rows[0].output, "[8, 10]");
  EXPECT_EQ(rows[1].output, "[8, 4, 4, 4]");
  EXPECT_EQ(rows[1].flops, conv + bias);
  EXPECT_EQ(rows[1].activations, 4 * (bias + bias));
  EXPECT_EQ(rows[2].label, "└─ heads");
  EXPECT_EQ(rows[2].flops, 2 * head) << "a container costs what its children cost";
  EXPECT_EQ(rows[3].flops, head);
  EXPECT_EQ(rows[3].parameters, 640);
  EXPECT_EQ(rows[0].flops, conv + bias + 2 * bias + 2 * head + 8 * 10);  // relu compares and selects
  EXPECT_THAT(summary(net, spec({8, 1, 4, 4})), ::testing::HasSubstr("heads"));
}

}  // namespace
}  // namespace tessera::nn
