#pragma once
// A fuse.cascade read as products around a plane: what is multiplied, where its operands lie, what repairs what.

#include <cstdint>
#include <string>
#include <vector>

#include "mlir/IR/AffineMap.h"
#include "mlir/IR/Block.h"
#include "mlir/IR/Operation.h"

#include <tessera/codegen/cpu/contract_form.h>
#include <tessera/ir/plane/find_liveness.h>

namespace tessera::codegen {

// Its element for (batch, outer stream point, row, k) lies at batch[b] + outer[o] + rows[r] + k[k]. What a *row* is
// depends on the operand: see below.
struct CascadeOperand : ContractOperand {
  Table outer;
  int64_t prologue = -1;  // number of the one that computes it: it lies where that leaves it then, not in an argument
};

// What computes an operand from memory: of all rows of a task, or of the columns of a block, when they are needed.
struct CascadePrologue {
  mlir::Value value;
  mlir::Type sum;             // the type that it is left in
  int64_t along = 0;          // the row or the column dim
  std::vector<int64_t> dims;  // of its rows, in the order in which it is left
  size_t cases = 0;           // the first of those that choices depend on: each of their points has code of its own
  int64_t depth = 1;          // points of its rows
};

struct CascadeScore {
  mlir::Operation* contract = nullptr;
  CascadeOperand row;     // rows of the plane by depth
  CascadeOperand stream;  // columns of the plane by depth
  int64_t depth = 1;
};

struct CascadeStatistic {
  mlir::Operation* reduce = nullptr;
  std::vector<mlir::Operation*> repairs;
};

struct CascadeAccumulation {
  mlir::Operation* contract = nullptr;
  mlir::Value plane;          // the left operand
  CascadeOperand stream;      // columns of the result by columns of the plane
  std::vector<int64_t> dims;  // that the result has beside batch and row
  int64_t columns = 1;
  std::vector<mlir::Operation*> repairs;
};

// A result of the plane that is summed over batches, where it lies.
struct CascadeBatchSum {
  mlir::Operation* reduce = nullptr;
  int64_t result = 0;
};

// A plane value that is summed into the entries of a table.
struct CascadeTable {
  mlir::Operation* scatter = nullptr;
  int64_t dim = 0, entries = 0;  // the rest dim that its entries are, and its extent
  int64_t result = 0;
};

struct CascadeForm {
  mlir::Operation* op = nullptr;
  mlir::Block* body = nullptr;
  std::string name;
  std::vector<int64_t> dims;            // extents of all dims
  int64_t row_dim = 0, column_dim = 0;  // the column dim is the last stream dim
  int64_t first_rest = 0;
  int64_t batch = 1, rows = 1, outer = 1, columns = 1;  // points of the batch dims; of the stream dims but the last
  std::vector<CascadeScore> scores;
  std::vector<CascadeStatistic> statistics;
  std::vector<CascadeAccumulation> accumulations;
  std::vector<CascadeBatchSum> batch_sums;
  std::vector<CascadeTable> tables;
  std::vector<CascadePrologue> prologues;
  int64_t summed_dims = 0, summed = 1;  // the last batch dims, which some sum or table runs over, and their points
  std::vector<mlir::AffineMap> in_maps, out_maps;
  std::vector<bool> of_plane;  // per result: written block by block
  ir::FoundLiveness liveness;

  int64_t owners() const { return batch / summed; }  // batch points whose tasks know nothing of each other
  std::vector<int64_t> batch_extents() const { return {dims.begin(), dims.begin() + row_dim}; }
  std::vector<int64_t> outer_extents() const { return {dims.begin() + row_dim + 1, dims.begin() + column_dim}; }
  int64_t score_of(mlir::Operation* op) const;  // number, or −1
  int64_t statistic_of(mlir::Operation* op) const;
  int64_t accumulation_of(mlir::Operation* op) const;
  int64_t batch_sum_of(mlir::Operation* op) const;
  int64_t table_of(mlir::Operation* op) const;
  bool is_table(int64_t result) const;
};

// Throws InternalError for what the op's constraints let pass and no single stream can compute.
CascadeForm read_cascade(fuse::CascadeOp cascade);

// An expression as a sum: constant + Σ stride[d] · d + what is not linear.
struct AffineTerms {
  explicit AffineTerms(mlir::AffineMap map);

  int64_t constant = 0;
  std::vector<int64_t> stride;
  std::vector<std::pair<int64_t, mlir::AffineExpr>> rest;  // factor and floordiv, mod or ceildiv
};

}  // namespace tessera::codegen
