// What a run keeps about the planes of its program: data for programs, `explain` for people.

#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <tessera/autograd/grad.h>
#include <tessera/core/compile.h>

namespace tessera::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

struct Found {
  std::vector<json> all;
  std::string explain;

  std::vector<json> named(const std::string& name) const {
    std::vector<json> some;
    for (const json& remark : all)
      if (remark.at("name") == name) some.push_back(remark);
    return some;
  }
};

template <class F> Found remarks(F f, int64_t rows = 64) {
  auto step = compile(f, {.name = "step"});
  step(ones({2, rows, 16}), ones({2, 96, 16}), ones({2, 96, 8}));
  Found found{.explain = step.text("explain")};
  std::istringstream lines(step.text("remarks.jsonl"));
  for (std::string line; std::getline(lines, line);) found.all.push_back(json::parse(line));
  return found;
}

Tensor weights(const Tensor& q, const Tensor& k) { return softmax(einsum("bmd,bnd->bmn", q, k), -1); }

TEST(Remarks, NameEveryDerivedKernelAndTheIdentitiesBehindIt) {
  const Found found = remarks([](Tensor q, Tensor k, Tensor v) {
    ScopeGuard scope("attn", Loc::here());
    Tensor o = einsum("bmn,bne->bme", weights(q, k), v);
    return grad(sum(o * o), {q, k, v});
  });
  const std::vector<json> cascades = found.named("cascade");
  ASSERT_EQ(cascades.size(), 3u);
  for (const json& cascade : cascades) {
    EXPECT_EQ(cascade.at("category"), "plane");
    EXPECT_EQ(cascade.at("missed"), false);
    EXPECT_EQ(cascade.at("module"), "attn");
    EXPECT_THAT(cascade.at("at").get<std::string>(), HasSubstr("remarks_test.cpp:"));
    EXPECT_GT(cascade.at("ops").size(), 2u);
  }
  EXPECT_THAT(cascades[0].at("text").get<std::string>(), HasSubstr("sweep 0 over its rows"));
  EXPECT_THAT(cascades[0].at("text").get<std::string>(), HasSubstr("move sums when a maximum grows"));
  EXPECT_THAT(cascades[1].at("text").get<std::string>(), HasSubstr("sweep 1 over its rows"));
  EXPECT_THAT(cascades[2].at("text").get<std::string>(), HasSubstr("sweep 1 over its columns"));
  EXPECT_EQ(found.named("trilinear").size(), 1u);
  EXPECT_THAT(found.explain, HasSubstr("planes: 3 kernels derived, 0 things missed"));
  EXPECT_THAT(found.explain, HasSubstr("1 × Σ A·(B C) becomes Σ B·(A C)"));
}

TEST(Remarks, SayWhatAMissedPlaneCosts) {
  const Found found = remarks(
      [](Tensor q, Tensor k, Tensor v) {
        Tensor o = einsum("bmn,bne->bme", weights(q, k), v);
        return grad(sum(o * o), {q, k, v});
      },
      4);
  const std::vector<json> planes = found.named("plane");
  ASSERT_FALSE(planes.empty());  // one for each contraction that one could grow from
  EXPECT_EQ(planes[0].at("missed"), true);
  EXPECT_THAT(planes[0].at("reason").get<std::string>(), HasSubstr("only a few rows"));
  EXPECT_THAT(planes[0].at("hint").get<std::string>(), HasSubstr("at least 8"));
  EXPECT_THAT(found.explain, HasSubstr("the plane lies in memory, 3072 bytes a value"));
}

// Queries of which the first columns are scaled, and others not: where the cut leaves no equal parts, no kernel reads both.
TEST(Remarks, NameAnOperandWhosePartsAreUnlike) {
  int line = 0;
  auto program = [&](int64_t cut) {
    return remarks([&line, cut](Tensor q, Tensor k, Tensor v) {
      line = __LINE__ + 1;
      Tensor joined = concat({slice(q, 2, {0, cut}) * 2, slice(q, 2, {cut, 16})}, 2);
      return einsum("bmn,bne->bme", weights(joined, k), v);
    });
  };
  const std::vector<json> missed = program(3).named("prologue");
  ASSERT_EQ(missed.size(), 1u);
  EXPECT_EQ(missed[0].at("missed"), true);
  EXPECT_THAT(missed[0].at("at").get<std::string>(), HasSubstr("remarks_test.cpp:" + std::to_string(line)));
  EXPECT_THAT(missed[0].at("reason").get<std::string>(), HasSubstr("no common extent that makes at most 8 parts"));
  EXPECT_THAT(missed[0].at("text").get<std::string>(), HasSubstr("lies in memory, 8192 bytes"));
  const std::vector<json> passed = program(4).named("prologue");
  ASSERT_EQ(passed.size(), 1u);
  EXPECT_EQ(passed[0].at("missed"), false);
}

}  // namespace
}  // namespace tessera::testing
