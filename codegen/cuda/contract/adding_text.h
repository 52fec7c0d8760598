#pragma once
// The kernel behind a contraction whose K is in parts: adds the parts of each sum in their order, and does what follows.

#include <string>

#include <tessera/codegen/cuda/contract/epilogue.h>
#include <tessera/codegen/cuda/rows/kernel_text.h>

namespace tessera::cuda {

struct AddingSchedule {
  int64_t parts = 1;
  int width = 1, threads = 256;  // neighbours along N of a thread
  int64_t blocks = 1;
};

AddingSchedule schedule_adding(const Contraction& c, int64_t parts);
std::string schedule_text(const AddingSchedule& s);  // in a line for people

// `epilogue` is that of whole sums. Parameters: its inputs without the sums, the parts, its results, and the error words
// where an index is checked; `words` has inputs and results in that order.
std::string adding_text(const Contraction& c, const AddingSchedule& schedule, const Epilogue& epilogue,
                        KernelWords words);

}  // namespace tessera::cuda
