// The same bits for any number of threads and in every run: all of the matrix of attention_test. The number of threads
// is one of the process, so this program runs itself: with --print it tells a fingerprint of each program's results.

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include <gtest/gtest.h>

#include <tessera/core/executor.h>
#include <tessera/core/hash.h>

#include "tests/planes/attention.h"

namespace tessera::testing {
namespace {

std::string self;

uint64_t fingerprint(Executable& compiled, const Program& program, const std::vector<NodePtr>& captured) {
  std::vector<BufferPtr> data;
  for (const NodePtr& node : captured) data.push_back(node->value);
  uint64_t all = 0;
  for (const BufferPtr& result : compiled.run(program, data))
    all = combine(all, hash_text({static_cast<const char*>(result->data()), result->bytes()}));
  return all;
}

// Those, and a few queries without gradients, whose stream is cut into parts.
std::vector<AttentionShape> shapes() {
  std::vector<AttentionShape> all = attention_shapes();
  for (int64_t rows : {1, 5}) all.push_back({1, 2, rows, 2600, 40});
  return all;
}

void print_fingerprints() {
  for (const std::string& variant : matrix_variants())
    for (const AttentionPrecision& precision : attention_precisions())
      for (const AttentionShape& shape : shapes()) {
        const AttentionProgram attention = attention_program(variant, shape, precision, 7);
        std::vector<NodePtr> outputs = {attention.out.node()}, captured;
        for (const Tensor& g : attention.gradients)
          if (shape.rows > 8) outputs.push_back(g.node());
        const Program program = flatten({}, outputs, /*lift_constants=*/false, &captured);
        const auto compiled = find_executor("jit")->compile(program);
        const uint64_t first = fingerprint(*compiled, program, captured);
        const bool again = fingerprint(*compiled, program, captured) == first;
        std::printf("%s %s %d x %d: %016llx%s\n", variant.c_str(), precision.name.c_str(), static_cast<int>(shape.rows),
                    static_cast<int>(shape.width), static_cast<unsigned long long>(first),
                    again ? "" : " and another in the second run");
      }
}

std::string printed(int threads) {
  std::string text;
  FILE* pipe = popen(("TESSERA_THREADS=" + std::to_string(threads) + " '" + self + "' --print").c_str(), "r");
  std::array<char, 4096> piece;
  while (size_t count = pipe ? fread(piece.data(), 1, piece.size(), pipe) : 0) text.append(piece.data(), count);
  EXPECT_TRUE(pipe && pclose(pipe) == 0);
  return text;
}

TEST(AttentionBits, DependOnNeitherThreadsNorRuns) {
  const std::string one = printed(1);
  const auto lines = static_cast<size_t>(std::count(one.begin(), one.end(), '\n'));
  EXPECT_EQ(lines, matrix_variants().size() * attention_precisions().size() * shapes().size());
  EXPECT_EQ(one.find("another"), std::string::npos) << one;
  for (int threads : {2, 3, 8}) EXPECT_EQ(printed(threads), one) << threads << " threads";
}

}  // namespace
}  // namespace tessera::testing

int main(int argc, char** argv) {
  tessera::testing::self = argv[0];
  if (argc > 1 && std::strcmp(argv[1], "--print") == 0) {
    tessera::testing::print_fingerprints();
    return 0;
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
