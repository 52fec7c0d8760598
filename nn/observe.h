#pragma once
// Who wants to see the result of every module call made on this thread: summaries and debuggers. The observer runs in
// the scope of the call; its tensor has no value where forward returns something else.

#include <functional>

#include <tessera/core/tensor.h>

namespace tessera::nn {

class ModuleBase;
using CallObserver = std::function<void(const ModuleBase&, const Tensor& result)>;

class [[nodiscard]] ObserveCalls {
 public:
  explicit ObserveCalls(CallObserver);
  ~ObserveCalls();
  ObserveCalls(const ObserveCalls&) = delete;
  ObserveCalls& operator=(const ObserveCalls&) = delete;

 private:
  CallObserver observer_;
  const CallObserver* outer_;
};

const CallObserver* current_call_observer();  // null: nobody

}  // namespace tessera::nn
