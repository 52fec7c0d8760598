// Where the values of a run lie: arguments, results.

#include <tessera/codegen/cuda/executor/run_program.h>

#include <cstring>
#include <utility>

#include <tessera/codegen/cuda/executor/device_memory.h>
#include <tessera/core/fault.h>

namespace tessera::cuda {
namespace {

constexpr size_t most_staged = size_t{4} << 20;   // above, the driver's own staging costs little beside the copy
constexpr size_t most_passing = size_t{1} << 20;  // above, telling a few kernels an address does

// Without a look at what it points to, which may be gone.
bool is_of(const std::weak_ptr<tessera::Buffer>& seen, const BufferPtr& buffer) {
  return !seen.owner_before(buffer) && !buffer.owner_before(seen);
}

}  // namespace

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

BufferPtr ProgramRunner::hand_out(std::unique_ptr<DeviceValue> value, uint64_t run) {
  value->set_made_by(runs_, run);
  const size_t bytes = value->bytes();
  return std::make_shared<tessera::Buffer>(bytes, std::move(value));
}

}  // namespace tessera::cuda
