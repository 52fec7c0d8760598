#pragma once
// Threads of which one runs at a time, handing over where they meet: an order of execution drawn from a seed.

#include <condition_variable>
#include <functional>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

namespace tessera::tile {

struct Stopped {};  // thrown through an agent once another has failed

class Agents {
 public:
  explicit Agents(uint64_t seed) : random_(seed) {}

  // `body` may call `meet`. Nothing runs before `run`.
  void add(std::function<void(size_t self)> body) { bodies_.push_back(std::move(body)); }

  // Runs all to their ends. False if none could go on: `stuck` then lists those that wait.
  bool run();
  const std::vector<size_t>& stuck() const { return stuck_; }

  // Called by agent `self`: others may run now; returns when `ready` holds and it is this agent's turn again.
  void meet(size_t self, std::function<bool()> ready);
  // Called by the agent that runs: all others end at their next meeting.
  void stop() { stopped_ = true; }

  bool flip() { return random_() % 2 == 0; }  // drawn by the agent that runs

 private:
  void hand_over(std::unique_lock<std::mutex>& lock);

  std::mt19937_64 random_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::function<void(size_t)>> bodies_;
  std::vector<std::function<bool()>> ready_;
  std::vector<char> done_;
  std::vector<size_t> stuck_;
  size_t current_ = 0;
  bool stopped_ = false;
};

}  // namespace tessera::tile
