#include <tessera/codegen/cuda/contract/finish_text.h>

#include <optional>

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <fmt/format.h>

#include <tessera/codegen/cuda/contract/quick_math.h>
#include <tessera/codegen/cuda/rows/scalar_text.h>

namespace tessera::cuda {
namespace {

// What is done with result k of all neighbours goes into `after`: two are rounded together where they were rounded last. They
// are packed where they are sent, each two in a register, and stored where b is dealt.
void end_lanes(ValuesText& values, unsigned k, std::optional<size_t> sent, Lines& after) {
  mlir::Value result = values.yield->getOperand(k);
  auto rounded = result.getDefiningOp<mlir::arith::TruncFOp>();
  // What was rounded, widened and rounded again is rounded once.
  if (auto wide = rounded ? rounded.getIn().getDefiningOp<mlir::arith::ExtFOp>() : mlir::arith::ExtFOp();
      wide && wide.getIn().getType() == result.getType() && wide.getIn().getDefiningOp<mlir::arith::TruncFOp>())
    rounded = wide.getIn().getDefiningOp<mlir::arith::TruncFOp>();
  const bool is_wide = rounded && rounded.getIn().getType().isF32();
  const mlir::Value held = is_wide ? rounded.getIn() : result;
  const std::string value = values.name_of(held), name = values.names.identifier(values.words.results[k] + "_at");
  values.chunk.push_back(fmt::format("Vector<{}, {}> {};", type_text(held.getType()), values.schedule.width, name));
  values.lane.push_back(name + "[i] = " + value + ";");
  if (!sent)
    after.push_back(fmt::format("{}({}, {});", is_wide ? "store_rounded" : "store",
                                values.addresses.pointer(values.words.results[k], values.form.out[k]), name));
  else if (is_wide)
    after.push_back(fmt::format("packed[{}] = pack<{}>({});", *sent, type_text(result.getType()), name));
  else after.push_back(fmt::format("packed[{}] = packed_bits({});", *sent, name));
}

// What is rounded to 16 bits needs no more of tanh, and exact ones take longer than the products.
void use_quick_tanh(std::string& line) {
  constexpr std::string_view exact = "::tanhf(", quick = "quick_tanh(";
  for (size_t at = line.find(exact); at != std::string::npos; at = line.find(exact, at + quick.size()))
    line.replace(at, exact.size(), quick);
}

}  // namespace

RowSchedule neighbours_along_n(const codegen::Form& form, int width) {
  RowSchedule made;
  for (int d = 0; d < form.dims(); ++d) made.row_dims.push_back(d);
  made.vector_dim = form.dims() - 1;
  made.width = width;
  for (int64_t extent : form.extent) made.rows *= extent;
  return made;
}

std::vector<size_t> inputs_of_columns(const TileSchedule& s, const ValuesText& values) {
  std::vector<size_t> found;
  if (s.sent.empty() && !s.is_dealt()) return found;
  const auto last = static_cast<size_t>(values.form.dims()) - 1;  // n
  for (size_t k = 0; k < values.form.in.size(); ++k) {
    if (values.is_made_here(k)) continue;
    const codegen::Access& access = values.form.in[k];
    const mlir::Type type = values.form.body->getArgument(static_cast<unsigned>(k)).getType();
    const bool is_real = type.isF32() || type.isBF16() || type.isF16();
    if (is_real && access.linear() && access.dims() == codegen::bit(static_cast<int>(last)) && access.stride[last] == 1)
      found.push_back(k);
  }
  return found;
}

std::string columns_name(const TileSchedule& s, const ValuesText& values, size_t input) {
  return values.words.inputs[input] + (s.is_dealt() ? "_columns" : "_pairs");
}

Lines finish_lines(const Contraction& c, const TileSchedule& s, const std::vector<size_t>& beside, ValuesText& values) {
  const Addresses& addresses = values.addresses;
  const int64_t m = c.size(c.m), columns = s.operands.columns, filled = s.operands.filled_columns();
  const int64_t n = columns == 0 ? c.size(c.n) : c.size(c.n) / columns * filled;  // as tiles have them
  const std::vector<unsigned>& sent = s.sent;
  Lines lines{fmt::format("const {} m = m_first + row;", addresses.offset_type()),
              fmt::format("const {} n = n_first + column;", addresses.offset_type())};
  // What the copy engine stores it clips.
  const std::vector<size_t> of_columns = inputs_of_columns(s, values);
  const bool touches_memory =
      values.form.in.size() > 1 + of_columns.size() + beside.size() || sent.size() < values.form.out.size();
  std::string beyond;
  if (touches_memory && s.tiles_m * s.tile_m() * (s.pair == TileSchedule::Pair::along_m ? 2 : 1) > m)
    beyond = fmt::format("m >= {}", m);
  if (touches_memory && s.tiles_n * s.tile_n * (s.pair == TileSchedule::Pair::along_n ? 2 : 1) > n)
    beyond += (beyond.empty() ? "" : " || ") + fmt::format("n >= {}", n);
  if (!beyond.empty()) lines.push_back("if (" + beyond + ") return;");
  int dim = 0;
  auto of_tile = [&](const std::string& name) {
    lines.push_back(fmt::format("const {} {} = {};", addresses.offset_type(), addresses.dim_name(dim++), name));
  };
  if (values.form.dims() > c.n.end) of_tile("at_part");
  for (int d = 0; d < c.batch.count(); ++d) of_tile(fmt::format("at_batch_{}", d + 1));
  for (auto [side, number] : {std::pair{c.m, "m"}, {c.n, "n"}}) {
    std::vector<int> dims;
    for (int d = 0; d < side.count(); ++d) dims.push_back(dim++);
    if (side.begin == c.n.begin && columns != 0) {
      const char* type = addresses.offset_type();
      lines.push_back(fmt::format("const {} {} = n / {};", type, addresses.dim_name(dims[0]), filled));
      lines.push_back(fmt::format("const {} {} = n % {};", type, addresses.dim_name(dims[1]), filled));
      lines.push_back(fmt::format("if ({} >= {}) return;", addresses.dim_name(dims[1]), columns));
    } else if (side.count() > 1) {
      addresses.decode(lines, number, dims, 1);
    }
  }
  if (values.ends_early()) lines.push_back(fmt::format("const int left = {} - static_cast<int>(n);", n));
  const auto sum = values.form.body->getArgument(values.form.body->getNumArguments() - 1);
  values.call_in_lane(sum, "sum[i]");
  for (size_t k : of_columns) {
    const mlir::BlockArgument argument = values.form.body->getArgument(static_cast<unsigned>(k));
    const std::string here = values.names.identifier(values.words.inputs[k] + "_at");
    values.chunk.push_back(fmt::format("const Vector<{}, {}> {} = {}{};", type_text(argument.getType()), s.width(),
                                       here, columns_name(s, values, k),
                                       !s.is_dealt()    ? "[pair]"
                                       : s.width() == 8 ? ".at(column)"
                                                        : ".at<4>(column)"));
    values.call_in_lane(argument, here + "[i]");
  }
  for (auto [i, k] : llvm::enumerate(beside)) {
    const mlir::BlockArgument argument = values.form.body->getArgument(static_cast<unsigned>(k));
    const std::string here = values.names.identifier(values.words.inputs[k] + "_at"),
                      type = type_text(argument.getType());
    values.chunk.push_back(fmt::format("const Vector<{0}, 2> {1} = unpack<{0}>(brought[{2}]);", type, here, i));
    values.call_in_lane(argument, here + "[i]");
  }
  const bool is_quick = values.words.rounding == Rounding::of_kernel && rounds_all_results(c.kernel());
  if (is_quick) use_quick_math(values);
  Lines after, last;
  for (unsigned k = 0; k < values.yield->getNumOperands(); ++k) {
    const auto place = llvm::find(sent, k);
    if (place != sent.end()) end_lanes(values, k, static_cast<size_t>(place - sent.begin()), after);
    else if (s.is_dealt()) end_lanes(values, k, std::nullopt, after);
    else if (values.is_lane_result(k))
      values.write_lanes(k, values.addresses.writer_condition(values.form.out[k], true), after);
    else last.push_back(values.write_once(k, addresses.writer_condition(values.form.out[k], false)));
  }
  append(lines, values.row, 0);
  append(lines, values.neighbours(after), 0);
  append(lines, last, 0);
  drop_unused(lines);
  if (is_quick)
    for (std::string& line : lines) use_quick_tanh(line);
  return lines;
}

}  // namespace tessera::cuda
