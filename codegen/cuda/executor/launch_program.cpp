// The launches of a run: one by one, timed or looked at; or as a graph.

#include <tessera/codegen/cuda/executor/run_program.h>

#include <algorithm>
#include <deque>

#include <tessera/codegen/cuda/executor/branches.h>
#include <tessera/codegen/cuda/executor/group_tensors.h>
#include <tessera/codegen/executor/check_nan.h>
#include <tessera/codegen/plan/wait_for.h>
#include <tessera/core/error.h>
#include <tessera/core/fault.h>

namespace tessera::cuda {

using codegen::Plan;
using codegen::PlanLaunch;

namespace {

// A parameter holds the addresses of all tensors that the launch is for.
std::vector<const void*> parameters_of(const PlanLaunch& launch, const std::vector<Pointer>& pointers) {
  std::vector<const void*> parameters;
  for (size_t k = 0; k < pointers.size(); k += tensors_of(launch)) parameters.push_back(&pointers[k]);
  return parameters;
}

int blocks_of(const PlanLaunch& launch) { return static_cast<int>(launch.tasks); }

}  // namespace

// ---- one by one ----

// Values of the plan in order, then numbers, then the error words; −1 is a null pointer.
std::vector<Pointer> ProgramRunner::pointers_of(size_t number) const {
  const PlanLaunch& launch = lowered_.plan.launches[number];
  std::vector<Pointer> pointers;
  for (int value : launch.values) pointers.push_back(value < 0 ? 0 : address_[static_cast<size_t>(value)]);
  for (int64_t count : numbers_of(launch)) pointers.push_back(static_cast<Pointer>(count));
  if (launch.error_words > 0) pointers.push_back(mailbox_->errors() + error_begin_[number] * sizeof(int64_t));
  return pointers;
}

void ProgramRunner::launch(size_t number) {
  if (!has_step(number)) return;
  const PlanLaunch& launch = lowered_.plan.launches[number];
  const std::vector<Pointer> pointers = pointers_of(number);
  if (launch.what == PlanLaunch::What::copy)
    check(driver().copy_within_stream(pointers[1], pointers[0], bytes_copied(launch), nullptr), "copy a value");
  else kernels_[static_cast<size_t>(launch.kernel)].launch(blocks_of(launch), parameters_of(launch, pointers));
}

void ProgramRunner::launch_all() {
  for (size_t k = 0; k < lowered_.plan.launches.size(); ++k) launch(k);
}

// One after the other, with a clock around each. Nothing waits in between, so that the device does not wait for the host.
std::vector<double> ProgramRunner::launch_timed() {
  std::deque<Stopwatch> watches(lowered_.plan.launches.size());
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
  const Plan& plan = lowered_.plan;
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
  const PlanLaunch& launch = lowered_.plan.launches[number];
  if (launch.what != PlanLaunch::What::copy) return launch.tasks > 0;
  return address_[static_cast<size_t>(launch.values[0])] != address_[static_cast<size_t>(launch.values[1])];
}

size_t ProgramRunner::bytes_copied(const PlanLaunch& copy) const {
  return static_cast<size_t>(lowered_.plan.values[static_cast<size_t>(copy.values[1])].bytes);
}

void ProgramRunner::replay() {
  auto fits = [&](const Copy& copy) { return has_step(copy.launch) == copy.is_step; };
  if (!graph_ || !std::ranges::all_of(copies_, fits)) record_graph();
  else update_graph();
  graph_->launch();
  ticket_->close(mailbox_->launched());
}

// A step for each launch, which waits for those that it has to: the rest runs side by side, on a few branches.
void ProgramRunner::record_graph() {
  const Plan& plan = lowered_.plan;
  graph_.reset();
  auto graph =
      std::make_unique<Graph>();  // ours when it can be launched: the driver may refuse, and the next run begins again
  steps_.clear();
  users_.assign(plan.values.size(), {});
  const std::vector<std::vector<size_t>> waits = codegen::launches_to_wait_for(plan);
  std::vector<std::vector<size_t>> ends(plan.launches.size());  // the steps at which a launch has ended
  Branches branches;
  const size_t first = mailbox_->add_first(*graph);
  branches.put(first);
  for (Copy& copy : copies_) copy.is_step = has_step(copy.launch);
  for (size_t k = 0; k < plan.launches.size(); ++k) {
    const PlanLaunch& launch = plan.launches[k];
    std::vector<size_t> after;
    for (size_t before : waits[k])
      if (!planted(Fault::graph_edge_lost)) after.insert(after.end(), ends[before].begin(), ends[before].end());
    std::ranges::sort(after);
    after.erase(std::unique(after.begin(), after.end()), after.end());
    if (!has_step(k)) {  // who waits for it waits for what it would have waited for
      ends[k] = std::move(after);
      continue;
    }
    if (after.empty()) after.push_back(first);
    branches.put(graph->steps(), after);
    const std::vector<Pointer> pointers = pointers_of(k);
    size_t step = 0;
    if (launch.what == PlanLaunch::What::copy)
      step = graph->add_copy(pointers[1], pointers[0], bytes_copied(launch), after);
    else
      step = graph->add_launch(kernels_[static_cast<size_t>(launch.kernel)], blocks_of(launch),
                               parameters_of(launch, pointers), after);
    ends[k] = {step};
    for (int value : launch.values)
      if (value >= 0) users_[static_cast<size_t>(value)].push_back(steps_.size());
    steps_.push_back({k, step});
  }
  mailbox_->add_last(*graph, branches.ends());
  graph->finish();
  graph_ = std::move(graph);
  moved_.clear();
}

void ProgramRunner::update_graph() {
  std::vector<size_t> changed;
  for (size_t value : moved_)
    if (!planted(Fault::graph_address_old)) changed.insert(changed.end(), users_[value].begin(), users_[value].end());
  std::ranges::sort(changed);
  changed.erase(std::unique(changed.begin(), changed.end()), changed.end());
  for (size_t k : changed) {
    const PlanLaunch& launch = lowered_.plan.launches[steps_[k].launch];
    const std::vector<Pointer> pointers = pointers_of(steps_[k].launch);
    if (launch.what == PlanLaunch::What::copy)
      graph_->set_copy(steps_[k].step, pointers[1], pointers[0], bytes_copied(launch));
    else
      graph_->set_launch(steps_[k].step, kernels_[static_cast<size_t>(launch.kernel)], blocks_of(launch),
                         parameters_of(launch, pointers));
  }
  mailbox_->update(*graph_);
  moved_.clear();
}

}  // namespace tessera::cuda
