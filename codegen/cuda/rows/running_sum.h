#pragma once
// Σ exp(x − max x) in one walk over a row: a thread keeps the highest element so far and the sum under it, and rescales
// the sum where a higher one comes. For rows too long for registers, which would be read once for each of the two.

#include <optional>

#include <tessera/codegen/cpu/form.h>
#include <tessera/codegen/cpu/stages.h>

namespace tessera::cuda {

struct RunningSum {
  mlir::Operation *highest = nullptr, *sum = nullptr;  // the two reductions
};

// Where the only reduction that waits for others is such a sum of f32 (−infinity counting as 0, as logsumexp has it), and
// nothing else wants the elements after it.
std::optional<RunningSum> find_running_sum(const codegen::Form& form, const codegen::Stages& stages);

}  // namespace tessera::cuda
