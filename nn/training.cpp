#include <tessera/nn/training.h>

#include <utility>

namespace tessera::nn {
namespace {
thread_local bool training = false;
}

Training::Training(bool on) : outer_(std::exchange(training, on)) {}
Training::~Training() { training = outer_; }
bool is_training() { return training; }

}  // namespace tessera::nn
