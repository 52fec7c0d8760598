#pragma once
// The table of one task of a cascade: what it sums into entries that an index chooses. Neighbours of a row often go to one
// entry, and each sum would wait for the one before; so there are copies, to which rows go in turn. In f64, because
// thousands of addends meet in one entry.

#include <cstdint>

namespace tessera::codegen {

constexpr int64_t table_copies = 8;

// Rows of addends and of the slots that they go to, `line` elements from one row to the next.
struct AddendTile {
  const void* addends;
  const int32_t* slots;
  int64_t line, rows, columns;
};

struct EntrySums {
  double* copies;
  int64_t slots;  // of a copy; the last one is no entry

  void clear() const;
  template <class Real> void add(const AddendTile& tile) const;
  void sum_copies(double* entries) const;  // copy after copy
};

}  // namespace tessera::codegen
