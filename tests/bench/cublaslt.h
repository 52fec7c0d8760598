#pragma once
// cuBLASLt beside us: the same product, by the best of the first eight algorithms that its heuristics offer. Opened at run
// time; the few declarations are ours.

#include <functional>
#include <memory>
#include <vector>

#include <tessera/codegen/cuda/runtime/device.h>

namespace tessera::cuda {

class CublasLt {
 public:
  CublasLt();  // DeviceError where it is not there
  ~CublasLt();

  enum class Precision { bf16, f32, f32_pedantic, tf32 };
  // d[m, n] = Σ over k of a · b, for each of `batch`. All lie dense, a and b along K (a[m, k], b[n, k]) or along their rows.
  struct Product {
    Precision precision = Precision::bf16;
    int m = 1, n = 1, k = 1, batch = 1;
    bool a_along_k = true, b_along_k = true;
  };
  // Once per algorithm; each launches once when called. None where cuBLASLt has no kernel.
  std::vector<std::function<void()>> prepare(Pointer a, Pointer b, Pointer d, const Product& product);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tessera::cuda
