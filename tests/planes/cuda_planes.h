#pragma once
// Programs with planes, lowered for CUDA and run: on the card, or, where TESSERA_CUDA_ON_HOST is said, as texts on the
// processor.

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tessera/codegen/cuda/executor/lower_program.h>
#include <tessera/core/convert.h>
#include <tessera/core/error.h>
#include <tessera/core/executor.h>
#include <tessera/core/tensor.h>
#include <tessera/core/trace.h>

#include "tests/codegen/cuda_rows/host_run.h"
#include "tests/planes/attention.h"

namespace tessera::testing {

struct Flat {
  Program program;
  std::vector<BufferPtr> arguments;
};

// The output, then the gradients.
inline std::vector<Tensor> results_of(const AttentionProgram& program) {
  std::vector<Tensor> all = program.gradients;
  all.insert(all.begin(), program.out);
  return all;
}

inline Flat flat(const std::vector<Tensor>& results, const Precision& policy, bool strict = false) {
  std::vector<NodePtr> outputs, captured;
  for (const Tensor& result : results) outputs.push_back(result.node());
  Flat made{flatten({}, outputs, /*lift_constants=*/false, &captured), {}};
  made.program.strict = strict;
  made.program.precision = policy;
  for (const NodePtr& node : captured) made.arguments.push_back(node->value);
  return made;
}

inline std::vector<BufferPtr> run(Executor& executor, Flat with) {
  return executor.compile(with.program)->run(with.program, with.arguments);
}

// What needs a card is skipped where there is none.
template <class Parameter>
class OnCuda : public ::testing::TestWithParam<Parameter> {
 protected:
  void SetUp() override {
#ifndef TESSERA_CUDA_ON_HOST
    try {
      find_executor("cuda")->open();
    } catch (const DeviceError& error) {
      GTEST_SKIP() << error.text().fault;
    }
#endif
  }
};

// What texts are made for, of which "" is any card. A card runs what is made for it.
inline std::vector<std::string> architectures() {
#ifdef TESSERA_CUDA_ON_HOST
  return {"", "sm_90a"};
#else
  return {"sm_90a"};
#endif
}

// Results of `tested`, which was lowered as `lowered`. A card runs it twice and must give the same bits.
inline std::vector<BufferPtr> run_on_cuda([[maybe_unused]] const cuda::LoweredProgram& lowered, const Flat& tested) {
#ifdef TESSERA_CUDA_ON_HOST
  return run_on_host(lowered, tested.program, tested.arguments);
#else
  const std::vector<BufferPtr> first = run(*find_executor("cuda"), tested), again = run(*find_executor("cuda"), tested);
  for (size_t i = 0; i < first.size(); ++i)
    EXPECT_EQ(std::memcmp(first[i]->read(), again[i]->read(), first[i]->bytes()), 0) << "bits of result " << i;
  return first;
#endif
}

inline int cascades(const cuda::LoweredProgram& lowered) {
  int count = 0;
  for (const codegen::PlanLaunch& launch : lowered.plan.launches)
    count += launch.kernel >= 0 && lowered.plan.kernels[static_cast<size_t>(launch.kernel)].kind == "cascade";
  return count;
}

// Those of them whose operands the copy engine brings.
inline int cascades_with_roles(const cuda::LoweredProgram& lowered) {
  int count = 0;
  for (const codegen::PlanLaunch& launch : lowered.plan.launches)
    count += launch.kernel >= 0 &&
             lowered.kernels[static_cast<size_t>(launch.kernel)].text.find("wgmma_plane.cuh") != std::string::npos;
  return count;
}

// √(Σ (a − b)² / Σ b²)
inline double error(const Buffer& a, DType dtype, const Buffer& exact, DType of_exact) {
  double off = 0, all = 0;
  for (int64_t i = 0; i < static_cast<int64_t>(exact.bytes() / size_of(of_exact)); ++i) {
    const double x = load_double(a.data(), dtype, i), y = load_double(exact.data(), of_exact, i);
    off += (x - y) * (x - y);
    all += y * y;
  }
  return std::sqrt(off / all);
}

}  // namespace tessera::testing
