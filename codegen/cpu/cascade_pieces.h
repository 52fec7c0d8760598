#pragma once
// The scalar code of a cascade as row kernels, its *pieces*: one for a tile of the plane (rows by columns of a block),
// again without the masks that a full block does not need, and one for each result that is complete only when the stream
// has ended. Where a stream is split there are merge pieces: one for the statistics of two parts, one for each of their
// sums. An operand that is computed from memory has a piece for each case of it. The tile piece leaves what goes into a
// table beside the entries that it goes to, and where tasks have summed their parts of a table there is a piece for its
// result. A piece is an ordinary fuse.kernel cloned from the body; what lies in scratch (scores, statistics, sums)
// comes in as inputs.
//
// The tile piece of softmax attention, old statistics and new:
//   in  s[row, col], max[row], sum[row]         out max'[row], sum'[row], factor[row], p[row, col]
//   max' = max(max, max over cols of s); factor = exp(max − max'); p = exp(s − max'); sum' = sum · factor + Σ p
//
// The merge pieces, of one part and another (max₂ …):
//   max' = max(max, max₂); factor = exp(max − max'); factor₂ = exp(max₂ − max'); sum' = sum · factor + sum₂ · factor₂
//   sums' = sums · factor + sums₂ · factor₂

#include <memory>
#include <vector>

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <tessera/codegen/cpu/cascade_form.h>
#include <tessera/codegen/cpu/form.h>
#include <tessera/codegen/cpu/stages.h>

namespace tessera::codegen {

// How a cascade is cut; a function of its shape alone.
struct CascadeSizes {
  int64_t group = 1, tile = 1, block = 1;  // rows of a task, rows of a tile, columns of a block
  int64_t line = 1;                        // elements from one row of a tile to the next
  std::vector<int64_t> sums_lines;         // the same of each accumulation
  int64_t parts = 1, part_blocks = 0;      // of the stream; blocks of each, if there are several
  int64_t batches = 1;                     // batch points that a task goes through
};

// What an operand of a piece is, beside the operands of the cascade.
struct PieceOperand {
  // An addend goes to an entry of a table. The last three are of the other part of a stream, in merge pieces.
  enum class Where {
    argument,
    score,
    plane,
    addend,
    entry,
    table,
    prologue,
    statistic,
    factor,
    sums,
    other_statistic,
    other_factor,
    other_sums
  };
  Where where = Where::argument;
  int64_t number = 0;  // of the cascade's arguments (inputs, then results), or of its scores, planes, …
  bool operator==(const PieceOperand&) const = default;
};

struct CascadePiece {
  Form form;
  Stages stages;
  std::vector<PieceOperand> in, out;
  // Per input, result and fuse.index, in this order: strides over the dims of an origin (batch, row and stream dims, then
  // the row within the group), where the piece's point 0 lies.
  std::vector<std::vector<int64_t>> origin;
};

struct CascadePieces {
  mlir::OwningOpRef<mlir::ModuleOp> holder;  // of the kernels
  std::vector<CascadePiece> tile;            // that of any block, and that of full blocks if they need less
  std::vector<CascadePiece> finish;          // per result that is not of the plane
  std::vector<CascadePiece> merge;           // if the stream is split: statistics, if there are any; each accumulation
  std::vector<CascadePiece> table;           // per table: its result, from the sum of what tasks have
  std::vector<CascadePiece> prologue;        // per prologue as many as it has cases
  std::vector<int64_t> cases;                // of each prologue
  std::vector<mlir::Value> planes;           // that accumulations read, each once
  std::vector<int64_t> plane_of;             // per accumulation
  std::vector<int64_t> factor_of;            // per accumulation; −1: never repaired
  int64_t factors = 0;
};

std::shared_ptr<CascadePieces> make_pieces(const CascadeForm& form, const CascadeSizes& sizes);

}  // namespace tessera::codegen
