// Programs that several threads run, and tasks that throw.

#include <atomic>
#include <stdexcept>
#include <thread>

#include <gtest/gtest.h>

#include <tessera/codegen/cpu/runtime/thread_pool.h>
#include <tessera/core/executor.h>
#include <tessera/core/ops.h>

namespace tessera {
namespace {

// Expressions that are equal but for their numbers are one program, which has one arena.
TEST(Threads, MayEvaluateEqualExpressions) {
  UseExecutor jit{*find_executor("jit")};
  auto value = [](const Tensor& c) {
    Tensor x = iota({256, 256}, 1, f32) * c;
    Tensor y = matmul(x, x);
    return sum(matmul(matmul(y * c, x), x)).item<float>();
  };
  const Tensor a = scalar(1e-4F, f32), b = scalar(2e-4F, f32);
  const float of_a = value(a), of_b = value(b);
  std::atomic<int> wrong = 0;
  auto many = [&](const Tensor& c, float expected) {
    for (int k = 0; k < 200; ++k) wrong += value(c) != expected;
  };
  std::thread other([&] { many(a, of_a); });
  many(b, of_b);
  other.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Threads, TellWhatATaskThrew) {
  codegen::ThreadPool pool(3);
  for (int64_t tasks : {1, 100})
    EXPECT_THROW(pool.run(tasks,
                          [&](int64_t task, int) {
                            if (task == tasks - 1) throw std::runtime_error("task");
                          }),
                 std::runtime_error);
  std::atomic<int64_t> sum = 0;
  pool.run(100, [&](int64_t task, int) { sum += task; });
  EXPECT_EQ(sum, 4950);
}

}  // namespace
}  // namespace tessera
