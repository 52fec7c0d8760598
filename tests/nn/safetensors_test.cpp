#include <tessera/nn/io/safetensors.h>

#include <gmock/gmock.h>

#include <sys/stat.h>

#include <filesystem>

#include <tessera/core/error.h>
#include <tessera/core/ops.h>
#include <tessera/nn/io/file.h>
#include <tessera/nn/io/weights.h>
#include <tessera/nn/layers/linear.h>
#include <tessera/nn/layers/norm.h>

#include "tests/nn/near.h"
#include "tests/nn/temporary_folder.h"

namespace tessera::io {
namespace {

using tessera::testing::expect_near;
using tessera::testing::ramp;
using tessera::testing::TemporaryFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string file_of(const std::string& header, const std::string& data) {
  std::string out(8, '\0');
  for (size_t i = 0; i < 8; ++i) out[i] = static_cast<char>(header.size() >> (8 * i));
  return out + header + data;
}

TEST(Safetensors, RoundTripsEveryDtype) {
  TemporaryFolder folder;
  std::vector<std::pair<std::string, Tensor>> tensors{{"empty", zeros({0, 3})}, {"scalar", scalar(2.5)}};
  for (DType dtype : all_dtypes) tensors.emplace_back(std::string(name(dtype)), cast(ramp({2, 3}), dtype));
  save_safetensors(folder / "all.safetensors", tensors, {{"format", "pt"}, {"note", "ä\"\n"}});

  SafetensorsFile file(folder / "all.safetensors");
  EXPECT_EQ(file.entries().size(), tensors.size());
  EXPECT_EQ(file.metadata().at("note"), "ä\"\n");
  for (auto& [name, value] : tensors) {
    Tensor read = file.read(name);
    EXPECT_EQ(read.dtype(), value.dtype()) << name;
    EXPECT_EQ(read.shape(), value.shape()) << name;
    EXPECT_EQ(read.to_vector<double>(), value.to_vector<double>()) << name;
  }
  EXPECT_THROW(file.read("absent"), FileError);
  EXPECT_THROW(save_safetensors(folder / "x", {{"a", scalar(1.0)}, {"a", scalar(1.0)}}), ValueError);
  EXPECT_FALSE(std::filesystem::exists(folder / "x"));
}

// A rename would put a file in the place of a device, or of whatever else is there.
TEST(Safetensors, IsWrittenInThePlaceOfAFileOrOfNothing) {
  TemporaryFolder folder;
  auto message_of = [](const std::string& path) -> std::string {
    try {
      save_safetensors(path, {{"a", ramp({2})}});
    } catch (const FileError& error) {
      return error.text().fault;
    }
    return "";
  };
  ASSERT_EQ(mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(message_of(folder / "pipe"), (folder / "pipe") + ": not a regular file");
  EXPECT_TRUE(std::filesystem::is_fifo(folder / "pipe"));
  EXPECT_EQ(message_of(folder / "no/where"), (folder / "no/where") + ": there is no folder " + (folder / "no"));
  EXPECT_EQ(message_of(folder / "file"), "");
  EXPECT_EQ(message_of(folder / "file"), "");
}

TEST(Safetensors, RefusesAFileCutAnywhere) {
  TemporaryFolder folder;
  save_safetensors(folder / "whole", {{"a", ramp({2, 2})}, {"b", cast(ramp({3}), i64)}});
  const std::string whole = read_file(folder / "whole");
  for (size_t size = 0; size < whole.size(); ++size)
    EXPECT_THROW(SafetensorsFile(folder.put("cut", whole.substr(0, size))), FileError) << size;
  EXPECT_THROW(SafetensorsFile(folder.put("cut", whole + '\0')), FileError);
  EXPECT_NO_THROW(SafetensorsFile(folder.put("cut", whole)));
}

// No flipped byte of the header may do worse than another tensor or a FileError.
TEST(Safetensors, SurvivesEveryFlippedByte) {
  TemporaryFolder folder;
  save_safetensors(folder / "whole", {{"a", ramp({2, 2})}});
  const std::string whole = read_file(folder / "whole");
  for (size_t at = 0; at < whole.size() - 16; ++at)
    for (int flip : {0x01, 0x10, 0x80, 0xff}) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ flip);
      try {
        SafetensorsFile file(folder.put("damaged", damaged));
        for (const SafetensorsEntry& entry : file.entries()) file.read(entry);
      } catch (const FileError&) {
      }
    }
}

struct Hostile {
  const char *header, *reason;
};
class HostileHeader : public ::testing::TestWithParam<Hostile> {};
TEST_P(HostileHeader, EndsInAFileErrorThatSaysWhy) {
  TemporaryFolder folder;
  try {
    SafetensorsFile file(folder.put("hostile", file_of(GetParam().header, std::string(16, 'x'))));
    FAIL() << GetParam().header;
  } catch (const FileError& error) {
    EXPECT_THAT(error.what(), HasSubstr(GetParam().reason)) << GetParam().header;
    EXPECT_THAT(error.what(), HasSubstr("hostile"));
  }
}
INSTANTIATE_TEST_SUITE_P(
    Safetensors, HostileHeader,
    ::testing::Values(
        Hostile{"", "begin"}, Hostile{"[]", "begin"}, Hostile{" {}", "begin"}, Hostile{"{", "JSON"},
        Hostile{"{} x", "JSON"}, Hostile{"{\"\xff\": 1}", "JSON"}, Hostile{"{}", "16 bytes after"},
        Hostile{R"({"a": 1})", "not an object"}, Hostile{R"({"a": {}})", "no dtype"},
        Hostile{R"({"a": {"dtype": "F32", "shape": [4]}})", "no data_offsets"},
        Hostile{R"({"a": {"dtype": 7, "shape": [4], "data_offsets": [0, 16]}})", "not a string"},
        Hostile{R"({"a": {"dtype": "F31", "shape": [4], "data_offsets": [0, 16]}})", "F31"},
        Hostile{R"({"a": {"dtype": "F32", "shape": 4, "data_offsets": [0, 16]}})", "shape"},
        Hostile{R"({"a": {"dtype": "F32", "shape": [-4], "data_offsets": [0, 16]}})", "extent"},
        Hostile{R"({"a": {"dtype": "F32", "shape": [4.0], "data_offsets": [0, 16]}})", "extent"},
        Hostile{R"({"a": {"dtype": "F32", "shape": [18446744073709551615], "data_offsets": [0, 16]}})", "extent"},
        Hostile{R"({"a": {"dtype": "F32", "shape": [4611686018427387908, 4], "data_offsets": [0, 16]}})", "overflow"},
        Hostile{R"({"a": {"dtype": "F32", "shape": [4611686018427387904, 4, 0], "data_offsets": [0, 0]}})", "overflow"},
        Hostile{R"({"a": {"dtype": "F32", "shape": [1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,4], "data_offsets": [0, 16]}})",
                "at most 16"},
        Hostile{R"({"a": {"dtype": "F32", "shape": [4], "data_offsets": [0]}})", "data_offsets"},
        Hostile{R"({"a": {"dtype": "F32", "shape": [4], "data_offsets": [-1, 15]}})", "data_offsets"},
        Hostile{R"({"a": {"dtype": "F32", "shape": [4], "data_offsets": ["0", "16"]}})", "data_offsets"},
        Hostile{R"({"a": {"dtype": "F32", "shape": [4], "data_offsets": [16, 0]}})", "before it begins"},
        Hostile{R"({"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 17]}})", "truncated"},
        Hostile{R"({"a": {"dtype": "F32", "shape": [4], "data_offsets": [8, 18446744073709551615]}})", "truncated"},
        Hostile{R"({"a": {"dtype": "F32", "shape": [3], "data_offsets": [0, 16]}})", "need 12"},
        Hostile{R"({"a": {"dtype": "F32", "shape": [2], "data_offsets": [8, 16]}})", "belong to no tensor"},
        Hostile{R"({"a": {"dtype": "F32", "shape": [3], "data_offsets": [0, 12]}})", "after the last"},
        Hostile{
            R"({"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}, "b": {"dtype": "F32", "shape": [2], "data_offsets": [8, 16]}})",
            "overlaps"},
        Hostile{
            R"({"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}, "a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}})",
            "twice"},
        Hostile{R"({"a": {"dtype": "F32", "dtype": "I32", "shape": [4], "data_offsets": [0, 16]}})", "twice"},
        Hostile{R"({"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16], "code": 1}})", "code"},
        Hostile{R"({"__metadata__": [], "a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}})",
                "__metadata__"},
        Hostile{R"({"__metadata__": {"k": 1}, "a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}})",
                "__metadata__"},
        Hostile{R"({"a": {"dtype": "F32", "shape": [[[[[[4]]]]]], "data_offsets": [0, 16]}})", "nested"}));

TEST(Safetensors, RefusesHeadersThatCannotBe) {
  TemporaryFolder folder;
  std::string huge(8, '\xff');
  EXPECT_THROW(SafetensorsFile(folder.put("huge", huge + "{}")), FileError);
  EXPECT_THROW(SafetensorsFile(folder.put("long", std::string("\x00\x00\x00\x01\x00\x00\x00\x00{}", 10))), FileError);
  EXPECT_THROW(SafetensorsFile(folder.put("deep", file_of("{\"a\":" + std::string(100000, '['), ""))), FileError);
  EXPECT_THROW(SafetensorsFile(folder / "absent"), FileError);
  EXPECT_THROW(SafetensorsFile(folder / "."), FileError);
}

struct Net : nn::Module<Net> {
  nn::Linear fc{this, "fc", {3, 2}};
  nn::BatchNorm norm{this, "norm", {2}};
  nn::Buffer scratch{this, "scratch", zeros({5}), false};
};

TEST(Weights, RoundTripUnderTheirNames) {
  TemporaryFolder folder;
  seed(1);
  Net saved;
  seed(2);
  Net loaded;
  seed(0);
  saved.norm.running_mean.assign(tensor<float>({3, 4}));
  save(saved, folder / "net.safetensors");
  LoadReport report = load(loaded, folder / "net.safetensors");
  EXPECT_EQ(report.loaded, 7);
  EXPECT_TRUE(report.cast.empty());
  EXPECT_EQ(saved.fc.weight.value().to_vector<float>(), loaded.fc.weight.value().to_vector<float>());
  expect_near(loaded.norm.running_mean, {3, 4});
  EXPECT_EQ(SafetensorsFile(folder / "net.safetensors").find("scratch"), nullptr);
}

TEST(Weights, ReportsWhatDoesNotMatch) {
  TemporaryFolder folder;
  nn::Linear fc{nullptr, "fc", {2, 1}};
  fc.weight.assign(tensor<float>({5, 6}, {1, 2}));
  save_safetensors(folder / "other",
                   {{"model.weight", cast(tensor<float>({1, 2}, {1, 2}), bf16)}, {"extra", scalar(1.0)}});
  auto rename = [](const std::string& name) { return name.starts_with("model.") ? name.substr(6) : name; };
  EXPECT_THROW(load(fc, folder / "other", {.rename = rename}), FileError);
  expect_near(fc.weight, {5, 6});  // nothing was assigned
  LoadReport report = load(fc, folder / "other", {.rename = rename, .strict = false});
  EXPECT_THAT(report.missing, ElementsAre("bias"));
  EXPECT_THAT(report.unexpected, ElementsAre("extra"));
  EXPECT_THAT(report.cast, ElementsAre("weight"));
  expect_near(fc.weight, {1, 2});

  save_safetensors(folder / "wide", {{"weight", zeros({1, 3})}, {"bias", zeros({1})}});
  EXPECT_THROW(load(fc, folder / "wide"), ShapeError);
}

}  // namespace
}  // namespace tessera::io
