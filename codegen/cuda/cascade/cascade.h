#pragma once
// A fuse.cascade read for a GPU: what is multiplied with what, where operands lie, and in which order the values of a block
// of the plane can be computed.

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "llvm/ADT/DenseMap.h"

#include <tessera/ir/fuse/Fuse.h>
#include <tessera/ir/fuse/body_dims.h>
#include <tessera/ir/plane/find_liveness.h>

namespace tessera::cuda {

// What a product reads from memory: a matrix for each batch point, of rows or of columns of the plane, by depth.
struct PlaneOperand {
  mlir::Value tensor;
  unsigned argument = 0;  // of the cascade
  mlir::Type element;     // bf16, f16 or f32
  int64_t base = 0;
  std::vector<int64_t> stride;  // over batch, row and stream dims
  std::vector<std::pair<int64_t, int64_t>>
      along;  // extent and stride of each dim of depth, joined where they are one walk

  int64_t depth() const;
  int bytes() const { return static_cast<int>(element.getIntOrFloatBitWidth() / 8); }  // of an element
  bool is_same(const PlaneOperand& other) const;
};

struct PlaneScore {
  mlir::Operation* contract = nullptr;
  size_t left = 0, right = 0;  // of `row_operands`, of `stream_operands`
};

struct PlaneStatistic {
  mlir::Operation* reduce = nullptr;
  int level = 0;  // of what it reduces
  bool is_read_by_plane = false;
  std::vector<fuse::RepairOp> repairs;  // of it

  fuse::ReduceKind kind() const { return mlir::cast<fuse::ReduceOp>(reduce).getKind(); }
  mlir::Value value() const { return reduce->getOperand(0); }
};

struct PlaneAccumulation {
  mlir::Operation* contract = nullptr;
  mlir::Value plane;          // of f32; it is rounded to the element of the right operand
  bool is_rounded = true;     // in the program, or f32 is multiplied. If not: what rounding leaves is multiplied too
  size_t right = 0;           // of `stream_operands`
  std::vector<int64_t> dims;  // that the result has beside batch and row
  int level = 0;              // of `plane`
  std::vector<fuse::RepairOp> repairs;
};

// The *level* of a value is how many statistics it waits for, one after the other: values of one level are computed
// together, then the statistics of that level are known as far as the stream has come.
struct Cascade {
  mlir::Operation* op = nullptr;
  std::vector<int64_t> extent;                          // of all dims: batch, the row, stream, rest
  int row_dim = 0, column_dim = 0, first_rest = 0;      // the column dim is the last of the stream
  int64_t batch = 1, rows = 1, outer = 1, columns = 1;  // points of the batch dims; of the stream dims but the last
  std::vector<PlaneOperand> row_operands, stream_operands;
  std::vector<PlaneScore> scores;
  std::vector<PlaneStatistic> statistics;
  std::vector<PlaneAccumulation> accumulations;
  std::vector<std::vector<mlir::Value>> kept;  // by level: values of the plane that later levels read
  ir::FoundLiveness liveness;
  fuse::BodyDims dims;

  fuse::CascadeOp cascade() const { return mlir::cast<fuse::CascadeOp>(op); }
  mlir::Block& body() const { return op->getRegion(0).front(); }
  mlir::AffineMap in_map(unsigned argument) const;
  mlir::AffineMap out_map(unsigned result) const;
  int levels() const { return static_cast<int>(kept.size()); }
  int level_of(mlir::Value value) const { return level.lookup(value); }
  fuse::DimBits stream_set() const;
  fuse::DimBits rest_set() const { return ~((fuse::DimBits{1} << first_rest) - 1); }
  bool has_row(mlir::Value value) const { return (dims.of(value) >> row_dim & 1) != 0; }
  bool is_streamed(mlir::Value value) const { return (dims.of(value) & stream_set()) != 0; }
  bool is_of_plane(mlir::Value value) const { return has_row(value) && is_streamed(value); }
  // One value for each column of a block, and nothing else.
  bool is_column_vector(mlir::BlockArgument argument) const {
    return (dims.of(argument) >> column_dim & 1) != 0 && !has_row(argument) && (dims.of(argument) & rest_set()) == 0;
  }

  llvm::DenseMap<mlir::Value, int> level = llvm::DenseMap<mlir::Value, int>();
};

// Throws Unsupported for what has no text yet.
Cascade read_cascade(fuse::CascadeOp op);

}  // namespace tessera::cuda
