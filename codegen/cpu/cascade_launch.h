#pragma once
// How a cascade is cut, by its shape alone; its parameters, table and scratch.

#include <cstdint>
#include <vector>

#include <tessera/codegen/cpu/cascade_pieces.h>
#include <tessera/codegen/cpu/target.h>

namespace tessera::codegen {

CascadeSizes cut_cascade(const CascadeForm& form, const Target& target);

struct CascadeNumbers {
  std::vector<int64_t> parameters;
  Table table;
  int64_t tasks = 0, scratch = 0;
};
CascadeNumbers number_cascade(const CascadeForm& form, const CascadePieces& pieces, const CascadeSizes& sizes,
                              const Target& target);

// Where each product's and piece's functions stand in the list that the driver gets: four to pack A, four to pack B and
// the product for each score, then four to pack B and the product for each accumulation, then the pieces.
struct CascadeCodeOrder {
  explicit CascadeCodeOrder(const CascadeForm& form)
      : sums(9 * static_cast<int64_t>(form.scores.size())),
        pieces(sums + 5 * static_cast<int64_t>(form.accumulations.size())) {}
  const int64_t sums, pieces;
};

}  // namespace tessera::codegen
