#pragma once
// The part of a contraction that is its own: what happens to a tile of sums on its way to the results.

#include <string>

#include "mlir/IR/BuiltinOps.h"

#include <tessera/codegen/cpu/contract_form.h>
#include <tessera/codegen/cpu/contract_tile.h>

namespace tessera::codegen {

// Where the epilogue finds its numbers: words of the parameters, right behind the head. Follows from the form alone.
struct EpilogueLayout {
  explicit EpilogueLayout(const ContractForm& form);

  std::vector<int> in, out, index;  // three words for each used access, places in the table; −1: not used
  std::vector<int> shape;           // of each whole input: its extents; −1: none
  int stream;                       // one word for each fuse.random
  int words;                        // of all parameters
  int outputs, table;               // argument numbers; of the first result
};

// Symbols of what the kernel shares with others.
struct SharedSymbols {
  std::string tile, pack_a, pack_b;
  std::string sum_a, sum_b;  // empty: the operand is not summed
};

// Appends the kernel @symbol and its epilogue.
void emit_contract_kernel(mlir::ModuleOp module, const std::string& symbol, const ContractForm& form,
                          const SharedSymbols& shared, RegisterTile tile);

}  // namespace tessera::codegen
