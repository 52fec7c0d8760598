#include <tessera/codegen/cuda/contract/copy_text.h>

#include <algorithm>
#include <utility>

#include "llvm/Support/MathExtras.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <tessera/codegen/cuda/rows/parameters.h>

namespace tessera::cuda {
namespace {

constexpr int64_t tile = 64, threads = 256, width = 4;

int64_t blocks_of_plane(const CopiedOperand& operand) {
  const std::vector<int64_t>& extents = operand.from.extents;
  if (operand.turns()) return llvm::divideCeilSigned(extents[0], tile) * llvm::divideCeilSigned(extents[1], tile);
  return llvm::divideCeilSigned(extents[1] * llvm::divideCeilSigned(extents[0], width), threads);
}
int64_t planes_of(const Mapped& tensor) {
  int64_t planes = 1;
  for (size_t d = 2; d < tensor.extents.size(); ++d) planes *= tensor.extents[d];
  return planes;
}
int64_t blocks_of(const CopiedOperand& operand) { return blocks_of_plane(operand) * planes_of(operand.from); }

// What is added for the plane that number `plane` is.
std::string plane_text(const Mapped& tensor, const std::string& type) {
  std::string text = tensor.first == 0 ? "" : fmt::format(" + {}", tensor.first);
  int64_t inner = 1;
  for (size_t d = 2; planes_of(tensor) > 1 && d < tensor.extents.size(); ++d) {
    std::string at = inner == 1 ? "plane" : fmt::format("plane / {}", inner);
    if (d + 1 < tensor.extents.size()) at += fmt::format(" % {}", tensor.extents[d]);
    text += fmt::format(" + {}({}) * {}", type, at, tensor.strides[d]);
    inner *= tensor.extents[d];
  }
  return text;
}

int64_t furthest(const Mapped& tensor) {
  int64_t last = tensor.first;
  for (size_t d = 0; d < tensor.extents.size(); ++d) last += tensor.extents[d] * tensor.strides[d];
  return last;
}

std::string name_of(size_t operand, size_t count) { return count == 1 ? "x" : fmt::format("x{}", operand); }

constexpr const char* name_of(CopyForm form) {
  constexpr std::array names = {"copy", "rests", "turned", "turned_rests"};
  return names[static_cast<size_t>(form)];
}

std::vector<const char*> names_of_forms(const CopiedOperand& operand) {
  std::vector<const char*> names;
  for (CopyForm form : copy_forms)
    if (operand.has(form)) names.push_back(name_of(form));
  return names;
}

// Statements of the blocks of one operand; `block` counts them.
std::string operand_text(const CopiedOperand& operand, const std::string& name, std::string block,
                         const std::string& indent) {
  const Mapped &from = operand.from, lying = copied({.from = from}), turned = copied({.from = from, .turns = true});
  // Lines are counted by whole tiles, also where the last one ends before.
  const int64_t behind = tile * from.strides[1];
  const std::string type =
      std::max({furthest(from) + behind, furthest(lying), furthest(turned)}) > INT32_MAX ? "i64" : "int";
  std::string text;
  if (planes_of(from) > 1) {
    if (block != "block") block = "(" + block + ")";
    text += fmt::format("{0}const int at = {1} % {2}, plane = {1} / {2};\n", indent, block, blocks_of_plane(operand));
    block = "at";
  }
  // Where values and their rests are written.
  auto pair = [&](CopyForm values, CopyForm rests, const Mapped& to) {
    auto place = [&](CopyForm form) {
      return operand.has(form) ? fmt::format("{}_{}{}", name, name_of(form), plane_text(to, type)) : "nullptr";
    };
    return fmt::format("{{{}, {}}}", place(values), place(rests));
  };
  std::string forms = pair(CopyForm::copy, CopyForm::rests, lying);
  if (operand.turns()) forms = pair(CopyForm::turned, CopyForm::turned_rests, turned) + ", " + forms;
  return text + fmt::format("{}{}<{}, {}, {}, {}>({}, {}{}, {}, {});\n", indent,
                            operand.turns() ? "turn" : "copy_lines", from.extents[0], from.extents[1],
                            has_map(from) ? width : 1, type, forms, name, plane_text(from, type), from.strides[1],
                            block);
}

}  // namespace

int64_t copy_blocks(const std::vector<CopiedOperand>& operands) {
  int64_t blocks = 0;
  for (const CopiedOperand& operand : operands) blocks += blocks_of(operand);
  return blocks;
}

std::vector<std::string> copy_schedule_lines(const std::vector<CopiedOperand>& operands) {
  std::vector<std::string> lines;
  for (size_t k = 0; k < operands.size(); ++k) {
    const CopiedOperand& operand = operands[k];
    const std::string how = operand.turns()
                                ? fmt::format("tiles of {0} x {0} through shared memory, {1} threads", tile, threads)
                                : fmt::format("{} elements a thread, {} threads a block", width, threads);
    lines.push_back(fmt::format("  {:<10} {}: {}; {} blocks", name_of(k, operands.size()), how,
                                fmt::join(names_of_forms(operand), ", "), blocks_of(operand)));
  }
  return lines;
}

std::string copy_text(const std::vector<CopiedOperand>& operands, const KernelWords& words) {
  std::string inputs, results, body;
  bool turns = false;
  int64_t first = 0;
  for (size_t k = 0; k < operands.size(); ++k) {
    const CopiedOperand& operand = operands[k];
    const std::string name = name_of(k, operands.size());
    turns |= operand.turns();
    inputs += fmt::format("{}const float* __restrict__ {}", k == 0 ? "" : ", ", name);
    const char* before = ",\n    ";
    for (const char* form : names_of_forms(operand))
      results += fmt::format("{}float* __restrict__ {}_{}", std::exchange(before, ", "), name, form);
    const std::string block = first == 0 ? "block" : fmt::format("block - {}", first);
    if (operands.size() == 1) {
      body += operand_text(operand, name, block, "  ");
      continue;
    }
    first += blocks_of(operand);
    const std::string condition = k + 1 < operands.size() ? fmt::format("if (block < {}) ", first) : "";
    body += (k == 0 ? "  " : " else ") + condition + "{\n" + operand_text(operand, name, block, "    ") + "  }";
  }
  if (operands.size() > 1) body += "\n";
  std::string text;
  for (const std::string& line : words.head) text += line.empty() ? "//\n" : "// " + line + "\n";
  text += "#include \"operand_copies.cuh\"\n\nnamespace tessera {\n\n";
  text += launch_constant(words, fmt::format("{}, 1, {}, {{}}", threads, turns ? "sizeof(TurnTile)" : "0"));
  text += fmt::format("extern \"C\" __global__ void __launch_bounds__({})\n{}({}{}) {{\n", threads, words.kernel,
                      inputs, results);
  text += "  const int block = static_cast<int>(blockIdx.x);\n";
  return text + body + "}\n\n}  // namespace tessera\n";
}

}  // namespace tessera::cuda
