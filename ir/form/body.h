#pragma once
// Writes fuse.kernel ops. A body is computed from its results backwards: each value is asked for at coordinates, linear
// in the dims of the space; views change the coordinates, and what lies in memory becomes an input at an offset.

#include <map>
#include <vector>

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SetVector.h"
#include "mlir/IR/AffineMap.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"

#include <tessera/ir/form/free_ops.h>
#include <tessera/ir/form/linear.h>
#include <tessera/ir/form/space.h>
#include <tessera/ir/fuse/Fuse.h>

namespace tessera::ir {

// One dim's index: linear in the dims of the space, and a product of such dims where it is one.
struct Coordinate {
  Linear index;
  Place dims = {};
  bool is_product = false;  // of `dims`; else only `index` says what it is
};
using Coordinates = llvm::SmallVector<Coordinate, 4>;

// A result of the kernel: `value` at `at`, stored at element offset `offset` of a tensor of type `type`.
struct Root {
  mlir::Value value;
  Coordinates at;
  mlir::RankedTensorType type;
  Linear offset;
  mlir::Value init = {};                        // a tensor whose other elements stay
  bool accumulate = false;                      // adds to the element of `init` that is there
  llvm::SmallVector<Coordinates, 2> also = {};  // adds `value` at these as well
};

class KernelWriter {
 public:
  // `memory` maps values of the tsr function to the tensors that hold them now, if those are others.
  KernelWriter(mlir::OpBuilder& b, const FreeOps& free, const mlir::IRMapping& memory, const Space& space);

  Coordinates at(const Places& places) const;
  // Where the space has one dim for each dim of `shape` but those of extent 1.
  Coordinates everywhere(llvm::ArrayRef<int64_t> shape) const;
  // Σ index · stride over a row-major tensor of this shape.
  Linear offset(const Coordinates& at, llvm::ArrayRef<int64_t> shape) const;

  // Once for each writer. `members` are computed here; what else is not free lies in memory.
  fuse::KernelOp write(llvm::ArrayRef<mlir::Operation*> members, llvm::ArrayRef<Root> roots);
  // The same as a cascade, in a space whose dims stand in its order. No root has an init.
  fuse::CascadeOp write_cascade(llvm::ArrayRef<mlir::Operation*> members, llvm::ArrayRef<Root> roots, int64_t batch,
                                int64_t streams);
  // Which member's result each op of the body that was written computes.
  llvm::DenseMap<mlir::Operation*, mlir::Value> sources() const;

 private:
  // What a body yields, and the attributes and types of its results.
  struct Written {
    llvm::SmallVector<mlir::Value, 4> inits;
    llvm::SmallVector<int64_t, 4> init_of;
    llvm::SmallVector<mlir::Attribute, 4> out_maps;
    llvm::SmallVector<mlir::Type, 4> types;
  };
  Written write_body(llvm::ArrayRef<mlir::Operation*> members, llvm::ArrayRef<Root> roots);
  mlir::Value emit(mlir::Value value, const Coordinates& at);
  mlir::Value compute(mlir::Operation* op, const Coordinates& at);
  mlir::Value load(mlir::Value memory, const Linear& offset);
  mlir::Value whole(mlir::Value memory);  // the block argument of an input for fuse.load_at
  mlir::Value reduce(mlir::Operation* op);
  mlir::Value contract(mlir::Operation* op);
  mlir::Value gather(mlir::Operation* op, const Coordinates& at);
  mlir::Value concat(mlir::Operation* op, const Coordinates& at);
  mlir::Value scatter(mlir::Operation* op);
  mlir::Value dynamic_slice(mlir::Operation* op, const Coordinates& at);
  mlir::Value clamped(mlir::Location, mlir::Value start, int64_t most);
  mlir::Value random(mlir::Operation* op, const Coordinates& at);
  Coordinates through_view(mlir::Operation* op, const Coordinates& at);
  Coordinates through_reshape(mlir::Operation* op, const Coordinates& at);
  mlir::Value index(mlir::Location, const Linear&);
  mlir::AffineMap map_of(const Linear&) const;
  bool in_memory(mlir::Value value) const;

  mlir::OpBuilder& b_;
  const FreeOps& free_;
  const mlir::IRMapping& memory_;
  const Space& space_;
  bool strict_;  // every op rounds to its dtype, not only what is stored
  llvm::DenseSet<mlir::Operation*> members_;
  mlir::Block* block_ = nullptr;
  llvm::SmallVector<mlir::Value, 8> inputs_;
  llvm::SmallVector<mlir::Attribute, 8> in_maps_;
  llvm::DenseMap<std::pair<mlir::Value, mlir::AffineMap>, mlir::Value> loaded_;
  std::map<std::pair<void*, std::vector<int64_t>>, mlir::Value> emitted_;  // by value and coordinates
};

}  // namespace tessera::ir
