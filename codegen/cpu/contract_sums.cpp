#include <tessera/codegen/cpu/contract_sums.h>

#include <algorithm>
#include <cstring>

#include <tessera/core/fault.h>

namespace tessera::codegen {

void OperandSums::add(const char* panel, int64_t kc, int64_t row, int64_t first_row, int64_t part_number, bool first,
                      bool last) const {
  const bool in_parts = p_.part_count > 1;
  char* sums = in_parts ? part(row, part_number) : p_.scratch + (row - first_row) * p_.bytes;
  code_(sums, panel, kc, first);
  if (planted(Fault::operand_sum_twice) && !first) code_(sums, panel, kc, false);
  if (last && !in_parts) write(sums, row);
}

// The sums of a panel's parts lie as a panel does: a row of r for each part.
void OperandSums::combine(int64_t row) const {
  code_(p_.scratch, part(row, 0), p_.part_count, true);
  write(p_.scratch, row);
}

void OperandSums::write(const char* sums, int64_t row) const {
  for (int64_t i = 0; i < std::min(p_.r, p_.rows - row); ++i)
    std::memcpy(p_.result + p_.offset[row + i] * p_.bytes, sums + i * p_.bytes, static_cast<size_t>(p_.bytes));
}

}  // namespace tessera::codegen
