#include <tessera/codegen/cuda/contract/copy_text.h>

#include "llvm/Support/MathExtras.h"

#include <fmt/format.h>

#include <tessera/codegen/cuda/rows/parameters.h>

namespace tessera::cuda {
namespace {

constexpr int64_t tile = 64, threads = 256, width = 4;

int64_t blocks_of_plane(const OperandCopy& copy) {
  const std::vector<int64_t>& extents = copy.from.extents;
  if (copy.turns) return llvm::divideCeilSigned(extents[0], tile) * llvm::divideCeilSigned(extents[1], tile);
  return llvm::divideCeilSigned(extents[1] * llvm::divideCeilSigned(extents[0], width), threads);
}
int64_t planes_of(const Mapped& tensor) {
  int64_t planes = 1;
  for (size_t d = 2; d < tensor.extents.size(); ++d) planes *= tensor.extents[d];
  return planes;
}

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

}  // namespace

int64_t copy_blocks(const OperandCopy& copy) { return blocks_of_plane(copy) * planes_of(copy.from); }

std::string copy_schedule_text(const OperandCopy& copy) {
  const std::string how = copy.turns
                              ? fmt::format("tiles of {0} x {0} through shared memory, {1} threads", tile, threads)
                              : fmt::format("{} elements a thread, {} threads a block", width, threads);
  return fmt::format("{}{}, {} blocks", how, copy.splits ? ", and what tf32 leaves" : "", copy_blocks(copy));
}

std::string copy_text(const OperandCopy& copy, const KernelWords& words) {
  const Mapped &from = copy.from, to = copied(copy);
  // Lines are counted by whole tiles, also where the last one ends before.
  const int64_t behind = tile * from.strides[1];
  const std::string type = std::max(furthest(from) + behind, furthest(to)) > INT32_MAX ? "i64" : "int";
  std::string text;
  for (const std::string& line : words.head) text += line.empty() ? "//\n" : "// " + line + "\n";
  text += "#include \"operand_copies.cuh\"\n\nnamespace tessera {\n\n";
  text += launch_constant(words, fmt::format("{}, 1, {}, {{}}", threads, copy.turns ? "sizeof(TurnTile)" : "0"));
  text += fmt::format("extern \"C\" __global__ void __launch_bounds__({})\n{}(const float* __restrict__ x{}{}) {{\n",
                      threads, words.kernel, copy.has_values() ? ", float* __restrict__ copy" : "",
                      copy.splits ? ", float* __restrict__ rests" : "");
  std::string at = "static_cast<int>(blockIdx.x)";
  if (planes_of(from) > 1) {
    text += fmt::format("  const int at = {0} % {1}, plane = {0} / {1};\n", at, blocks_of_plane(copy));
    at = "at";
  }
  const std::string offset = plane_text(to, type);
  auto written = [&](bool is_there, const char* name) { return is_there ? name + offset : "nullptr"; };
  text +=
      fmt::format("  {}<{}, {}, {}, {}>({}, {}, {}, x{}, {}, {});\n", copy.turns ? "turn" : "copy_lines", to.extents[1],
                  to.extents[0], copy.is_aligned() ? width : 1, type, written(copy.has_values(), "copy"),
                  written(copy.splits, "rests"), to.strides[1], plane_text(from, type), from.strides[1], at);
  return text + "}\n\n}  // namespace tessera\n";
}

}  // namespace tessera::cuda
