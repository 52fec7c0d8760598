#pragma once
// The values of a body as statements, sorted by how often they run.

#include <map>
#include <string>
#include <vector>

#include "llvm/ADT/DenseMap.h"
#include "mlir/IR/Value.h"

#include <tessera/codegen/cuda/rows/addresses.h>
#include <tessera/codegen/cuda/rows/kernel_text.h>
#include <tessera/codegen/cuda/rows/lines.h>
#include <tessera/codegen/cuda/rows/names.h>
#include <tessera/codegen/cuda/rows/schedule.h>

namespace mlir::arith {
class CmpFOp;
class CmpIOp;
}  // namespace mlir::arith

namespace tessera::fuse {
class LoadAtOp;
class RandomOp;
}  // namespace tessera::fuse

namespace tessera::cuda {

class ValuesText {
 public:
  ValuesText(const codegen::Form& form, const codegen::Stages& stages, const RowSchedule& schedule, KernelWords words);

  const codegen::Form& form;
  const codegen::Stages& stages;
  const RowSchedule& schedule;
  Names names;
  const KernelWords words;  // with identifiers for names
  const Addresses addresses;
  mlir::Operation* const yield;
  std::vector<std::string> column_names;  // what sums over all rows are called

  Lines row, chunk, lane;  // statements of a row, of a vector, of an element

  // The value's name at this place; what it takes to compute it goes to the lines above.
  std::string name_of(mlir::Value value);
  void call_in_row(mlir::Value value, const std::string& name) { row_name_[value] = name; }
  void leave_rows() { row_name_.clear(); }  // what has a name inside a row has none behind the last one
  void call_in_lane(mlir::Value value, const std::string& name) { lane_name_[value] = name; }
  // Input k is no parameter: the text around makes it.
  bool is_made_here(size_t k) const { return k >= form.in.size() - static_cast<size_t>(words.made_here); }

  // What a reader would call it: "add", or "sigmoid" for a tanh that is printed as one.
  std::string word_of_value(mlir::Operation* op) const;

  // "  // model.cpp:84", where the line is another than that of the statement before.
  std::string comment(mlir::Operation* op);

  // Does the value differ between the neighbours (points), or between elements of the row (rows)?
  bool is_lane(mlir::Value value) const { return (stages.of(value).dims & lane_dims()) != 0; }
  bool is_lane_result(unsigned k) const;

  // Writes result k, which differs between neighbours, under a condition unless that is empty: into `after` what follows
  // the loop over them.
  void write_lanes(unsigned k, const std::string& condition, Lines& after);
  // The statement that writes result k, one value of a point or row.
  std::string write_once(unsigned k, const std::string& condition);

  // Does it ask whether the element is at a place that the row names? Then: where elements are, and the place by name.
  bool compares_place(mlir::arith::CmpIOp op) const;
  const codegen::Access& place_access(mlir::arith::CmpIOp op) const;
  std::string place_of_row(mlir::arith::CmpIOp op);

  bool ends_early() const;  // the last vector of points has fewer neighbours
  // The statements of one visit to `width` neighbours; empties `chunk` and `lane`.
  Lines neighbours(const Lines& after);

  bool checks_indices() const { return !first_word_.empty(); }
  mlir::Type result_type(unsigned k) const;  // in memory

 private:
  codegen::DimSet lane_dims() const;
  std::string argument(mlir::BlockArgument value);
  std::string statement(mlir::Operation* op);
  std::string picked_text(fuse::LoadAtOp op);
  std::string random_text(fuse::RandomOp op);
  std::string bits_text(fuse::RandomOp op);
  bool is_chance(mlir::arith::CmpFOp op) const;
  std::string chance_text(mlir::arith::CmpFOp op);
  std::string place_text(mlir::arith::CmpIOp op);

  std::map<mlir::Operation*, int> first_word_;
  llvm::DenseMap<mlir::Value, std::string> row_name_, lane_name_, place_name_;
  std::string last_line_;
};

// `statement`, under a condition unless that is empty.
std::string conditional(const std::string& condition, const std::string& statement);

}  // namespace tessera::cuda
