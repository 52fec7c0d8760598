#pragma once
// The values of a block of the plane, level by level: statements of each element, statistics of rows as far as the stream has
// come, repairs of what was made under old ones, and sums.

#include <tessera/codegen/cuda/cascade/place.h>

namespace tessera::cuda {

class LevelsText {
 public:
  explicit LevelsText(CascadePlace& place) : p_(place) {}

  Lines of_rows() const;  // inputs of the block's rows, in registers
  Lines of_sums() const;  // statistics and sums of nothing
  // `whole`: the condition under which no point of the block is hidden or beyond the end; "": it always holds. `knows_masks`:
  // it says that no mask hides any.
  Lines of_block(const std::string& whole, bool knows_masks);

 private:
  Lines of_level(int level, const std::string& whole);
  Lines elements(int level, bool is_whole);
  void statistic(Lines& to, size_t k);
  void sum(Lines& to, size_t k) const;
  // What values are called in statements of an element, or of a row.
  std::optional<std::string> here(mlir::Value value, bool in_row) const;
  size_t number_of(mlir::Operation* reduce) const;
  bool grows_in_lanes(const PlaneStatistic& one) const;
  static bool is_extreme(const PlaneStatistic& one);

  CascadePlace& p_;
  bool knows_masks_ = false;
  llvm::DenseMap<mlir::Operation*, std::string> factors_;  // by repair
};

}  // namespace tessera::cuda
