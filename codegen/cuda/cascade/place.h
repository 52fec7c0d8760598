#pragma once
// What the parts of a cascade's text share: names, and where rows and columns of a block are.

#include <string>

#include <tessera/codegen/cuda/cascade/schedule.h>
#include <tessera/codegen/cuda/cascade/statements.h>

namespace tessera::cuda {

struct CascadePlace {
  CascadePlace(const Cascade& c, const CascadeSchedule& s, KernelWords called);

  const Cascade& c;
  const CascadeSchedule& s;
  Names names;
  CascadeWords words;
  std::vector<std::string> row_names, column_names;  // of operands of products in shared memory
  std::vector<std::string> score_names, statistic_names, sum_names;
  llvm::DenseMap<mlir::Value, std::string> kept_names;  // values of the plane that later levels read
  llvm::DenseMap<mlir::Value, std::string>
      vector_names;  // inputs of each row, in registers; of each column, in shared memory

  int64_t blocks_of_columns() const { return (c.columns + s.block - 1) / s.block; }
  int64_t blocks() const { return c.outer * blocks_of_columns(); }
  bool is_ragged() const { return c.columns % s.block != 0; }
  int across() const { return static_cast<int>(s.block / 8); }
  int across_of(const PlaneAccumulation& sums) const { return static_cast<int>(s.columns[sums.right].depth / 8); }

  // The indices of dims `begin` to `end` from the number of their point.
  void decode(Lines& to, const std::string& point, int begin, int end) const;
  // Where the block `block` begins and ends, and its outer stream dims.
  Lines of_block() const;
  // Index of the row of element (i, h), of a row that there is; of the column of (j, e).
  std::string row_line() const;
  std::string column_line() const;
  // The function that adds products over `depth` of K: "multiply<64>".
  std::string multiply_text(mlir::Type element, int64_t depth) const;
  // Columns that are brought to shared memory by themselves.
  bool is_in_shared_memory(mlir::BlockArgument argument) const;
};

}  // namespace tessera::cuda
