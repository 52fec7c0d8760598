#include <tessera/codegen/executor/launch_times.h>

#include <tessera/codegen/plan/explain.h>
#include <tessera/core/log.h>

namespace tessera::codegen {

bool LaunchTimes::wanted() { return log_enabled("time"); }

void LaunchTimes::begin_run(const Plan& plan) {
  seconds_.resize(plan.launches.size());
  last_ = Clock::now();
}

void LaunchTimes::done(size_t launch) {
  Clock::time_point now = Clock::now();
  seconds_[launch] += std::chrono::duration<double>(now - last_).count();
  last_ = now;
}

void LaunchTimes::end_run(const Plan& plan, const Program& recorded) {
  ++runs_;
  if ((runs_ & (runs_ - 1)) != 0) return;
  for (double& seconds : seconds_) seconds /= runs_ - printed_;
  log_line("time", "mean of runs " + std::to_string(printed_ + 1) + " to " + std::to_string(runs_) + "\n" +
                       time_table(plan, recorded, seconds_));
  printed_ = runs_;
  seconds_.assign(seconds_.size(), 0);
}

void LaunchTimes::add_run(const Plan& plan, const Program& recorded, const std::vector<double>& seconds) {
  seconds_.resize(plan.launches.size());
  for (size_t k = 0; k < seconds.size(); ++k) seconds_[k] += seconds[k];
  end_run(plan, recorded);
}

}  // namespace tessera::codegen
