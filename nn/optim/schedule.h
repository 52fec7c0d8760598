#pragma once
// Learning rates as functions of the step: on the host, or inside a compiled step of a step State.
//   auto lr = optim::cosine({.peak = 3e-4, .warmup = 100, .total = 2000});
//   step(x, y, lr(t));

#include <cstdint>

#include <tessera/core/ops.h>

namespace tessera::optim {

struct ScheduleOptions {
  double peak;
  int64_t warmup = 0;  // steps that climb linearly: step t of these has peak·(t + 1) / warmup
  int64_t total = 0;   // where the decay ends
  double floor = 0;    // the rate from there on
};

class Schedule {
 public:
  enum class Decay { none, cosine, linear };
  // ValueError, naming `at`, unless 0 ≤ warmup, and warmup < total where there is a decay.
  Schedule(ScheduleOptions, Decay, Loc at = Loc::here());
  float operator()(int64_t step) const;
  Tensor operator()(const Tensor& step) const;  // f32 of the same formula

 private:
  ScheduleOptions options_;
  Decay decay_;
};

Schedule constant(double rate, int64_t warmup = 0, Loc at = Loc::here());
// floor + (peak − floor)·(1 + cos πs) / 2, s from 0 to 1 after the warmup.
Schedule cosine(ScheduleOptions, Loc at = Loc::here());
Schedule linear(ScheduleOptions, Loc at = Loc::here());  // floor + (peak − floor)·(1 − s)

}  // namespace tessera::optim
