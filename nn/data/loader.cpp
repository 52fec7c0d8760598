#include <tessera/nn/data/loader.h>

#include <algorithm>
#include <numeric>
#include <string>

#include <tessera/core/error.h>
#include <tessera/core/fault.h>
#include <tessera/core/random.h>

namespace tessera::data {

Sequence::Sequence(int64_t size, LoaderOptions options, Loc at) : size_(size), options_(options) {
  if (options.batch < 1 || size < 1 || batches() < 1)
    throw ValueError(
        {.code = "T-V140",
         .fault = "no batch of " + std::to_string(options.batch) + " in a data set of " + std::to_string(size),
         .at = at,
         .hint = size < 1 ? "the data set is empty"
                          : "a batch is 1 or more, and with .drop_last no larger than the data set"});
  order_epoch();
}

int64_t Sequence::batches() const {
  return options_.drop_last ? size_ / options_.batch : (size_ + options_.batch - 1) / options_.batch;
}

void Sequence::restore(LoaderState state, Loc at) {
  if (state.epoch < 0 || state.batch < 0 || state.batch > batches())
    throw ValueError({.code = "T-V141",
                      .fault = "epoch " + std::to_string(state.epoch) + ", batch " + std::to_string(state.batch) +
                               " is no position in epochs of " + std::to_string(batches()) + " batches",
                      .at = at,
                      .hint = "resume with the data set and the batch size of the run"});
  state_ = state;
  if (planted(Fault::loader_restarts)) state_.batch = 0;
  order_epoch();
}

std::span<const int64_t> Sequence::next() {
  if (epoch_is_over()) {
    state_ = {state_.epoch + 1, 0};
    order_epoch();
  }
  const int64_t first = state_.batch++ * options_.batch;
  const int64_t count = std::min(options_.batch, size_ - first);
  return std::span(order_).subspan(static_cast<size_t>(first), static_cast<size_t>(count));
}

// Fisher and Yates' shuffle; each draw is a function of (seed, epoch, position).
void Sequence::order_epoch() {
  order_.resize(static_cast<size_t>(size_));
  std::iota(order_.begin(), order_.end(), int64_t{0});
  if (!options_.shuffle) return;
  const uint64_t key = options_.seed ^ stream_of("data.order", 0);
  for (uint64_t i = order_.size() - 1; i > 0; --i) {
    auto words = philox(key, i, static_cast<uint64_t>(state_.epoch));
    uint64_t bits = (static_cast<uint64_t>(words[0]) << 32) | words[1];
    std::swap(order_[i], order_[bits % (i + 1)]);
  }
}

}  // namespace tessera::data
