#pragma once
// Operand copies: under a mixed precision every contraction that reads a State reads it rounded. Rounding all weights in
// every step would read and write them once more, so a compiled program keeps the rounded values: each becomes one more
// argument, and where the program assigns the State, one more result, made by the kernel that makes the new value.
//
// Copies are nobody's State: they are computed again from the f32 values whenever a State was assigned by somebody else,
// as when a checkpoint is loaded, and no file holds them.

#include <cstddef>
#include <optional>
#include <vector>

#include <tessera/core/buffer.h>
#include <tessera/core/program.h>
#include <tessera/core/state_marks.h>
#include <tessera/core/trace.h>

namespace tessera {

class OperandCopies {
 public:
  // Gives the recorded program an argument for each f32 State or captured tensor that its contractions read, and results
  // behind all others. `arguments`: how many inputs come before the States.
  OperandCopies(Trace::Recorded& recorded, size_t arguments);

  // The new results, all behind those that the recording had.
  size_t results() const { return results_; }

  // Puts the copies behind `arguments`, which has all others. They are gone until keep(). `states` tells which States were
  // assigned since the copies were made: it looks at them after each run.
  void lend(const Trace::Recorded& recorded, const StateWatch& states, std::vector<BufferPtr>& arguments);
  // After the run, when States have their new values: takes its own of `outputs`, behind all others.
  void keep(std::vector<BufferPtr> outputs);

 private:
  struct Copy {
    size_t of;                    // the argument that it is the rounded value of
    std::optional<size_t> state;  // of recorded.read; none: captured
    int output = -1;              // of the program, if it assigns the State
    BufferPtr value = {};         // null: not known
  };

  std::vector<Copy> copies_;
  size_t results_ = 0;
};

}  // namespace tessera
