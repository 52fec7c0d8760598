#pragma once
// One loop nest of a row (stages.h): its loops, the sums that they carry, and what is written at the innermost place.

#include <tessera/codegen/cpu/row_columns.h>

namespace tessera::codegen {

// Reductions that keep no inner dim are visible in `values` afterwards.
void emit_nest(Code& code, const Form& form, const Stages& stages, RowMemory& memory, RowValues& values,
               RowColumns& columns, const Nest& nest);

}  // namespace tessera::codegen
