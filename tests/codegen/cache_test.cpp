// The disk cache: what it keeps, and what becomes of damaged files.

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

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
  std::filesystem::permissions(directory_, std::filesystem::perms::all);
  EXPECT_FALSE(read_cached(key_, "o"));
}

TEST(Keys, NameTheLibrary) {
  EXPECT_GE(library_build_id().size(), 5u);
  EXPECT_EQ(blake3_hex("").size(), 64u);
}

}  // namespace
}  // namespace tessera::codegen
