#include "tests/codegen/cuda/launch.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace tessera::cuda {

std::string read_text(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot read " + path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string kernel_name(const std::string& path) {
  std::string name = std::filesystem::path(path).filename();
  return name.substr(0, name.find('.'));
}

std::function<void()> prepare_gemm(const Kernel& kernel, Pointer a, Pointer b, Pointer d, Product size) {
  const LaunchFacts& facts = kernel.facts();
  const TensorMap maps[3] = {map_dense(a, {size.m, size.k}, facts.box_rows[0]),
                             map_dense(b, {size.n, size.k}, facts.box_rows[1]),
                             map_dense(d, {size.m, size.n}, facts.box_rows[2])};
  const int blocks = use_device().multiprocessors / facts.cluster * facts.cluster;
  return [=, &kernel] { kernel.launch(blocks, {&maps[0], &maps[1], &maps[2], &size.m, &size.n, &size.k}); };
}

std::function<void()> prepare_attention(const Kernel& kernel, Pointer q, Pointer k, Pointer v, Pointer o, Pointer lse,
                                        Pointer counter, Sequences size) {
  const LaunchFacts& facts = kernel.facts();
  TensorMap maps[4];
  const Pointer tensors[4] = {q, k, v, o};
  for (int i = 0; i < 4; ++i) maps[i] = map_dense(tensors[i], {size.planes, size.length, 128}, facts.box_rows[i]);
  // Keys and values of a section stay in L2, of which the H100 has 50 MB.
  const int section = std::clamp((32 << 20) / (size.length * 512), 1, size.planes);
  const int tiles = (size.length + facts.box_rows[0] - 1) / facts.box_rows[0] * size.planes;
  const int blocks = std::min(tiles, use_device().multiprocessors);
  const float scale = 1 / std::sqrt(128.f);
  return [=, &kernel] {
    kernel.launch(
        blocks, {&maps[0], &maps[1], &maps[2], &maps[3], &lse, &counter, &size.length, &size.planes, &section, &scale});
  };
}

}  // namespace tessera::cuda
