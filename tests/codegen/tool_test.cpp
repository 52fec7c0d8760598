// The program tessera as a person runs it: what it prints, and how it ends.

#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tessera/core/compile.h>
#include <tessera/core/random.h>

namespace tessera {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

struct Ran {
  int status = -1;
  std::string text;  // stdout and stderr
};

Ran run(const std::string& arguments) {
  Ran ran;
  FILE* pipe = popen((std::string(TESSERA_TOOL) + " " + arguments + " 2>&1").c_str(), "r");
  if (!pipe) return ran;
  std::array<char, 4096> piece;
  while (size_t count = fread(piece.data(), 1, piece.size(), pipe)) ran.text.append(piece.data(), count);
  int status = pclose(pipe);
  ran.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
  return ran;
}

// A run directory as the trainers leave it, of a model with two equal layers.
class Tool : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "tessera-tool-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    auto step = compile(
        [](Tensor x, Tensor w) {
          ScopeGuard model("model", Loc::here());
          for (const char* layer : {"0", "1"}) {
            ScopeGuard scope(layer, Loc::here());
            x = tanh(matmul(x, w));
          }
          return x;
        },
        {.name = "two_layers"});
    step(ones({16, 16}), ones({16, 16}));
    std::filesystem::create_directories(folder_ / "run" / "program");
    for (const char* stage : {"tsr", "fuse", "plan", "kernels", "explain"})
      std::ofstream(folder_ / "run" / "program" / (std::string(stage) + ".txt")) << step.text(stage);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string at(const char* name) const { return (folder_ / name).string(); }

  std::filesystem::path folder_;
};

TEST_F(Tool, ExplainsARun) {
  Ran all = run("explain " + at("run"));
  EXPECT_EQ(all.status, 0);
  EXPECT_THAT(all.text, HasSubstr("two_layers: 2 launches"));
  EXPECT_THAT(all.text, HasSubstr("model.* ×2"));
  EXPECT_THAT(all.text, HasSubstr("not fused: 1 pairs of kernels"));
  Ran none = run("explain " + at("run") + " --module decoder");
  EXPECT_EQ(none.status, 1);
  EXPECT_EQ(none.text, "tessera: no module of this run holds 'decoder'\n");
  EXPECT_THAT(run("explain " + at("run") + " --module model").text, HasSubstr("contract_tanh"));
}

TEST_F(Tool, ShowsStagesAndKernels) {
  EXPECT_THAT(run("ir " + at("run")).text, HasSubstr("fuse.kernel \"contract_tanh\""));
  EXPECT_THAT(run("ir --stage tsr " + at("run")).text, HasSubstr("tsr.contract"));
  Ran table = run("kernels " + at("run") + " model.1");
  EXPECT_EQ(table.status, 0);
  EXPECT_THAT(table.text, HasSubstr("model.1  tool_test.cpp:"));
  EXPECT_THAT(table.text, Not(HasSubstr("model.0")));
  EXPECT_THAT(table.text, HasSubstr("fuse.yield"));  // the kernel's text follows
}

// Drawing advances the generator, which is an op of ours that no module called.
TEST_F(Tool, ShowsLinesOfTheLibraryFromItsRoot) {
  auto step = compile([](Tensor x) { return x + uniform({4}); }, {.name = "noise"});
  step(ones({4}));
  std::filesystem::create_directories(folder_ / "noise");
  for (const char* stage : {"tsr", "explain"})
    std::ofstream(folder_ / "noise" / (std::string(stage) + ".txt")) << step.text(stage);
  for (const char* verb : {"explain ", "ir --stage tsr "}) {
    const std::string text = run(verb + at("noise")).text;
    EXPECT_THAT(text, HasSubstr(" tessera/core/trace.cpp:"));
    EXPECT_THAT(text, Not(testing::ContainsRegex("/[^ ]*/tessera/core/"))) << verb;
  }
}

TEST_F(Tool, SaysWhatIsWrong) {
  std::filesystem::create_directories(folder_ / "empty");
  for (auto& [arguments, status, text] : std::initializer_list<std::tuple<std::string, int, std::string>>{
           {"", 2, "kernels by module"},
           {"explain", 2, "RUN_DIR is required"},
           {"paint", 2, "not expected: paint"},
           {"doctor now please", 2, "not expected: now please\n"},
           {"explain a b c", 2, "not expected: b c\n"},
           {"explain --modul", 2, "there is no flag --modul\n"},
           {"ir --stag fuse run", 2, "there is no flag --stag\n"},
           {"cache --clear", 2, "there is no flag --clear\n"},
           {"explain /no/such/run", 1, "tessera: /no/such/run: no such directory\n"},
           {"explain " + at("empty"), 1, "holds no program"},
           {"explain " + at("run/program/fuse.txt"), 1, "is a file"},
           {"ir --stage ptx " + at("run"), 1, "has no stage 'ptx'; it has: explain, fuse, kernels, plan, tsr"},
           {"kernels " + at("run") + " conv", 1, "no kernel and no module of this run holds 'conv'"}}) {
    Ran ran = run(arguments);
    EXPECT_EQ(ran.status, status) << arguments << '\n' << ran.text;
    EXPECT_THAT(ran.text, HasSubstr(text));
  }
}

TEST_F(Tool, KeepsTheCache) {
  setenv("TESSERA_CACHE_DIR", at("cache").c_str(), 1);
  Ran fresh = run("doctor");
  EXPECT_EQ(fresh.status, 0) << fresh.text;
  EXPECT_THAT(fresh.text, HasSubstr("agreed with the reference"));
  EXPECT_THAT(fresh.text, testing::ContainsRegex("(ok|missing) +gpu +[A-Zt]"));
  EXPECT_THAT(fresh.text, testing::ContainsRegex("(ok|missing) +nvrtc +NVRTC (is not there|[0-9]+\\.[0-9])"));
  EXPECT_EQ(run("cache path").text, at("cache") + "\n");
  Ran list = run("cache");
  EXPECT_THAT(list.text, HasSubstr(at("cache") + ": "));
  EXPECT_THAT(list.text, HasSubstr("\ndoctor "));
  EXPECT_THAT(run("cache clear").text, HasSubstr("removed "));
  EXPECT_THAT(run("cache").text, HasSubstr(": 0 B of 2.0 GiB, 0 files"));

  std::filesystem::permissions(at("cache"), std::filesystem::perms::all);
  Ran refused = run("cache");
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.text, HasSubstr("may be written by others: chmod go-w"));
  EXPECT_EQ(run("doctor").status, 1);
}

}  // namespace
}  // namespace tessera
