#pragma once
// Trace: one recording of a function that compile() was given. While it is active on this thread, ops append to it,
// States hand out their program inputs, and reading a value throws TraceError.

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include <tessera/core/program.h>
#include <tessera/core/random.h>
#include <tessera/core/state.h>

namespace tessera {

class Trace {
 public:
  // Becomes current on this thread. Normal forms are raised (raise.h) unless the program shall be `as_written`.
  explicit Trace(bool as_written = false);
  ~Trace();
  Trace(const Trace&) = delete;
  Trace& operator=(const Trace&) = delete;

  static Trace* current();
  static uint64_t current_number();  // 0 when this thread records nothing
  static bool is_as_written();       // false when it records nothing
  static void check_none(Loc at);    // TraceError when this thread records already

  Tensor argument(DType, Shape, std::string name);  // declares the next program argument
  Tensor read(const State&);
  void write(State&, Tensor);

  struct Recorded {
    Program program;
    std::vector<NodePtr> captured;  // concrete tensors the function closed over, after the arguments and states
    std::vector<State*> read;       // inputs after the arguments, in order of first use
    std::vector<State*> written;    // outputs after the results, in order of first assignment
  };
  Recorded finish(const std::vector<Tensor>& results, std::string name);

  // The slot itself, past any recording: what a compiled function takes its inputs from and puts its outputs into.
  static const Tensor& stored(const State&);
  static void store(State&, BufferPtr value, Loc at);
  static bool holds_alone(const State&);  // nobody else has its value, node and buffer
  static const StateMarks& marks(const State&);

 private:
  bool as_written_;
  uint64_t number_;  // no other recording of the process has it: nodes outlive theirs
  Trace* outer_;
  std::vector<NodePtr> arguments_;
  std::vector<State*> read_, written_;
  std::unordered_map<const State*, Tensor> input_of_, value_of_;
  RandomPoint outer_calls_;  // draws are numbered afresh in every recording
};

}  // namespace tessera
