#include <tessera/codegen/cuda/runtime/driver.h>

#include <fmt/format.h>

#include <tessera/codegen/cuda/runtime/library.h>
#include <tessera/core/error.h>

namespace tessera::cuda {

Driver open_driver() {
  static const Library library("the CUDA driver", {"libcuda.so.1"}, {"/usr/local/nvidia/lib64"},
                               "install NVIDIA's driver");
  Driver d;
  library.bind(d.init, "cuInit");
  library.bind(d.error_name, "cuGetErrorName");
  library.bind(d.error_text, "cuGetErrorString");
  library.bind(d.device_count, "cuDeviceGetCount");
  library.bind(d.device_name, "cuDeviceGetName");
  library.bind(d.device_attribute, "cuDeviceGetAttribute");
  library.bind(d.device_memory, "cuDeviceTotalMem_v2");
  library.bind(d.context_retain, "cuDevicePrimaryCtxRetain");
  library.bind(d.context_use, "cuCtxSetCurrent");
  library.bind(d.context_wait, "cuCtxSynchronize");
  library.bind(d.memory_left, "cuMemGetInfo_v2");
  library.bind(d.allocate, "cuMemAlloc_v2");
  library.bind(d.free, "cuMemFree_v2");
  library.bind(d.allocate_in_stream, "cuMemAllocAsync");
  library.bind(d.free_in_stream, "cuMemFreeAsync");
  library.bind(d.allocate_pinned, "cuMemAllocHost_v2");
  library.bind(d.free_pinned, "cuMemFreeHost");
  library.bind(d.device_pool, "cuDeviceGetDefaultMemPool");
  library.bind(d.pool_trim, "cuMemPoolTrimTo");
  library.bind(d.pool_set, "cuMemPoolSetAttribute");
  library.bind(d.copy_in_stream, "cuMemcpyHtoDAsync_v2");
  library.bind(d.copy_out_stream, "cuMemcpyDtoHAsync_v2");
  library.bind(d.copy_within_stream, "cuMemcpyDtoDAsync_v2");
  library.bind(d.copy_in, "cuMemcpyHtoD_v2");
  library.bind(d.copy_out, "cuMemcpyDtoH_v2");
  library.bind(d.fill_bytes, "cuMemsetD8_v2");
  library.bind(d.module_load, "cuModuleLoadData");
  library.bind(d.module_unload, "cuModuleUnload");
  library.bind(d.module_function, "cuModuleGetFunction");
  library.bind(d.module_global, "cuModuleGetGlobal_v2");
  library.bind(d.function_set, "cuFuncSetAttribute");
  library.bind(d.launch, "cuLaunchKernelEx");
  library.bind(d.stream_create, "cuStreamCreate");
  library.bind(d.stream_wait, "cuStreamSynchronize");
  library.bind(d.stream_query, "cuStreamQuery");
  library.bind(d.event_create, "cuEventCreate");
  library.bind(d.event_destroy, "cuEventDestroy_v2");
  library.bind(d.event_record, "cuEventRecord");
  library.bind(d.event_wait, "cuEventSynchronize");
  library.bind(d.event_elapsed, "cuEventElapsedTime");
  library.bind(d.graph_create, "cuGraphCreate");
  library.bind(d.graph_destroy, "cuGraphDestroy");
  library.bind(d.graph_add_kernel, "cuGraphAddKernelNode_v2");
  library.bind(d.graph_add_copy, "cuGraphAddMemcpyNode");
  library.bind_if_there(d.graph_add_edges, "cuGraphAddDependencies_v2");  // 12.3
  library.bind(d.graph_instantiate, "cuGraphInstantiateWithFlags");
  library.bind(d.graph_set_kernel, "cuGraphExecKernelNodeSetParams_v2");
  library.bind(d.graph_set_copy, "cuGraphExecMemcpyNodeSetParams");
  library.bind(d.graph_launch, "cuGraphLaunch");
  library.bind(d.graph_run_destroy, "cuGraphExecDestroy");
  library.bind(d.tensor_map, "cuTensorMapEncodeTiled");
  library.bind(d.window_map, "cuTensorMapEncodeIm2col");

  int result = d.init(0), count = 0;
  if (result == 0) result = d.device_count(&count);
  if (result == no_device || (result == 0 && count == 0))
    throw DeviceError({.code = "T-X004",
                       .fault = "the CUDA driver sees no device",
                       .hint = "nvidia-smi lists what it sees; CUDA_VISIBLE_DEVICES may hide devices"});
  if (result != 0)
    throw DeviceError({.code = "T-X004", .fault = fmt::format("the CUDA driver does not start: error {}", result)});
  return d;
}

namespace {
const Driver* replacement = nullptr;
}  // namespace

const Driver& driver() {
  static const Driver instance = replacement ? *replacement : open_driver();
  return instance;
}

void use_driver(const Driver& table) { replacement = &table; }

void check(int result, const char* call) {
  if (result == 0) return;
  const char *name = nullptr, *text = nullptr;
  driver().error_name(result, &name), driver().error_text(result, &text);
  std::string fault = fmt::format("CUDA, {}: {} ({})", call, text ? text : "unknown error", name ? name : "?");
  if (result == out_of_memory) throw OutOfMemory({.code = "T-M002", .fault = fault});
  throw DeviceError({.code = "T-X005", .fault = fault});
}

}  // namespace tessera::cuda
