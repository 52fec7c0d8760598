#pragma once
// One run that the device may not have done yet: whoever reads a result waits for that run and no other, and hears of an
// index that was outside, in it or in a run whose results it read.

#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <vector>

#include <tessera/codegen/cuda/executor/mailbox.h>
#include <tessera/codegen/cuda/runtime/pinned.h>
#include <tessera/codegen/executor/check_index.h>

namespace tessera::cuda {

// The checks of a plan, and the ops of the recording that they are made for.
struct IndexChecks {
  IndexChecks(const codegen::Plan& plan, const Program& recorded);
  const std::vector<codegen::PlanCheck> checks;
  const std::vector<codegen::CheckedOp> ops;
};

class Ticket {
 public:
  explicit Ticket(std::shared_ptr<const IndexChecks> checks);
  Ticket(const Ticket&) = delete;
  Ticket& operator=(const Ticket&) = delete;

  // `maker` made an argument, or is null: this run fails with it. Throws at once if it is known to have failed.
  void come_after(std::shared_ptr<Ticket> maker);
  // Memory that the device reads in this run.
  Pinned& keep(size_t bytes) { return sent_.emplace_back(bytes); }
  void close(Outcome outcome);  // all of the run has been given to the device
  uint64_t run() const { return outcome_.run(); }

  // Returns once the run is done and all is well. A ValueError names the op's line, each time it is asked.
  void wait();
  bool is_known_good() const;  // the device is not asked
  bool is_known_bad() const;
  std::vector<std::shared_ptr<Ticket>> makers() const;  // of arguments, of which it is not known how they ended
  // For the program's next runs: returns once the device is done, and throws what nobody has heard of yet.
  void retire();

 private:
  void look();

  const std::shared_ptr<const IndexChecks> checks_;
  std::vector<Pinned> sent_;
  Outcome outcome_;
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<Ticket>> before_;  // the makers of which it is not known how they ended
  std::exception_ptr error_;
  bool is_good_ = false, is_told_ = false;
};

// The runs of one program. Results name theirs by a number: a step makes hundreds, and a number costs nothing to pass on. A
// run that repeats the one before replaces all that lies in the memory of arguments, so those results keep their number, and
// it is this run's from now on. Of runs that are known to have gone well nothing is kept.
class Runs {
 public:
  struct Numbers {
    uint64_t in_place, handed_out;  // of results in an argument's memory, and of all others
  };
  // By who runs the program, one at a time.
  Numbers next() {
    next_ += 2;
    return {next_ - 1, next_};
  }
  Numbers next_like(Numbers last) { return {last.in_place, ++next_}; }
  void add(Numbers numbers, std::shared_ptr<Ticket> run);
  // Of runs that are under way; null: there is none.
  const Ticket* earliest() const { return failed_ < runs_.size() ? runs_[failed_].ticket.get() : nullptr; }
  // Returns once that one is done, and throws what nobody has heard of yet.
  void retire_earliest();

  std::shared_ptr<Ticket> find(uint64_t number) const;  // null: it went well. From any thread

 private:
  struct Run {
    Numbers numbers;
    std::shared_ptr<Ticket> ticket;
  };
  mutable std::mutex mutex_;
  std::deque<Run> runs_;  // first those that failed
  size_t failed_ = 0;
  uint64_t next_ = 0;
};

}  // namespace tessera::cuda
