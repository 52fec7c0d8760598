#pragma once
// Runs a lowered program on the processor: its texts compiled by the system's C++ compiler, each block's threads as
// fibers. Slow, and no proof about a card, but every index, guard and reduction of the text is executed.

#include <array>
#include <functional>
#include <string>
#include <vector>

#include <tessera/codegen/cuda/executor/lower_program.h>
#include <tessera/codegen/cuda/runtime/kernel.h>
#include <tessera/core/buffer.h>

namespace tessera::testing {

// A fault planted in the device header: the first `from` in one of its files becomes `to`.
struct HeaderEdit {
  std::string file, from, to;
};

std::vector<BufferPtr> run_on_host(const cuda::LoweredProgram& lowered, const Program& recorded,
                                   const std::vector<BufferPtr>& arguments, const HeaderEdit& edit = {});

// The same in steps: a text as a shared library, that library opened, a kernel of it, and a launch.
using HostEntry = void (*)(void*, void*, void*, void*, void*, void*, void*, void*, void*, void*, void*, void*, void*,
                           void*, void*, void*, void*, void*, void*, void*);
using HostArguments = std::array<void*, 20>;
struct HostKernel {
  HostEntry entry = nullptr;  // null: the library has no such kernel
  const cuda::LaunchFacts* facts = nullptr;
  unsigned char* shared = nullptr;    // where its dynamic shared memory lies, block after block of a cluster
  unsigned char* meetings = nullptr;  // barriers that are not in shared memory; null: it has none
};
// What stands in for a tensor map, in boxes whose lines are 128 bytes, through a window where it has steps; false where the
// driver would refuse it.
bool map_on_host(cuda::TensorMap* map, int type, void* address, uint32_t rank, const uint64_t* extents,
                 const uint64_t* byte_strides, const uint32_t* box, const cuda::Window& window = {});
std::string build_host_library(const std::string& text, const HeaderEdit& edit = {});
void* open_host_library(const std::string& library);
void* find_host_symbol(void* library, const std::string& name);  // null: there is none
HostKernel find_host_kernel(void* library, const std::string& name);
// `before`: a launch that this one waits for itself, if it does.
void run_host_kernel(const HostKernel& kernel, const HostArguments& arguments, int64_t blocks,
                     std::function<void()> before = {});
// Called by a kernel that has published a word, on its thread, before it goes on.
void when_published(std::function<void()> what);

}  // namespace tessera::testing
