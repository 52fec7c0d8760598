#pragma once
// What a row kernel reads and writes: its parameters, the addresses of its operands and the offsets of the current row.

#include <vector>

#include <tessera/codegen/cpu/code.h>
#include <tessera/codegen/cpu/launch.h>

namespace tessera::codegen {

// Where the emitter stands inside a row: the index of each inner dim that has a loop here, and for the vector dim how
// many vectors side by side it is working on and which lanes are real.
struct Place {
  std::vector<Value> index;  // per dim of the form; null: no loop here. For the vector dim: of lane 0 of vector 0
  bool vectors = false;      // inside the loop over the vector dim
  int unroll = 1;            // vectors side by side
  Value mask;                // null: all lanes
};

class RowMemory {
 public:
  RowMemory(Code& code, const Form& form, const Stages& stages, mlir::LLVM::LLVMFuncOp function);

  Value parameter(int place);  // loaded once, before everything else
  Value argument(int place) { return arguments_[static_cast<size_t>(place)]; }
  Value scratch() { return scratch_; }
  Value task() { return task_; }
  const Layout& layout() const { return layout_; }

  // Fixes the row: indices of the row dims.
  void enter_row(const std::vector<Value>& row_index);
  const std::vector<Value>& row_index() const { return row_index_; }

  // `access` of the form at parameter place `first`: its value at `place`, for vector number `u`. A vector of i64 when
  // it depends on the vector dim and `lanes` is set, else that of lane 0.
  Value offset(const Access& access, int first, const Place& place, int u, bool lanes);
  // Dense arrays of ours (scratch, partial results): strides from parameters, dims in `set`.
  Value dense_offset(DimSet set, int first, const Place& place, int u);

  // Elements of the body's type `type` (bool is a byte).
  Value load(Value base, Type type, const Access& access, int first, const Place& place, int u);
  void store(Value value, Type type, Value base, const Access& access, int first, const Place& place, int u);
  Value load_dense(Value base, Type type, DimSet set, int first, const Place& place, int u);
  void store_dense(Value value, Type type, Value base, DimSet set, int first, const Place& place, int u);
  // At computed element offsets (a vector of them, or one): fuse.load_at.
  Value load_gather(Value base, Type type, Value index, const Place& place);
  Value load_consecutive(Value base, Type type, Value first_index, const Place& place);

 private:
  Type stored(Type type);
  Value from_stored(Value value, Type type);
  Value to_stored(Value value, Type type);
  Value load_vector(Value pointer, Type element, const Place& place);
  Value load_every_second(Value pointer, Type element, const Place& place);
  void store_vector(Value value, Value pointer, const Place& place);
  Value all_lanes();

  Code& c_;
  const Form& form_;
  Layout layout_;
  mlir::OpBuilder::InsertPoint preamble_;
  Value params_, task_, scratch_;
  std::vector<Value> arguments_, parameters_;
  std::vector<Value> row_index_;
  std::vector<Value> row_offset_;  // by parameter place of the access
};

}  // namespace tessera::codegen
