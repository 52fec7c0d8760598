#include <tessera/codegen/cuda/cascade/finish_rows.h>

#include "llvm/ADT/SetVector.h"

#include <fmt/format.h>

#include <tessera/codegen/cpu/cascade_form.h>
#include <tessera/codegen/cuda/rows/scalar_text.h>
#include <tessera/codegen/cuda/rows/unsupported.h>

namespace tessera::cuda {
namespace {

using mlir::Value;

class Finish {
 public:
  explicit Finish(const CascadePlace& place) : p_(place) {}

  Lines lines() {
    Lines lines, meet;
    for (size_t k = 0; k < p_.c.statistics.size(); ++k) {
      const PlaneStatistic& one = p_.c.statistics[k];
      if (one.kind() == fuse::ReduceKind::sum && !one.is_read_by_plane)
        meet.push_back(fmt::format("{0}[i][h] = across_quad<Sum>({0}[i][h]);", p_.statistic_names[k]));
    }
    mlir::Operation* yield = p_.c.body().getTerminator();
    Lines rows;
    for (unsigned k = 0; k < yield->getNumOperands(); ++k) append(rows, result(k), 0);
    Lines inside = std::move(meet);
    inside.push_back(p_.row_line());
    if (p_.c.rows % p_.s.group() != 0)
      inside.push_back(fmt::format("if (m_first + row_of_element<{}>(i, h) >= {}) return;", p_.s.down, p_.c.rows));
    append(inside, rows, 0);
    lines.push_back(fmt::format("each_row<{}>([&](int i, int h) {{", p_.s.down));
    append(lines, inside, 1);
    lines.push_back("});");
    return lines;
  }

 private:
  Lines result(unsigned k) {
    const Value value = p_.c.body().getTerminator()->getOperand(k);
    const PlaneAccumulation* sums = sums_behind(value);
    return sums ? result_of_sums(k, value, *sums) : result_of_row(k, value);
  }

  // The accumulation whose dims the result has: all that it is made of have the same.
  const PlaneAccumulation* sums_behind(Value value) const {
    llvm::SetVector<Value> seen;
    seen.insert(value);
    const PlaneAccumulation* found = nullptr;
    for (size_t at = 0; at < seen.size(); ++at) {
      mlir::Operation* op = seen[at].getDefiningOp();
      if (!op || mlir::isa<fuse::ReduceOp>(op)) continue;
      if (mlir::isa<fuse::ContractOp>(op)) {
        for (const PlaneAccumulation& one : p_.c.accumulations) {
          if (one.contract != op) continue;
          if (found && found->dims != one.dims) throw Unsupported{"a result of sums over different columns", op};
          found = &one;
        }
        continue;
      }
      seen.insert(op->operand_begin(), op->operand_end());
    }
    fuse::DimBits has = p_.c.dims.of(value) & p_.c.rest_set();
    for (int64_t d : found ? found->dims : std::vector<int64_t>{}) has &= ~(fuse::DimBits{1} << d);
    if (has != 0) throw Unsupported{"a result of a plane with columns that no sum has", value.getDefiningOp()};
    return found;
  }

  std::optional<std::string> here(Value value) const {
    if (mlir::isa<mlir::BlockArgument>(value)) {
      const auto found = p_.vector_names.find(value);
      return found == p_.vector_names.end() ? std::nullopt : std::optional(found->second + "[i][h]");
    }
    mlir::Operation* op = value.getDefiningOp();
    for (size_t k = 0; k < p_.c.statistics.size(); ++k)
      if (p_.c.statistics[k].reduce == op) return p_.statistic_names[k] + "[i][h]";
    for (size_t k = 0; k < p_.c.accumulations.size(); ++k)
      if (p_.c.accumulations[k].contract == op) return p_.sum_names[k] + "[i][j][2 * h + e]";
    return std::nullopt;
  }

  Statements statements() const {
    return {p_.words, p_.c, p_.names, [this](Value value) { return here(value); }};
  }

  mlir::Type stored_type(unsigned k) const {
    return fuse::body_type(mlir::cast<mlir::RankedTensorType>(p_.c.op->getResult(k).getType()).getElementType());
  }

  // One lane of each row writes it.
  Lines result_of_row(unsigned k, Value value) const {
    Statements row = statements();
    const std::string name = row.name_of(value);
    Lines inside = row.lines;
    inside.push_back(
        fmt::format("{}[{}] = {};", p_.words.words.results[k], offset_text(p_.c.out_map(k), p_.words.dims), name));
    Lines lines{"if (threadIdx.x % 4 == 0) {"};
    append(lines, inside, 1);
    lines.push_back("}");
    return lines;
  }

  Lines result_of_sums(unsigned k, Value value, const PlaneAccumulation& sums) const {
    const int64_t columns = p_.c.stream_operands[sums.right].depth();
    const int across = p_.across_of(sums);
    const bool in_pairs = writes_pairs(k, sums);
    const std::string& to = p_.words.words.results[k];
    Statements element = statements();
    const std::string name = element.name_of(value);
    Lines inside, of_pair;
    const std::string guard = columns == int64_t{across} * 8 ? "" : fmt::format("if (d >= {}) continue;", columns);
    auto at = [&](const char* e) {
      Lines position{fmt::format("const int d = column_of_element(j, {});", e)};
      return position;
    };
    if (in_pairs) {
      append(inside, at("0"), 0);
      if (!guard.empty()) inside.push_back(guard);
      decode(inside, sums);
      inside.push_back(fmt::format("Vector<{}, 2> pair;", type_text(stored_type(k))));
      inside.push_back("#pragma unroll");
      inside.push_back("for (int e = 0; e < 2; ++e) {");
      Lines one = element.lines;
      one.push_back(fmt::format("pair[e] = {};", name));
      append(inside, one, 1);
      inside.push_back("}");
      inside.push_back(fmt::format("store({} + {}, pair);", to, offset_text(p_.c.out_map(k), p_.words.dims)));
    } else {
      inside.push_back("#pragma unroll");
      inside.push_back("for (int e = 0; e < 2; ++e) {");
      Lines one = at("e");
      if (!guard.empty()) one.push_back(guard);
      decode(one, sums);
      append(one, element.lines, 0);
      one.push_back(fmt::format("{}[{}] = {};", to, offset_text(p_.c.out_map(k), p_.words.dims), name));
      append(inside, one, 1);
      inside.push_back("}");
    }
    Lines lines{"#pragma unroll", fmt::format("for (int j = 0; j < {}; ++j) {{", across)};
    append(lines, inside, 1);
    lines.push_back("}");
    return lines;
  }

  // Two neighbours of a row are neighbours in memory, and whatever their place both are there.
  bool writes_pairs(unsigned k, const PlaneAccumulation& sums) const {
    const codegen::AffineTerms terms(p_.c.out_map(k));
    if (!terms.rest.empty() || sums.dims.empty() || terms.constant % 2 != 0) return false;
    const auto last = static_cast<size_t>(sums.dims.back());
    if (terms.stride[last] != 1 || p_.c.extent[last] % 2 != 0) return false;
    for (size_t d = 0; d < terms.stride.size(); ++d)
      if (d != last && p_.c.extent[d] > 1 && terms.stride[d] % 2 != 0) return false;
    // What is read beside at places of its own is read one by one.
    return reads_nothing_by_column(p_.c.body().getTerminator()->getOperand(k));
  }

  bool reads_nothing_by_column(Value value) const {
    if ((p_.c.dims.of(value) & p_.c.rest_set()) == 0) return true;
    mlir::Operation* op = value.getDefiningOp();
    if (!op || mlir::isa<fuse::IndexOp>(op)) return false;
    return mlir::isa<fuse::ContractOp>(op) ||
           llvm::all_of(op->getOperands(), [&](Value operand) { return reads_nothing_by_column(operand); });
  }

  // The dims of the sums' columns from their number `d`.
  void decode(Lines& to, const PlaneAccumulation& sums) const {
    int64_t inner = 1;
    Lines dims;
    for (size_t k = sums.dims.size(); k-- > 0;) {
      const auto d = static_cast<size_t>(sums.dims[k]);
      if (p_.c.extent[d] == 1) continue;
      std::string text = inner == 1 ? "d" : fmt::format("d / {}", inner);
      inner *= p_.c.extent[d];
      if (inner != p_.c.stream_operands[sums.right].depth()) text += fmt::format(" % {}", p_.c.extent[d]);
      if (p_.words.dims[d] != text)
        dims.push_back(fmt::format("const {} {} = {};", p_.words.offset_type, p_.words.dims[d], text));
    }
    append(to, dims, 0);
  }

  const CascadePlace& p_;
};

}  // namespace

Lines finish_rows(const CascadePlace& place) { return Finish(place).lines(); }

}  // namespace tessera::cuda
