#include <tessera/codegen/cuda/executor/run_program.h>

#include <algorithm>
#include <mutex>
#include <utility>

#include <tessera/codegen/cuda/executor/device_memory.h>
#include <tessera/codegen/executor/check_nan.h>
#include <tessera/core/error.h>
#include <tessera/core/fault.h>

namespace tessera::cuda {

using codegen::Place;
using codegen::Plan;
using codegen::PlanLaunch;
using codegen::PlanValue;

namespace {

// Programs share the arena and the stream, so their runs do not mix.
std::mutex& one_at_a_time() {
  static std::mutex mutex;
  return mutex;
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

}  // namespace tessera::cuda
