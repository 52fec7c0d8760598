#pragma once
// How a row kernel is laid on threads. Decided by shapes alone, so every host and card gets the same kernels.
//
//   points   no reductions: each thread has `width` neighbours
//   rows     `threads` side by side hold a row, several rows share a warp where they are narrow; a thread has `chunks` times `width` neighbours of it in registers, or walks
//            the row in a loop as often as the row is needed (`chunks` 0), from shared memory where it fits
//   lanes    neighbours in memory are rows: each lane has one of its own, and the warps of a block share its elements
//
// Column reductions (over all rows) make groups of threads walk several rows and keep sums in registers; each group
// writes its part. The block that is done last adds the parts in order, or a second kernel where they are many.

#include <cstdint>
#include <string>
#include <vector>

#include <tessera/codegen/cpu/form.h>
#include <tessera/codegen/cpu/stages.h>
#include <tessera/codegen/cuda/rows/rounding.h>

namespace tessera::cuda {

inline constexpr int rows_under_way = 4;  // that threads have asked memory for where they only sum over all rows
inline constexpr int64_t most_in_shared_memory = 100864;  // of a block, on every card, slots of reductions beside

struct RowSchedule {
  enum class Kind { points, rows, lanes };
  Kind kind = Kind::points;
  std::vector<int> row_dims, inner_dims;  // of the form, outermost first
  int64_t rows = 1, columns = 1;          // points of each
  int vector_dim = -1;                    // the dim that `width` neighbours lie along; −1: the kernel has no dims
  int width = 1;
  int threads = 256;              // of one row; all of a block for points
  int chunks = 1;                 // 0: a loop
  bool in_shared_memory = false;  // of a loop: what it reads again it reads there
  bool is_running = false;        // of a loop: it goes once over the row (running_sum.h)
  int rows_at_once = 1;           // rows that a block holds at the same time
  int64_t groups = 1;             // of threads that hold a row: one for each, or fewer that walk the rows between them
  int64_t splits = 1;             // blocks that share the columns of a row
  int64_t blocks = 1;
  int blocks_at_once = 0;   // of a multiprocessor, for which registers must do; 0: as many as they do for
  bool is_counted = false;  // of points: how many vectors there are is a parameter, so one text serves all sizes
  bool meets = false;       // the groups of a block add up what they have of the columns before it is written

  // Groups of several warps, side by side in a block.
  bool has_groups() const { return kind == Kind::rows && threads > 32 && rows_at_once > 1; }
  int block() const { return kind == Kind::points ? threads : threads * rows_at_once; }
  // Parts of a sum over all rows that keeps the columns, or nothing.
  int64_t parts(bool keeps_columns) const { return groups / (meets ? rows_at_once : 1) * (keeps_columns ? 1 : splits); }
};

// Does the block that is done last add up the parts of this sum? Of all blocks, or of those that have the same columns.
bool last_block_adds(const codegen::Stages& stages, const RowSchedule& schedule, const codegen::Column& column);
bool any_last_block_adds(const codegen::Stages& stages, const RowSchedule& schedule);
// Where blocks that share no columns end apart: each of these has a last one.
int64_t last_blocks(const codegen::Stages& stages, const RowSchedule& schedule);
// The column reduction that yields this value, if only after ops on single values: its number, or −1.
int column_behind(const codegen::Stages& stages, mlir::Value value);

// Throws Unsupported for a kernel that none of these fits.
RowSchedule schedule_rows(const codegen::Form& form, const codegen::Stages& stages, Rounding rounding);

// Registers of a thread that hold its part of a row and of column sums; and how many there are beside those that any
// kernel needs.
int64_t registers_of_row(const codegen::Form& form, const codegen::Stages& stages, const RowSchedule& schedule);
int64_t registers_left(const RowSchedule& schedule);

// May input or result `access` move `width` neighbours at once?
bool is_vector(const codegen::Form& form, const RowSchedule& schedule, const codegen::Access& access, int bytes);
int bytes_of_element(mlir::Type type);  // in memory; bool is one, and an index would be eight

}  // namespace tessera::cuda
