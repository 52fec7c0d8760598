#pragma once
// Parts of a value along one dim, computed from parts of what it is made of, down to what lies in memory.
//
//   y = concat(x cos + z sin, w)     the first part of y: slice x · slice cos + slice z · slice sin

#include <map>
#include <tuple>
#include <vector>

#include "llvm/ADT/DenseSet.h"
#include "mlir/IR/Builders.h"

#include <tessera/ir/tsr/Tsr.h>

namespace tessera::ir {

// Elements start, start + step, … along one dim, `count` of them.
struct Cut {
  int64_t start, step, count;
  auto operator<=>(const Cut&) const = default;
};

class Parter {
 public:
  using Ops = llvm::DenseSet<mlir::Operation*>;

  // `accumulation`, which may be null, is made in parts by contractions with parts of its operands; what is `following`
  // from it is cut down to there, and ops of `computed` down to memory.
  Parter(mlir::OpBuilder& b, mlir::Operation* accumulation, const Ops& following, const Ops& computed)
      : b_(b), accumulation_(accumulation), following_(following), computed_(computed) {}
  // Takes away what it made and nobody reads, as where a part was begun and could not be had: a contraction that is left
  // would read the plane from memory.
  ~Parter();
  Parter(const Parter&) = delete;
  Parter& operator=(const Parter&) = delete;

  // Null where a part follows from more than a part.
  mlir::Value part(mlir::Value value, size_t dim, Cut cut);

  std::vector<mlir::Operation*> elementwise;  // that were made of what is following, in program order
  llvm::DenseSet<mlir::Value> operands;       // that contractions which were made read, without views of them

 private:
  mlir::Value cut_out(mlir::Value value, size_t dim, Cut cut);
  mlir::Value of_operands(mlir::Operation* op, size_t dim, Cut cut);
  mlir::Value product(tsr::ContractOp contract, size_t dim, Cut cut);
  mlir::Value of_parts(tsr::ConcatOp concat, size_t dim, Cut cut);
  mlir::Value joined_again(tsr::ConcatOp concat);
  mlir::Value of_slice(tsr::SliceOp view, size_t dim, Cut cut);
  mlir::Value of_broadcast(tsr::BroadcastOp broadcast, size_t dim, Cut cut);
  mlir::Value of_reshape(tsr::ReshapeOp reshape, size_t dim, Cut cut);
  mlir::Value slice(mlir::Value value, size_t dim, Cut cut);
  mlir::Value again(mlir::Operation* op, llvm::ArrayRef<mlir::Value> operands, size_t dim, Cut cut);
  mlir::Value made(mlir::Value value);

  mlir::OpBuilder& b_;
  mlir::Operation* accumulation_;
  const Ops &following_, &computed_;
  std::map<std::tuple<void*, size_t, Cut>, mlir::Value> parts_;
  std::vector<mlir::Operation*> made_;  // in program order
};

// Where parts of concatenations that make `value` along `dim`, through what `joins` says, begin; and its extent behind.
llvm::SmallVector<int64_t> boundaries(mlir::Value value, size_t dim, llvm::function_ref<bool(mlir::Operation*)> joins);

}  // namespace tessera::ir
