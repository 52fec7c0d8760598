#pragma once
// The body of a kernel that reduces: passes over the row, one for each level of reductions and a last one that writes.

#include <tessera/codegen/cuda/rows/values_text.h>

namespace tessera::cuda {

struct RowsText {
  Lines shared, body;       // declarations in shared memory, then statements
  Lines held;               // members of what the launch asks shared memory for: rows
  bool copies = false;      // to shared memory, beside what threads do
  bool adds_parts = false;  // of sums over all rows, in its last block
};
RowsText rows_text(ValuesText& values);

}  // namespace tessera::cuda
