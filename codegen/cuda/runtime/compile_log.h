#pragma once
// What ptxas says about a kernel. It reports lost performance as remarks beside a successful compilation, so the log is
// always read: what is listed in `refused` makes the kernel another one than its schedule says.

#include <string>
#include <string_view>
#include <vector>

namespace tessera::cuda {

struct EntryFacts {
  std::string name;
  int registers = 0, stack_bytes = 0, spill_stores = 0, spill_loads = 0;
};

struct CompileLog {
  std::vector<EntryFacts> entries;
  // Lines of the log, one sentence each: spills, a stack, wgmma serialised or given waits (C7509 … C7520), setmaxnreg
  // ignored (C7504, C7505, C7508), any warning of the front end.
  std::vector<std::string> refused;
  bool only_spills = true;  // nothing in `refused` but registers that ptxas keeps in memory
};

// A stack where nothing is spilled is a function of the device library that keeps one.
enum class Stack { refused, allowed };
CompileLog read_compile_log(std::string_view log, Stack stack = Stack::refused);

}  // namespace tessera::cuda
