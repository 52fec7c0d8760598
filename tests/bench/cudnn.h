#pragma once
// cuDNN beside us: a convolution of bf16 with channels last, or one of its gradients, by the fastest of the algorithms that
// it finds by trying them. Opened at run time; the few declarations are ours.

#include <functional>
#include <memory>

#include <tessera/codegen/cuda/runtime/device.h>

namespace tessera::cuda {

// x[n, h, w, c], w[k, r, s, c], y[n, p, q, k], with as many rows as columns.
struct Convolution {
  int n = 1, c = 1, h = 1, k = 1, r = 1, stride = 1, pad = 0;
  int p() const { return (h + 2 * pad - r) / stride + 1; }
};

class Cudnn {
 public:
  Cudnn();  // DeviceError where it is not there
  ~Cudnn();

  enum class What { forward, data_gradient, filter_gradient };
  // Launches once when called, and writes what `what` names: y, x or w.
  std::function<void()> prepare(What what, Pointer x, Pointer w, Pointer y, const Convolution& conv);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tessera::cuda
