#pragma once
// Machine code in this process: relocatable objects in, addresses of kernels out.

#include <cstdint>
#include <memory>
#include <string>

namespace tessera::codegen {

// What every kernel is. `arguments` are the addresses of operands in the order that the kernel's form names, `params`
// its extents, strides and offsets, `scratch` this thread's workspace. One call does one task.
using KernelFunction = void (*)(void* const* arguments, const int64_t* params, int64_t task, void* scratch);

class Jit {
 public:
  static Jit& instance();

  // Links `object` (an ELF relocatable) and returns the address of `symbol` in it. Safe on any thread. Throws
  // InternalError when the object does not link. An object whose symbol is already there is not linked again.
  KernelFunction add(const std::string& symbol, const std::string& object);

 private:
  Jit();
  ~Jit();
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tessera::codegen
