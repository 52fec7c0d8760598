#pragma once
// One task of a contraction: the loops over K blocks and tiles around generated code, which packs panels, multiplies
// them into a tile and writes the tile through the epilogue.
//
//   for each K block                       B panel: nr columns, k by k, packed just before its first use
//     for each panel of B                  A block: panels of mr rows, packed when the first panel of B meets them
//       for each panel of A                tile: mr × nr sums; kept in scratch from one K block to the next
//         tile = A panel · B panel (+ tile)
//
// An operand that is summed over K besides is summed from its packed panels, each by the one task that has it and the
// first block of the other operand (contract_sums.h).
//
// An operand that several tasks would pack is *shared*: a pass before this one packs it once, into the workspace.
//
// No MLIR here.

#include <cstdint>

namespace tessera::codegen {

enum class PackMode : int64_t {
  copy,       // runs along the panel: vectors
  transpose,  // runs along K: blocks of 8 × 8
  gather,     // neither: element by element
  direct,     // not packed: the micro-kernel reads A where it is
};

enum class ContractPass : int64_t {
  pack,     // shared operands into the workspace
  product,  // the sums, and the epilogue unless K is in parts
  combine,  // adds up parts and runs the epilogue
};

// The first words of the parameters. A *place* is a word number in the table, the argument behind the results.
struct ContractHead {
  int64_t batch, m, n, k;
  int64_t m_block, n_block, k_block;  // of one task, in elements; k_block: sums of one stay in registers
  int64_t m_blocks, n_blocks, parts;  // how many; parts > 1: K is cut, sums meet in the workspace
  int64_t k_part;                     // length of a part
  int64_t batch_group, batch_groups;  // batches of one task
  ContractPass pass;
  int64_t product_tasks;
  int64_t combine_tiles;                                                         // tiles of one such task
  int64_t mr, nr, bytes;                                                         // register tile; bytes of one sum
  int64_t a_argument, a_bytes, a_mode, a_batch, a_row, a_row_run, a_k, a_k_run;  // places of tables from a_batch on
  int64_t b_argument, b_bytes, b_mode, b_batch, b_row, b_row_run, b_k, b_k_run;
  int64_t run;  // place: columns from n on that the epilogue may take at once
  int64_t out_argument, out_bytes, out_batch, out_m, out_n;  // of the first result
  int64_t stream;                                            // results are written past the cache
  int64_t table_argument, workspace_argument, errors_argument;
  int64_t a_shared, b_shared;        // packed by a pass of its own
  int64_t a_panels, b_panels, sums;  // bytes into the workspace: shared panels, sums of parts
  // Of an operand that is summed: the argument that holds its sums, or −1; the place of their table; bytes into the
  // workspace to the sums of parts.
  int64_t a_sum_argument, a_sum_row, a_sum_parts;
  int64_t b_sum_argument, b_sum_row, b_sum_parts;
};
constexpr int64_t head_words = sizeof(ContractHead) / sizeof(int64_t);

// Generated code.
struct PackCode {
  // One panel of r rows from `source`: rows[i] and ks[k] are element offsets, written to panel[k · r + i].
  void (*copy)(void* panel, const void* source, const int64_t* ks, int64_t kc, int64_t at, int64_t length);
  // Four whole panels at once whose rows are consecutive.
  void (*group)(void* panels, const void* source, const int64_t* ks, int64_t kc);
  // `length` consecutive k; rows past the end repeat the last. May write 8 · r elements past what it was asked for.
  void (*transpose)(void* panel, const void* source, const int64_t* rows, int64_t count, int64_t length);
  void (*gather)(void* panel, const void* source, const int64_t* rows, int64_t count, const int64_t* ks, int64_t kc);
};
struct TileCode {
  void (*packed)(int64_t kc, const void* a, const void* b, void* tile, int64_t first);
  // Element k of row i is rows[i][ks[k]]. Asks for the line at ahead + pace · k as it goes, for every second k.
  void (*direct)(int64_t kc, const void* const* rows, const int64_t* ks, const void* b, void* tile, int64_t first,
                 const void* ahead, int64_t pace);
  void (*sum)(void* tile, const void* other);
};
// At row m, column n; the tables hold element offsets.
using EpilogueCode = void (*)(void* const* arguments, const int64_t* params, const void* tile, int64_t batch, int64_t m,
                              int64_t n, int64_t rows, int64_t columns);
// sums[i] = Σ over k of panel[k · r + i], added to what is there unless `first`.
using PanelSumCode = void (*)(void* sums, const void* panel, int64_t kc, int64_t first);
struct ContractCode {
  PackCode a, b;
  TileCode tile;
  EpilogueCode epilogue;
  PanelSumCode sum_a, sum_b;  // null where the operand is not summed
};
constexpr int contract_code_pointers = sizeof(ContractCode) / sizeof(void*);

// Panels of a shared operand in the workspace: K block by K block, in groups that one call packs, with room behind each
// for what a transposition writes too much.
struct SharedPanels {
  SharedPanels(const ContractHead& head, int64_t rows, int64_t r);
  int64_t at(int64_t k0, int64_t kc, int64_t row) const;  // bytes to the panel that begins at `row`
  int64_t group_bytes() const;                            // from a group of panels to the next
  int64_t bytes() const;
  int64_t tasks() const;  // of packing them

  int64_t rows, r, k_block, blocks, sum_bytes;
  int64_t task_rows;  // that one task packs of one K block
};

// Bytes of the pieces of one thread's scratch.
struct ContractScratch {
  explicit ContractScratch(const ContractHead& head);
  int64_t tiles, a, b, sums_a, sums_b;  // in this order
  int64_t total() const { return tiles + a + b + sums_a + sums_b; }
};

}  // namespace tessera::codegen

// Called by the kernel's entry.
extern "C" void tessera_contract_task(void* const* arguments, const int64_t* params, int64_t task, void* scratch,
                                      const tessera::codegen::ContractCode* code);
