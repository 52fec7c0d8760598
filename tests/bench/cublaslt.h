#pragma once
// cuBLASLt beside us: the same bf16 product, by the best of the first eight algorithms that its heuristics offer. Opened
// at run time; the few declarations are ours.

#include <functional>
#include <memory>
#include <vector>

#include <tessera/codegen/cuda/runtime/device.h>

namespace tessera::cuda {

class CublasLt {
 public:
  CublasLt();  // DeviceError where it is not there
  ~CublasLt();

  // d[m, n] = sum over k of a[m, k] b[n, k], once per algorithm; each launches once when called.
  std::vector<std::function<void()>> prepare(Pointer a, Pointer b, Pointer d, int m, int n, int k);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tessera::cuda
