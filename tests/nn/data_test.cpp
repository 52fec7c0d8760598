#include <algorithm>

#include <zlib.h>

#include <gmock/gmock.h>

#include <tessera/core/error.h>
#include <tessera/nn/data/images.h>
#include <tessera/nn/data/loader.h>
#include <tessera/nn/data/text.h>
#include <tessera/nn/io/file.h>

#include "tests/nn/near.h"
#include "tests/nn/temporary_folder.h"

namespace tessera::data {
namespace {

using tessera::testing::expect_near;
using tessera::testing::TemporaryFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Numbers {
  int64_t count;
  int64_t size() const { return count; }
  std::vector<int64_t> batch(std::span<const int64_t> indices) const { return {indices.begin(), indices.end()}; }
};

std::vector<int64_t> epoch(Loader<Numbers>& loader) {
  std::vector<int64_t> out;
  for (auto& batch : loader) out.insert(out.end(), batch.begin(), batch.end());
  return out;
}

TEST(Loader, VisitsEachItemOnceAnEpoch) {
  Numbers numbers{10};
  Loader loader(numbers, {.batch = 3, .seed = 5});
  EXPECT_EQ(loader.batches(), 4);
  std::vector<int64_t> first = epoch(loader), second = epoch(loader);
  EXPECT_NE(first, second);
  for (auto order : {first, second}) {
    std::ranges::sort(order);
    EXPECT_THAT(order, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
  }
  Loader same(numbers, {.batch = 5, .seed = 5}), other(numbers, {.batch = 5, .seed = 6});
  EXPECT_EQ(epoch(same), first) << "the order does not depend on the batch size";
  EXPECT_NE(epoch(other), first);

  Loader whole(numbers, {.batch = 3, .shuffle = false, .drop_last = true});
  EXPECT_THAT(epoch(whole), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8));
  EXPECT_THROW(Loader(numbers, {.batch = 11, .drop_last = true}), ValueError);
  EXPECT_THROW(Loader(numbers, {.batch = 0}), ValueError);
}

TEST(Loader, ResumesAtAnyBatch) {
  Numbers numbers{10};
  Loader loader(numbers, {.batch = 3, .seed = 1});
  std::vector<std::vector<int64_t>> stream;
  std::vector<LoaderState> states{loader.state()};
  for (int i = 0; i < 11; ++i) stream.push_back(loader.next()), states.push_back(loader.state());
  for (size_t i = 0; i < stream.size(); ++i) {
    Loader resumed(numbers, {.batch = 3, .seed = 1});
    resumed.restore(states[i]);
    for (size_t j = i; j < stream.size(); ++j) EXPECT_EQ(resumed.next(), stream[j]) << i << " " << j;
  }
  loader.restore({2, 3});
  EXPECT_EQ(epoch(loader).size(), 1u) << "what is left of the epoch";
  loader.restore({2, 4});
  EXPECT_EQ(epoch(loader).size(), 10u);
  EXPECT_THROW(loader.restore({0, 5}), ValueError);
  EXPECT_THROW(loader.restore({-1, 0}), ValueError);
}

std::string idx(std::vector<uint8_t> header, size_t data) {
  std::string out(header.begin(), header.end());
  for (size_t i = 0; i < data; ++i) out += static_cast<char>(i);
  return out;
}
std::string gzip(const TemporaryFolder& folder, const std::string& content) {
  std::string path = folder / "packed";
  gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, content.data(), static_cast<unsigned>(content.size()));
  gzclose(file);
  std::ifstream packed(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(packed), {}};
}
const std::vector<uint8_t> two_by_three{0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3};

TEST(Idx, ReadsPlainAndPackedFiles) {
  TemporaryFolder folder;
  const std::string plain = idx(two_by_three, 6);
  for (const std::string& content : {plain, gzip(folder, plain)}) {
    Idx read = read_idx(folder.put("file", content));
    EXPECT_EQ(read.shape, Shape({2, 3}));
    EXPECT_THAT(read.bytes, ElementsAre(0, 1, 2, 3, 4, 5));
  }
}

TEST(Idx, RefusesAFileCutAnywhere) {
  TemporaryFolder folder;
  const std::string plain = idx(two_by_three, 6), packed = gzip(folder, plain);
  for (const std::string& whole : {plain, packed})
    for (size_t size = 0; size < whole.size(); ++size)
      EXPECT_THROW(read_idx(folder.put("cut", whole.substr(0, size))), FileError) << size;
}

TEST(Idx, RefusesWhatCannotBe) {
  TemporaryFolder folder;
  for (const std::string& hostile :
       {idx({1, 0, 8, 1, 0, 0, 0, 1}, 1), idx({0, 0, 13, 1, 0, 0, 0, 1}, 4), idx({0, 0, 8, 0}, 0),
        idx({0, 0, 8, 9, 0, 0, 0, 1}, 40), idx({0, 0, 8, 1, 0, 0, 0, 0}, 0), idx(two_by_three, 7),
        idx({0, 0, 8, 2, 255, 255, 255, 255, 255, 255, 255, 255}, 9), idx({0, 0, 8, 1, 255, 255, 255, 255}, 9)})
    EXPECT_THROW(read_idx(folder.put("hostile", hostile)), FileError);
  std::string damaged = gzip(folder, idx(two_by_three, 6));
  damaged[damaged.size() - 6] = static_cast<char>(damaged[damaged.size() - 6] ^ 1);  // of the checksum
  EXPECT_THROW(read_idx(folder.put("damaged", damaged)), FileError);
  EXPECT_THROW(read_idx(folder / "absent"), FileError);
  EXPECT_THROW(read_idx(folder / "."), FileError);
}

TEST(ImageSet, ScalesPixelsAndChecksLabels) {
  TemporaryFolder folder;
  std::string images = folder.put("images", idx({0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2}, 6));
  std::string labels = folder.put("labels", idx({0, 0, 8, 1, 0, 0, 0, 3}, 3));
  ImageSet set(images, labels, 3);
  auto [x, y] = set.batch(std::vector<int64_t>{2, 0});
  EXPECT_EQ(x.shape(), Shape({2, 1, 1, 2}));
  expect_near(x, {4 / 255.0, 5 / 255.0, 0, 1 / 255.0});
  expect_near(y, {2, 0});
  EXPECT_THROW(ImageSet(images, labels, 2), FileError);
  EXPECT_THROW(ImageSet(labels, images, 3), FileError);
  EXPECT_THROW(fashion_mnist(Split::train, folder / "absent"), FileError);
}

TEST(FashionMnist, IsThereWhenItsPackageIs) {
  if (!std::filesystem::exists(fashion_mnist_folder)) GTEST_SKIP() << "install dataset-fashion-mnist";
  ImageSet set = fashion_mnist(Split::test);
  EXPECT_EQ(set.size(), 10000);
  auto [x, y] = set.first(4);
  EXPECT_EQ(x.shape(), Shape({4, 1, 28, 28}));
  expect_near(y, {9, 2, 1, 1});
}

TEST(TextSet, CutsWindowsAndShiftsTargets) {
  TextSet set("abcdefgh", 3);
  EXPECT_EQ(set.size(), 2);  // the third window would lack its last target
  auto [x, y] = set.batch(std::vector<int64_t>{1, 0});
  expect_near(x, {'d', 'e', 'f', 'a', 'b', 'c'});
  expect_near(y, {'e', 'f', 'g', 'b', 'c', 'd'});
  EXPECT_EQ(TextSet("abcdefgh", 3, 1).size(), 5);
  EXPECT_EQ(TextSet("\xc3\xa4", 1).batch(std::vector<int64_t>{0}).tokens.item<int32_t>(), 0xc3);
  EXPECT_THROW(TextSet("abc", 3), ValueError);
  EXPECT_EQ(split("one\ntwo\nthree\n", 0.4).first, "one\ntwo\n");
}

TEST(KingJames, IsWholeWhenItsPackageIsThere) {
  if (!std::filesystem::exists("/usr/bin/bible")) GTEST_SKIP() << "install bible-kjv";
  std::string text = king_james();
  EXPECT_EQ(std::ranges::count(text, '\n'), 31102);
  EXPECT_TRUE(text.starts_with("Ge1:1 In the beginning"));
}

TEST(Text, RefusesWhatIsNoText) {
  TemporaryFolder folder;
  auto reason = [&](const std::string& content) {
    const std::string path = folder / "text.txt";
    io::write_file(path, content);
    try {
      read_text(path);
    } catch (const FileError& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  EXPECT_EQ(reason("plain\n"), "no error");
  EXPECT_EQ(reason("caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x99\x82\n"), "no error");  // two, three and four bytes
  EXPECT_THAT(reason(""), HasSubstr("is empty"));
  EXPECT_THAT(reason("caf\xE9 au lait"), HasSubstr("is not UTF-8 text: see byte 3"));      // Latin-1
  EXPECT_THAT(reason("a euro: \xE2\x82"), HasSubstr("it is cut off within a character"));  // truncated
  EXPECT_THAT(reason(std::string("\x7F"
                                 "ELF\0\1",
                                 6)),
              HasSubstr("is not UTF-8 text: see byte 4"));           // a program
  EXPECT_THAT(reason("\xC0\xAF"), HasSubstr("see byte 0"));          // longer than needed
  EXPECT_THAT(reason("ab\xED\xA0\x80"), HasSubstr("see byte 2"));    // a surrogate
  EXPECT_THAT(reason("\xF4\x90\x80\x80"), HasSubstr("see byte 0"));  // above U+10FFFF
}

}  // namespace
}  // namespace tessera::data
