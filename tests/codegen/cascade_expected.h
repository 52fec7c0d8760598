#pragma once
// Attention by definition, in f64, and cascades compared with it.

#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "tests/codegen/cascade_program.h"

namespace tessera::test {

using Doubles = std::vector<double>;
constexpr double infinity = std::numeric_limits<double>::infinity();

std::vector<float> noise(int64_t n, uint32_t seed, float scale = 1);
std::vector<float> floats(const Doubles& x);

template <class T> BufferPtr buffer(const std::vector<T>& values) {
  auto made = std::make_shared<Buffer>(values.size() * sizeof(T));
  std::memcpy(made->data(), values.data(), values.size() * sizeof(T));
  return made;
}
template <class T> std::vector<T> values(const BufferPtr& from) {
  return std::vector<T>(from->as<T>(), from->as<T>() + from->bytes() / sizeof(T));
}

void expect_close(const std::vector<float>& got, const Doubles& want, double tolerance, const std::string& what);
// Runs on 1, 2, 3 and 8 threads, and wants the same bits from each.
std::vector<BufferPtr> run_on_threads(CascadeProgram& program, const std::vector<BufferPtr>& arguments);

struct Inputs {
  std::vector<float> q, k, v, dy;
  explicit Inputs(const AttentionShape& s, float sharpness = 1);
};

using Mask = std::function<bool(int64_t row, int64_t column)>;

struct Expected {
  Doubles o, lse, delta, dq, dk, dv;
  Doubles dbias;  // of scores, summed over batches
  Expected(const AttentionShape& s, const Inputs& in, const Mask& mask);
};

// `lines`, as attention() takes them, say what `mask` says; of the plane by rows and by columns.
void check_forward(const AttentionShape& s, const std::string& lines = "", const Mask& mask = nullptr);
void check_backward(const AttentionShape& s, const std::string& row_lines = "", const std::string& column_lines = "",
                    const Mask& mask = nullptr);

}  // namespace tessera::test
