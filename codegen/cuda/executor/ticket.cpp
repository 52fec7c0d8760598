#include <tessera/codegen/cuda/executor/ticket.h>

#include <algorithm>
#include <utility>

#include <tessera/core/error.h>

namespace tessera::cuda {

IndexChecks::IndexChecks(const codegen::Plan& plan, const Program& recorded)
    : checks(codegen::checks_of(plan)), ops(codegen::checked_ops(checks, recorded)) {}

Ticket::Ticket(std::shared_ptr<const IndexChecks> checks) : checks_(std::move(checks)) {}

void Ticket::come_after(std::shared_ptr<Ticket> maker) {
  if (!maker || std::ranges::count(before_, maker) || maker->is_known_good()) return;
  if (maker->is_known_bad()) maker->wait();  // an index was outside: its results are no arguments
  before_.push_back(std::move(maker));
}

void Ticket::close(Outcome outcome) { outcome_ = std::move(outcome); }

void Ticket::wait() {
  std::lock_guard lock(mutex_);
  look();
  if (is_good_) return;
  is_told_ = true;
  std::rethrow_exception(error_);
}

void Ticket::retire() {
  std::lock_guard lock(mutex_);
  look();
  if (is_good_ || std::exchange(is_told_, true)) return;
  std::rethrow_exception(error_);
}

// Waits, and finds out how the run ended.
void Ticket::look() {
  if (is_good_ || error_) return;
  outcome_.wait();
  sent_.clear();
  try {
    for (const auto& run : before_) run->wait();
    codegen::check_indices(checks_->checks, outcome_.errors(), checks_->ops);
    is_good_ = true;
  } catch (const ValueError&) {
    error_ = std::current_exception();
  }
  before_.clear();
}

std::vector<std::shared_ptr<Ticket>> Ticket::makers() const {
  std::lock_guard lock(mutex_);
  return before_;
}

bool Ticket::is_known_bad() const {
  std::lock_guard lock(mutex_);
  return error_ != nullptr;
}

bool Ticket::is_known_good() const {
  std::lock_guard lock(mutex_);
  return is_good_;
}

void Runs::add(Numbers numbers, std::shared_ptr<Ticket> run) {
  std::lock_guard lock(mutex_);
  runs_.push_back({numbers, std::move(run)});
}

std::shared_ptr<Ticket> Runs::find(uint64_t number) const {
  std::lock_guard lock(mutex_);
  for (auto run = runs_.rbegin(); run != runs_.rend(); ++run)  // the last of those that repeat each other
    if (run->numbers.in_place == number || run->numbers.handed_out == number) return run->ticket;
  return nullptr;
}

void Runs::retire_earliest() {
  const std::shared_ptr<Ticket> run = runs_[failed_].ticket;  // only this changes the list, and add()
  auto settle = [&] {
    std::lock_guard lock(mutex_);
    if (run->is_known_good()) runs_.erase(runs_.begin() + static_cast<std::ptrdiff_t>(failed_));
    else ++failed_;
  };
  try {
    run->retire();
  } catch (...) {
    settle();
    throw;
  }
  settle();
}

}  // namespace tessera::cuda
