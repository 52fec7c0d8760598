#pragma once
// Is a gradient right? One random direction d is enough to see most mistakes, at any size:
//   ⟨∂f(x), d⟩  against  (f(x + h·d) − f(x − h·d)) / 2h
// in f64 on the reference executor. A result of more than one element is first projected on a random cotangent. Keep x
// away from kinks. Public, because users write custom_vjp() too.

#include <cstdint>
#include <functional>
#include <string>

#include <tessera/autograd/grad.h>

namespace tessera {

struct GradcheckOptions {
  int order = 1;  // 2: also the gradient of the gradient
  uint64_t seed = 0;
  double step = 1e-5;       // h
  double tolerance = 1e-6;  // of the error, relative to Σ |∂f/∂x_i · d_i|
};

struct GradcheckResult {
  double analytic = 0, numeric = 0, error = 0;
  bool ok = false;
  int order = 1;  // of the check that failed, or of the last one
  explicit operator bool() const { return ok; }
  std::string str() const;  // "order 1: gradient along a random direction is 0.5, by differences 0.25, error 0.5"
};

// Float inputs are taken in f64, so fn must compute in the dtype it is given; others stay as they are.
GradcheckResult gradcheck(const std::function<Tensor(const Tensors&)>& fn, const Tensors& inputs,
                          const GradcheckOptions& = {}, Loc at = Loc::here());

}  // namespace tessera
