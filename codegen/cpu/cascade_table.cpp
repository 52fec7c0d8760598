#include <tessera/codegen/cpu/cascade_table.h>

#include <algorithm>

namespace tessera::codegen {

void EntrySums::clear() const { std::fill_n(copies, table_copies * slots, 0.0); }

template <class Real> void EntrySums::add(const AddendTile& tile) const {
  const auto* addends = static_cast<const Real*>(tile.addends);
  for (int64_t first = 0; first < tile.rows; first += table_copies) {
    const int64_t together = std::min(table_copies, tile.rows - first);
    const Real* x = addends + first * tile.line;
    const int32_t* slot = tile.slots + first * tile.line;
    if (together == table_copies) {
      for (int64_t n = 0; n < tile.columns; ++n) {
        for (int64_t r = 0; r < table_copies; ++r) {
          const int64_t at = r * tile.line + n;
          copies[r * slots + slot[at]] += static_cast<double>(x[at]);
        }
      }
      continue;
    }
    for (int64_t r = 0; r < together; ++r) {
      for (int64_t at = r * tile.line; at < r * tile.line + tile.columns; ++at) {
        copies[r * slots + slot[at]] += static_cast<double>(x[at]);
      }
    }
  }
}
template void EntrySums::add<float>(const AddendTile& tile) const;
template void EntrySums::add<double>(const AddendTile& tile) const;

void EntrySums::sum_copies(double* entries) const {
  for (int64_t e = 0; e + 1 < slots; ++e) {
    double sum = 0;
    for (int64_t r = 0; r < table_copies; ++r) sum += copies[r * slots + e];
    entries[e] = sum;
  }
}

}  // namespace tessera::codegen
