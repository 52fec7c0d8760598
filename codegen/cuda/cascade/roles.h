#pragma once
// A cascade's roles where the copy engine brings operands and wgmma multiplies them: a warp that copies, and what the
// warpgroup that computes asks of it.

#include <tessera/codegen/cuda/cascade/place.h>

namespace tessera::cuda {

class RolesText {
 public:
  explicit RolesText(CascadePlace& place) : p_(place) {}

  std::string launch_facts() const;
  std::string parameter(unsigned argument) const;  // "": it is no map
  bool has_vectors() const;                        // values of each column are read from shared memory
  Lines in_shared_memory() const;                  // members
  Lines open_channels() const;
  Lines copy_rows() const;         // once
  Lines copy_columns() const;      // of a block, in a loop over those that are not empty
  Lines ends_of_channels() const;  // for who computes
  Lines scores() const;            // of the block of columns in `slot`

 private:
  std::string tile(const PlaneOperand& operand, const PlaneStaging& staging, int64_t rows) const;
  std::string load(const std::string& to, const PlaneOperand& operand, const Mapped& map,
                   const std::string& first) const;

  CascadePlace& p_;
};

}  // namespace tessera::cuda
