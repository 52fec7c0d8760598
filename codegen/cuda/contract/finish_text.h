#pragma once
// The statements that finish a few neighbours of a contraction's sums, for tile.finish.

#include <vector>

#include <tessera/codegen/cuda/contract/tile_schedule.h>
#include <tessera/codegen/cuda/rows/values_text.h>

namespace tessera::cuda {

// How the epilogue's kernel lies on threads: each has so many neighbours along N.
RowSchedule neighbours_along_n(const codegen::Form& form, int width);

// Inputs of the epilogue's kernel that have one value for each column of a tile, and are brought ahead where results are sent
// or b is dealt: the statements find theirs in what `columns_name` is.
std::vector<size_t> inputs_of_columns(const TileSchedule& s, const ValuesText& values);
std::string columns_name(const TileSchedule& s, const ValuesText& values, size_t input);

// Statements in terms of m_first and n_first, and of at_batch_1, … and at_part, the tile's own. Results that are sent end
// in `packed`. Inputs `beside` of the epilogue's kernel are found in `brought`.
Lines finish_lines(const Contraction& c, const TileSchedule& s, const std::vector<size_t>& beside, ValuesText& values);

}  // namespace tessera::cuda
