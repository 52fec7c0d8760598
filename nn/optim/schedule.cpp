#include <tessera/nn/optim/schedule.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include <fmt/format.h>

#include <tessera/core/error.h>

namespace tessera::optim {

Schedule::Schedule(ScheduleOptions options, Decay decay, Loc at) : options_(options), decay_(decay) {
  const auto& [peak, warmup, total, floor] = options;
  const bool decays = decay != Decay::none;
  if (warmup < 0 || (decays && total <= warmup))
    throw ValueError({.code = "T-V124",
                      .fault = decays ? fmt::format("a schedule needs 0 ≤ warmup < total, not {} and {}", warmup, total)
                                      : fmt::format("a schedule needs 0 ≤ warmup, not {}", warmup),
                      .at = at,
                      .hint = decays ? "both count steps; what the warmup leaves of the total is the decay's"
                                     : "it counts steps, the first ones, in which the rate climbs; 0 has none"});
}

float Schedule::operator()(int64_t step) const {
  const auto& [peak, warmup, total, floor] = options_;
  const auto t = static_cast<double>(step);
  if (step < warmup) return static_cast<float>(peak * (t + 1) / static_cast<double>(warmup));
  if (decay_ == Decay::none) return static_cast<float>(peak);
  double s = std::clamp((t - static_cast<double>(warmup)) / static_cast<double>(total - warmup), 0.0, 1.0);
  double left = decay_ == Decay::cosine ? (1 + std::cos(std::numbers::pi * s)) / 2 : 1 - s;
  return static_cast<float>(floor + (peak - floor) * left);
}

Tensor Schedule::operator()(const Tensor& step) const {
  const auto& [peak, warmup, total, floor] = options_;
  Tensor t = cast(step, f32);
  Tensor rate = full_like(t, peak);
  if (decay_ != Decay::none) {
    Tensor s = clamp((t - warmup) * (1.0 / static_cast<double>(total - warmup)), 0, 1);
    Tensor left = decay_ == Decay::cosine ? 0.5 * (1 + cos(std::numbers::pi * s)) : 1 - s;
    rate = floor + (peak - floor) * left;
  }
  if (warmup == 0) return rate;
  return where(t < warmup, peak * (t + 1) * (1.0 / static_cast<double>(warmup)), rate);
}

Schedule constant(double rate, int64_t warmup, Loc at) {
  return Schedule({.peak = rate, .warmup = warmup}, Schedule::Decay::none, at);
}
Schedule cosine(ScheduleOptions options, Loc at) { return Schedule(options, Schedule::Decay::cosine, at); }
Schedule linear(ScheduleOptions options, Loc at) { return Schedule(options, Schedule::Decay::linear, at); }

}  // namespace tessera::optim
