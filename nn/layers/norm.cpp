#include <tessera/nn/layers/norm.h>

#include <algorithm>

#include <tessera/core/error.h>
#include <tessera/core/ops.h>
#include <tessera/nn/layers/check.h>
#include <tessera/nn/training.h>

namespace tessera::nn {
namespace {

// Narrow floats are normalized in f32: a square of f16 may be infinite, a mean of bf16 has 8 bits. Parameters are f32, and
// so is what they scale and shift; a norm without any rounds once, at its end.
bool is_narrow(const Tensor& x) { return x.dtype() == f16 || x.dtype() == bf16; }
Tensor widened(const Tensor& x) { return is_narrow(x) ? cast(x, f32) : x; }
Tensor rounded_as(const Tensor& x, const Tensor& y) { return is_narrow(x) ? cast(y, x.dtype()) : y; }

Tensor normalize(const Tensor& x, const Dims& dims, double eps) {
  const Tensor wide = widened(x);
  return (wide - mean(wide, dims, true)) * rsqrt(variance(wide, dims, true) + eps);
}

Dims dims_from(int first, int rank) {
  Dims dims;
  for (int dim = first; dim < rank; ++dim) dims.push_back(dim);
  return dims;
}

// [C] as `lead` and then one extent of 1 per spatial dim, to meet [.., lead, spatial…].
Tensor per_channel(const State& values, Dims lead, int spatial) {
  lead.insert(lead.end(), static_cast<size_t>(spatial), 1);
  return reshape(values, std::move(lead));
}

void check_channels_first(const ModuleBase& layer, const Tensor& x, int64_t channels) {
  if (x.rank() < 2) check_rank(layer, x, 4, "[N, C, spatial…]");
  check_extent(layer, x, 1, channels);
}

}  // namespace

LayerNorm::LayerNorm(ModuleBase* parent, MemberName name, LayerNormOptions o)
    : Module(parent, std::move(name)), options(o) {
  if (o.affine) weight.emplace(this, "weight", init::ones({o.dim}));
  if (o.affine && o.bias) bias.emplace(this, "bias", init::zeros({o.dim}));
}
Tensor LayerNorm::forward(Tensor x) {
  check_extent(*this, x, -1, options.dim);
  Tensor y = normalize(x, {x.rank() - 1}, options.eps);
  if (!weight) return rounded_as(x, y);
  y = y * *weight;
  return bias ? y + *bias : y;
}
std::string LayerNorm::details() const { return std::to_string(options.dim); }

RmsNorm::RmsNorm(ModuleBase* parent, MemberName name, RmsNormOptions o)
    : Module(parent, std::move(name)), options(o), weight{this, "weight", init::ones({o.dim})} {}
Tensor RmsNorm::forward(Tensor x) {
  check_extent(*this, x, -1, options.dim);
  const Tensor wide = widened(x);
  return wide * rsqrt(mean(square(wide), {x.rank() - 1}, true) + options.eps) * weight;
}
std::string RmsNorm::details() const { return std::to_string(options.dim); }

GroupNorm::GroupNorm(ModuleBase* parent, MemberName name, GroupNormOptions o)
    : Module(parent, std::move(name)), options(o) {
  divided(*this, "channels", o.channels, o.groups);
  if (!o.affine) return;
  weight.emplace(this, "weight", init::ones({o.channels}));
  bias.emplace(this, "bias", init::zeros({o.channels}));
}
Tensor GroupNorm::forward(Tensor x) {
  check_channels_first(*this, x, options.channels);
  // Scale and shift join in the grouped shape, so x is reshaped once on the way in and once on the way out.
  const Dims lead{options.groups, options.channels / options.groups};
  const int spatial = x.rank() - 2;
  Dims grouped{x.size(0), lead[0], lead[1]};
  grouped.insert(grouped.end(), x.shape().begin() + 2, x.shape().end());
  Tensor y = normalize(reshape(x, grouped), dims_from(2, x.rank() + 1), options.eps);
  y = weight ? y * per_channel(*weight, lead, spatial) + per_channel(*bias, lead, spatial) : rounded_as(x, y);
  return reshape(y, x.shape());
}
std::string GroupNorm::details() const {
  return std::to_string(options.channels) + " in " + std::to_string(options.groups) + " groups";
}

BatchNorm::BatchNorm(ModuleBase* parent, MemberName name, BatchNormOptions o)
    : Module(parent, std::move(name)),
      options(o),
      weight{this, "weight", init::ones({o.channels})},
      bias{this, "bias", init::zeros({o.channels})},
      running_mean{this, "running_mean", zeros({o.channels})},
      running_var{this, "running_var", ones({o.channels})},
      num_batches_tracked{this, "num_batches_tracked", scalar(int64_t{0}, i64)} {}
Tensor BatchNorm::forward(Tensor x) {
  check_channels_first(*this, x, options.channels);
  const int spatial = x.rank() - 2;
  const Dims lead{options.channels};
  auto affine = [&](const Tensor& y) {
    return y * per_channel(weight, lead, spatial) + per_channel(bias, lead, spatial);
  };
  if (!is_training())
    return affine((x - per_channel(running_mean, lead, spatial)) *
                  rsqrt(per_channel(running_var, lead, spatial) + options.eps));

  Dims dims = dims_from(2, x.rank());
  dims.insert(dims.begin(), 0);
  const int64_t count = x.numel() / options.channels;
  if (count < 2)
    throw ValueError({.code = "T-V111",
                      .fault = "BatchNorm needs two values a channel or more while training",
                      .operands = {{"x", describe(*x.node())}}});
  const double unbiased = static_cast<double>(count) / static_cast<double>(count - 1);
  const Tensor wide = widened(x), mu = mean(wide, dims, true), var = variance(wide, dims, true);
  auto follow = [&](Buffer& running, const Tensor& now) {
    const Tensor step = (reshape(stop_gradient(now), lead) - running) * options.momentum;
    running.assign(running + cast(step, running.dtype()));
  };
  follow(running_mean, mu);
  follow(running_var, var * unbiased);
  num_batches_tracked.assign(num_batches_tracked + 1);
  return affine((wide - mu) * rsqrt(var + options.eps));
}
std::string BatchNorm::details() const { return std::to_string(options.channels); }

}  // namespace tessera::nn
