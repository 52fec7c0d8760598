#pragma once
// Launches and copies that the driver starts with one call.

#include <vector>

#include <tessera/codegen/cuda/runtime/driver.h>
#include <tessera/codegen/cuda/runtime/kernel.h>

namespace tessera::cuda {

class Graph {
 public:
  Graph();
  ~Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  // A step that waits for the steps `after`; returned is its number. A kernel whose text says so begins early where it waits
  // for no more than one other.
  size_t add_launch(const Kernel& kernel, int blocks, const std::vector<const void*>& arguments,
                    const std::vector<size_t>& after);
  size_t add_copy(Pointer to, Pointer from, size_t bytes, const std::vector<size_t>& after);
  size_t steps() const { return steps_.size(); }
  void finish();

  // Other values for a step, from the next launch on; launches that are under way keep theirs.
  void set_launch(size_t step, const Kernel& kernel, int blocks, const std::vector<const void*>& arguments);
  void set_copy(size_t step, Pointer to, Pointer from, size_t bytes);

  void launch() const;  // in the default stream

 private:
  struct Step {
    NodeHandle* node;
    bool is_launch;
  };
  std::vector<NodeHandle*> nodes_of(const std::vector<size_t>& steps) const;

  GraphHandle* graph_ = nullptr;
  GraphRunHandle* run_ = nullptr;
  std::vector<Step> steps_;
};

}  // namespace tessera::cuda
