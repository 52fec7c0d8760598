#include <tessera/codegen/cuda/cascade/place.h>

#include <cstdint>
#include <limits>

#include <fmt/format.h>

#include <tessera/codegen/cpu/cascade_form.h>
#include <tessera/codegen/cpu/launch.h>
#include <tessera/codegen/cuda/rows/scalar_text.h>

namespace tessera::cuda {
namespace {

bool needs_wide_offsets(const Cascade& c) {
  auto reach = [&](mlir::AffineMap map) {
    const codegen::AffineTerms terms(map);
    if (!terms.rest.empty()) return int64_t{1} << 40;  // not worth an analysis
    int64_t furthest = std::abs(terms.constant);
    for (size_t d = 0; d < terms.stride.size(); ++d) furthest += std::abs(terms.stride[d]) * c.extent[d];
    return furthest;
  };
  int64_t furthest = c.batch * c.rows;
  for (unsigned k = 0; k < c.body().getNumArguments(); ++k) furthest = std::max(furthest, reach(c.in_map(k)));
  for (unsigned k = 0; k < c.body().getTerminator()->getNumOperands(); ++k)
    furthest = std::max(furthest, reach(c.out_map(k)));
  for (auto index : c.body().getOps<fuse::IndexOp>()) furthest = std::max(furthest, reach(index.getMap()));
  return furthest > std::numeric_limits<int>::max() - 100000;
}

// "outer", or "outer_1", "outer_2" where there are several.
void name_dims(std::vector<std::string>& names, const Cascade& c, int begin, int end, const char* word) {
  int several = 0, number = 0;
  for (int d = begin; d < end; ++d) several += c.extent[static_cast<size_t>(d)] > 1;
  for (int d = begin; d < end; ++d) {
    const bool is_one = c.extent[static_cast<size_t>(d)] == 1;
    names.push_back(is_one ? "0" : several == 1 ? word : fmt::format("{}_{}", word, ++number));
  }
}

}  // namespace

CascadePlace::CascadePlace(const Cascade& cascade, const CascadeSchedule& schedule, KernelWords called)
    : c(cascade), s(schedule) {
  name_dims(words.dims, c, 0, c.row_dim, "batch");
  words.dims.push_back("m");
  name_dims(words.dims, c, c.row_dim + 1, c.column_dim, "outer");
  words.dims.push_back("n");
  name_dims(words.dims, c, c.first_rest, static_cast<int>(c.extent.size()), "d");
  for (const std::string& name : words.dims)
    if (name != "0") names.identifier(name);
  for (const char* name :
       {"shared",     "m_first",     "m_last",        "n_first", "n_last", "next",     "bring",
        "is_empty",   "from",        "is_whole",      "h",       "j",      "e",        "d",
        "batch",      "outer",       "inside",        "old",     "now",    "pair",     "point",
        "k",          "multiply",    "turned",        "min",     "max",    "each_row", "each_element",
        "scale_rows", "across_quad", "multiply_tf32", "in_pairs"})
    names.identifier(name);
  for (const char* name : {"begin_scores", "column", "columns_ready", "lane", "load", "publish_barriers", "rows_ready",
                           "slot", "wait_for_products", "warpgroup", "warpgroup_sync", "whole"})
    names.identifier(name);
  words.words = std::move(called);
  for (std::string& name : words.words.inputs) name = names.identifier(name);
  for (std::string& name : words.words.results) name = names.identifier(name);
  if (needs_wide_offsets(c)) words.offset_type = "i64";
  for (const codegen::ErrorSite& site : codegen::error_sites(c.body())) words.first_word[site.op] = site.first_word;

  for (const PlaneOperand& one : c.row_operands)
    row_names.push_back(names.identifier(words.words.inputs[one.argument] + "_rows"));
  for (const PlaneOperand& one : c.stream_operands)
    column_names.push_back(names.identifier(words.words.inputs[one.argument] + "_columns"));
  for (size_t k = 0; k < c.scores.size(); ++k) score_names.push_back(names.numbered("score"));
  for (const PlaneStatistic& one : c.statistics) statistic_names.push_back(names.numbered(word_of(one.reduce)));
  for (size_t k = 0; k < c.accumulations.size(); ++k) sum_names.push_back(names.numbered("sums"));
  for (const std::vector<mlir::Value>& level : c.kept)
    for (mlir::Value value : level) kept_names[value] = names.numbered(word_of(value.getDefiningOp()) + "_of_plane");
  for (mlir::BlockArgument argument : c.body().getArguments()) {
    const std::string& name = words.words.inputs[argument.getArgNumber()];
    const bool has_rest = (c.dims.of(argument) & c.rest_set()) != 0;
    if (c.has_row(argument) && !c.is_streamed(argument) && !has_rest)
      vector_names[argument] = names.identifier(name + "_of_row");
    else if (is_in_shared_memory(argument)) vector_names[argument] = names.identifier(name + "_of_column");
  }
}

// Copies that run on their own have 4 bytes at least.
bool CascadePlace::is_in_shared_memory(mlir::BlockArgument argument) const {
  if (!c.is_column_vector(argument)) return false;
  return argument.getType().isF32() || argument.getType().isInteger(32) || argument.getType().isInteger(64);
}

std::string CascadePlace::multiply_text(mlir::Type element, int64_t depth) const {
  return element.isF32() ? fmt::format("multiply_tf32<{}, {}>", s.products_of_f32, depth)
                         : fmt::format("multiply<{}>", depth);
}

void CascadePlace::decode(Lines& to, const std::string& point, int begin, int end) const {
  std::string rest = point;
  int left = 0;
  for (int d = begin; d < end; ++d) left += c.extent[static_cast<size_t>(d)] > 1;
  for (int d = end; d-- > begin;) {
    const int64_t extent = c.extent[static_cast<size_t>(d)];
    if (extent == 1) continue;
    const bool is_last = --left == 0;
    to.push_back(fmt::format("const {} {} = {};", words.offset_type, words.dims[static_cast<size_t>(d)],
                             is_last ? rest : fmt::format("{} % {}", rest, extent)));
    if (!is_last) rest = fmt::format("{} / {}", rest, extent);
  }
}

Lines CascadePlace::of_block() const {
  Lines lines;
  const int64_t across = blocks_of_columns();
  const bool is_only = c.outer == 1;
  lines.push_back(fmt::format("const int n_first = {} * {};",
                              is_only       ? "block"
                              : across == 1 ? "0"
                                            : fmt::format("(block % {})", across),
                              s.block));
  lines.push_back(is_ragged() ? fmt::format("const int n_last = min(n_first + {}, {}) - 1;", s.block, c.columns)
                              : fmt::format("const int n_last = n_first + {};", s.block - 1));
  if (!is_only) decode(lines, across == 1 ? "block" : fmt::format("block / {}", across), c.row_dim + 1, c.column_dim);
  return lines;
}

std::string CascadePlace::row_line() const {
  const std::string row = fmt::format("m_first + row_of_element<{}>(i, h)", s.down);
  return fmt::format("const {} m = {};", words.offset_type,
                     c.rows % s.group() == 0 ? row : fmt::format("min({}, {})", row, c.rows - 1));
}

std::string CascadePlace::column_line() const {
  const std::string column = "n_first + column_of_element(j, e)";
  return fmt::format("const {} n = {};", words.offset_type,
                     is_ragged() ? fmt::format("min({}, {})", column, c.columns - 1) : column);
}

}  // namespace tessera::cuda
