#pragma once
// Small launches of one kernel run together, in one parallel region: the optimizer's step for every bias and norm, the
// last sums of column reductions. Alone each of them would wake all threads for a few microseconds of work.

#include <tessera/codegen/plan/plan.h>

namespace tessera::codegen {

// Moves such launches next to each other, as late as what reads them allows, and marks them as joined. Before values
// are placed in the arena, because those of joined launches live together.
// `neighbours`: launches of one kernel, pointwise or of rows, that follow each other are joined whatever their size.
enum class Neighbours { as_others, of_any_size };
void group_launches(Plan& plan, Neighbours neighbours = Neighbours::as_others);

}  // namespace tessera::codegen
