#pragma once
// First values of parameters, drawn on the host: element e is a function of (seed, parameter path, e) alone, so a model
// starts the same on every backend and whatever else was built before it.

#include <functional>
#include <span>

#include <tessera/core/random.h>
#include <tessera/core/shape.h>

namespace tessera::nn {

// The numbers of one parameter: a counter-based stream read by element.
class Draw {
 public:
  Draw(uint64_t seed, uint64_t stream) : seed_(seed), stream_(stream) {}
  double uniform(uint64_t element, double low, double high) const;
  double normal(uint64_t element) const;  // mean 0, std 1; Box–Muller on two uniforms of its own

 private:
  uint64_t seed_, stream_;
};

// A shape and how to fill it.
struct Init {
  Shape shape;
  std::function<void(std::span<float>, const Draw&)> fill;
};

enum class Fan { in, out };
// Fans of a weight [out, in, taps…]: fan_in = in · taps, fan_out = out · taps.
struct Fans {
  int64_t in, out;
};
Fans fans(const Shape&);  // ValueError below rank 2

namespace init {

Init zeros(Shape);
Init ones(Shape);
Init constant(Shape, double value);
Init from(Tensor);  // the values of a computed f32 tensor
Init uniform(Shape, double low, double high);
Init normal(Shape, double mean = 0, double std = 1);
// Normal, drawn again outside [low, high] standard deviations: what ViT and GPT-2 successors use.
Init trunc_normal(Shape, double mean = 0, double std = 1, double low = -2, double high = 2);

// Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010:
//   uniform ±gain·√(6 / (fan_in + fan_out)), normal with std gain·√(2 / (fan_in + fan_out))
Init xavier_uniform(Shape, double gain = 1);
Init xavier_normal(Shape, double gain = 1);

// He et al., "Delving Deep into Rectifiers", 2015. With g = √(2 / (1 + slope²)) for a leaky ReLU of that slope:
//   uniform ±g·√(3 / fan), normal with std g / √fan
Init kaiming_uniform(Shape, double slope = 0, Fan fan = Fan::in);
Init kaiming_normal(Shape, double slope = 0, Fan fan = Fan::in);

// What PyTorch gives Linear and Conv: kaiming_uniform with slope √5, which is ±1/√fan_in; biases get the same bound.
Init default_weight(Shape);
Init default_bias(int64_t size, int64_t fan_in);

}  // namespace init
}  // namespace tessera::nn
