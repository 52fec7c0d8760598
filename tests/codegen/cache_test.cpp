// The disk cache: what it keeps, and what becomes of damaged files.

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

#include <gtest/gtest.h>

#include <tessera/codegen/cpu/key.h>
#include <tessera/codegen/cpu/object_cache.h>

namespace tessera::codegen {
namespace {

class Cache : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "tessera-cache-XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
    setenv("TESSERA_CACHE_DIR", directory_.c_str(), 1);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::filesystem::path file() const { return directory_ / key_.substr(0, 2) / (key_ + ".o"); }
  std::string bytes() const {
    std::stringstream all;
    all << std::ifstream(file(), std::ios::binary).rdbuf();
    return all.str();
  }
  void overwrite(const std::string& with) const { std::ofstream(file(), std::ios::binary) << with; }

  std::filesystem::path directory_;
  std::string key_ = blake3_hex("a kernel");
  std::string payload_ = std::string(
                             "\x7f"
                             "ELF\0\n\n",
                             7) +
                         std::string(1000, 'x');
};

TEST_F(Cache, KeepsBytes) {
  EXPECT_FALSE(read_cached(key_, "o"));
  write_cached(key_, "o", payload_);
  EXPECT_EQ(read_cached(key_, "o"), payload_);
  EXPECT_FALSE(read_cached(key_, "plan"));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(file().parent_path()), {}), 1);  // no temporary left
}

TEST_F(Cache, DeletesDamagedFiles) {
  write_cached(key_, "o", payload_);
  const std::string whole = bytes();
  for (size_t at : {size_t{0}, size_t{20}, whole.size() / 2, whole.size() - 1}) {
    std::string broken = whole;
    broken[at] ^= 1;
    overwrite(broken);
    EXPECT_FALSE(read_cached(key_, "o")) << at;
    EXPECT_FALSE(std::filesystem::exists(file())) << at;
  }
  for (size_t length : {size_t{0}, size_t{5}, size_t{90}, whole.size() - 1}) {
    overwrite(whole.substr(0, length));
    EXPECT_FALSE(read_cached(key_, "o")) << length;
    EXPECT_FALSE(std::filesystem::exists(file())) << length;
  }
  overwrite(whole + "more");
  EXPECT_FALSE(read_cached(key_, "o"));
  write_cached(key_, "o", payload_);
  EXPECT_EQ(read_cached(key_, "o"), payload_);
}

TEST_F(Cache, RefusesAFileUnderAnotherName) {
  write_cached(key_, "o", payload_);
  std::string other = blake3_hex("another kernel");
  auto place = directory_ / other.substr(0, 2);
  std::filesystem::create_directories(place);
  std::filesystem::copy_file(file(), place / (other + ".o"));
  EXPECT_FALSE(read_cached(other, "o"));
}

TEST_F(Cache, IsOffAtZero) {
  setenv("TESSERA_CACHE_DIR", "0", 1);
  write_cached(key_, "o", payload_);
  EXPECT_FALSE(read_cached(key_, "o"));
}

TEST_F(Cache, RefusesADirectoryThatOthersMayWrite) {
  write_cached(key_, "o", payload_);
  EXPECT_EQ(cache_refusal(), "");
  using std::filesystem::perms;
  for (perms others : {perms::group_write, perms::others_write}) {
    std::filesystem::permissions(directory_, perms::owner_all | others);
    EXPECT_FALSE(read_cached(key_, "o"));
    EXPECT_NE(cache_refusal().find("may be written by others"), std::string::npos);
    write_cached(blake3_hex("more"), "o", payload_);
    EXPECT_EQ(cached_files().size(), 1u);
  }
}

TEST_F(Cache, RemovesWhatWasUsedLongestAgo) {
  std::vector<std::string> keys;
  for (int k = 0; k < 10; ++k) {
    keys.push_back(blake3_hex("kernel " + std::to_string(k)));
    write_cached(keys.back(), "o", payload_);
  }
  EXPECT_TRUE(read_cached(keys[0], "o"));  // used again: the oldest is now the second
  const int64_t each = cached_files().front().bytes;
  EXPECT_EQ(trim_cache(10 * each, true), 0);
  EXPECT_EQ(trim_cache(10 * each - 1, true), 2 * each);  // nine tenths of the limit hold eight files
  EXPECT_TRUE(read_cached(keys[0], "o"));
  EXPECT_FALSE(read_cached(keys[1], "o"));
  EXPECT_FALSE(read_cached(keys[2], "o"));
  EXPECT_TRUE(read_cached(keys[3], "o"));
  EXPECT_EQ(trim_cache(0, true), 8 * each);
  EXPECT_TRUE(cached_files().empty());
}

// Writers, readers and a process that removes files, all at once: whatever is read is right.
TEST_F(Cache, ServesManyProcesses) {
  constexpr int processes = 6, keys = 8, rounds = 150;
  auto payload_of = [](int k) { return std::string(static_cast<size_t>(3000 + 701 * k), static_cast<char>('a' + k)); };
  std::vector<pid_t> children;
  for (int p = 0; p < processes; ++p) {
    pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child > 0) {
      children.push_back(child);
      continue;
    }
    int wrong = 0;
    for (int r = 0; r < rounds; ++r) {
      int k = (r * 5 + p) % keys;
      std::string key = blake3_hex("shared " + std::to_string(k));
      if (auto found = read_cached(key, "o")) wrong += *found != payload_of(k);
      else write_cached(key, "o", payload_of(k));
      if (r % 10 == p) trim_cache(r % 20 == p ? 0 : 20'000, /*wait=*/r % 3 == 0);
    }
    _exit(wrong == 0 ? 0 : 1);
  }
  for (pid_t child : children) {
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  }
}

TEST(Keys, NameTheLibrary) {
  EXPECT_GE(library_build_id().size(), 5u);
  EXPECT_EQ(blake3_hex("").size(), 64u);
}

}  // namespace
}  // namespace tessera::codegen
