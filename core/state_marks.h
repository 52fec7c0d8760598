#pragma once
// What others have done to States, so that a compiled function to whose States nothing was done need not look at them. A step
// has hundreds, and each State, node and buffer that it looks at may be a miss of the cache: so the marks of all States lie
// side by side, in memory of their own.

#include <atomic>
#include <cstdint>
#include <vector>

#include <tessera/core/fault.h>

namespace tessera {

class State;

// Of all States together: whoever finds as many as at its last look need not look at the marks of each.
inline std::atomic<uint64_t> all_marks = 0;

// Of one State. Two counters, since who keeps something that is computed from a value need not care who has seen it.
struct StateMarks {
  std::atomic<uint64_t> assigned = 0;    // how often it was given a value
  std::atomic<uint64_t> handed_out = 0;  // how often somebody got hold of its value, who may hold it still

  // From any thread.
  void hand_out() {
    if (!planted(Fault::read_unmarked)) count(handed_out);
  }
  void assign() {
    if (!planted(Fault::assignment_unmarked)) count(assigned);
  }

 private:
  static void count(std::atomic<uint64_t>& marks) {
    marks.fetch_add(1, std::memory_order_relaxed);
    all_marks.fetch_add(1, std::memory_order_release);
  }
};

// A State's place among them, for its lifetime. Counters go on where the last State in that place has left them.
class MarksPlace {
 public:
  MarksPlace();
  ~MarksPlace();
  MarksPlace(const MarksPlace&) = delete;
  MarksPlace& operator=(const MarksPlace&) = delete;

  StateMarks& operator*() const { return marks_; }
  StateMarks* operator->() const { return &marks_; }

 private:
  StateMarks& marks_;
};

// The States of one compiled program, and their marks when it last ran.
class StateWatch {
 public:
  explicit StateWatch(const std::vector<State*>& states);

  bool all_are_untouched();  // since look()
  bool was_assigned(size_t state) const;
  void look();
  void look(size_t state);

 private:
  struct Watched {
    const StateMarks* marks;
    uint64_t assigned = 0, handed_out = 0;
  };
  std::vector<Watched> watched_;
  uint64_t all_marks_ = 0;  // when all of these were as they were at the last look
};

}  // namespace tessera
