#pragma once
// One task of a cascade: a group of rows of one batch point against its stream; where results are summed over batches, of
// each of those batch points, or of a part of them, in turn.
//
//   A panels: packed, and computed before where a prologue does that; so are B panels below
//   for each outer stream point, each block of columns that masks do not leave empty
//     for each tile of rows that masks do not leave empty   B panels: packed for the first such tile; empty ends cut off
//       score = A panels · B panels
//       the tile piece, or that of full blocks              statistics move; scores become planes
//       for each accumulation                               sums = sums · factor + plane · B panels
//       for each table                                      entries grow by what the piece says
//   the finish pieces
//
// A stream that few tasks would read is split. Then a task is a group of rows against one part of the stream, and ends by
// keeping what it knows, its *state*: statistics and sums. Tasks of a second launch merge the states of a group, part
// after part, and finish it. What tasks have summed in a table is kept too, and a task of the second launch adds it up.
//
// No MLIR here. All words are int64; a *place* is a word number in the parameters or in the table, an *offset* a byte
// in the thread's scratch.

#include <cstdint>

#include <tessera/codegen/cpu/contract_run.h>
#include <tessera/ir/plane/liveness.h>

namespace tessera::codegen {

enum class ProductInto : int64_t { nothing, sums, scaled_sums };

// mr × nr sums of kc products, into c with `line` elements from row to row; `factors` scale each row of what was there.
// A is a packed panel, or rows of `a_line` elements.
using CascadeProductCode = void (*)(int64_t kc, const void* a, int64_t a_line, const void* b, void* c, int64_t line,
                                    int64_t into, const void* factors);
// Of one row, with what lies in memory: a vector of sums, c[i] = Σ_k a[k] · from[rows[min(i, last)] + k].
using CascadeDotsCode = void (*)(int64_t depth, const void* a, const void* from, const int64_t* rows, int64_t last,
                                 void* c);
// c[n] = c[n] (· factor) + Σ_k p[k] · from[k · line + n]; c has room for whole vectors.
using CascadeRowSumsCode = void (*)(int64_t kc, const void* p, const void* from, int64_t line, int64_t columns, void* c,
                                    int64_t into, const void* factor);
// As every kernel.
using CascadePieceCode = void (*)(void* const* arguments, const int64_t* params, int64_t task, void* scratch);

struct CascadeSide {
  int64_t argument, bytes, mode;                 // −1: what a prologue left; PackMode
  int64_t stage, stage_line;                     // offset of that, and its bytes from row to row
  int64_t batch, outer, row, row_run, k, k_run;  // places in the table
  int64_t panels;                                // offset
  int64_t r;                                     // rows of a panel
  int64_t code;                                  // number of its PackCode's first function
};
struct CascadeScoreWords {
  CascadeSide a, b;
  int64_t depth, bytes, tile;  // bytes of a sum; offset of the tile of scores
  int64_t code;
};
struct CascadeSumsWords {
  CascadeSide b;
  int64_t columns, line, bytes;
  int64_t plane, sums, factors;  // offsets; factors −1: sums are never repaired
  int64_t mr, code;
  int64_t k_step;  // elements from one stream point to the next, where these are not packed
};
struct CascadeTableWords {
  int64_t addends, slots;  // offsets of tiles: what is added, and at which entry (i32); the last is for indices outside
  int64_t bytes;           // of an addend
  int64_t entries, first;  // how many, and where they begin among those of all tables
  int64_t copies;          // offset
};
struct CascadePrologueWords {
  int64_t of_stream;           // 1: of the columns of a block; 0: of the rows of a task
  int64_t first, piece_count;  // pieces, counted from the first of all prologues
};
struct CascadeStatisticWords {
  int64_t offset, bytes, neutral;  // bits of the neutral element
};
struct CascadeOperandWords {
  int64_t in_scratch, at;  // an offset, or the number of an argument
};
struct CascadePieceWords {
  int64_t parameters, words;          // place of its parameters, and how many
  int64_t copy, pointers, scratch;    // offsets: of a thread's own parameters, of its argument list, of its scratch
  int64_t row_extent, column_extent;  // words of its parameters; −1: none
  int64_t operands, operand_count;    // place of CascadeOperandWords
  int64_t accesses, access_count;     // place of: word of its base, then a stride for each number of an origin
  int64_t errors;                     // first of its error words
  int64_t code;
};

struct CascadeHead {
  int64_t merges;  // 1: these are the tasks of the second launch
  int64_t batch, rows, outer, columns;
  int64_t batches;                          // batch points that a task goes through
  int64_t grown_dims;                       // how many of the last batch dims results in memory are summed over
  int64_t parts, part_blocks;               // of the stream, in blocks
  int64_t batch_dims, outer_dims, extents;  // place of the extents of the batch dims, then of the outer stream dims
  int64_t group, groups, tile, block, line;
  int64_t direct_lanes;  // of one vector of dot products, if nothing of the stream is packed; 0: panels are
  int64_t scores, score_count, sums, sums_count, statistics, statistic_count, pieces, piece_count;  // places, counts
  int64_t tile_pieces, merge_pieces;  // from this to that come finish pieces; 2 tile pieces: the second for full blocks
  int64_t table_pieces;               // from this to the next
  int64_t prologue_pieces;            // from this to the end
  int64_t prologues, prologue_count;  // place, count
  int64_t tables, table_count, entries;     // place, count; entries of all tables together
  int64_t partial_tables, tasks_of_table;   // where they begin in the workspace; how many tasks have a part of one
  int64_t state, state_bytes, other_state;  // offsets: of the state, and of that of another part
  int64_t nodes, node_count, loads, load_count, empty, full;  // ir::Liveness
  int64_t asks_together;  // blocks by the many; not where a mask of the plane's size would be read again each time
  int64_t table_argument, workspace_argument, errors_argument;  // of states, if the stream is split
};
constexpr int64_t cascade_head_words = sizeof(CascadeHead) / sizeof(int64_t);

}  // namespace tessera::codegen

// Called by the kernel's entry; `code` are the addresses of generated functions.
extern "C" void tessera_cascade_task(void* const* arguments, const int64_t* params, int64_t task, void* scratch,
                                     void* const* code);
