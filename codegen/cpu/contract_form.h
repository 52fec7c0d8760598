#pragma once
// A fuse.kernel with a fuse.contract, read as a matrix product: its dims sorted into batch, M, N and K, and each access
// as tables of element offsets over them.

#include <cstdint>
#include <string>
#include <vector>

#include "mlir/IR/Block.h"
#include "mlir/IR/Operation.h"

#include <tessera/codegen/cpu/contract_tile.h>

namespace tessera::fuse {
class KernelOp;
}

namespace tessera::codegen {

using Table = std::vector<int64_t>;

// An operand of the product: its element for (batch, row, k) lies at batch[b] + rows[r] + k[k]. Rows are M of A, N of B.
struct ContractOperand {
  int argument = 0;                        // of the kernel
  mlir::Type storage;                      // body type of the block argument
  std::vector<mlir::Operation*> widening;  // from the block argument to the contract
  Table batch, rows, k;
};

// How an operand of the epilogue walks along N.
enum class Along {
  unit,   // consecutive elements, at least in runs
  same,   // does not depend on N
  other,  // an offset for each column
};

// What the epilogue reads, writes, or computes as an index: batch[b] + m[m] + n[n].
struct ContractAccess {
  bool used = false;
  Along along = Along::same;
  bool by_m = false;
  Table batch, m, n;
};

struct ContractForm {
  mlir::Block* body = nullptr;
  mlir::Operation* contract = nullptr;
  RegisterTile tile;
  int64_t batch = 1, m = 1, n = 1, k = 1;  // extents
  ContractOperand a, b;                    // b has the rows that are unit-stride in the result
  std::vector<ContractAccess> in;          // per input; used: read by the epilogue as a scalar
  std::vector<bool> whole;                 // per input: read by the epilogue through fuse.load_at
  std::vector<ContractAccess> out;         // per result
  std::vector<ContractAccess> index;       // per fuse.index, in body order
  Table run;                               // per n: columns from there on, along which all `unit` accesses are

  // Everything that the epilogue's code depends on beside the body.
  std::string classes() const;
};

// Chooses between `tiles`, and which operand is A. Throws InternalError.
ContractForm make_contract_form(fuse::KernelOp kernel, const std::vector<RegisterTile>& tiles);

// Per entry: how many entries from there on are consecutive numbers.
Table runs_of(const Table& table);

}  // namespace tessera::codegen
