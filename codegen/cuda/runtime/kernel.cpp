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

Parameters::Parameters(const Kernel& kernel, std::vector<const void*> arguments) : arguments_(std::move(arguments)) {
  const LaunchFacts& facts = kernel.facts();
  maps_.reserve(static_cast<size_t>(facts.mapped));
  for (int k = 0; k < facts.mapped; ++k) {
    const MappedTensor& tensor = facts.tensors[k];
    const void*& argument = arguments_.at(static_cast<size_t>(tensor.parameter));
    Pointer address = 0;
    std::memcpy(&address, argument, sizeof address);
    argument = &maps_.emplace_back(map_tensor(address, tensor, facts.box_rows[k]));
  }
}

KernelNode Kernel::node(int blocks, const Parameters& parameters) const {
  // The cluster's size stands in the text (__cluster_dims__); the grid must be a multiple of it.
  check_internal(blocks > 0 && blocks % facts_.cluster == 0, "a grid of whole clusters");
  KernelNode node = {};
  node.function = function_;
  node.grid[0] = static_cast<unsigned>(blocks);
  node.block[0] = static_cast<unsigned>(facts_.threads);
  node.grid[1] = node.grid[2] = node.block[1] = node.block[2] = 1;
  node.shared_bytes = static_cast<unsigned>(facts_.shared_bytes);
  node.arguments = parameters.data();
  return node;
}

void Kernel::launch(int blocks, std::vector<const void*> arguments) const {
  const Parameters parameters(*this, std::move(arguments));
  const KernelNode node = this->node(blocks, parameters);
  LaunchConfig config = {};
  std::copy_n(node.grid, 3, config.grid);
  std::copy_n(node.block, 3, config.block);
  config.shared_bytes = node.shared_bytes;
  const LaunchAttribute early = {.id = launch_early, .value = {1}};
  if (facts_.is_early) config.attributes = &early, config.attribute_count = 1;
  check(driver().launch(&config, function_, node.arguments, nullptr), fmt::format("launch {}", name_).c_str());
}

std::array<uint32_t, 5> MappedTensor::whole_box(int lines) const {
  std::array<uint32_t, 5> made = {128 / static_cast<uint32_t>(element_bytes()), static_cast<uint32_t>(lines), 1, 1, 1};
  if (box[0] != 0) std::copy_n(box, rank - 1, made.begin() + 1);
  check_internal(made[1] * made[2] * made[3] * made[4] == static_cast<uint32_t>(lines), "a box of as many lines");
  return made;
}

TensorMap map_tensor(Pointer address, const MappedTensor& tensor, int box_rows) {
  const auto rank = static_cast<size_t>(tensor.rank);
  const auto bytes = static_cast<uint64_t>(tensor.element_bytes());
  check_internal(rank >= 2 && rank <= 5, "tensor maps of rank 2 to 5");
  uint64_t extents[5], strides[4];
  const std::array<uint32_t, 5> box = tensor.whole_box(box_rows);
  uint32_t steps[5] = {1, 1, 1, 1, 1};
  for (size_t d = 0; d < rank; ++d) extents[d] = static_cast<uint64_t>(tensor.extents[d]);
  for (size_t d = 1; d < rank; ++d) strides[d - 1] = static_cast<uint64_t>(tensor.strides[d]) * bytes;
  TensorMap map;
  void* first = reinterpret_cast<void*>(address + static_cast<uint64_t>(tensor.first) * bytes);
  int result = 0;
  if (tensor.has_window()) {
    for (size_t d = 1; d + 1 < rank; ++d) steps[d] = static_cast<uint32_t>(tensor.window.steps[d - 1]);
    result = driver().window_map(&map, tensor.map_type(), static_cast<uint32_t>(rank), first, extents, strides,
                                 tensor.window.lower, tensor.window.upper, box[0], box[1], steps, 0, map_swizzle_128,
                                 map_promote_256, 0);
  } else {
    result = driver().tensor_map(&map, tensor.map_type(), static_cast<uint32_t>(rank), first, extents, strides,
                                 box.data(), steps, 0, map_swizzle_128, map_promote_256, 0);
  }
  if (result != 0)
    throw DeviceError(
        {.code = "T-X006",
         .fault = fmt::format("the copy engine cannot read a tensor of {}-bit elements of [{}] at {:#x}", bytes * 8,
                              fmt::join(std::vector(tensor.extents, tensor.extents + rank), ", "), address),
         .hint = "rows must be multiples of 16 bytes and start at one"});
  return map;
}

TensorMap map_dense(Pointer address, const std::vector<int64_t>& extents, int box_rows) {
  MappedTensor tensor = {};
  tensor.rank = static_cast<int>(extents.size());
  int64_t stride = 1;
  for (size_t d = 0; d < extents.size(); ++d) {
    const int64_t extent = extents[extents.size() - 1 - d];
    tensor.extents[d] = static_cast<int>(extent), tensor.strides[d] = stride;
    stride *= extent;
  }
  return map_tensor(address, tensor, box_rows);
}

}  // namespace tessera::cuda
