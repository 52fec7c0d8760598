#include <tessera/codegen/executor/run_plan.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>

#include <tessera/codegen/cpu/runtime/library.h>
#include <tessera/codegen/cpu/runtime/thread_pool.h>
#include <tessera/codegen/executor/check_index.h>
#include <tessera/codegen/executor/check_nan.h>
#include <tessera/core/error.h>
#include <tessera/core/fault.h>

namespace tessera::codegen {

struct PlanRunner::Frame {
  std::vector<void*> address;  // per value of the plan
  std::vector<void*> list;     // arguments of one launch
  std::vector<int64_t> errors;
};

PlanRunner::PlanRunner(Plan plan, std::vector<KernelFunction> kernels)
    : plan_(std::move(plan)), kernels_(std::move(kernels)) {
  constants_ = std::make_shared<Buffer>(plan_.constants.size());
  if (!plan_.constants.empty()) std::memcpy(constants_->data(), plan_.constants.data(), plan_.constants.size());
  scratch_per_thread_ = (plan_.scratch_bytes + 127) / 128 * 128;
}

std::vector<BufferPtr> PlanRunner::run(const Program& recorded, std::vector<BufferPtr>& arguments) {
  check_internal(arguments.size() == plan_.arguments.size(), "a program runs with another number of arguments");
  std::lock_guard lock(one_at_a_time_);
  ThreadPool& pool = ThreadPool::instance();
  // Kept between runs: the same step runs again and again.
  if (!arena_) arena_ = std::make_shared<Buffer>(static_cast<size_t>(plan_.arena_bytes));
  if (!scratch_) scratch_ = std::make_shared<Buffer>(static_cast<size_t>(scratch_per_thread_ * pool.threads()));

  std::vector<BufferPtr> results(plan_.results.size());
  std::vector<BufferPtr> owned(plan_.results.size());  // by the number of a result place
  Frame frame;
  for (const PlanValue& value : plan_.values) {
    auto number = static_cast<size_t>(value.number);
    void* address = nullptr;
    switch (value.place) {
      case Place::argument: address = arguments[number]->data(); break;
      case Place::arena: address = static_cast<char*>(arena_->data()) + value.offset; break;
      case Place::constant: address = static_cast<char*>(constants_->data()) + value.offset; break;
      case Place::result: {
        int donor = plan_.donor[number];
        bool ours = donor >= 0 && arguments[static_cast<size_t>(donor)].use_count() == 1 && !checks_for_nan();
        owned[number] =
            ours ? arguments[static_cast<size_t>(donor)] : std::make_shared<Buffer>(static_cast<size_t>(value.bytes));
        address = owned[number]->data();
        break;
      }
    }
    frame.address.push_back(address);
  }
  const bool timed = LaunchTimes::wanted(), checked = checks_for_nan();
  if (timed) times_.begin_run(plan_);
  for (size_t begin = 0, end; begin < plan_.launches.size(); begin = end) {
    for (end = begin + 1; end < plan_.launches.size() && plan_.launches[end].joins;) ++end;
    if (end == begin + 1) launch(plan_.launches[begin], frame, recorded);
    else launch_together(begin, end, frame);
    if (timed) times_.done(begin);  // all of the same kernel
    for (size_t k = begin; checked && k < end; ++k) check_finite(plan_, plan_.launches[k], frame.address, recorded);
  }
  if (timed) times_.end_run(plan_, recorded);
  for (size_t k = 0; k < owned.size(); ++k) {
    int donor = plan_.donor[k];
    if (donor >= 0 && owned[k] == arguments[static_cast<size_t>(donor)]) arguments[static_cast<size_t>(donor)].reset();
  }
  for (size_t k = 0; k < results.size(); ++k) {
    const PlanValue& value = plan_.values[static_cast<size_t>(plan_.results[k])];
    auto number = static_cast<size_t>(value.number);
    if (value.place == Place::result) {
      results[k] = owned[number];
    } else if (value.place == Place::argument) {
      results[k] = arguments[number];
    } else {
      results[k] = std::make_shared<Buffer>(static_cast<size_t>(value.bytes));
      std::memcpy(results[k]->data(), frame.address[static_cast<size_t>(plan_.results[k])],
                  static_cast<size_t>(value.bytes));
    }
  }
  return results;
}

void PlanRunner::launch(const PlanLaunch& launch, Frame& frame, const Program& recorded) {
  frame.list.clear();
  for (int value : launch.values) frame.list.push_back(value < 0 ? nullptr : frame.address[static_cast<size_t>(value)]);
  if (launch.what == PlanLaunch::What::copy) {
    const PlanValue& to = plan_.values[static_cast<size_t>(launch.values[1])];
    if (frame.list[0] != frame.list[1]) std::memcpy(frame.list[1], frame.list[0], static_cast<size_t>(to.bytes));
    return;
  }
  if (launch.error_words > 0) {
    frame.errors.assign(static_cast<size_t>(launch.error_words), std::numeric_limits<int64_t>::min());
    for (size_t k = 1; k < frame.errors.size(); k += 2) frame.errors[k] = std::numeric_limits<int64_t>::max();
  }
  ThreadPool& pool = ThreadPool::instance();
  if (launch.what == PlanLaunch::What::library) {
    run_library(launch.library, frame.list.data(), launch.parameters, frame.errors.data(), pool);
  } else {
    if (launch.error_words > 0) frame.list.back() = frame.errors.data();
    KernelFunction function = kernels_[static_cast<size_t>(launch.kernel)];
    void* const* list = frame.list.data();
    const int64_t* parameters = launch.parameters.data();
    char* scratch = static_cast<char*>(scratch_->data());
    pool.run(launch.tasks - (planted(Fault::last_task_lost) && launch.tasks > 1), [&](int64_t task, int thread) {
      function(list, parameters, task, scratch + thread * scratch_per_thread_);
    });
  }
  if (!launch.checks.empty()) check_indices(launch, frame.errors.data(), recorded);
}

void PlanRunner::launch_together(size_t begin, size_t end, Frame& frame) {
  frame.list.clear();
  std::vector<size_t> first_value;
  std::vector<int64_t> first_task{0};
  for (size_t k = begin; k < end; ++k) {
    const PlanLaunch& one = plan_.launches[k];
    first_value.push_back(frame.list.size());
    first_task.push_back(first_task.back() + one.tasks);
    for (int value : one.values) frame.list.push_back(value < 0 ? nullptr : frame.address[static_cast<size_t>(value)]);
  }
  KernelFunction function = kernels_[static_cast<size_t>(plan_.launches[begin].kernel)];
  char* scratch = static_cast<char*>(scratch_->data());
  ThreadPool::instance().run(first_task.back(), [&](int64_t task, int thread) {
    auto after = std::upper_bound(first_task.begin(), first_task.end(), task);
    const auto k = static_cast<size_t>(after - first_task.begin()) - 1;
    function(frame.list.data() + first_value[k], plan_.launches[begin + k].parameters.data(), task - first_task[k],
             scratch + thread * scratch_per_thread_);
  });
}

}  // namespace tessera::codegen
