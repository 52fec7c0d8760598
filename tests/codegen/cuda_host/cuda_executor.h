#pragma once
// What tests of the CUDA executor stand on. They are built twice: for a card, and for a driver of ours (host_driver.h), which
// also counts.

#include <gtest/gtest.h>

#include <cstddef>
#include <vector>

#include <tessera/core/error.h>
#include <tessera/core/executor.h>
#include <tessera/core/ops.h>

#include "tests/codegen/cuda_host/host_driver.h"

namespace tessera::testing {

class CudaExecutor : public ::testing::Test {
 protected:
#ifdef TESSERA_CUDA_ON_HOST
  static constexpr bool counts = true;
  static void SetUpTestSuite() { use_host_driver(); }
#else
  static constexpr bool counts = false;
#endif
  void SetUp() override {
    try {
      find_executor("cuda")->open();
    } catch (const DeviceError& error) {
      GTEST_SKIP() << error.text().fault;
    }
  }
  void TearDown() override { host_driver().memory = size_t{1} << 40; }

  UseExecutor cuda{*find_executor("cuda")};
  HostDriver& device = host_driver();
};

inline std::vector<float> floats(const Tensor& x) { return x.to_vector<float>(); }

inline Tensor ramp(int64_t count, float from = 0) {
  std::vector<float> data(static_cast<size_t>(count));
  for (size_t k = 0; k < data.size(); ++k) data[k] = from + static_cast<float>(k);
  return tensor(data, {count});
}

}  // namespace tessera::testing
