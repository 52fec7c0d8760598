#include <tessera/core/state_marks.h>

#include <algorithm>
#include <deque>
#include <mutex>

#include <tessera/core/trace.h>

namespace tessera {
namespace {

struct Places {
  std::mutex mutex;
  std::deque<StateMarks> all;
  std::vector<StateMarks*> free;
};
Places& places() {
  static auto* kept = new Places;  // outlives every State
  return *kept;
}

StateMarks& take_place() {
  Places& in = places();
  std::lock_guard lock(in.mutex);
  if (in.free.empty()) return in.all.emplace_back();
  StateMarks& marks = *in.free.back();
  in.free.pop_back();
  return marks;
}

}  // namespace

MarksPlace::MarksPlace() : marks_(take_place()) {}
MarksPlace::~MarksPlace() {
  std::lock_guard lock(places().mutex);
  places().free.push_back(&marks_);
}

StateWatch::StateWatch(const std::vector<State*>& states) {
  watched_.reserve(states.size());
  for (State* state : states) watched_.push_back({&Trace::marks(*state)});
  look();
}

bool StateWatch::all_are_untouched() {
  const uint64_t all = all_marks.load(std::memory_order_acquire);
  if (all == all_marks_) return true;
  const bool are_untouched = std::ranges::all_of(watched_, [](const Watched& one) {
    return one.marks->assigned.load(std::memory_order_relaxed) == one.assigned &&
           one.marks->handed_out.load(std::memory_order_relaxed) == one.handed_out;
  });
  if (are_untouched) all_marks_ = all;
  return are_untouched;
}

bool StateWatch::was_assigned(size_t state) const {
  const Watched& one = watched_[state];
  return one.marks->assigned.load(std::memory_order_relaxed) != one.assigned;
}

void StateWatch::look() {
  all_marks_ = all_marks.load(std::memory_order_acquire);
  for (size_t k = 0; k < watched_.size(); ++k) look(k);
}

void StateWatch::look(size_t state) {
  Watched& one = watched_[state];
  one.assigned = one.marks->assigned.load(std::memory_order_relaxed);
  one.handed_out = one.marks->handed_out.load(std::memory_order_relaxed);
}

}  // namespace tessera
