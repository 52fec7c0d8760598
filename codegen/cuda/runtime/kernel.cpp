#include <tessera/codegen/cuda/runtime/kernel.h>

#include <algorithm>
#include <cstring>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <tessera/core/error.h>

namespace tessera::cuda {

Kernel::Kernel(const Cubin& cubin, const std::string& name) : name_(name) {
  const Driver& d = driver();
  check(d.module_load(&module_, cubin.image.data()), "load a kernel");
  check(d.module_function(&function_, module_, name.c_str()), "find a kernel");
  Pointer facts = 0;
  size_t bytes = 0;
  check(d.module_global(&facts, &bytes, module_, (name + "_launch").c_str()), "find how a kernel is launched");
  check_internal(bytes == sizeof facts_, "device/launch.cuh and runtime/kernel.h disagree");
  check(d.copy_out(&facts_, facts, bytes), "read how a kernel is launched");
  check(d.function_set(function_, function_max_dynamic_shared, facts_.shared_bytes), "reserve shared memory");
}

Kernel::Kernel(Kernel&& other) noexcept
    : name_(std::move(other.name_)), module_(other.module_), function_(other.function_), facts_(other.facts_) {
  other.module_ = nullptr;
}

Kernel::~Kernel() {
  if (module_) driver().module_unload(module_);
}

KernelNode Kernel::node(int blocks, const std::vector<const void*>& arguments) const {
  // The cluster's size stands in the text (__cluster_dims__); the grid must be a multiple of it.
  check_internal(blocks > 0 && blocks % facts_.cluster == 0, "a grid of whole clusters");
  KernelNode node = {};
  node.function = function_;
  node.grid[0] = static_cast<unsigned>(blocks);
  node.block[0] = static_cast<unsigned>(facts_.threads);
  node.grid[1] = node.grid[2] = node.block[1] = node.block[2] = 1;
  node.shared_bytes = static_cast<unsigned>(facts_.shared_bytes);
  node.arguments = const_cast<void**>(arguments.data());
  return node;
}

void Kernel::launch(int blocks, std::vector<const void*> arguments) const {
  const KernelNode node = this->node(blocks, arguments);
  LaunchConfig config = {};
  std::copy_n(node.grid, 3, config.grid);
  std::copy_n(node.block, 3, config.block);
  config.shared_bytes = node.shared_bytes;
  check(driver().launch(&config, function_, node.arguments, nullptr), fmt::format("launch {}", name_).c_str());
}

TensorMap map_tensor(Pointer address, const std::vector<int64_t>& extents, int box_rows) {
  const size_t rank = extents.size();
  check_internal(rank == 2 || rank == 3, "tensor maps of rank 2 and 3");
  uint64_t inner_first[3], strides[2], stride = 2;
  uint32_t box[3] = {64, static_cast<uint32_t>(box_rows), 1}, steps[3] = {1, 1, 1};
  for (size_t i = 0; i < rank; ++i) {
    inner_first[i] = static_cast<uint64_t>(extents[rank - 1 - i]);
    stride *= inner_first[i];
    if (i + 1 < rank) strides[i] = stride;
  }
  TensorMap map;
  int result = driver().tensor_map(&map, map_bf16, static_cast<uint32_t>(rank), reinterpret_cast<void*>(address),
                                   inner_first, strides, box, steps, 0, map_swizzle_128, map_promote_256, 0);
  if (result != 0)
    throw DeviceError({.code = "T-X006",
                       .fault = fmt::format("the copy engine cannot read a bf16 tensor of [{}] at {:#x}",
                                            fmt::join(extents, ", "), address),
                       .hint = "rows must be multiples of 16 bytes and start at one"});
  return map;
}

}  // namespace tessera::cuda
