#include <tessera/codegen/cuda/executor/run_program.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <mutex>
#include <utility>

#include <tessera/codegen/cuda/executor/branches.h>
#include <tessera/codegen/cuda/executor/device_memory.h>
#include <tessera/codegen/cuda/executor/group_tensors.h>
#include <tessera/codegen/executor/check_nan.h>
#include <tessera/codegen/plan/wait_for.h>
#include <tessera/core/error.h>
#include <tessera/core/fault.h>

namespace tessera::cuda {

using codegen::Place;
using codegen::Plan;
using codegen::PlanLaunch;
using codegen::PlanValue;

namespace {

constexpr size_t most_staged = size_t{4} << 20;  // above, the driver's own staging costs little beside the copy
constexpr size_t most_passing = size_t{1}
                                << 20;  // above, telling a few kernels an address costs little beside the copy
constexpr size_t most_under_way = 2;

// Programs share the arena and the stream, so their runs do not mix.
std::mutex& one_at_a_time() {
  static std::mutex mutex;
  return mutex;
}

// A parameter holds the addresses of all tensors that the launch is for.
std::vector<const void*> parameters_of(const PlanLaunch& launch, const std::vector<Pointer>& pointers) {
  std::vector<const void*> parameters;
  for (size_t k = 0; k < pointers.size(); k += tensors_of(launch)) parameters.push_back(&pointers[k]);
  return parameters;
}

int blocks_of(const PlanLaunch& launch) { return static_cast<int>(launch.tasks); }

}  // namespace

ProgramRunner::ProgramRunner(CompiledProgram program)
    : lowered_(std::make_shared<const LoweredProgram>(std::move(program.lowered))) {
  use_device();
  for (size_t k = 0; k < program.cubins.size(); ++k)
    kernels_.emplace_back(program.cubins[k], lowered_->kernels[k].name);
  const Plan& plan = lowered_->plan;
  constants_.emplace(take_memory(plan.constants.size()));
  constants_->copy_in(plan.constants.data(), plan.constants.size());
  std::vector<int64_t> start;  // what no index outside leaves: the least of largest ones, the largest of least ones
  for (const PlanLaunch& launch : plan.launches) {
    error_begin_.push_back(start.size());
    for (int k = 0; k < launch.error_words; ++k)
      start.push_back(k % 2 ? std::numeric_limits<int64_t>::max() : std::numeric_limits<int64_t>::min());
  }
  error_words_ = start.size();
  passing_.resize(plan.arguments.size());
  errors_.emplace(take_memory(error_words_ * sizeof(int64_t)));
  errors_at_start_.emplace(take_memory(error_words_ * sizeof(int64_t)));
  errors_at_start_->copy_in(start.data(), error_words_ * sizeof(int64_t));
  wait_for_device();  // the sources of these copies end here
}

// What the last runs sent lies in memory of ours.
ProgramRunner::~ProgramRunner() {
  try {
    use_device();
    wait_for_device();
  } catch (const Error&) {  // the device is lost, and with it all that was under way
  }
}

std::vector<BufferPtr> ProgramRunner::run(const Program& recorded, std::vector<BufferPtr>& arguments) {
  std::lock_guard lock(one_at_a_time());
  try {
    begin(recorded, arguments);
    if (codegen::checks_for_nan()) launch_checked(recorded);
    else if (codegen::LaunchTimes::wanted()) times_.add_run(lowered_->plan, recorded, launch_timed());
    else if (runs_ == 0) launch_all();  // most one-off expressions run once
    else replay();
    ++runs_;
    return end(recorded, arguments);
  } catch (...) {
    driver().context_wait();  // copies may still read what goes now
    made_.clear();
    ticket_.reset();
    throw;
  }
}

void ProgramRunner::wait_for_earlier_runs() {
  while (under_way_.size() >= most_under_way) {
    const std::shared_ptr<Ticket> earliest = std::move(under_way_.front());
    under_way_.pop_front();
    earliest->retire();
  }
}

void ProgramRunner::begin(const Program& recorded, const std::vector<BufferPtr>& arguments) {
  use_device();  // on this thread, which need not be the one that compiled
  const Plan& plan = lowered_->plan;
  check_internal(arguments.size() == plan.arguments.size(), "a program runs with another number of arguments");
  wait_for_earlier_runs();
  std::vector<std::shared_ptr<Ticket>> before;
  for (const BufferPtr& argument : arguments) {
    const auto* value = static_cast<const DeviceValue*>(argument->residence());
    if (!value || !value->made_by() || std::ranges::count(before, value->made_by())) continue;
    if (value->made_by()->is_known_good()) continue;
    if (value->made_by()->is_done()) value->made_by()->wait();  // an index was outside: its results are no arguments
    else before.push_back(value->made_by());
  }
  ticket_ = std::make_shared<Ticket>(lowered_, recorded, std::move(before));

  const Pointer arena = shared_arena(static_cast<size_t>(plan.arena_bytes), plan, recorded);
  address_.clear();
  made_.clear();
  made_.resize(plan.results.size());
  for (const PlanValue& value : plan.values) {
    const auto number = static_cast<size_t>(value.number);
    const auto offset = static_cast<Pointer>(value.offset);
    switch (value.place) {
      case Place::argument: address_.push_back(place_argument(recorded, arguments[number], number)); break;
      case Place::arena: address_.push_back(arena + offset); break;
      case Place::constant: address_.push_back(constants_->address() + offset); break;
      case Place::result: address_.push_back(place_result(recorded, arguments, value)); break;
    }
  }
}

// Where an argument lies on the device, after a copy if it is not there. A batch or a rate is another tensor in every run,
// so what comes from the host for the first time goes to a place that the program keeps: then no kernel of the graph has
// to be told a new address. What comes again, and what a result may overwrite, gets a place of its own and stays there.
Pointer ProgramRunner::place_argument(const Program& recorded, const BufferPtr& argument, size_t number) {
  if (const auto* there = static_cast<const DeviceValue*>(argument->residence())) return there->address();
  const size_t bytes = argument->bytes();
  const void* data = argument->read();
  if (bytes <= most_staged) {
    Pinned& sent = ticket_->keep(bytes);
    if (bytes > 0) std::memcpy(sent.data(), data, bytes);
    data = sent.data();
  }
  PassingPlace& passing = passing_[number];
  if (bytes <= most_passing && !std::ranges::count(lowered_->plan.donor, static_cast<int>(number)) &&
      passing.last.lock() != argument) {
    passing.last = argument;
    if (!passing.memory) passing.memory.emplace(take_memory(bytes));
    passing.memory->copy_in(data, bytes);
    return passing.memory->address();
  }
  passing.memory.reset();
  StreamBuffer memory = take_memory(bytes);
  memory.copy_in(data, bytes);
  const Pointer address = memory.address();
  const Instruction& made = recorded.instructions[static_cast<size_t>(recorded.inputs[number])];
  argument->settle(std::make_unique<DeviceValue>(std::move(memory), Origin(made)));
  return address;
}

// In the memory of an argument that nobody else holds, else in fresh memory. Arguments stand before results in a plan.
Pointer ProgramRunner::place_result(const Program& recorded, const std::vector<BufferPtr>& arguments,
                                    const PlanValue& value) {
  const auto number = static_cast<size_t>(value.number);
  const int donor = lowered_->plan.donor[number];
  if (donor >= 0 && arguments[static_cast<size_t>(donor)].use_count() == 1 && !codegen::checks_for_nan())
    return address_[static_cast<size_t>(lowered_->plan.arguments[static_cast<size_t>(donor)])];
  const Instruction& made = recorded.instructions[static_cast<size_t>(recorded.outputs[number])];
  made_[number] = std::make_unique<DeviceValue>(take_memory(static_cast<size_t>(value.bytes)), Origin(made));
  return made_[number]->address();
}

// ---- launches ----

// Values of the plan in order, then numbers, then the error words; −1 is a null pointer.
std::vector<Pointer> ProgramRunner::pointers_of(size_t number) const {
  const PlanLaunch& launch = lowered_->plan.launches[number];
  std::vector<Pointer> pointers;
  for (int value : launch.values) pointers.push_back(value < 0 ? 0 : address_[static_cast<size_t>(value)]);
  for (int64_t count : numbers_of(launch)) pointers.push_back(static_cast<Pointer>(count));
  if (launch.error_words > 0) pointers.push_back(errors_->address() + error_begin_[number] * sizeof(int64_t));
  return pointers;
}

void ProgramRunner::launch(size_t number) {
  if (!has_step(number)) return;
  const PlanLaunch& launch = lowered_->plan.launches[number];
  const std::vector<Pointer> pointers = pointers_of(number);
  if (launch.what == PlanLaunch::What::copy)
    check(driver().copy_within_stream(pointers[1], pointers[0], bytes_copied(launch), nullptr), "copy a value");
  else kernels_[static_cast<size_t>(launch.kernel)].launch(blocks_of(launch), parameters_of(launch, pointers));
}

void ProgramRunner::clear_errors() {
  if (error_words_ > 0)
    check(driver().copy_within_stream(errors_->address(), errors_at_start_->address(), errors_->bytes(), nullptr),
          "clear error words");
}

void ProgramRunner::launch_all() {
  clear_errors();
  for (size_t k = 0; k < lowered_->plan.launches.size(); ++k) launch(k);
}

// One after the other, with a clock around each. Nothing waits in between, so that the device does not wait for the host.
std::vector<double> ProgramRunner::launch_timed() {
  std::deque<Stopwatch> watches(lowered_->plan.launches.size());
  clear_errors();
  for (size_t k = 0; k < watches.size(); ++k) {
    watches[k].start();
    launch(k);
    watches[k].stop();
  }
  std::vector<double> seconds;
  for (Stopwatch& watch : watches) seconds.push_back(watch.milliseconds() / 1e3);
  return seconds;
}

// Launch by launch, waiting for each, to look at what it wrote.
void ProgramRunner::launch_checked(const Program& recorded) {
  const Plan& plan = lowered_->plan;
  wait_for_device();
  clear_errors();
  for (size_t k = 0; k < plan.launches.size(); ++k) {
    launch(k);
    wait_for_device();
    std::vector<std::unique_ptr<tessera::Buffer>> read;
    std::vector<void*> on_host(plan.values.size(), nullptr);
    for (int value : plan.launches[k].values) {
      if (value < 0 || on_host[static_cast<size_t>(value)]) continue;
      const auto bytes = static_cast<size_t>(plan.values[static_cast<size_t>(value)].bytes);
      read.push_back(std::make_unique<tessera::Buffer>(bytes));
      on_host[static_cast<size_t>(value)] = read.back()->data();
      if (bytes > 0) copy_out_apart(read.back()->data(), address_[static_cast<size_t>(value)], bytes);
    }
    codegen::check_finite(plan, plan.launches[k], on_host, recorded);
  }
}

// ---- the graph ----

// A copy onto itself is none, so the steps depend on what was donated.
bool ProgramRunner::has_step(size_t number) const {
  const PlanLaunch& launch = lowered_->plan.launches[number];
  if (launch.what != PlanLaunch::What::copy) return launch.tasks > 0;
  return address_[static_cast<size_t>(launch.values[0])] != address_[static_cast<size_t>(launch.values[1])];
}

size_t ProgramRunner::bytes_copied(const PlanLaunch& copy) const {
  return static_cast<size_t>(lowered_->plan.values[static_cast<size_t>(copy.values[1])].bytes);
}

void ProgramRunner::replay() {
  auto fits = [&] {
    auto next = steps_.begin();
    for (size_t k = 0; k < lowered_->plan.launches.size(); ++k) {
      const bool had_step = next != steps_.end() && next->launch == k;
      if (has_step(k) != had_step) return false;
      next += had_step ? 1 : 0;
    }
    return true;
  };
  if (!graph_ || !fits()) record_graph();
  else if (graph_address_ != address_) update_graph();
  graph_->launch();
}

// A step for each launch, which waits for those that it has to: the rest runs side by side, on a few branches.
void ProgramRunner::record_graph() {
  const Plan& plan = lowered_->plan;
  graph_ = std::make_unique<Graph>();
  steps_.clear();
  users_.assign(plan.values.size(), {});
  std::optional<size_t> cleared;
  const std::vector<std::vector<size_t>> waits = codegen::launches_to_wait_for(plan);
  std::vector<std::vector<size_t>> ends(plan.launches.size());  // the steps at which a launch has ended
  Branches branches;
  if (error_words_ > 0) {
    std::vector<size_t> nothing;
    branches.put(graph_->steps(), nothing);
    cleared = graph_->add_copy(errors_->address(), errors_at_start_->address(), errors_->bytes(), nothing);
  }
  for (size_t k = 0; k < plan.launches.size(); ++k) {
    const PlanLaunch& launch = plan.launches[k];
    std::vector<size_t> after;
    for (size_t before : waits[k])
      if (!planted(Fault::graph_edge_lost)) after.insert(after.end(), ends[before].begin(), ends[before].end());
    if (cleared && launch.error_words > 0) after.push_back(*cleared);
    std::ranges::sort(after);
    after.erase(std::unique(after.begin(), after.end()), after.end());
    if (!has_step(k)) {  // who waits for it waits for what it would have waited for
      ends[k] = std::move(after);
      continue;
    }
    branches.put(graph_->steps(), after);
    const std::vector<Pointer> pointers = pointers_of(k);
    size_t step = 0;
    if (launch.what == PlanLaunch::What::copy)
      step = graph_->add_copy(pointers[1], pointers[0], bytes_copied(launch), after);
    else
      step = graph_->add_launch(kernels_[static_cast<size_t>(launch.kernel)], blocks_of(launch),
                                parameters_of(launch, pointers), after);
    ends[k] = {step};
    for (int value : launch.values)
      if (value >= 0) users_[static_cast<size_t>(value)].push_back(steps_.size());
    steps_.push_back({k, step});
  }
  graph_->finish();
  graph_address_ = address_;
}

void ProgramRunner::update_graph() {
  std::vector<size_t> changed;
  for (size_t value = 0; value < address_.size(); ++value)
    if (address_[value] != graph_address_[value] && !planted(Fault::graph_address_old))
      changed.insert(changed.end(), users_[value].begin(), users_[value].end());
  std::ranges::sort(changed);
  changed.erase(std::unique(changed.begin(), changed.end()), changed.end());
  for (size_t k : changed) {
    const PlanLaunch& launch = lowered_->plan.launches[steps_[k].launch];
    const std::vector<Pointer> pointers = pointers_of(steps_[k].launch);
    if (launch.what == PlanLaunch::What::copy)
      graph_->set_copy(steps_[k].step, pointers[1], pointers[0], bytes_copied(launch));
    else
      graph_->set_launch(steps_[k].step, kernels_[static_cast<size_t>(launch.kernel)], blocks_of(launch),
                         parameters_of(launch, pointers));
  }
  graph_address_ = address_;
}

// ---- results ----

std::vector<BufferPtr> ProgramRunner::end(const Program& recorded, std::vector<BufferPtr>& arguments) {
  const Plan& plan = lowered_->plan;
  std::vector<BufferPtr> results(plan.results.size()), placed(plan.results.size());
  auto hand_out = [&](std::unique_ptr<DeviceValue> value) {
    value->set_made_by(ticket_);
    const size_t bytes = value->bytes();
    return std::make_shared<tessera::Buffer>(bytes, std::move(value));
  };
  for (size_t k = 0; k < results.size(); ++k) {
    const auto id = static_cast<size_t>(plan.results[k]);
    const PlanValue& value = plan.values[id];
    const auto number = static_cast<size_t>(value.number);
    if (value.place == Place::argument) {
      results[k] = arguments[number];
    } else if (value.place == Place::result) {
      if (!placed[number]) {
        if (!made_[number]) {  // written into an argument's memory, whose old value is gone
          BufferPtr& donor = arguments[static_cast<size_t>(plan.donor[number])];
          made_[number].reset(static_cast<DeviceValue*>(donor->give_up().release()));
          donor.reset();
        }
        placed[number] = hand_out(std::move(made_[number]));
      }
      results[k] = placed[number];
    } else {
      const auto bytes = static_cast<size_t>(value.bytes);
      const Instruction& made = recorded.instructions[static_cast<size_t>(recorded.outputs[k])];
      auto copy = std::make_unique<DeviceValue>(take_memory(bytes), Origin(made));
      if (bytes > 0) check(driver().copy_within_stream(copy->address(), address_[id], bytes, nullptr), "copy a result");
      results[k] = hand_out(std::move(copy));
    }
  }
  ticket_->close(errors_->address(), error_words_);
  under_way_.push_back(std::move(ticket_));
  return results;
}

}  // namespace tessera::cuda
