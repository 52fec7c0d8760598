// The hand-written kernels on a GPU against plain loops in f64, within what their roundings allow. Around every tensor
// lie NaNs: what is read there, or written, shows.

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include <tessera/core/error.h>

#include "tests/codegen/cuda/launch.h"
#include "tests/codegen/cuda/values.h"

namespace tessera::cuda {
namespace {

constexpr size_t margin = 1 << 16;      // bytes of NaN behind each tensor
constexpr double half_ulp = 1.0 / 256;  // of bf16, relative

void on_all_cores(int count, const std::function<void(int)>& body) {
  const int workers = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  std::vector<std::thread> threads;
  for (int w = 0; w < workers; ++w)
    threads.emplace_back([=, &body] {
      for (int i = w; i < count; i += workers) body(i);
    });
  for (std::thread& t : threads) t.join();
}

// A tensor with NaNs behind it. Those must still be there when it is read back.
template <class T>
class Guarded {
 public:
  explicit Guarded(size_t count) : count_(count), memory_(count * sizeof(T) + margin) { memory_.fill(0xff); }
  explicit Guarded(const std::vector<T>& values) : Guarded(values.size()) {
    check(driver().copy_in(address(), values.data(), values.size() * sizeof(T)), "copy in");
  }
  Pointer address() const { return memory_.address(); }
  void poison() { memory_.fill(0xff); }
  std::vector<T> read() const {
    std::vector<unsigned char> bytes(memory_.bytes());
    memory_.copy_out(bytes.data());
    for (size_t i = count_ * sizeof(T); i < bytes.size(); ++i)
      if (bytes[i] != 0xff) {
        ADD_FAILURE() << "written " << i - count_ * sizeof(T) << " bytes behind the end";
        break;
      }
    std::vector<T> values(count_);
    std::memcpy(values.data(), bytes.data(), count_ * sizeof(T));
    return values;
  }

 private:
  size_t count_;
  Buffer memory_;
};

class CudaRun : public testing::Test {
 protected:
  void SetUp() override {
    try {
      if (use_device().architecture != "sm_90a") GTEST_SKIP() << "the device is no Hopper";
      compiler_version();
    } catch (const DeviceError& error) {
      GTEST_SKIP() << error.text().fault;
    }
  }
  static Kernel load(const std::string& name) {
    const std::string file = name + ".cu";
    return {compile_kernel(file, read_text(std::string(TESSERA_CUDA_KERNELS) + "/" + file), "sm_90a"), name};
  }
};

void check_gemm(const Kernel& kernel, Product size) {
  SCOPED_TRACE(fmt::format("{} x {} x {}", size.m, size.n, size.k));
  const auto m = static_cast<size_t>(size.m), n = static_cast<size_t>(size.n), k = static_cast<size_t>(size.k);
  const std::vector<uint16_t> a = normals(m * k, 1), b = normals(n * k, 2);
  Guarded<uint16_t> da(a), db(b), dd(m * n);
  auto run = prepare_gemm(kernel, da.address(), db.address(), dd.address(), size);
  run();
  wait_for_device();
  const std::vector<uint16_t> got = dd.read();
  std::vector<double> worst(m, 0);
  on_all_cores(size.m, [&](int row) {
    const auto i = static_cast<size_t>(row);
    for (size_t j = 0; j < n; ++j) {
      double sum = 0, size_of_sum = 0;
      for (size_t l = 0; l < k; ++l) {
        double term = static_cast<double>(widen(a[i * k + l])) * widen(b[j * k + l]);
        sum += term, size_of_sum += std::abs(term);
      }
      // The result's rounding, and one of f32 for each step of 16 that the tensor core adds.
      double allowed = half_ulp * std::abs(sum) + (static_cast<double>(k) / 16 + 16) * 0x1p-22 * size_of_sum;
      double error = std::abs(widen(got[i * n + j]) - sum) / allowed;
      worst[i] = std::isnan(error) ? INFINITY : std::max(worst[i], error);
    }
  });
  for (size_t i = 0; i < m; ++i)
    if (worst[i] > 1) {
      ADD_FAILURE() << "row " << i << " is off by " << worst[i] << " times what roundings allow";
      break;
    }
  for (int round = 0; round < 3; ++round) {
    dd.poison();
    run();
    wait_for_device();
    EXPECT_EQ(dd.read(), got) << "two runs differ";
  }
}

TEST_F(CudaRun, Gemm) {
  const Kernel kernel = load("gemm_bf16");
  for (Product size : {Product{128, 256, 64},
                       {256, 256, 64},
                       {256, 512, 256},
                       {1, 8, 8},
                       {7, 16, 72},
                       {127, 248, 64},
                       {129, 264, 128},
                       {257, 520, 200},
                       {333, 776, 1112},
                       {640, 1288, 328},
                       {2048, 2560, 192}})
    check_gemm(kernel, size);
}

void check_attention(const Kernel& kernel, bool causal, Sequences size) {
  SCOPED_TRACE(fmt::format("{} planes of {}", size.planes, size.length));
  const auto length = static_cast<size_t>(size.length), planes = static_cast<size_t>(size.planes);
  const size_t plane_size = length * 128;
  const std::vector<uint16_t> q = normals(planes * plane_size, 3), k = normals(planes * plane_size, 4),
                              v = normals(planes * plane_size, 5);
  Guarded<uint16_t> dq(q), dk(k), dv(v), out(planes * plane_size);
  Guarded<float> stats(planes * length);
  Guarded<int> counter(std::vector<int>{0});
  auto run = prepare_attention(kernel, dq.address(), dk.address(), dv.address(), out.address(), stats.address(),
                               counter.address(), size);
  run();
  wait_for_device();
  const std::vector<uint16_t> got = out.read();
  const std::vector<float> lse = stats.read();
  std::vector<double> worst(planes * length, 0), worst_lse(planes * length, 0);
  on_all_cores(static_cast<int>(planes * length), [&](int index) {
    const auto r = static_cast<size_t>(index);
    const size_t base = r / length * plane_size, m = r % length, end = causal ? m + 1 : length;
    std::vector<double> p(end);
    double top = -INFINITY, sum = 0;
    for (size_t n = 0; n < end; ++n) {
      double dot = 0;
      for (size_t d = 0; d < 128; ++d)
        dot += static_cast<double>(widen(q[base + m * 128 + d])) * widen(k[base + n * 128 + d]);
      p[n] = dot / std::sqrt(128.0);
      top = std::max(top, p[n]);
    }
    for (double& x : p) sum += x = std::exp(x - top);
    worst_lse[r] = std::abs(lse[r] - (top + std::log(sum))) / (0x1p-16 * (1 + std::abs(top)));
    for (size_t d = 0; d < 128; ++d) {
      double o = 0, size_of_o = 0;
      for (size_t n = 0; n < end; ++n) {
        double term = p[n] / sum * widen(v[base + n * 128 + d]);
        o += term, size_of_o += std::abs(term);
      }
      // p and the result are rounded to bf16; the rest is f32.
      double allowed = (half_ulp + 0x1p-14) * (std::abs(o) + size_of_o);
      double error = std::abs(widen(got[base + m * 128 + d]) - o) / allowed;
      worst[r] = std::isnan(error) ? INFINITY : std::max(worst[r], error);
    }
  });
  for (size_t r = 0; r < worst.size(); ++r)
    if (!(worst[r] <= 1) || !(worst_lse[r] <= 1)) {
      ADD_FAILURE() << "plane " << r / length << " row " << r % length << " is off by " << worst[r]
                    << " times what roundings allow, its lse by " << worst_lse[r];
      break;
    }
  for (int round = 0; round < 3; ++round) {
    out.poison(), stats.poison();
    run();
    wait_for_device();
    EXPECT_EQ(out.read(), got) << "two runs differ";
  }
  EXPECT_EQ(counter.read(), std::vector<int>{0});
}

const Sequences sequences[] = {{1, 128}, {3, 256}, {2, 1},   {2, 7},    {2, 64},
                               {2, 127}, {2, 129}, {1, 300}, {40, 513}, {5, 1024}};

TEST_F(CudaRun, AttentionCausal) {
  const Kernel kernel = load("attention_causal");
  for (Sequences size : sequences) check_attention(kernel, true, size);
}

TEST_F(CudaRun, AttentionFull) {
  const Kernel kernel = load("attention_full");
  for (Sequences size : sequences) check_attention(kernel, false, size);
}

}  // namespace
}  // namespace tessera::cuda
