#include <tessera/nn/io/checkpoint.h>

#include <gmock/gmock.h>

#include <tessera/autograd/grad.h>
#include <tessera/core/compile.h>
#include <tessera/core/error.h>
#include <tessera/core/random.h>
#include <tessera/nn/io/file.h>
#include <tessera/nn/io/metrics.h>
#include <tessera/nn/nn.h>

#include "tests/nn/temporary_folder.h"

namespace tessera::io {
namespace {

using tessera::testing::TemporaryFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Net : nn::Module<Net> {
  nn::Linear up{this, "up", {4, 8}};
  nn::BatchNorm norm{this, "norm", {8}};
  nn::Linear down{this, "down", {8, 3}};
  Tensor forward(Tensor x) { return down(nn::dropout(gelu(norm(up(x))), 0.25)); }
};

struct Points {  // twelve points whose class is the index modulo 3
  struct Batch {
    Tensor x, y;
  };
  int64_t size() const { return 12; }
  Batch batch(std::span<const int64_t> indices) const {
    std::vector<float> x;
    std::vector<int32_t> y;
    for (int64_t index : indices) {
      for (int64_t e = 0; e < 4; ++e) x.push_back(static_cast<float>((index * 7 + e * 3) % 5));
      y.push_back(static_cast<int32_t>(index % 3));
    }
    auto n = static_cast<int64_t>(indices.size());
    return {tensor(x, {n, 4}), tensor(y, {n})};
  }
};

// A run with everything that a checkpoint must carry: dropout, statistics, moments, averages, shuffled data.
struct Training {
  Points points;
  Net net;
  optim::AdamW adam{net.parameters(), {.weight_decay = 0.1}};
  optim::Ema ema{net.parameters(), 0.9};
  data::Loader<Points> loader{points, {.batch = 5, .seed = 3}};

  std::vector<float> steps(int count) {
    auto step = compile([&](Tensor x, Tensor y) {
      nn::Training on;
      Tensor loss = nn::cross_entropy(net(x), y);
      adam.step(grad(loss, net.parameters()), 1e-2);
      ema.update();
      return loss;
    });
    std::vector<float> losses;
    for (int i = 0; i < count; ++i) {
      auto [x, y] = loader.next();
      losses.push_back(step(x, y).item<float>());
    }
    return losses;
  }
  Run run() { return {.model = &net, .optimizer = &adam, .states = ema.states(), .config = R"({"width": 8})"}; }
};

std::vector<std::vector<float>> values(const Training& training) {
  std::vector<std::vector<float>> out;
  for (auto& [name, param] : training.net.named_parameters()) out.push_back(param->value().to_vector<float>());
  for (auto& [name, buffer] : training.net.named_buffers()) out.push_back(buffer->value().to_vector<float>());
  for (State* state : training.ema.states()) out.push_back(state->value().to_vector<float>());
  return out;
}

TEST(Checkpoint, ResumesBitForBit) {
  TemporaryFolder folder;
  seed(11);
  Training whole;
  whole.steps(4);
  save_checkpoint(folder / "run", 4, whole.run(), whole.loader.state());
  std::vector<float> expected = whole.steps(5);

  seed(99);  // everything is different before the load
  Training resumed;
  resumed.steps(1);
  std::optional<Resumed> at = load_checkpoint(folder / "run", resumed.run());
  ASSERT_TRUE(at);
  EXPECT_EQ(at->step, 4);
  EXPECT_EQ(at->config, R"({"width": 8})");
  resumed.loader.restore(at->data);
  EXPECT_EQ(resumed.steps(5), expected);
  EXPECT_EQ(values(resumed), values(whole));
  seed(0);
}

TEST(Checkpoint, KeepsTheLastFewAndNamesTheLatest) {
  TemporaryFolder folder;
  Net net;
  for (int64_t step : {10, 20, 30, 40}) save_checkpoint(folder / "run", step, {.model = &net}, {}, {.keep = 2});
  auto names = [&] {
    std::vector<std::string> out;
    for (auto& entry : std::filesystem::directory_iterator(folder / "run")) out.push_back(entry.path().filename());
    std::ranges::sort(out);
    return out;
  };
  EXPECT_THAT(names(), ElementsAre("latest", "step-30", "step-40"));
  EXPECT_EQ(load_checkpoint(folder / "run", {.model = &net})->step, 40);
  EXPECT_EQ(load_checkpoint(folder / "run/step-30", {.model = &net})->step, 30);
  save_checkpoint(folder / "run", 30, {.model = &net}, {}, {.keep = 1});  // over the old one
  EXPECT_THAT(names(), ElementsAre("latest", "step-30"));
  EXPECT_EQ(load_checkpoint(folder / "run", {.model = &net})->step, 30);
  EXPECT_FALSE(load_checkpoint(folder / "nothing", {.model = &net}));
}

TEST(Checkpoint, IsFoundBeforeLatestNamesIt) {
  TemporaryFolder folder;
  Net net;
  save_checkpoint(folder / "run", 7, {.model = &net}, {});
  std::filesystem::remove(folder / "run/latest");
  EXPECT_EQ(load_checkpoint(folder / "run", {.model = &net})->step, 7);
}

TEST(Checkpoint, RefusesWhatIsDamagedAndAssignsNothing) {
  TemporaryFolder folder;
  Training training;
  save_checkpoint(folder / "run", 1, training.run());
  const std::vector<std::vector<float>> before = values(training);
  training.steps(1);
  const std::vector<std::vector<float>> trained = values(training);
  ASSERT_NE(before, trained);
  auto damaged = [&](const std::string& file, const std::string& content) {
    const std::string path = folder / ("run/" + file), good = read_file(path);
    write_file(path, content);
    EXPECT_THROW(load_checkpoint(folder / "run", training.run()), FileError) << file << ": " << content;
    EXPECT_EQ(values(training), trained);
    write_file(path, good);
  };
  damaged("latest", "../elsewhere\n");
  damaged("latest", "step-2\n");
  damaged("latest", "");
  damaged("step-1/optim.safetensors", "");
  damaged("step-1/model.safetensors", "nonsense");
  const std::string state = read_file(folder / "run/step-1/state.json");
  for (size_t size = 0; size + 2 < state.size(); size += 7) damaged("step-1/state.json", state.substr(0, size));
  damaged("step-1/state.json", R"({"format": 2, "step": 1})");
  damaged("step-1/state.json",
          R"({"format": 1, "step": -1, "rng": {"seed": 0, "step": 0}, "data": {"epoch": 0, "batch": 0}})");
  damaged("step-1/state.json", R"({"format": 1, "step": 1, "rng": [], "data": {"epoch": 0, "batch": 0}})");
  EXPECT_THROW(save_checkpoint(folder / "run", 2, {.config = "{"}), FileError);
  EXPECT_NO_THROW(load_checkpoint(folder / "run", training.run()));
  EXPECT_EQ(values(training), before);
}

TEST(Metrics, GoOnWhereTheRunWasResumed) {
  TemporaryFolder folder;
  {
    Metrics metrics(folder / "run/metrics.jsonl");
    for (int64_t step : {1, 2, 3})
      metrics.write(step, {{"loss", 1.0 / static_cast<double>(step)}, {"bad", std::nan("")}});
  }
  EXPECT_THAT(read_file(folder / "run/metrics.jsonl"), HasSubstr("{\"step\":2,\"loss\":0.5,\"bad\":null}\n"));
  {
    std::ofstream(folder / "run/metrics.jsonl", std::ios::app) << "{\"step\":4,\"lo";  // killed here
    Metrics metrics(folder / "run/metrics.jsonl", 2);
    metrics.write(3, {{"loss", 9}});
  }
  Curve curve = read_metric(folder / "run/metrics.jsonl", "loss");
  EXPECT_THAT(curve.steps, ElementsAre(1, 2, 3));
  EXPECT_THAT(curve.values, ElementsAre(1, 0.5, 9));
  EXPECT_TRUE(read_metric(folder / "run/metrics.jsonl", "bad").values.empty());
}

}  // namespace
}  // namespace tessera::io
