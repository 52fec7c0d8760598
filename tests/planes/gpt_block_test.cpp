// Which kernels the compiler makes of one transformer block in a training step, and that none of them leaves anything in
// memory that grows with the square of the context.

#include <algorithm>
#include <cctype>
#include <set>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <tessera/autograd/grad.h>
#include <tessera/core/compile.h>
#include <tessera/core/program.h>
#include <tessera/core/random.h>
#include <tessera/nn/losses.h>
#include <tessera/nn/models/gpt.h>
#include <tessera/nn/training.h>

namespace tessera::testing {
namespace {

using nlohmann::json;

struct Step {
  Program program;
  json plan;
  std::vector<json> missed;  // remarks
};

Step compile_step(const nn::GptOptions& options, int64_t batch, CompileOptions how = {}) {
  nn::Gpt model(options);
  auto step = compile(
      [&](Tensor ids, Tensor next) {
        nn::Training on;
        Tensor loss = nn::cross_entropy(model(ids), next);
        std::vector<Tensor> results = {loss};
        for (Tensor& g : grad(loss, model.parameters())) results.push_back(g);
        return results;
      },
      how);
  step(randint({batch, options.context}, 0, options.vocabulary),
       randint({batch, options.context}, 0, options.vocabulary));
  Step out{*step.program(), json::parse(step.text("plan.json")), {}};
  std::istringstream lines(step.text("remarks.jsonl"));
  for (std::string line; std::getline(lines, line);)
    if (json remark = json::parse(line); remark.at("missed")) out.missed.push_back(remark);
  return out;
}

struct Kernel {
  std::string name;
  std::set<int> ops;
  std::vector<int> written;  // ops whose results it writes
  bool forward = true;
};

// What the plan launches, in order. A sum over rows ends with a launch that adds up what the tasks have: no kernel of its
// own.
std::vector<Kernel> kernels(const Step& step) {
  std::vector<Kernel> all;
  for (const json& launch : step.plan.at("launches")) {
    Kernel kernel;
    const int number = launch.at("kernel");
    kernel.name = number < 0 ? launch.at("library") : step.plan.at("kernels")[static_cast<size_t>(number)].at("name");
    if (kernel.name.ends_with("_sum")) continue;
    kernel.ops = launch.at("ops").get<std::set<int>>();
    for (const json& write : launch.at("writes")) kernel.written.push_back(write.at("op"));
    if (kernel.written.empty() && !kernel.ops.empty()) kernel.written = {*kernel.ops.rbegin()};  // its sums come later
    // The loss is the first result, so every op behind it is of the backward. Norms write what that needs too.
    kernel.forward = std::any_of(kernel.written.begin(), kernel.written.end(),
                                 [&](int op) { return op <= step.program.outputs.front(); });
    all.push_back(std::move(kernel));
  }
  return all;
}

// Those that write something of the layer, whatever they took in from others.
std::vector<Kernel> of_layer(const Step& step, const std::string& layer, bool forward) {
  std::vector<Kernel> some;
  for (Kernel& kernel : kernels(step)) {
    if (kernel.written.empty() || kernel.written.front() < 0) continue;
    const ScopePtr& scope = step.program.instructions[static_cast<size_t>(kernel.written.front())].scope;
    const std::string path = scope ? scope->path() : "";
    if (kernel.forward == forward && (path + ".").starts_with(layer + ".")) some.push_back(std::move(kernel));
  }
  return some;
}

std::string list(const std::vector<Kernel>& kernels) {
  std::string text;
  for (const Kernel& kernel : kernels) text += "  " + kernel.name + "\n";
  return text;
}

const nn::GptOptions model = {.vocabulary = 64, .context = 128, .dim = 64, .layers = 3, .heads = 4};

class GptBlock : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Precision, GptBlock, ::testing::Values("f32", "bf16_mixed"));

TEST_P(GptBlock, GoesForwardInSevenKernels) {
  const Step step = compile_step(model, 2, {.precision = GetParam()});
  const std::vector<Kernel> found = of_layer(step, "gpt.layers.1", true);
  // norm, packed projection, attention, projection back, norm, up and gelu, down
  EXPECT_EQ(found.size(), 7u) << list(found);
}

TEST_P(GptBlock, GoesBackInThirteenKernels) {
  const Step step = compile_step(model, 2, {.precision = GetParam()});
  const std::vector<Kernel> found = of_layer(step, "gpt.layers.1", false);
  // Two products for each of four layers, two norms, rowsum(dO ∘ O), two cascades, which write the gradients of q, k and
  // v into that of qkv.
  EXPECT_EQ(found.size(), 13u) << list(found);
  // Those of the weights of qkv and up sum the gradients of their biases too; norms sum those of the other two.
  size_t summing = 0;
  for (const Kernel& kernel : found) {
    if (!kernel.name.starts_with("contract") || !kernel.name.ends_with("_reduce")) continue;
    ++summing;
    ASSERT_EQ(kernel.written.size(), 2u) << kernel.name;
    for (const json& remark : step.missed)
      EXPECT_FALSE(remark.at("category") == "fusion" && remark.at("ops").front() == kernel.written.back())
          << remark.dump();
  }
  EXPECT_EQ(summing, 2u) << list(found);
}

int64_t elements(const json& value) {
  const std::string type = value.at("type");
  if (!type.starts_with("tensor<")) return value.at("bytes");
  int64_t count = 1, extent = 0;
  for (size_t at = 7; at < type.size() && (std::isdigit(static_cast<unsigned char>(type[at])) || type[at] == 'x');
       ++at) {
    if (type[at] != 'x') extent = extent * 10 + (type[at] - '0');
    else count *= extent, extent = 0;
  }
  return count;
}

std::string largest(const Step& step, int64_t& size) {
  std::string type;
  size = 0;
  for (const json& value : step.plan.at("values"))
    if (elements(value) > size) size = elements(value), type = value.at("type");
  return type;
}

TEST_P(GptBlock, KeepsNothingOfTheContextsSquare) {
  // A context at which a plane is larger than anything else of the model.
  const nn::GptOptions narrow = {.vocabulary = 64, .context = 512, .dim = 64, .layers = 2, .heads = 8};
  const int64_t limit = narrow.heads * narrow.context * narrow.context / 8;
  int64_t size = 0;
  std::string type = largest(compile_step(narrow, 1, {.precision = GetParam()}), size);
  EXPECT_LT(size, limit) << type;
  type = largest(compile_step(narrow, 1, {.strict = true}), size);
  EXPECT_GE(size, limit) << "without planes the largest buffer is " << type;
}

}  // namespace
}  // namespace tessera::testing
