#include <tessera/codegen/cuda/tile/agents.h>

namespace tessera::tile {

constexpr size_t nobody = static_cast<size_t>(-1);

// Draws who runs next. When nobody can, all are stopped.
void Agents::hand_over(std::unique_lock<std::mutex>&) {
  std::vector<size_t> able;
  std::vector<size_t> waiting;
  for (size_t i = 0; i < bodies_.size(); ++i) {
    if (done_[i]) continue;
    waiting.push_back(i);
    if (stopped_ || ready_[i]()) able.push_back(i);
  }
  if (able.empty() && !waiting.empty()) {
    stuck_ = waiting;
    stopped_ = true;
    able = waiting;
  }
  current_ = able.empty() ? nobody : able[random_() % able.size()];
  changed_.notify_all();
}

bool Agents::run() {
  ready_.assign(bodies_.size(), [] { return true; });
  done_.assign(bodies_.size(), 0);
  std::vector<std::thread> threads;
  std::unique_lock lock(mutex_);
  for (size_t self = 0; self < bodies_.size(); ++self)
    threads.emplace_back([this, self] {
      std::unique_lock own(mutex_);
      changed_.wait(own, [&] { return current_ == self; });
      try {
        if (!stopped_) {
          own.unlock();
          bodies_[self](self);
          own.lock();
        }
      } catch (const Stopped&) {
        own.lock();
      }
      done_[self] = 1;
      hand_over(own);
    });
  current_ = nobody;
  hand_over(lock);
  lock.unlock();
  for (std::thread& thread : threads) thread.join();
  return stuck_.empty();
}

void Agents::meet(size_t self, std::function<bool()> ready) {
  std::unique_lock lock(mutex_);
  ready_[self] = std::move(ready);
  hand_over(lock);
  changed_.wait(lock, [&] { return current_ == self; });
  ready_[self] = [] { return true; };
  if (stopped_) throw Stopped{};
}

}  // namespace tessera::tile
