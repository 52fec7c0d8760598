#pragma once
// Edges: the tensors that kernels leave for others to read, and which of them may lie in memory with fewer bits.

#include <string>
#include <vector>

#include "mlir/IR/Block.h"

#include <tessera/ir/fuse/Fuse.h>

namespace tessera::fuse {

// What fuse.kernel and fuse.cascade have in common.
struct KernelParts {
  mlir::Operation* op = nullptr;  // null: something else
  mlir::Block* body = nullptr;
  mlir::ArrayAttr in_maps, out_maps;
  mlir::OperandRange inputs, inits;
  llvm::ArrayRef<int64_t> init_of;

  explicit operator bool() const { return op != nullptr; }
  mlir::Value yielded(unsigned result) const { return body->getTerminator()->getOperand(result); }
  int64_t init(unsigned result) const { return init_of.empty() ? -1 : init_of[result]; }
};
KernelParts parts_of(mlir::Operation* op);

// A sum over batches, or a reduction over all rows: it grows where it lies, and so its type is that of the sum.
bool grows_in_memory(const KernelParts& kernel, unsigned result);

struct Edge {
  llvm::SmallVector<mlir::Value, 2> tensors;  // one memory: kernels may write parts of it, one after the other
  std::string why_wide;                       // empty: what is stored may be rounded
  bool is_result = false;                     // of the program, or an argument: its type is not ours
};

// All f32 edges in program order. `narrow`: what they may become. `sums_too`: sums that go on from kernel to kernel too.
std::vector<Edge> find_edges(mlir::Block& block, mlir::Type narrow, bool sums_too);

}  // namespace tessera::fuse
