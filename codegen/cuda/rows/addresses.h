#pragma once
// Where the elements of a thread lie, as text: its dims by name, and offsets in terms of them.

#include <string>
#include <vector>

#include "mlir/IR/AffineExpr.h"

#include <tessera/codegen/cuda/rows/lines.h>
#include <tessera/codegen/cuda/rows/schedule.h>

namespace tessera::cuda {

class Addresses {
 public:
  // `dims`: what the dims are called; empty: as the schedule has them.
  Addresses(const codegen::Form& form, const RowSchedule& schedule, std::vector<std::string> dims);

  bool is_wide() const { return is_wide_; }  // offsets need 64 bits
  const char* offset_type() const { return is_wide_ ? "i64" : "int"; }
  const std::string& dim_name(int d) const { return dim_name_[static_cast<size_t>(d)]; }

  // The element offset at this thread's point, or at neighbour i.
  std::string offset(const codegen::Access& access, bool at_lane) const;
  std::string pointer(const std::string& base, const codegen::Access& access) const;
  std::string element(const std::string& base, const codegen::Access& access, bool at_lane) const;
  // Only one of the points that write the same element may do it; "" where each has its own.
  std::string writer_condition(const codegen::Access& access, bool at_lane) const;

  // Lines that make dims of one number. The last dim moves fastest; it counts vectors of `last_width`.
  void decode(Lines& to, const std::string& linear, const std::vector<int>& dims, int64_t last_width) const;
  void decode_columns(Lines& to) const;

 private:
  bool needs_wide_offsets() const;
  void name_dims();
  std::string dim_text(int d, bool at_lane) const;
  std::string affine_text(mlir::AffineExpr expr, bool at_lane) const;

  const codegen::Form& form_;
  const RowSchedule& s_;
  bool is_wide_ = false;
  std::vector<std::string> dim_name_;
};

}  // namespace tessera::cuda
