#pragma once
// An operand of a contraction summed over K, from the panels that are packed for the product anyway. K blocks are added
// in order, and so are parts of K.
//
// No MLIR here.

#include <cstdint>

#include <tessera/codegen/cpu/contract_run.h>

namespace tessera::codegen {

class OperandSums {
 public:
  // `rows` of the operand, in panels of `r`; `offset`: of each row's sum in `result`, in elements. `scratch`: for the
  // sums of a task's rows from one K block to the next; `parts`: for those of all rows and `part_count` parts of K.
  struct Place {
    char* result;  // null: the operand is not summed
    const int64_t* offset;
    int64_t rows, r, bytes;
    char *scratch, *parts;
    int64_t part_count;
  };
  OperandSums(const Place& place, PanelSumCode code) : p_(place), code_(code) {}

  explicit operator bool() const { return p_.result != nullptr; }
  // The panel that begins at `row`, of one K block of part `part`; the task's rows begin at `first_row`.
  void add(const char* panel, int64_t kc, int64_t row, int64_t first_row, int64_t part, bool first, bool last) const;
  // All parts of that panel's rows.
  void combine(int64_t row) const;

 private:
  char* part(int64_t row, int64_t part) const {
    return p_.parts + (row / p_.r * p_.part_count + part) * p_.r * p_.bytes;
  }
  void write(const char* sums, int64_t row) const;

  Place p_;
  PanelSumCode code_;
};

}  // namespace tessera::codegen
