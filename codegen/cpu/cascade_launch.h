#pragma once
// How a cascade is cut, by its shape alone; its parameters, table and scratch.

#include <cstdint>
#include <vector>

#include <tessera/codegen/cpu/cascade_pieces.h>
#include <tessera/codegen/cpu/target.h>

namespace tessera::codegen {

// The register tile of a cascade's products: no higher than its rows, and wider where these are few.
RegisterTile cascade_tile(const CascadeForm& form, const Target& target, mlir::Type sum);
// Are its products those of single rows with what lies in memory as it is?
bool is_direct(const CascadeForm& form);

CascadeSizes cut_cascade(const CascadeForm& form, const Target& target);

struct CascadeNumbers {
  std::vector<int64_t> parameters, merging;  // of the launch, and of the second one if there is one
  Table table;
  int64_t tasks = 0, merging_tasks = 0, scratch = 0, workspace = 0;  // the last two in bytes
};
CascadeNumbers number_cascade(const CascadeForm& form, const CascadePieces& pieces, const CascadeSizes& sizes,
                              const Target& target);

// Where each product's and piece's functions stand in the list that the driver gets: four to pack A, four to pack B and
// the product for each score, then four to pack B and the product for each accumulation, then the pieces: those of
// tiles, those that finish, those that merge, those of tables, those of prologues.
struct CascadeCodeOrder {
  explicit CascadeCodeOrder(const CascadeForm& form)
      : sums(9 * static_cast<int64_t>(form.scores.size())),
        pieces(sums + 5 * static_cast<int64_t>(form.accumulations.size())) {}
  const int64_t sums, pieces;
};

}  // namespace tessera::codegen
