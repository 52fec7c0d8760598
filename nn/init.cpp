#include <tessera/nn/init.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include <tessera/core/error.h>
#include <tessera/core/on_threads.h>

namespace tessera::nn {

double Draw::uniform(uint64_t element, double low, double high) const {
  return low + (high - low) * random_uniform(seed_, stream_, 0, element);
}

double Draw::normal(uint64_t element) const {
  double radius = 1.0 - random_uniform(seed_, stream_, 0, 2 * element);  // (0, 1]: the logarithm is finite
  double angle = random_uniform(seed_, stream_, 0, 2 * element + 1);
  return std::sqrt(-2 * std::log(radius)) * std::cos(2 * std::numbers::pi * angle);
}

Fans fans(const Shape& shape) {
  if (shape.rank() < 2)
    throw ValueError({.code = "T-V101",
                      .fault = "fan-in and fan-out need a weight of rank 2 or more, not " + shape.str(),
                      .hint = "give biases and scales their own init, such as zeros or ones"});
  int64_t taps = 1;
  for (int dim = 2; dim < shape.rank(); ++dim) taps *= shape[dim];
  return {shape[1] * taps, shape[0] * taps};
}

namespace init {
namespace {

// Every element from its own index, so on all cores: normals of 124 million elements take one of them seconds.
template <class F> Init each(Shape shape, F value) {
  return {std::move(shape), [value](std::span<float> out, const Draw& draw) {
            constexpr size_t piece = 1 << 16;
            on_threads((out.size() + piece - 1) / piece, [&](size_t k) {
              for (size_t i = k * piece; i < std::min(out.size(), (k + 1) * piece); ++i)
                out[i] = static_cast<float>(value(i, draw));
            });
          }};
}

double kaiming_gain(double slope) { return std::sqrt(2 / (1 + slope * slope)); }
double fan_of(const Shape& shape, Fan fan) {
  Fans both = fans(shape);
  return static_cast<double>(std::max<int64_t>(fan == Fan::in ? both.in : both.out, 1));
}
double fan_sum(const Shape& shape) {
  Fans both = fans(shape);
  return static_cast<double>(std::max<int64_t>(both.in + both.out, 1));
}

}  // namespace

Init zeros(Shape shape) { return constant(std::move(shape), 0); }
Init ones(Shape shape) { return constant(std::move(shape), 1); }
Init constant(Shape shape, double value) {
  return each(std::move(shape), [value](size_t, const Draw&) { return value; });
}
Init from(Tensor values) {
  Shape shape = values.shape();
  return {std::move(shape), [values = std::move(values)](std::span<float> out, const Draw&) {
            std::ranges::copy(values.to_vector<float>(), out.begin());
          }};
}
Init uniform(Shape shape, double low, double high) {
  return each(std::move(shape), [=](size_t i, const Draw& draw) { return draw.uniform(i, low, high); });
}
Init normal(Shape shape, double mean, double std) {
  return each(std::move(shape), [=](size_t i, const Draw& draw) { return mean + std * draw.normal(i); });
}
Init trunc_normal(Shape shape, double mean, double std, double low, double high) {
  if (!(low < high)) throw ValueError({.code = "T-V102", .fault = "trunc_normal needs low < high"});
  auto size = static_cast<uint64_t>(shape.numel());
  return each(std::move(shape), [=](size_t i, const Draw& draw) {
    // Attempt k of element i reads position i + k·size: elements stay independent of each other.
    for (uint64_t k = 0; k < 64; ++k)
      if (double z = draw.normal(i + k * size); z >= low && z <= high) return mean + std * z;
    return mean + std * std::clamp(0.0, low, high);
  });
}
Init xavier_uniform(Shape shape, double gain) {
  double bound = gain * std::sqrt(6 / fan_sum(shape));
  return init::uniform(std::move(shape), -bound, bound);
}
Init xavier_normal(Shape shape, double gain) {
  double std = gain * std::sqrt(2 / fan_sum(shape));
  return init::normal(std::move(shape), 0, std);
}
Init kaiming_uniform(Shape shape, double slope, Fan fan) {
  double bound = kaiming_gain(slope) * std::sqrt(3 / fan_of(shape, fan));
  return init::uniform(std::move(shape), -bound, bound);
}
Init kaiming_normal(Shape shape, double slope, Fan fan) {
  double std = kaiming_gain(slope) / std::sqrt(fan_of(shape, fan));
  return init::normal(std::move(shape), 0, std);
}
Init default_weight(Shape shape) { return kaiming_uniform(std::move(shape), std::sqrt(5.0)); }
Init default_bias(int64_t size, int64_t fan_in) {
  double bound = 1 / std::sqrt(static_cast<double>(std::max<int64_t>(fan_in, 1)));
  return init::uniform({size}, -bound, bound);
}

}  // namespace init
}  // namespace tessera::nn
