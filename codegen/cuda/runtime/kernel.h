#pragma once
// A compiled kernel on the device. Its text carries how it is launched (device/launch.cuh), so an edited text that
// needs more shared memory or another box is launched right.

#include <array>
#include <string>
#include <vector>

#include <tessera/codegen/cuda/runtime/compiler.h>
#include <tessera/codegen/cuda/runtime/driver.h>

namespace tessera::cuda {

// The same structs as in device/launch.cuh.
struct Window {
  int lower[3], upper[3], steps[3];
};
enum class MapElement : int { half, tf32 };
struct MappedTensor {
  int parameter, rank;
  int64_t first;
  int extents[5];
  int64_t strides[5];
  Window window;
  int box[4];  // where lines of a box lie along several dims: of each from the second on; else 0
  MapElement element;

  int element_bytes() const { return element == MapElement::tf32 ? 4 : 2; }
  int map_type() const { return element == MapElement::tf32 ? map_tf32 : map_bf16; }
  bool has_window() const { return window.steps[0] != 0; }
  // The box in elements, of so many lines, as the driver takes it.
  std::array<uint32_t, 5> whole_box(int lines) const;
};
struct LaunchFacts {
  int threads, cluster, shared_bytes;
  int box_rows[8];  // of the tensor maps, in the order of the parameters: lines of a box
  int mapped;
  MappedTensor tensors[8];
  int is_early;  // begins while the launch before ends; its text waits for that
};

class Kernel;

// The parameters of a launch. Where the kernel's text says so, an address becomes a map of the tensor that lies there.
class Parameters {
 public:
  // `arguments` point to the values of the parameters, addresses where the kernel takes maps; they are kept.
  Parameters(const Kernel& kernel, std::vector<const void*> arguments);
  Parameters(const Parameters&) = delete;
  Parameters& operator=(const Parameters&) = delete;

  void** data() const { return const_cast<void**>(arguments_.data()); }

 private:
  std::vector<TensorMap> maps_;
  std::vector<const void*> arguments_;
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

  // On the default stream; `arguments` as for Parameters.
  void launch(int blocks, std::vector<const void*> arguments) const;
  // The same as a step of a graph (graph.h).
  KernelNode node(int blocks, const Parameters& parameters) const;

 private:
  std::string name_;
  ModuleHandle* module_ = nullptr;
  FunctionHandle* function_ = nullptr;
  LaunchFacts facts_ = {};
};

// A tensor, copied in boxes of `box_rows` rows (pixels, where it has a window) by 128 bytes with the 128-byte
// swizzle; rows of the second dim but where the tensor has a `box`. It must begin at a multiple of 16 bytes, and its
// strides be such: DeviceError otherwise, as the copy engine reads 16-byte units.
TensorMap map_tensor(Pointer address, const MappedTensor& tensor, int box_rows);
// The same of a dense one (outermost extent first).
TensorMap map_dense(Pointer address, const std::vector<int64_t>& extents, int box_rows);

}  // namespace tessera::cuda
