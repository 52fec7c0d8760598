// Every op and random graphs through import and all passes, run by the definition of kernels, against the reference.

#include <algorithm>

#include <gtest/gtest.h>

#include <tessera/autograd/grad.h>
#include <tessera/core/ops.h>
#include <tessera/core/program.h>

#include "tests/fuzz/random_graph.h"
#include "tests/ir/fuse_interpreter.h"
#include "tests/ops/op_cases.h"
#include "tests/support/compare_executors.h"
#include "tests/support/host_data.h"

namespace tessera::testing {
namespace {

Executor& interpreter() {
  static const std::unique_ptr<Executor> it = make_fuse_interpreter();
  return *it;
}

class Lower : public ::testing::TestWithParam<Op> {};

TEST_P(Lower, keeps_values_and_gradients) {
  Draw draw(7);
  for (const Case& c : cases_of(GetParam())) {
    std::vector<Checked> checked = {{c.name, c.output, {32}}};
    std::vector<Tensor> wrt;
    // Gradients of narrow dtypes may cancel what rounding between kernels left: 1 − tanh² is 0 or is not.
    for (const Tensor& x : c.inputs)
      if (x.dtype() == f32 || x.dtype() == f64) wrt.push_back(x);
    if (c.differentiable && !wrt.empty() && !is_storage_only(c.output.dtype())) {
      Tensor weight = random_tensor(draw, c.output.dtype(), c.output.shape(), {0.5, 1.5});
      for (const Tensor& g : grad(sum(c.output * weight), wrt)) checked.push_back({c.name + " gradient", g, {64}});
    }
    for (const std::string& line : differences(checked, interpreter(), reference_executor())) ADD_FAILURE() << line;
  }
}

std::vector<Op> all_ops() {
  std::vector<Op> ops;
  for (const OpRow& r : op_table()) ops.push_back(r.op);
  return ops;
}
INSTANTIATE_TEST_SUITE_P(ops, Lower, ::testing::ValuesIn(all_ops()),
                         [](const auto& op) { return std::string(name(op.param)); });

// Where a kernel keeps f32 between ops of narrow dtypes, differences that cancel are no measure: those graphs stay out.
bool is_narrow(const RandomGraph& graph) {
  std::vector<NodePtr> outputs, captured;
  for (const Checked& c : graph.outputs) outputs.push_back(c.value.node());
  const Program program = flatten({}, outputs, false, &captured);
  return std::any_of(program.instructions.begin(), program.instructions.end(),
                     [](const Instruction& i) { return is_float(i.dtype) && size_of(i.dtype) < 4; });
}

TEST(LowerGraphs, random_graphs_keep_their_values) {
  int run = 0;
  for (uint64_t seed = 1; seed <= 70; ++seed) {
    SCOPED_TRACE("random_graph(" + std::to_string(seed) + ")");
    const RandomGraph graph = random_graph(seed);
    if (is_narrow(graph)) continue;
    ++run;
    for (const std::string& line : differences(graph.outputs, interpreter(), reference_executor()))
      ADD_FAILURE() << line;
  }
  EXPECT_GE(run, 20);
}

}  // namespace
}  // namespace tessera::testing
