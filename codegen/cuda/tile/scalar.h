#pragma once
// Scalar code of a kernel, computed: arith and math on one i32, i1 or f32.

#include <optional>
#include <vector>

#include "llvm/ADT/DenseMap.h"
#include "mlir/IR/Operation.h"

#include <tessera/codegen/cuda/tile/Tile.h>

namespace tessera::tile {

struct Number {
  int64_t integer = 0;
  float real = 0;
};

class Numbers {
 public:
  void set_integer(mlir::Value value, int64_t number) { known_[value] = {.integer = number}; }
  void set_real(mlir::Value value, float number) { known_[value] = {.real = number}; }
  void copy(mlir::ValueRange from, mlir::ValueRange to);  // those that are known, all at once
  std::optional<Number> get(mlir::Value value) const;

  // Computes the result of an arith or math op, or of a constant. False where it is another op, an operand is not
  // known, or it divides by zero.
  bool evaluate(mlir::Operation& op);

 private:
  llvm::DenseMap<mlir::Value, Number> known_;
};

struct TilePlace {
  int64_t row = 0, column = 0, plane = 0;

  void hand_to(ForTilesOp loop, Numbers& numbers) const;  // as the arguments of its body
};

// Every tile of the loop, in the order of device/tiles.cuh; nullopt where its extents are not known.
std::optional<std::vector<TilePlace>> tiles_in_order(ForTilesOp loop, const Numbers& numbers);

}  // namespace tessera::tile
