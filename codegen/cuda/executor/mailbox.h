#pragma once
// How host and device hand each other what is small, in memory of the host that both use, so that a run asks the driver for
// nothing but its launches. The first kernel of a run brings what the host has left in the run's slot; the last one takes small
// results to where the host wants them, and leaves in another slot the words about indices and then that the run is done. Slots
// follow each other in a ring: who fills one knows that the last run that had it is done.

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <tessera/codegen/cuda/runtime/device.h>
#include <tessera/codegen/cuda/runtime/graph.h>
#include <tessera/codegen/cuda/runtime/kernel.h>
#include <tessera/codegen/cuda/runtime/pinned.h>

namespace tessera::cuda {

// What a run leaves. It stays until the run that is Mailbox::slots behind it.
class Outcome {
 public:
  Outcome() = default;
  Outcome(std::shared_ptr<const Pinned> memory, size_t word, uint64_t run);

  uint64_t run() const { return run_; }
  bool has_come() const;  // the driver is not asked
  // Returns once it has come. The driver is asked now and then whether the device is lost, which is a DeviceError.
  void wait() const;
  const int64_t* errors() const { return reinterpret_cast<const int64_t*>(done_ + 1); }

 private:
  std::shared_ptr<const Pinned> memory_;
  const uint64_t* done_ = nullptr;
  uint64_t run_ = 0;
};

class Mailbox {
 public:
  static constexpr size_t slots = 8;
  static constexpr size_t most_in_slot = 512 << 10;  // bytes
  static constexpr size_t piece = 256;               // bytes of a small result

  // For a program with so many words about indices, whose graph leaves so many small results here.
  Mailbox(size_t error_words, size_t results);

  uint64_t run() const { return run_; }  // the number of the run at hand, the first having 1
  Pointer errors() const { return errors_.address(); }
  Pointer result(size_t number) const { return results_.address() + number * piece; }

  // Memory for `bytes` that the run at hand brings, to be filled before its first kernel is given to the device; they come to
  // brought(). What a graph brings begins with where each small result is wanted. The memory is the slot of the run, or what
  // the caller keeps until the run is done.
  char* send(size_t bytes);
  char* send(size_t bytes, Pinned& kept);
  Pointer brought() const { return brought_ ? brought_->address() : 0; }

  // The first and the last kernel of a run whose launches are given to the device one by one.
  void launch_first() const;
  Outcome launch_last();
  // The same as steps of a graph: all others wait for the first one, and the last one for all others.
  size_t add_first(Graph& graph);
  void add_last(Graph& graph, const std::vector<size_t>& after);
  void update(Graph& graph);  // where they have to be told something else
  Outcome launched();         // the graph was

 private:
  // What the first kernel is told.
  struct Sent {
    Pointer from = 0;
    size_t stride = 0;
    Pointer to = 0;
    size_t bytes = 0;
    bool operator==(const Sent&) const = default;
  };
  static size_t slot_of(uint64_t run) { return (run - 1) % slots; }
  void make_room(size_t bytes);
  int blocks_of_first() const;
  // The parameters of the kernels, all of them words.
  std::vector<uint64_t> words_of_first() const;
  std::vector<uint64_t> words_of_last(size_t results) const;

  const Kernel &first_, &last_;
  const size_t error_words_, result_count_, words_of_outcome_;
  StreamBuffer runs_, errors_, results_;
  std::optional<StreamBuffer> brought_;
  Pinned ring_;
  size_t slot_bytes_ = 0;
  const std::shared_ptr<Pinned> outcomes_;
  uint64_t run_ = 1;
  Sent sent_, of_graph_;
  size_t first_step_ = 0, last_step_ = 0;
};

}  // namespace tessera::cuda
