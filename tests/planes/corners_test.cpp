// Where a user leaves the straight road: results stay those of the definition, and a remark says what it cost.

#include <cmath>
#include <limits>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <tessera/autograd/grad.h>
#include <tessera/core/compile.h>
#include <tessera/core/executor.h>

#include "tests/support/compare_executors.h"
#include "tests/support/host_data.h"

namespace tessera::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

constexpr double infinity = std::numeric_limits<double>::infinity();

struct Scene {
  Draw draw{5};
  std::vector<Tensor> in;

  void add(const Shape& shape, DType dtype = f32) { in.push_back(random_tensor(draw, dtype, shape, {-1, 1})); }
};

Tensor weights(const Tensor& q, const Tensor& k) {
  return softmax(einsum("bmd,bnd->bmn", q, k) * (1 / std::sqrt(static_cast<double>(q.size(-1)))), -1);
}
Tensor mixed(const Tensor& p, const Tensor& v) { return einsum("bmn,bne->bme", p, v); }

struct Found {
  std::vector<json> remarks;
  std::string fuse;

  std::vector<json> named(const std::string& name) const {
    std::vector<json> some;
    for (const json& remark : remarks)
      if (remark.at("name") == name) some.push_back(remark);
    return some;
  }
};

// Compares `body` with the reference and wants no NaN.
template <class Body> Found checked(Body body, const std::vector<Tensor>& in, double ulps) {
  auto tested = compile(body);
  const std::vector<Tensor> got = tested(in);
  UseExecutor reference(reference_executor());
  auto truth = compile(body);
  const std::vector<Tensor> expected = truth(in);
  for (size_t k = 0; k < got.size(); ++k) {
    EXPECT_EQ(difference(*got[k].buffer(), *expected[k].buffer(), got[k].dtype(), got[k].numel(), {ulps}), "") << k;
    int64_t no_numbers = 0;
    for (double x : got[k].template to_vector<double>()) no_numbers += std::isnan(x);
    EXPECT_EQ(no_numbers, 0) << k;
  }
  Found found{{}, tested.text("fuse")};
  std::istringstream lines(tested.text("remarks.jsonl"));
  for (std::string line; std::getline(lines, line);) found.remarks.push_back(json::parse(line));
  return found;
}

TEST(Corners, TheWeightsAreReadToo) {
  Scene scene;
  for (const Shape& shape : {Shape{2, 40, 16}, Shape{2, 56, 16}, Shape{2, 56, 24}}) scene.add(shape);
  const Found found = checked(
      [](std::vector<Tensor> in) {
        Tensor p = weights(in[0], in[1]), o = mixed(p, in[2]);
        std::vector<Tensor> all = grad(sum(o * o) + 0.1 * sum(p * p), in);
        all.push_back(o);
        all.push_back(p);
        return all;
      },
      scene.in, 256);
  EXPECT_GE(found.named("cascade").size(), 3u);
  const std::vector<json> taps = found.named("tap");
  ASSERT_EQ(taps.size(), 1u);
  EXPECT_THAT(taps[0].at("text").get<std::string>(), HasSubstr(std::to_string(2 * 40 * 56 * 4) + " bytes"));
  EXPECT_THAT(taps[0].at("reason").get<std::string>(), HasSubstr("the program returns it"));
}

TEST(Corners, RowsAreTooWideToFuse) {
  Scene scene;
  for (const Shape& shape : {Shape{2, 40, 300}, Shape{2, 56, 300}, Shape{2, 56, 24}}) scene.add(shape);
  const Found found = checked(
      [](std::vector<Tensor> in) {
        Tensor o = mixed(weights(in[0], in[1]), in[2]);
        std::vector<Tensor> all = grad(sum(o * o), in);
        all.push_back(o);
        return all;
      },
      scene.in, 256);
  EXPECT_THAT(found.fuse, HasSubstr("-> tensor<2x40x56xf32>"));
  const std::vector<json> planes = found.named("plane");
  ASSERT_FALSE(planes.empty());
  EXPECT_THAT(planes[0].at("text").get<std::string>(), HasSubstr(std::to_string(2 * 40 * 56 * 4) + " bytes"));
  EXPECT_THAT(planes[0].at("reason").get<std::string>(), HasSubstr("300 elements are too wide"));
}

// The gradient of what packs queries, keys and values: two cascades write three parts of it, of whole heads or of rows
// that a reshape cuts into heads. Nothing is copied.
TEST(Corners, GradientsOfPackedProjectionsAreWrittenInPlace) {
  for (bool by_head : {true, false}) {
    Scene scene;
    scene.add({2, 40, 3 * 4 * 16});
    scene.add({2, 40, 4, 16});
    auto packed = [by_head](std::vector<Tensor> in) {
      const Tensor heads = reshape(in[0], {2, 40, 12, 16});
      auto part = [&](int64_t i) {
        if (by_head) return slice(heads, 2, {4 * i, 4 * i + 4});
        return reshape(slice(in[0], 2, {64 * i, 64 * i + 64}), {2, 40, 4, 16});
      };
      Tensor p = softmax(einsum("bthd,bshd->bhts", part(0), part(1)) * 0.25, -1);
      return grad(sum(einsum("bhts,bshd->bthd", p, part(2)) * in[1]), std::vector<Tensor>{in[0]});
    };
    const Found found = checked([&](std::vector<Tensor> in) { return packed(in); }, scene.in, 256);
    EXPECT_EQ(found.named("cascade").size(), 3u);
    EXPECT_THAT(found.fuse, HasSubstr("of [0, -2]"));
    EXPECT_EQ(found.fuse.find("\"concat\""), std::string::npos) << found.fuse;
  }
}

// Each head of keys and values serves three of queries: read where it is, by whatever index says so, and its gradient is
// made by the kernel that makes the others. An index that says something else is followed.
TEST(Corners, GatheredHeadsAreReadInPlace) {
  const Tensor repeats = from_doubles({0, 0, 0, 1, 1, 1}, i32, {6}), other = from_doubles({0, 0, 1, 1, 1, 1}, i32, {6});
  for (const auto& [index, in_place] : {std::pair{floor_divide(arange(6), 3), true}, {repeats, true}, {other, false}}) {
    Scene scene;
    for (int64_t heads : {6, 2, 2}) scene.add({2, 40, heads, 16});
    const Found found = checked(
        [&](std::vector<Tensor> in) {
          const Tensor k = gather(in[1], index, 2), v = gather(in[2], index, 2);
          Tensor p = softmax(einsum("bthd,bshd->bhts", in[0], k) * 0.25, -1);
          Tensor o = einsum("bhts,bshd->bthd", p, v);
          std::vector<Tensor> all = grad(sum(o * o), in);
          all.push_back(o);
          return all;
        },
        scene.in, 256);
    EXPECT_EQ(found.named("cascade").size(), 3u);
    EXPECT_EQ(found.fuse.find("gather") == std::string::npos, in_place) << found.fuse;
    EXPECT_EQ(found.fuse.find("scatter") == std::string::npos, in_place) << found.fuse;
  }
}

// −∞ as data, in the type with the smallest range, with rows that see nothing: they give 0 and take no gradient.
TEST(Corners, AMaskOfInfinitiesInF16) {
  Scene scene;
  for (const Shape& shape : {Shape{2, 40, 16}, Shape{2, 200, 16}, Shape{2, 200, 24}}) scene.add(shape, f16);
  std::vector<double> mask;
  for (int64_t m = 0; m < 40; ++m)
    for (int64_t n = 0; n < 200; ++n) mask.push_back(m % 8 == 3 || n > 2 * m + 5 ? -infinity : 0);
  scene.in.push_back(from_doubles(mask, f16, {40, 200}));
  const Found found = checked(
      [](std::vector<Tensor> in) {
        Tensor s = einsum("bmd,bnd->bmn", in[0], in[1]) * 0.25 + in[3];
        Tensor o = mixed(softmax(s, -1), in[2]);
        std::vector<Tensor> all = grad(sum(o * o), {in[0], in[1], in[2]});
        all.push_back(o);
        return all;
      },
      scene.in, 16);
  EXPECT_EQ(found.named("cascade").size(), 3u);
  const std::vector<json> masks = found.named("mask");
  ASSERT_FALSE(masks.empty());
  EXPECT_THAT(masks[0].at("text").get<std::string>(), HasSubstr("as data say"));
}

}  // namespace
}  // namespace tessera::testing
