#include <tessera/codegen/cuda/executor/run_program.h>

#include <algorithm>
#include <cstring>
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

constexpr size_t most_staged = size_t{4} << 20;   // above, the driver's own staging costs little beside the copy
constexpr size_t most_passing = size_t{1} << 20;  // above, telling a few kernels an address does

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

// A buffer that nobody else holds becomes one of another value in the same memory, made anew where it is: steps do this for
// hundreds, and allocate none.
template <class F> void replace_value(tessera::Buffer& buffer, F change) {
  std::unique_ptr<Residence> memory = buffer.give_up();
  change(static_cast<DeviceValue&>(*memory));
  const size_t bytes = buffer.bytes();
  std::destroy_at(&buffer);  // with the host's copy of the old value
  std::construct_at(&buffer, bytes, std::move(memory));
}

// Without a look at what it points to, which may be gone.
bool is_of(const std::weak_ptr<tessera::Buffer>& seen, const BufferPtr& buffer) {
  return !seen.owner_before(buffer) && !buffer.owner_before(seen);
}

int blocks_of(const PlanLaunch& launch) { return static_cast<int>(launch.tasks); }

}  // namespace

ProgramRunner::ProgramRunner(CompiledProgram program)
    : lowered_(std::move(program.lowered)),
      is_checked_(codegen::checks_for_nan()),
      is_timed_(codegen::LaunchTimes::wanted()) {
  use_device();
  for (size_t k = 0; k < program.cubins.size(); ++k) kernels_.emplace_back(program.cubins[k], lowered_.kernels[k].name);
  const Plan& plan = lowered_.plan;
  constants_.emplace(take_memory(plan.constants.size()));
  constants_->copy_in(plan.constants.data(), plan.constants.size());
  size_t error_words = 0;
  for (const PlanLaunch& launch : plan.launches) {
    error_begin_.push_back(error_words);
    error_words += static_cast<size_t>(launch.error_words);
  }
  for (size_t k = 0; k < plan.launches.size(); ++k)
    if (plan.launches[k].what == PlanLaunch::What::copy) copies_.push_back({k});
  passed_.resize(plan.arguments.size());
  for (size_t k = 0; k < plan.results.size(); ++k) {
    const PlanValue& value = plan.values[static_cast<size_t>(plan.results[k])];
    Result result{.from = Result::From::argument, .value = plan.results[k], .of = value.number, .donor = plan.donor[k]};
    check_internal(value.place == Place::argument || value.place == Place::result, "a result has a place of its own");
    if (value.place == Place::result)
      result.from = value.number == static_cast<int>(k) ? Result::From::launches : Result::From::result;
    if (result.donor >= 0) result.donor_value = plan.arguments[static_cast<size_t>(result.donor)];
    if (result.from == Result::From::launches && result.donor < 0 && value.bytes <= int64_t{Mailbox::piece}) {
      result.in_mailbox = static_cast<int>(in_mailbox_.size());
      in_mailbox_.push_back(k);
    }
    results_.push_back(result);
  }
  may_be_overwritten_.resize(plan.arguments.size());
  for (int donor : plan.donor)
    if (donor >= 0) may_be_overwritten_[static_cast<size_t>(donor)] = true;
  address_.resize(plan.values.size());
  for (size_t k = 0; k < plan.values.size(); ++k)
    if (plan.values[k].place == Place::constant)
      put(k, constants_->address() + static_cast<Pointer>(plan.values[k].offset));
  mailbox_.emplace(error_words, in_mailbox_.size());
  wait_for_device();  // the source of the copy ends here
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
    // Most one-off expressions run once.
    begin(recorded, arguments, has_run_ && !is_checked_ && !is_timed_ ? By::graph : By::launches);
    if (is_checked_) launch_checked(recorded);
    else if (is_timed_) times_.add_run(lowered_.plan, recorded, launch_timed());
    else if (by_ == By::graph) replay();
    else launch_all();
    has_run_ = true;
    return end(recorded, arguments);
  } catch (...) {
    give_up_run();
    throw;
  }
}

std::optional<std::vector<NumberedBuffer>> ProgramRunner::repeat(const Program& recorded,
                                                                 std::span<const NumberedBuffer> given) {
  std::lock_guard lock(one_at_a_time());
  if (!can_repeat(recorded, given)) return std::nullopt;
  Last last = std::exchange(last_, {});
  try {
    begin_run(By::graph);
    if (last.is_in_place) ticket_->come_after(runs_->find(last.numbers.in_place));
    for (const std::shared_ptr<Ticket>& maker : last.makers) ticket_->come_after(maker);
    for (const auto& [number, buffer] : given) place_argument(recorded, buffer, number);
    for (size_t number : last.handed_out) place_result(recorded, number);
    send();
    replay();
    last.numbers = runs_->next_like(last.numbers);
    std::vector<NumberedBuffer> results;
    for (size_t number : last.handed_out)
      results.push_back({number, hand_out(std::move(made_[number]), last.numbers.handed_out)});
    runs_->add(last.numbers, std::move(ticket_));
    last_ = std::move(last);
    return results;
  } catch (...) {
    give_up_run();
    throw;
  }
}

// What was given anew may lie anywhere. All else must lie where it lay.
bool ProgramRunner::can_repeat(const Program& recorded, std::span<const NumberedBuffer> given) {
  if (last_.recorded != &recorded || is_checked_ || is_timed_) return false;
  auto is_given = [&](size_t argument) {
    return std::ranges::any_of(given, [&](const NumberedBuffer& one) { return one.number == argument; });
  };
  if (!std::ranges::all_of(last_.to_be_given, is_given)) return false;
  if (!std::ranges::all_of(now_passing_, is_given, &Passing::argument)) return false;
  std::erase_if(last_.makers, [](const std::shared_ptr<Ticket>& maker) { return maker->is_known_good(); });
  use_device();  // on this thread, which need not be the one that compiled
  return shared_arena(static_cast<size_t>(lowered_.plan.arena_bytes), lowered_.plan, recorded) == arena_;
}

void ProgramRunner::give_up_run() {
  driver().context_wait();  // copies may still read what goes now
  made_.clear();
  ticket_.reset();
}

void ProgramRunner::begin(const Program& recorded, const std::vector<BufferPtr>& arguments, By by) {
  const Plan& plan = lowered_.plan;
  check_internal(arguments.size() == plan.arguments.size(), "a program runs with another number of arguments");
  last_ = {};
  use_device();  // as above
  checks_ = std::make_shared<const IndexChecks>(plan, recorded);
  origins_.assign(results_.size(), nullptr);
  begin_run(by);
  const Pointer arena = shared_arena(static_cast<size_t>(plan.arena_bytes), plan, recorded);
  if (std::exchange(arena_, arena) != arena)
    for (size_t k = 0; k < plan.values.size(); ++k)
      if (plan.values[k].place == Place::arena) put(k, arena + static_cast<Pointer>(plan.values[k].offset));
  for (size_t k = 0; k < arguments.size(); ++k) place_argument(recorded, arguments[k], k);
  place_results(recorded, arguments);
  send();
  if (by == By::launches) mailbox_->launch_first();
}

void ProgramRunner::begin_run(By by) {
  auto slot_is_taken = [&] {
    const Ticket* earliest = runs_->earliest();
    return earliest && earliest->run() + Mailbox::slots <= mailbox_->run();
  };
  while (slot_is_taken() && !planted(Fault::slot_overwritten)) runs_->retire_earliest();
  ticket_ = std::make_shared<Ticket>(checks_);
  by_ = by;
  now_passing_.clear();
  bytes_sent_ = by == By::graph ? in_mailbox_.size() * sizeof(Pointer) : 0;
  last_placed_ = nullptr;
}

void ProgramRunner::put(size_t value, Pointer address) {
  if (std::exchange(address_[value], address) != address && graph_) moved_.push_back(value);
}

// What is on the device stays where it is. A batch or a rate is another tensor in every run, so what comes from the host for
// the first time passes: all of it goes through the mailbox to a place that the program keeps, and no kernel of the graph has
// to be told a new address. What comes again, and what a result may overwrite, gets a place of its own and stays there.
void ProgramRunner::place_argument(const Program& recorded, const BufferPtr& argument, size_t number) {
  if (const auto* there = static_cast<const DeviceValue*>(argument->residence())) {
    put(static_cast<size_t>(lowered_.plan.arguments[number]), there->address());
    const bool is_of_same_run = last_placed_ && there->same_run_as(*last_placed_);  // as most are
    if (!is_of_same_run) ticket_->come_after(there->made_by());
    last_placed_ = there;
    return;
  }
  constexpr size_t aligned = 256;
  const size_t at = (bytes_sent_ + aligned - 1) / aligned * aligned, end = at + argument->bytes();
  if (!passes(argument, number) || end > most_staged) return settle_argument(recorded, argument, number);
  passed_[number] = argument;
  now_passing_.push_back({number, at, argument.get()});
  bytes_sent_ = end;
}

// What passes, and where a graph's small results are wanted.
void ProgramRunner::send() {
  const bool by_slot = bytes_sent_ == 0 || (by_ == By::graph && bytes_sent_ <= Mailbox::most_in_slot);
  char* const sent = by_slot ? mailbox_->send(bytes_sent_) : mailbox_->send(bytes_sent_, ticket_->keep(bytes_sent_));
  const bool is_old = planted(Fault::slot_address_old) && mailbox_->run() > 2 * Mailbox::slots;
  for (size_t k = 0; by_ == By::graph && k < in_mailbox_.size() && !is_old; ++k) {
    const Pointer wanted = made_[in_mailbox_[k]]->address();
    std::memcpy(sent + k * sizeof wanted, &wanted, sizeof wanted);
  }
  for (const Passing& one : now_passing_) {
    if (one.buffer->bytes() > 0) std::memcpy(sent + one.at, one.buffer->read(), one.buffer->bytes());
    put(static_cast<size_t>(lowered_.plan.arguments[one.argument]), mailbox_->brought() + one.at);
  }
}

bool ProgramRunner::passes(const BufferPtr& argument, size_t number) const {
  return argument->bytes() <= most_passing && !may_be_overwritten_[number] && !is_of(passed_[number], argument);
}

void ProgramRunner::settle_argument(const Program& recorded, const BufferPtr& argument, size_t number) {
  const size_t bytes = argument->bytes();
  const void* data = argument->read();
  if (bytes > 0 && bytes <= most_staged) {
    Pinned& sent = ticket_->keep(bytes);
    std::memcpy(sent.data(), data, bytes);
    data = sent.data();
  }
  StreamBuffer memory = take_memory(bytes);
  memory.copy_in(data, bytes);
  put(static_cast<size_t>(lowered_.plan.arguments[number]), memory.address());
  const Instruction& made = recorded.instructions[static_cast<size_t>(recorded.inputs[number])];
  argument->settle(std::make_unique<DeviceValue>(std::move(memory), std::make_shared<const Origin>(made)));
}

// In the memory of an argument that nobody else holds, else in fresh memory.
void ProgramRunner::place_results(const Program& recorded, const std::vector<BufferPtr>& arguments) {
  made_.clear();
  made_.resize(results_.size());
  for (size_t k = 0; k < results_.size(); ++k) {
    const Result& result = results_[k];
    if (result.from != Result::From::launches) continue;
    if (result.donor >= 0 && !is_checked_ && arguments[static_cast<size_t>(result.donor)].use_count() == 1)
      put(static_cast<size_t>(result.value), address_[static_cast<size_t>(result.donor_value)]);
    else place_result(recorded, k);
  }
}

// A graph leaves small ones in the mailbox, so that it need not be told where each run wants them.
void ProgramRunner::place_result(const Program& recorded, size_t number) {
  const Result& result = results_[number];
  const auto value = static_cast<size_t>(result.value);
  const auto bytes = static_cast<size_t>(lowered_.plan.values[value].bytes);
  const bool by_mailbox = by_ == By::graph && result.in_mailbox >= 0;
  std::shared_ptr<const Origin>& origin = origins_[number];
  if (!origin)
    origin = std::make_shared<const Origin>(recorded.instructions[static_cast<size_t>(recorded.outputs[number])]);
  made_[number] = std::make_unique<DeviceValue>(by_mailbox ? memory_for_small(bytes) : take_memory(bytes), origin);
  put(value, by_mailbox ? mailbox_->result(static_cast<size_t>(result.in_mailbox)) : made_[number]->address());
}

StreamBuffer ProgramRunner::memory_for_small(size_t bytes) {
  constexpr size_t count = 64, piece = Mailbox::piece;
  if (!small_ || small_taken_ + piece > small_->bytes()) {
    small_ = std::make_shared<const StreamBuffer>(take_memory(count * piece));
    small_taken_ = 0;
  }
  return {small_, std::exchange(small_taken_, small_taken_ + piece), bytes};
}

// ---- launches ----

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
  graph_ = std::make_unique<Graph>();
  steps_.clear();
  users_.assign(plan.values.size(), {});
  const std::vector<std::vector<size_t>> waits = codegen::launches_to_wait_for(plan);
  std::vector<std::vector<size_t>> ends(plan.launches.size());  // the steps at which a launch has ended
  Branches branches;
  const size_t first = mailbox_->add_first(*graph_);
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
  mailbox_->add_last(*graph_, branches.ends());
  graph_->finish();
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

// ---- results ----

std::vector<BufferPtr> ProgramRunner::end(const Program& recorded, std::vector<BufferPtr>& arguments) {
  if (by_ == By::launches) ticket_->close(mailbox_->launch_last());
  Last last{.recorded = &recorded, .numbers = runs_->next()};
  std::vector<BufferPtr> results(results_.size());
  for (size_t k = 0; k < results.size(); ++k) {
    const Result& result = results_[k];
    if (made_[k] && recorded.donor[k] >= 0) last.to_be_given.push_back(static_cast<size_t>(recorded.donor[k]));
    // A result that is another value too is nobody's alone, and one that found its memory held may get it next time.
    if (result.from != Result::From::launches || (made_[k] && result.donor >= 0)) last.recorded = nullptr;
    if (result.from == Result::From::argument) {
      results[k] = arguments[static_cast<size_t>(result.of)];
    } else if (result.from == Result::From::result) {
      results[k] = results[static_cast<size_t>(result.of)];
    } else if (made_[k]) {
      results[k] = hand_out(std::move(made_[k]), last.numbers.handed_out);
      last.handed_out.push_back(k);
    } else {  // in the memory of an argument, whose old value is gone
      results[k] = std::move(arguments[static_cast<size_t>(result.donor)]);
      replace_value(*results[k], [&](DeviceValue& now) { now.set_made_by(runs_, last.numbers.in_place); });
      last.is_in_place = true;
    }
  }
  if (!last.is_in_place) last.makers = ticket_->makers();
  runs_->add(last.numbers, std::move(ticket_));
  last_ = std::move(last);
  return results;
}

BufferPtr ProgramRunner::hand_out(std::unique_ptr<DeviceValue> value, uint64_t run) {
  value->set_made_by(runs_, run);
  const size_t bytes = value->bytes();
  return std::make_shared<tessera::Buffer>(bytes, std::move(value));
}

}  // namespace tessera::cuda
