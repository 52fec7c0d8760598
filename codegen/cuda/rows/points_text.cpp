#include <tessera/codegen/cuda/rows/points_text.h>

#include <fmt/format.h>

#include "mlir/IR/Operation.h"

namespace tessera::cuda {

Lines points_text(ValuesText& values) {
  const codegen::Form& form = values.form;
  const RowSchedule& s = values.schedule;
  const Addresses& addresses = values.addresses;
  Lines lines;
  int64_t vectors = s.rows;
  if (s.vector_dim >= 0) {
    const int64_t along = form.extent[static_cast<size_t>(s.vector_dim)];
    vectors = s.rows / along * ((along + s.width - 1) / s.width);
  }
  const std::string start = addresses.is_wide() ? "static_cast<i64>(blockIdx.x)" : "static_cast<int>(blockIdx.x)";
  lines.push_back(
      fmt::format("const {} t = {} * {} + static_cast<int>(threadIdx.x);", addresses.offset_type(), start, s.threads));
  if (s.is_counted) lines.push_back("if (t >= vectors) return;");
  else if (s.blocks * s.threads != vectors) lines.push_back(fmt::format("if (t >= {}) return;", vectors));
  addresses.decode(lines, "t", s.row_dims, s.width);
  if (values.ends_early())
    lines.push_back(fmt::format("const int left = static_cast<int>({} - {});",
                                form.extent[static_cast<size_t>(s.vector_dim)], addresses.dim_name(s.vector_dim)));
  append(lines, point_lines(values), 0);
  return lines;
}

Lines point_lines(ValuesText& values) {
  Lines lines, after, last;
  for (unsigned k = 0; k < values.yield->getNumOperands(); ++k) {
    if (values.is_lane_result(k))
      values.write_lanes(k, values.addresses.writer_condition(values.form.out[k], true), after);
    else last.push_back(values.write_once(k, values.addresses.writer_condition(values.form.out[k], false)));
  }
  append(lines, values.row, 0);
  append(lines, values.neighbours(after), 0);
  append(lines, last, 0);
  return lines;
}

}  // namespace tessera::cuda
