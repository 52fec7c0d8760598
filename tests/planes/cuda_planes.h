#pragma once
// Programs with planes, lowered for CUDA and run as texts on the processor.

#include <cmath>
#include <string>
#include <vector>

#include <tessera/codegen/cuda/executor/lower_program.h>
#include <tessera/core/convert.h>
#include <tessera/core/executor.h>
#include <tessera/core/tensor.h>
#include <tessera/core/trace.h>

namespace tessera::testing {

struct Flat {
  Program program;
  std::vector<BufferPtr> arguments;
};

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

inline int cascades(const cuda::LoweredProgram& lowered) {
  int count = 0;
  for (const codegen::PlanLaunch& launch : lowered.plan.launches)
    count += launch.kernel >= 0 && lowered.plan.kernels[static_cast<size_t>(launch.kernel)].kind == "cascade";
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
