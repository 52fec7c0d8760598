// Every rule, first and second order, on every f64 case that the sweep of executors tries.

#include <algorithm>
#include <unordered_map>

#include <gtest/gtest.h>
#include <tessera/autograd/gradcheck.h>
#include <tessera/autograd/vjp_rules.h>

#include "tests/ops/op_cases.h"

namespace tessera::testing {
namespace {

// The recorded graph of `output` on other inputs.
Tensor replay(const Tensor& output, const Tensors& inputs, const Tensors& others) {
  std::unordered_map<const Node*, NodePtr> copies;
  for (size_t i = 0; i < inputs.size(); ++i) copies[inputs[i].node().get()] = others[i].node();
  auto copy = [&](auto& self, const NodePtr& node) -> NodePtr {
    if (node->value && !copies.contains(node.get())) return node;
    NodePtr& made = copies[node.get()];
    if (made) return made;
    std::vector<NodePtr> operands;
    for (const NodePtr& x : node->inputs) operands.push_back(self(self, x));
    return copies[node.get()] = record(node->op, node->attrs, operands, node->dtype, node->shape, node->at);
  };
  return Tensor(copy(copy, output.node()));
}

bool in_f64(const Case& c) {
  const auto type = [](const Tensor& x) { return is_float(x.dtype()) ? x.dtype() : f64; };
  return c.output.dtype() == f64 && std::ranges::all_of(c.inputs, [&](const Tensor& x) { return type(x) == f64; });
}

class VjpRules : public ::testing::TestWithParam<Op> {};

TEST_P(VjpRules, AgreeWithDifferences) {
  int checked = 0;
  for (const Case& c : cases_of(GetParam())) {
    if (!c.differentiable || !in_f64(c)) continue;
    auto f = [&](const Tensors& x) { return replay(c.output, c.inputs, x); };
    const GradcheckResult result = gradcheck(f, c.inputs, {.order = 2});
    EXPECT_TRUE(result) << c.name << ": " << result.str();
    ++checked;
  }
  EXPECT_GT(checked, 0) << "no differentiable f64 case of " << name(GetParam()) << " in tests/ops/op_cases.cpp";
}

std::vector<Op> ops_with_rules() {
  std::vector<Op> out;
  for (const OpRow& r : op_table())
    if (r.gradient == Gradient::Rule) out.push_back(r.op);
  for (Op op : {Op::Input, Op::Barrier, Op::Cast})
    std::erase(out, op);  // no f64 case: grad_test, vjp_rules_special_test
  return out;
}

INSTANTIATE_TEST_SUITE_P(Table, VjpRules, ::testing::ValuesIn(ops_with_rules()),
                         [](const auto& i) { return std::string(name(i.param)); });

TEST(VjpTable, HasARuleWhereTheOpTableSaysSo) {
  for (const OpRow& r : op_table()) EXPECT_EQ(vjp_rule(r.op) != nullptr, r.gradient == Gradient::Rule) << r.name;
}

}  // namespace
}  // namespace tessera::testing
