#include <tessera/nn/observe.h>

#include <utility>

namespace tessera::nn {
namespace {
thread_local const CallObserver* current = nullptr;
}

ObserveCalls::ObserveCalls(CallObserver observer)
    : observer_(std::move(observer)), outer_(std::exchange(current, &observer_)) {}
ObserveCalls::~ObserveCalls() { current = outer_; }
const CallObserver* current_call_observer() { return current; }

}  // namespace tessera::nn
