#pragma once
// Threads that run the tasks of one launch. Which thread runs a task never matters: no task adds to what another writes.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace tessera::codegen {

class ThreadPool {
 public:
  // The pool of the process, of wanted() threads: TESSERA_THREADS, by default one per core. The caller is one of them.
  static ThreadPool& instance();
  static int wanted();
  explicit ThreadPool(int threads);
  ~ThreadPool();

  int threads() const { return static_cast<int>(helpers_.size()) + 1; }

  // Calls body(task, thread) for every task in [0, tasks) and returns when all are done. Calls from several threads
  // queue up behind each other; a call from inside a task runs its tasks in place. If a task throws, no more begin, and the
  // first such error is thrown again when those that run have ended.
  void run(int64_t tasks, const std::function<void(int64_t task, int thread)>& body);

 private:
  void help(int thread);
  void work(int thread);

  std::vector<std::thread> helpers_;
  std::mutex callers_;  // one job at a time
  std::mutex mutex_;
  std::condition_variable start_, done_;
  const std::function<void(int64_t, int)>* body_ = nullptr;
  int64_t tasks_ = 0;
  std::atomic<int64_t> next_ = 0;
  std::atomic<uint64_t> job_ = 0;
  std::atomic<int> busy_ = 0;  // helpers at work; changes under mutex_
  std::exception_ptr failed_;  // the same
  bool stop_ = false;
};

}  // namespace tessera::codegen
