#pragma once
// The CUDA C++ text of a row kernel: one statement per op of its body.

#include <functional>
#include <string>
#include <vector>

#include <tessera/codegen/cuda/rows/schedule.h>

namespace tessera::cuda {

// What the text calls things; the emitter makes these identifiers, each once.
struct KernelWords {
  std::string kernel;
  std::vector<std::string> inputs, results;
  std::vector<std::string> dims;                         // of the form; empty: as the schedule has them
  int made_here = 0;                                     // so many of the last inputs are no parameters
  std::vector<std::string> taken;                        // names that the text gives beside
  std::vector<std::string> head;                         // lines of the comment above
  std::function<std::string(mlir::Operation*)> line_of;  // "model.cpp:84" or ""
  bool writes_elsewhere = true;                          // no result lies where an input does: loads may go past stores
  Rounding rounding = Rounding::of_kernel;
  bool is_early = false;  // begins while the launch before ends, and waits for that before it reads an input
};

// Parameters: inputs, results, one part buffer per column reduction, counters where a last block adds up parts
// (last_blocks() words that are 0), and the error words where an index is checked. A result that a second kernel writes
// has a pointer that is not used here.
std::string row_kernel_text(const codegen::Form& form, const codegen::Stages& stages, const RowSchedule& schedule,
                            KernelWords words);

// "256 threads a row, 2 x 8 values each": the schedule in a line for people.
std::string schedule_text(const codegen::Stages& stages, const RowSchedule& schedule);

}  // namespace tessera::cuda
