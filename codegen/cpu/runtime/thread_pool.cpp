#include <tessera/codegen/cpu/runtime/thread_pool.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace tessera::codegen {
namespace {

thread_local bool inside_task = false;

class InsideTask {
 public:
  InsideTask() : outer_(std::exchange(inside_task, true)) {}
  ~InsideTask() { inside_task = outer_; }

 private:
  bool outer_;
};

// Launches follow each other within microseconds, and their last tasks end almost together: looks for a while before
// the thread goes to sleep, from which it takes as long to wake up.
template <class F> void look_for(F f) {
  for (int look = 0; look < 2000 && !f(); ++look) __builtin_ia32_pause();
}

}  // namespace

int ThreadPool::wanted() {
  const char* set = std::getenv("TESSERA_THREADS");
  int wanted = set ? std::atoi(set) : 0;
  if (wanted <= 0) wanted = static_cast<int>(std::thread::hardware_concurrency());
  return std::clamp(wanted, 1, 1024);
}

ThreadPool& ThreadPool::instance() {
  static ThreadPool* pool = new ThreadPool(wanted());  // never joined: programs may exit from anywhere
  return *pool;
}

ThreadPool::ThreadPool(int threads) {
  for (int k = 1; k < threads; ++k) helpers_.emplace_back([this, k] { help(k); });
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  start_.notify_all();
  for (std::thread& helper : helpers_) helper.join();
}

void ThreadPool::work(int thread) {
  const InsideTask inside;
  try {
    for (int64_t task = next_++; task < tasks_; task = next_++) (*body_)(task, thread);
  } catch (...) {  // thrown again by run(), in the thread that asked
    std::lock_guard lock(mutex_);
    if (!failed_) failed_ = std::current_exception();
    next_ = tasks_;
  }
}

void ThreadPool::help(int thread) {
  uint64_t seen = 0;
  while (true) {
    look_for([&] { return job_.load(std::memory_order_acquire) != seen; });
    std::unique_lock lock(mutex_);
    start_.wait(lock, [&] { return stop_ || job_ != seen; });
    if (stop_) return;
    seen = job_;
    if (!body_) continue;  // already over
    ++busy_;
    lock.unlock();
    work(thread);
    lock.lock();
    if (--busy_ == 0) done_.notify_one();
  }
}

void ThreadPool::run(int64_t tasks, const std::function<void(int64_t, int)>& body) {
  if (tasks <= 0) return;
  if (inside_task || tasks == 1 || helpers_.empty()) {
    std::unique_lock callers(callers_, std::defer_lock);
    if (!inside_task) callers.lock();  // thread number 0 is the caller's alone
    const InsideTask inside;
    for (int64_t task = 0; task < tasks; ++task) body(task, 0);
    return;
  }
  std::lock_guard callers(callers_);
  {
    std::lock_guard lock(mutex_);
    body_ = &body;
    tasks_ = tasks;
    next_ = 0;
    ++job_;
  }
  start_.notify_all();
  work(0);
  look_for([&] { return busy_.load(std::memory_order_acquire) == 0; });
  std::unique_lock lock(mutex_);
  done_.wait(lock, [&] { return busy_ == 0; });
  body_ = nullptr;
  if (failed_) std::rethrow_exception(std::exchange(failed_, nullptr));
}

}  // namespace tessera::codegen
