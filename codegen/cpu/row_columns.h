#pragma once
// Column reductions inside of one task: each has a slice of its partial buffer, which the task clears and adds to. Those
// that keep no dim at all are running scalars of the loop over rows instead, stored at its end.

#include <tessera/codegen/cpu/row_values.h>

namespace tessera::codegen {

class RowColumns {
 public:
  RowColumns(Code& code, const Form& form, const Stages& stages, RowMemory& memory);

  void clear();  // before the rows
  Values scalar_starts();
  // `value` at `place` joins what is there.
  void add(size_t column, const Values& value, const Place& place);
  void store_scalars();  // behind the rows

  Values scalars;  // where the loop over rows stands

 private:
  Value slice(size_t column);
  int place_of(size_t column) const { return layout_.column + static_cast<int>(column) * layout_.access; }
  Type stored(Type type);
  bool is_scalar(size_t column) const { return stages_.columns[column].kept == 0; }

  Code& c_;
  const Form& form_;
  const Stages& stages_;
  RowMemory& memory_;
  const Layout& layout_;
  std::vector<Value> slices_;
};

}  // namespace tessera::codegen
