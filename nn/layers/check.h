#pragma once
// What layers check before they compute: the message names the layer's own sizes, which an op further down cannot know.

#include <string>

#include <tessera/nn/module.h>

namespace tessera::nn {

// ShapeError unless x has the dim and its extent there is `extent`.
void check_extent(const ModuleBase& layer, const Tensor& x, int dim, int64_t extent);
// ShapeError unless x has that rank; `layout` is what the layer expects, "[N, C, H, W]".
void check_rank(const ModuleBase& layer, const Tensor& x, int rank, const std::string& layout);
// value / parts; ValueError unless that is whole. For constructors.
int64_t divided(const ModuleBase& layer, const std::string& what, int64_t value, int64_t parts);

std::string sizes(int64_t in, int64_t out);  // "256 → 1024"

}  // namespace tessera::nn
