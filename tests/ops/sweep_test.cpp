// Every op, JIT against the reference: dtypes × shapes, forward and backward, one program per op.

#include <gtest/gtest.h>

#include <tessera/autograd/grad.h>
#include <tessera/core/executor.h>
#include <tessera/core/ops.h>

#include "tests/ops/op_cases.h"
#include "tests/support/compare_executors.h"
#include "tests/support/host_data.h"

namespace tessera::testing {
namespace {

class Sweep : public ::testing::TestWithParam<Op> {};

// Sums run in another order than the reference's, products may use fused multiply-adds.
Tolerance tolerance_of(Op op) {
  Family family = row(op).family;
  bool sums = family == Family::Reduce || family == Family::Scan || family == Family::Contract ||
              family == Family::Raised || family == Family::Window || family == Family::Index;
  return {sums ? 32.0 : 8.0};
}

// What grad() gives for Σ output · weight, per float input.
void add_gradients(const Case& c, Draw& draw, std::vector<Checked>& out) {
  std::vector<Tensor> wrt;
  for (const Tensor& x : c.inputs)
    if (is_float(x.dtype()) && !is_storage_only(x.dtype())) wrt.push_back(x);
  if (!c.differentiable || wrt.empty() || is_storage_only(c.output.dtype())) return;
  Tensor weight = random_tensor(draw, c.output.dtype(), c.output.shape(), {0.5, 1.5});
  std::vector<Tensor> gradients = grad(sum(c.output * weight), wrt);
  for (size_t i = 0; i < wrt.size(); ++i)
    out.push_back({c.name + " gradient " + std::to_string(i), gradients[i], {64}});
}

TEST_P(Sweep, agrees_with_the_reference) {
  Executor* jit = find_executor("jit");
  ASSERT_NE(jit, nullptr);
  Draw draw(7);
  std::vector<Checked> checked;
  for (const Case& c : cases_of(GetParam())) {
    checked.push_back({c.name, c.output, tolerance_of(GetParam())});
    add_gradients(c, draw, checked);
  }
  ASSERT_FALSE(checked.empty());
  for (const std::string& line : differences(checked, *jit, reference_executor())) ADD_FAILURE() << line;
}

std::vector<Op> all_ops() {
  std::vector<Op> ops;
  for (const OpRow& r : op_table()) ops.push_back(r.op);
  return ops;
}

INSTANTIATE_TEST_SUITE_P(ops, Sweep, ::testing::ValuesIn(all_ops()),
                         [](const auto& op) { return std::string(name(op.param)); });

}  // namespace
}  // namespace tessera::testing
