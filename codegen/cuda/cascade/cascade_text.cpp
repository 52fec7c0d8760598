#include <tessera/codegen/cuda/cascade/cascade_text.h>

#include <algorithm>
#include <cstdint>

#include <fmt/format.h>

#include <tessera/codegen/cpu/launch.h>
#include <tessera/codegen/cuda/cascade/finish_rows.h>
#include <tessera/codegen/cuda/cascade/levels.h>
#include <tessera/codegen/cuda/cascade/liveness_text.h>
#include <tessera/codegen/cuda/cascade/operands.h>
#include <tessera/codegen/cuda/cascade/place.h>
#include <tessera/codegen/cuda/cascade/roles.h>
#include <tessera/codegen/cuda/rows/parameters.h>
#include <tessera/codegen/cuda/rows/scalar_text.h>
#include <tessera/codegen/cuda/rows/unsupported.h>

namespace tessera::cuda {
namespace {

class Text {
 public:
  Text(const Cascade& c, const CascadeSchedule& s, KernelWords words)
      : c_(c), s_(s), place_(c, s, std::move(words)), operands_(place_), roles_(place_), levels_(place_) {}

  std::string all() {
    const bool has_roles = s_.has_roles();
    Lines body = has_roles ? with_roles() : without_roles();
    drop_unused(body);
    const std::string& name = place_.words.words.kernel;
    std::string text;
    for (const std::string& line : place_.words.words.head) text += line.empty() ? "//\n" : "// " + line + "\n";
    text += fmt::format("#include \"{}\"\n\nnamespace tessera {{\n\n", has_roles ? "wgmma_plane.cuh" : "cascade.cuh");
    text += fmt::format("struct {}_shared {{\n", name);
    for (const std::string& line : has_roles ? roles_.in_shared_memory() : operands_.in_shared_memory())
      text += "  " + line + "\n";
    text += "};\n\n";
    text += launch_constant(
        place_.words.words,
        has_roles ? roles_.launch_facts() : fmt::format("{}, 1, sizeof({}_shared), {{}}", s_.threads(), name));
    text += fmt::format("extern \"C\" __global__ void __launch_bounds__({}, {})\n{}({}) {{\n", s_.launched_threads(),
                        s_.residents, name, parameter_list(parameters(), name.size() + 1));
    for (const std::string& line : body)
      text += line.starts_with("#") || line.empty() ? line + "\n" : "  " + line + "\n";
    return text + "}\n\n}  // namespace tessera\n";
  }

 private:
  Lines without_roles() {
    Lines body = position();
    append(body, operands_.bring_rows(), 0);
    append(body, levels_.of_rows(), 0);
    append(body, operands_.bring_columns(), 0);
    append(body, levels_.of_sums(), 0);
    append(body, stream(), 0);
    append(body, finish_rows(place_), 0);
    return body;
  }

  Lines with_roles() {
    const LivenessText live = liveness();
    Lines body = position();
    append(body, roles_.open_channels(), 0);
    append(body, skipping(live), 0);
    body.push_back("if (warpgroup() == 1) {  // a warp that copies");
    append(body, roles_.copy_rows(), 1);
    append(body, in_each_block(live, roles_.copy_columns()), 1);
    body.push_back("} else {");
    append(body, roles_.ends_of_channels(), 1);
    append(body, levels_.of_rows(), 1);
    append(body, levels_.of_sums(), 1);
    body.push_back("  rows_ready.get();");
    Lines inside = place_.of_block();
    inside.push_back("const int slot = columns_ready.get();");
    append(inside, roles_.scores(), 0);
    append(inside, levels_.of_block(whole(live), !live.full.empty()), 0);
    if (roles_.has_vectors()) inside.push_back("warpgroup_sync();  // all warps have read what belongs to columns");
    inside.push_back("columns_ready.release();");
    append(body, in_each_block(live, inside), 1);
    append(body, finish_rows(place_), 1);
    body.push_back("}");
    return body;
  }

  // A loop over the blocks of columns that masks do not leave empty.
  Lines in_each_block(const LivenessText& live, const Lines& inside) const {
    const char* first = live.empty.empty() ? "0" : "from(0)";
    const char* next = live.empty.empty() ? "++block" : "block = from(block + 1)";
    Lines lines{"#pragma unroll 1",
                fmt::format("for (int block = {}; block < {}; {}) {{", first, place_.blocks(), next)};
    append(lines, inside, 1);
    lines.push_back("}");
    return lines;
  }

  // The functions that find the next block of columns, where masks leave any empty.
  Lines skipping(const LivenessText& live) const {
    if (live.empty.empty()) return {};
    Lines lines{"const auto is_empty = [&](int block) {"};
    append(lines, place_.of_block(), 1);
    append(lines,
           {"  return " + live.empty + ";", "};", "const auto from = [&](int block) {",
            fmt::format("  while (block < {} && is_empty(block)) ++block;", place_.blocks()), "  return block;", "};"},
           0);
    return lines;
  }

  Lines parameters() const {
    const KernelWords& words = place_.words.words;
    const char* pointer = words.writes_elsewhere ? "* __restrict__ " : "* ";
    Lines all;
    fuse::CascadeOp cascade = c_.cascade();
    auto element = [](mlir::Type tensor) {
      return fuse::body_type(mlir::cast<mlir::RankedTensorType>(tensor).getElementType());
    };
    for (auto [k, input] : llvm::enumerate(cascade.getInputs())) {
      const std::string map = s_.has_roles() ? roles_.parameter(static_cast<unsigned>(k)) : "";
      all.push_back(map.empty() ? input_parameter(element(input.getType()), words.inputs[k], words) : map);
    }
    for (auto [k, result] : llvm::enumerate(cascade.getResults()))
      all.push_back(type_text(element(result.getType())) + pointer + words.results[k]);
    if (!place_.words.first_word.empty()) all.push_back("i64* errors");
    return all;
  }

  // Which rows of which batch point this block has.
  Lines position() const {
    const std::string type = place_.words.offset_type;
    Lines lines;
    lines.push_back(fmt::format("auto& shared = shared_memory<{}_shared>();", place_.words.words.kernel));
    const bool is_one = s_.groups == 1;
    const std::string block = "static_cast<int>(blockIdx.x)";
    const bool is_abreast = s_.abreast > 1, all_are = s_.abreast == c_.batch;
    const std::string turn = is_abreast ? fmt::format("{} / {}", block, s_.abreast) : block;
    std::string group = is_one ? "0" : is_abreast && all_are ? turn : fmt::format("{} % {}", turn, s_.groups);
    if (s_.last_first) group = fmt::format("({} - {})", s_.groups - 1, group);  // which has the most to do
    else if (!is_one) group = "(" + group + ")";
    lines.push_back(fmt::format("const int m_first = {} * {};", group, s_.group()));
    lines.push_back(fmt::format("const int m_last = min(m_first + {}, {}) - 1;", s_.group(), c_.rows));
    std::string point = is_one ? block : fmt::format("{} / {}", block, s_.groups);
    if (is_abreast) {
      const std::string before =
          all_are ? "" : fmt::format("{} / {} * {} + ", block, s_.groups * s_.abreast, s_.abreast);
      lines.push_back(fmt::format("const int point = {}{} % {};", before, block, s_.abreast));
      point = "point";
    }
    place_.decode(lines, point, 0, c_.row_dim);
    return lines;
  }

  Lines stream() {
    const int64_t blocks = place_.blocks();
    const LivenessText live = liveness();
    Lines lines = skipping(live);
    if (!live.empty.empty()) {
      lines.push_back("int block = from(0);");
      lines.push_back(fmt::format("if (block < {}) bring(0, block);", blocks));
    } else {
      lines.push_back("int block = 0;");
      lines.push_back("bring(0, block);");
    }
    lines.push_back("end_group();");
    append(lines, operands_.hold_rows(), 0);
    lines.push_back("#pragma unroll 1");
    lines.push_back(fmt::format("for (int slot = 0; block < {}; slot ^= 1) {{", blocks));
    Lines inside = place_.of_block();
    inside.push_back(live.empty.empty() ? "const int next = block + 1;" : "const int next = from(block + 1);");
    inside.push_back("wait_for_groups<0>();");
    inside.push_back(
        "__syncthreads();  // this block has landed, and everybody is done with the slot that is loaded next");
    inside.push_back(fmt::format("if (next < {}) bring(slot ^ 1, next);", blocks));
    inside.push_back("end_group();");
    append(inside, operands_.scores(), 0);
    append(inside, levels_.of_block(whole(live), !live.full.empty()), 0);
    inside.push_back("block = next;");
    append(lines, inside, 1);
    lines.push_back("}");
    lines.push_back("wait_for_groups<0>();");
    return lines;
  }

  LivenessText liveness() const {
    std::vector<DimRange> dims;
    for (int d = 0; d < c_.first_rest; ++d) {
      const std::string& name = place_.words.dims[static_cast<size_t>(d)];
      DimRange one{name, name, {0, c_.extent[static_cast<size_t>(d)] - 1}};
      if (d == c_.row_dim) one.low = "m_first", one.high = "m_last";
      if (d == c_.column_dim) one.low = "n_first", one.high = "n_last";
      dims.push_back(one);
    }
    return liveness_text(c_.liveness.blocks, dims);
  }

  // That no point of the block is hidden by a mask or beyond the last column; "": every block is so.
  std::string whole(const LivenessText& live) const {
    std::string text = live.full;
    if (place_.is_ragged()) {
      const std::string within = fmt::format("n_first + {} <= {}", s_.block, c_.columns);
      text += text.empty() ? within : " && " + within;
    }
    return text;
  }

  const Cascade& c_;
  const CascadeSchedule& s_;
  CascadePlace place_;
  OperandsText operands_;
  RolesText roles_;
  LevelsText levels_;
};

}  // namespace

std::string cascade_text(const Cascade& c, const CascadeSchedule& schedule, KernelWords words) {
  return Text(c, schedule, std::move(words)).all();
}

std::string why_no_text(fuse::CascadeOp op) {
  KernelWords words{.kernel = "NAME"};
  words.inputs.assign(op.getInputs().size(), "x");
  words.results.assign(op->getNumResults(), "y");
  try {
    const Cascade c = read_cascade(op);
    // One product of tf32 has a text where three have.
    cascade_text(c, cascade_schedules(c, F32Products::on_tensor_cores).front(), std::move(words));
  } catch (const Unsupported& found) {
    return found.what;
  }
  return "";
}

}  // namespace tessera::cuda
