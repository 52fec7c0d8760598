#pragma once
// The functions of libcuda that we use, declared by us: building needs no toolkit, running finds the library or says so.

#include <cstddef>
#include <cstdint>

namespace tessera::cuda {

using Pointer = uint64_t;  // device memory
struct Context;            // handles; only the driver knows what they are
struct ModuleHandle;
struct FunctionHandle;
struct StreamHandle;
struct EventHandle;
struct PoolHandle;
struct GraphHandle;
struct GraphRunHandle;  // a graph that can be launched
struct NodeHandle;

// 128 bytes that describe a tensor and a box of it to the copy engine; only the driver writes them.
struct alignas(64) TensorMap {
  uint64_t opaque[16];
};

struct LaunchAttribute {
  int id, padding = 0;
  int value[16];
};
struct LaunchConfig {
  unsigned grid[3], block[3], shared_bytes;
  StreamHandle* stream;
  const LaunchAttribute* attributes;
  unsigned attribute_count;
};

// A kernel as a step of a graph.
struct KernelNode {
  FunctionHandle* function;
  unsigned grid[3], block[3], shared_bytes;
  void** arguments;
  void** extra;
  void* kernel;  // instead of `function`; unused
  Context* context;
};

// How one step of a graph waits for another.
struct GraphEdge {
  unsigned char from_port, to_port, type, reserved[5];
};

// A copy as a step of a graph. The driver's struct is for boxes of three dims; ours is a line of bytes.
struct CopyEnd {
  size_t x = 0, y = 0, z = 0, level = 0;
  unsigned kind = 0;
  void* host = nullptr;
  Pointer device = 0;
  void *array = nullptr, *reserved = nullptr;
  size_t pitch = 0, height = 0;
};
struct CopyNode {
  CopyEnd from, to;
  size_t bytes = 0, height = 1, depth = 1;
};

// Values of the driver's enumerations.
constexpr int function_max_dynamic_shared = 8;                                    // of a function
constexpr int device_multiprocessors = 16, device_major = 75, device_minor = 76;  // of a device
constexpr int pool_release_threshold = 4;                                         // of a memory pool
constexpr int memory_on_device = 2;                                               // where an end of a copy lies
constexpr unsigned stream_apart = 1;                                              // it waits for no other stream
constexpr int out_of_memory = 2, no_device = 100, not_ready = 600;                // what a call returns
constexpr int launch_early = 6;  // attribute: the launch may begin while the one before in its stream ends
// The same in a graph: when all blocks of the step before have left, or may.
constexpr GraphEdge early_edge = {.from_port = 1, .to_port = 0, .type = 1, .reserved = {}};
constexpr int map_bf16 = 9, map_tf32 = 11, map_swizzle_128 = 3, map_promote_256 = 3;

struct Driver {
  int (*init)(unsigned flags);
  int (*error_name)(int, const char**);
  int (*error_text)(int, const char**);
  int (*device_count)(int*);
  int (*device_name)(char*, int length, int device);
  int (*device_attribute)(int*, int attribute, int device);
  int (*device_memory)(size_t*, int device);
  int (*context_retain)(Context**, int device);
  int (*context_use)(Context*);
  int (*context_wait)();
  int (*memory_left)(size_t* free, size_t* all);
  int (*allocate)(Pointer*, size_t);
  int (*free)(Pointer);
  int (*allocate_in_stream)(Pointer*, size_t, StreamHandle*);
  int (*free_in_stream)(Pointer, StreamHandle*);
  int (*allocate_pinned)(void**, size_t);  // host memory that the device uses at the same address
  int (*free_pinned)(void*);
  int (*device_pool)(PoolHandle**, int device);
  int (*pool_trim)(PoolHandle*, size_t keep);
  int (*pool_set)(PoolHandle*, int attribute, void* value);
  int (*copy_in_stream)(Pointer to, const void* from, size_t, StreamHandle*);
  int (*copy_out_stream)(void* to, Pointer from, size_t, StreamHandle*);
  int (*copy_within_stream)(Pointer to, Pointer from, size_t, StreamHandle*);
  int (*copy_in)(Pointer, const void*, size_t);
  int (*copy_out)(void*, Pointer, size_t);
  int (*fill_bytes)(Pointer, unsigned char, size_t);
  int (*module_load)(ModuleHandle**, const void* image);
  int (*module_unload)(ModuleHandle*);
  int (*module_function)(FunctionHandle**, ModuleHandle*, const char*);
  int (*module_global)(Pointer*, size_t*, ModuleHandle*, const char*);
  int (*function_set)(FunctionHandle*, int attribute, int);
  int (*launch)(const LaunchConfig*, FunctionHandle*, void** arguments, void** extra);
  int (*stream_create)(StreamHandle**, unsigned flags);
  int (*stream_wait)(StreamHandle*);
  int (*stream_query)(StreamHandle*);  // not_ready: the device has not done all of it yet
  int (*event_create)(EventHandle**, unsigned flags);
  int (*event_destroy)(EventHandle*);
  int (*event_record)(EventHandle*, StreamHandle*);
  int (*event_wait)(EventHandle*);
  int (*event_elapsed)(float* milliseconds, EventHandle* from, EventHandle* to);
  int (*graph_create)(GraphHandle**, unsigned flags);
  int (*graph_destroy)(GraphHandle*);
  int (*graph_add_kernel)(NodeHandle**, GraphHandle*, NodeHandle* const* after, size_t count, const KernelNode*);
  int (*graph_add_copy)(NodeHandle**, GraphHandle*, NodeHandle* const* after, size_t count, const CopyNode*, Context*);
  // Null in a driver that knows no early launches in graphs.
  int (*graph_add_edges)(GraphHandle*, NodeHandle* const* from, NodeHandle* const* to, const GraphEdge*, size_t count);
  int (*graph_instantiate)(GraphRunHandle**, GraphHandle*, unsigned long long flags);
  int (*graph_set_kernel)(GraphRunHandle*, NodeHandle*, const KernelNode*);
  int (*graph_set_copy)(GraphRunHandle*, NodeHandle*, const CopyNode*, Context*);
  int (*graph_launch)(GraphRunHandle*, StreamHandle*);
  int (*graph_run_destroy)(GraphRunHandle*);
  int (*tensor_map)(TensorMap*, int type, uint32_t rank, void* address, const uint64_t* extents,
                    const uint64_t* byte_strides, const uint32_t* box, const uint32_t* element_strides, int interleave,
                    int swizzle, int promotion, int fill);
  int (*window_map)(TensorMap*, int type, uint32_t rank, void* address, const uint64_t* extents,
                    const uint64_t* byte_strides, const int* lower, const int* upper, uint32_t channels,
                    uint32_t pixels, const uint32_t* element_strides, int interleave, int swizzle, int promotion,
                    int fill);
};

// Opens libcuda and initialises it. DeviceError where there is none, or no device.
Driver open_driver();
// The one that everything calls: opened at its first use.
const Driver& driver();

// Puts `table` in the place of libcuda, before the first use: tests run the executor without a card, a benchmark takes the
// time of each function.
void use_driver(const Driver& table);

// DeviceError, or OutOfMemory, unless `result` is success; `call` says in two words what was tried.
void check(int result, const char* call);

}  // namespace tessera::cuda
