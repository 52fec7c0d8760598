#pragma once
// How long each launch of a plan takes: TESSERA_LOG=time prints a table of kernels after 1, 2, 4, 8 …
// runs, each table the mean of the runs since the last one. So the first, which compiles and touches memory for the
// first time, stands alone, and a long training prints few tables.

#include <chrono>
#include <vector>

#include <tessera/codegen/plan/plan.h>
#include <tessera/core/program.h>

namespace tessera::codegen {

class LaunchTimes {
 public:
  static bool wanted();

  void begin_run(const Plan& plan);
  void done(size_t launch);  // everything since the last call, or since begin_run(), was this launch
  void end_run(const Plan& plan, const Program& recorded);
  // A whole run, by another clock: the seconds of each launch.
  void add_run(const Plan& plan, const Program& recorded, const std::vector<double>& seconds);

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point last_;
  std::vector<double> seconds_;  // per launch, of the runs since the last table
  int runs_ = 0, printed_ = 0;
};

}  // namespace tessera::codegen
