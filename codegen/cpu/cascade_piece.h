#pragma once
// Builds one piece of a cascade: clones what a value needs from the body, turns operands into inputs of the piece, and
// notes where each of them begins.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "llvm/ADT/DenseMap.h"
#include "mlir/IR/Builders.h"

#include <tessera/codegen/cpu/cascade_pieces.h>

namespace tessera::codegen {

class PieceBuilder {
 public:
  // `walked`: the cascade's dims that are the piece's, the row first; `extents`: the most points of each.
  PieceBuilder(const CascadeForm& cascade, std::vector<int64_t> walked, std::vector<int64_t> extents);
  virtual ~PieceBuilder();

  // From now on a bool of the body is this, and only the side of a choice that it names is computed.
  void know(mlir::Value condition, bool holds) { conditions_[condition] = holds; }
  // From now on a rest dim of the cascade stands still, and what follows from that is computed now.
  void fix(int64_t dim, int64_t at) { fixed_[dim] = at; }
  // The value of the body in this piece.
  mlir::Value get(mlir::Value value);

  // What lies in scratch: strides over the piece's dims, and over the row within the group; `start`: where it begins.
  mlir::Value scratch_input(PieceOperand operand, mlir::Type type, const std::vector<int64_t>& strides, int64_t local);
  void scratch_result(PieceOperand operand, mlir::Value value, const std::vector<int64_t>& strides, int64_t local,
                      int64_t start = 0);
  void result(int64_t number);  // of the cascade

  // The piece, with its kernel at the end of `holder`.
  CascadePiece finish(mlir::ModuleOp holder, const std::string& name);

 protected:
  virtual mlir::Value reduction(mlir::Operation* op) = 0;
  virtual mlir::Value product(mlir::Operation* op) = 0;
  virtual mlir::Value table(mlir::Operation* op);

  mlir::Value written_before(int64_t number);  // what lies where that result of the cascade goes
  mlir::Value index(mlir::AffineMap map);
  std::vector<int64_t> by_row() const;  // strides of what there is one of for each row

  const CascadeForm& cascade_;
  const std::vector<int64_t> walked_, extents_;

 private:
  struct Operand {
    PieceOperand operand;
    mlir::Value value;
    mlir::AffineMap map;
    std::vector<int64_t> origin;
    mlir::Type tensor;
  };

  std::unique_ptr<mlir::Block> block_;  // before what writes into it

 protected:
  mlir::OpBuilder b_;
  const mlir::Location loc_;

 private:
  mlir::Value clone(mlir::Value value);
  AffineTerms place_of_result(int64_t number) const;
  mlir::Value argument(mlir::BlockArgument value);
  mlir::Value linear_index(const AffineTerms& terms);
  mlir::Value expand(mlir::AffineExpr expr);
  mlir::Value input(PieceOperand operand, mlir::Type type, mlir::AffineMap map, std::vector<int64_t> origin);
  mlir::AffineMap map_of(mlir::AffineExpr expr) const;
  mlir::AffineMap scratch_map(const std::vector<int64_t>& strides, int64_t start);
  mlir::Value folded(mlir::Operation* op);
  std::vector<int64_t> scratch_origin(int64_t local) const;
  mlir::AffineMap linear_map(const AffineTerms& terms);
  std::vector<int64_t> origin_of(const AffineTerms& terms) const;

  llvm::DenseMap<mlir::Value, mlir::Value> known_;
  llvm::DenseMap<mlir::Value, bool> conditions_;
  std::map<int64_t, int64_t> fixed_;  // dims, and where they stand
  std::vector<Operand> inputs_, results_;
  std::vector<std::vector<int64_t>> indices_;  // origins of fuse.index ops, in order
};

}  // namespace tessera::codegen
