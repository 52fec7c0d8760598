#pragma once
// One contraction kernel, from numbers to a call: writes the fuse.kernel, compiles it alone and runs its launches.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace tessera::test {

// An operand: element offset = base + Σ stride[d] · index[d].
struct Walk {
  std::string type = "f32";  // element type in memory
  std::vector<int64_t> stride;
  int64_t base = 0;
};

// ins[0] and ins[1] meet in the contract, and those of them that `sums` names are summed over its dims as well: the last
// results. The others are read by `epilogue`, lines of body text over %acc and %x2, %x3, …
// that end in values %y0, %y1, … of the types of outs. Without it %y0 is %acc.
struct ContractSpec {
  std::vector<int64_t> dims, over;
  std::vector<Walk> ins, outs;
  std::string epilogue;
  std::vector<int> sums = {};
  int lanes = 0;    // of a vector; 0: the machine's. 8 is what a machine with AVX2 has
  int threads = 0;  // that launches are cut for; 0: the machine's
};
std::string kernel_text(const ContractSpec& spec);
int64_t elements_of(const ContractSpec& spec, const Walk& walk);  // of the storage: highest offset plus one

class ContractProgram {
 public:
  explicit ContractProgram(const ContractSpec& spec);
  ~ContractProgram();

  // Inputs, then results. `threads` share the tasks of a launch.
  void run(std::vector<void*> operands, int threads = 1);

  double compile_ms() const;           // of the kernel alone, its shared code at hand
  double shared_ms() const;            // of the code that it shares with others, where it was not yet compiled
  std::vector<int64_t> tasks() const;  // of each launch
  bool may_share(int in, int out) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tessera::test
