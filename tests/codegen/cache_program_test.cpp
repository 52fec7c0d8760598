// Whole programs and the disk cache, each run in a process of its own: this program starts itself again.

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tessera/codegen/cpu/object_cache.h>
#include <tessera/core/compile.h>
#include <tessera/core/executor.h>

namespace tessera::codegen {
namespace {

// What a child does: one product and a softmax; its exit status says whether the values are right.
TEST(CacheChild, DISABLED_Run) {
  auto step = compile([](Tensor x, Tensor w) { return softmax(matmul(x, w) + 1.0, 1); }, {.name = "child"});
  auto y = step(full({16, 32}, 0.5), full({32, 24}, 0.25)).to_vector<float>();
  ASSERT_EQ(y.size(), 16u * 24u);
  for (float v : y) ASSERT_NEAR(v, 1.0f / 24, 1e-6);
}

class CacheProgram : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "tessera-cache-XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
    setenv("TESSERA_CACHE_DIR", directory_.c_str(), 1);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  static pid_t start() {
    pid_t child = fork();
    if (child != 0) return child;
    unsetenv("GTEST_OUTPUT");
    execl("/proc/self/exe", "child", "--gtest_also_run_disabled_tests", "--gtest_filter=CacheChild.DISABLED_Run",
          "--gtest_brief=1", nullptr);
    _exit(127);
  }
  static int finish(pid_t child) {
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
  }
  static std::vector<std::string> contents() {
    std::vector<std::string> all;
    for (const CachedFile& file : cached_files()) {
      std::ifstream in(file.path, std::ios::binary);
      all.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    }
    return all;
  }

  std::filesystem::path directory_;
};

TEST_F(CacheProgram, DamagedEntriesAreBuiltAgain) {
  ASSERT_EQ(finish(start()), 0);
  const std::vector<CachedFile> files = cached_files();
  ASSERT_GE(files.size(), 2u);  // a plan and its kernels
  const std::vector<std::string> whole = contents();
  for (size_t k = 0; k < files.size(); ++k) {
    std::string broken = whole[k];
    broken[broken.size() / 2] ^= 0x20;
    std::ofstream(files[k].path, std::ios::binary) << (k % 2 ? broken : broken.substr(0, broken.size() / 2));
  }
  ASSERT_EQ(finish(start()), 0);
  EXPECT_EQ(contents().size(), whole.size());
  for (const CachedFile& file : cached_files()) EXPECT_TRUE(read_cached(file.key, file.kind)) << file.path;
}

// The same program cold, many times at once.
TEST_F(CacheProgram, ManyProcessesStartAtOnce) {
  std::vector<pid_t> children;
  for (int k = 0; k < 5; ++k) children.push_back(start());
  for (pid_t child : children) EXPECT_EQ(finish(child), 0);
  for (const CachedFile& file : cached_files()) EXPECT_TRUE(read_cached(file.key, file.kind)) << file.path;
}

}  // namespace
}  // namespace tessera::codegen
