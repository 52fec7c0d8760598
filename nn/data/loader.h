#pragma once
// Batches of a data set in an order that depends on seed and epoch alone.
//
//   data::Loader loader(set, {.batch = 128, .seed = 7, .drop_last = true});
//   for (auto [x, y] : loader) …       one epoch, or what is left of it after a restore()
//   auto [x, y] = loader.next();        the same stream without end
//
// A data set has size() and batch(indices), which returns whatever a batch is: a struct of Tensors.

#include <concepts>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <vector>

#include <tessera/core/location.h>

namespace tessera::data {

template <class D>
concept Dataset = requires(const D& set, std::span<const int64_t> indices) {
  { set.size() } -> std::convertible_to<int64_t>;
  set.batch(indices);
};

struct LoaderOptions {
  int64_t batch;
  bool shuffle = true;
  uint64_t seed = 0;
  bool drop_last = false;  // the last batch of an epoch when it is smaller: it would compile a second program
};

// Where a stream stands: what a checkpoint holds.
struct LoaderState {
  int64_t epoch = 0;
  int64_t batch = 0;  // batches of this epoch that were handed out
  bool operator==(const LoaderState&) const = default;
};

// The order of one stream; Loader adds the data.
class Sequence {
 public:
  Sequence(int64_t size, LoaderOptions, Loc at = Loc::here());  // ValueError when an epoch would have no batch

  int64_t batches() const;  // per epoch
  const LoaderState& state() const { return state_; }
  void restore(LoaderState, Loc at = Loc::here());  // ValueError for a place that no epoch has
  // Indices of the next batch; begins a new epoch when the last one is used up.
  std::span<const int64_t> next();
  bool epoch_is_over() const { return state_.batch == batches(); }

 private:
  void order_epoch();
  int64_t size_;
  LoaderOptions options_;
  LoaderState state_;
  std::vector<int64_t> order_;
};

template <Dataset D>
class Loader {
 public:
  using Batch = decltype(std::declval<const D&>().batch(std::span<const int64_t>()));

  // Keeps a reference to the set.
  Loader(const D& set, LoaderOptions options, Loc at = Loc::here()) : set_(set), sequence_(set.size(), options, at) {}

  Batch next() { return set_.batch(sequence_.next()); }
  int64_t batches() const { return sequence_.batches(); }
  const LoaderState& state() const { return sequence_.state(); }
  void restore(const LoaderState& state, Loc at = Loc::here()) { sequence_.restore(state, at); }

  class Iterator {
   public:
    explicit Iterator(Loader& loader) : loader_(loader), batch_(loader.next()) {}
    Batch& operator*() { return *batch_; }
    Iterator& operator++() {
      if (loader_.sequence_.epoch_is_over()) batch_.reset();
      else batch_ = loader_.next();
      return *this;
    }
    bool operator==(std::default_sentinel_t) const { return !batch_; }

   private:
    Loader& loader_;
    std::optional<Batch> batch_;
  };
  Iterator begin() { return Iterator(*this); }
  std::default_sentinel_t end() const { return {}; }

 private:
  const D& set_;
  Sequence sequence_;
};

}  // namespace tessera::data
