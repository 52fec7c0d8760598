#pragma once
// Values of a row kernel's body: which have been emitted and are visible here, and the code of one more at a place.

#include "llvm/ADT/DenseMap.h"

#include <tessera/codegen/cpu/row_memory.h>

namespace tessera::fuse {
class LoadAtOp;
}

namespace tessera::codegen {

using Values = llvm::SmallVector<Value, 4>;  // one per vector side by side, or a single one
inline Value pick(const Values& values, int u) { return values[values.size() == 1 ? 0 : static_cast<size_t>(u)]; }

class RowValues {
 public:
  RowValues(Code& code, const Form& form, const Stages& stages, RowMemory& memory);

  // The operands are visible already.
  void emit(Value value, const Place& place);
  // A value without inner dims and what it needs, at the level of the row.
  void emit_row_value(Value value);

  const Values& of(Value value) const { return visible.find(value)->second; }
  void set(Value value, Values values) { visible[value] = std::move(values); }
  llvm::DenseMap<Value, Values> visible;  // a loop restores what was visible outside of it

  // Of a fuse.reduce: inner dims that it runs over; whether it runs over the rows too.
  DimSet inside(mlir::Operation* reduce) const;
  bool is_column(mlir::Operation* reduce) const;

 private:
  Value emit_one(Value value, const Place& place, int u);
  bool is_consecutive(fuse::LoadAtOp load, const Place& place) const;
  Value emit_load_at(fuse::LoadAtOp load, const Place& place, int u);
  void report(fuse::LoadAtOp load, int d, Value index, Value outside, const Place& place);

  Code& c_;
  const Form& form_;
  const Stages& stages_;
  RowMemory& memory_;
  const Layout& layout_;
  llvm::DenseMap<mlir::Operation*, int> number_;  // place among ops of its kind; of a load_at its first error word
};

}  // namespace tessera::codegen
