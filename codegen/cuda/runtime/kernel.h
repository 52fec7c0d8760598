#pragma once
// A compiled kernel on the device. Its text carries how it is launched (device/launch.cuh), so an edited text that
// needs more shared memory or another box is launched right.

#include <string>
#include <vector>

#include <tessera/codegen/cuda/runtime/compiler.h>
#include <tessera/codegen/cuda/runtime/driver.h>

namespace tessera::cuda {

// The same struct as in device/launch.cuh.
struct LaunchFacts {
  int threads, cluster, shared_bytes;
  int box_rows[8];  // of the tensor maps, in the order of the parameters
};

class Kernel {
 public:
  // Loads the cubin and finds `name` and the constant `name`_launch in it. InternalError if the two disagree.
  Kernel(const Cubin& cubin, const std::string& name);
  ~Kernel();
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;
  Kernel(Kernel&& other) noexcept;

  const LaunchFacts& facts() const { return facts_; }

  // On the default stream; `arguments` point to the values of the parameters.
  void launch(int blocks, std::vector<const void*> arguments) const;
  // The same as a step of a graph (graph.h).
  KernelNode node(int blocks, const std::vector<const void*>& arguments) const;

 private:
  std::string name_;
  ModuleHandle* module_ = nullptr;
  FunctionHandle* function_ = nullptr;
  LaunchFacts facts_ = {};
};

// A dense bf16 tensor of rank 2 or 3 (outermost extent first), copied in boxes of `box_rows` rows by 64 columns with the
// 128-byte swizzle. Columns must be a multiple of 8: DeviceError otherwise, as the copy engine reads 16-byte units.
TensorMap map_tensor(Pointer address, const std::vector<int64_t>& extents, int box_rows);

}  // namespace tessera::cuda
