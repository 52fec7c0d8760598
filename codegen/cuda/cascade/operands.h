#pragma once
// How operands of products come to shared memory, and the products that make scores.

#include <tessera/codegen/cuda/cascade/place.h>

namespace tessera::cuda {

class OperandsText {
 public:
  explicit OperandsText(CascadePlace& place) : p_(place) {}

  Lines in_shared_memory() const;  // members
  Lines bring_rows() const;        // of the block, once
  Lines bring_columns() const;     // the function `bring(slot, block)`
  Lines hold_rows() const;         // what products read of the rows; all have landed where registers hold any
  Lines scores() const;            // of the block of columns in `slot`

 private:
  std::string panel_of_rows(size_t k) const;
  std::string panel_of_columns(size_t k) const;
  std::string stager(const std::string& name, const std::string& panel, const PlaneOperand& operand, int width,
                     const std::string& first_and_end, const std::string& rows) const;
  std::string walk(const PlaneOperand& operand, int dim) const;
  std::string along_depth(const PlaneOperand& operand) const;

  CascadePlace& p_;
};

}  // namespace tessera::cuda
