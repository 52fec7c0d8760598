#include <tessera/nn/layers/check.h>

#include <tessera/core/error.h>

namespace tessera::nn {

void check_extent(const ModuleBase& layer, const Tensor& x, int dim, int64_t extent) {
  const int at = dim < 0 ? dim + x.rank() : dim;
  if (at >= 0 && at < x.rank() && x.size(at) == extent) return;
  std::string have = at >= 0 && at < x.rank() ? std::to_string(x.size(at)) : "none";
  throw ShapeError({.code = "T-S103",
                    .fault = layer.type() + " expects extent " + std::to_string(extent) + " at dim " +
                             std::to_string(dim) + "; its input has " + have,
                    .operands = {{"x", describe(*x.node())}},
                    .hint = layer.type() + " '" + layer.name() + "' was built as " + layer.details()});
}

void check_rank(const ModuleBase& layer, const Tensor& x, int rank, const std::string& layout) {
  if (x.rank() == rank) return;
  throw ShapeError({.code = "T-S104",
                    .fault = layer.type() + " expects " + layout + ", rank " + std::to_string(rank) +
                             "; its input has rank " + std::to_string(x.rank()),
                    .operands = {{"x", describe(*x.node())}},
                    .hint = "a batch of one still needs its batch dim: unsqueeze(x, 0)"});
}

int64_t divided(const ModuleBase& layer, const std::string& what, int64_t value, int64_t parts) {
  if (parts > 0 && value % parts == 0) return value / parts;
  throw ValueError({.code = "T-V110",
                    .fault = what + " of " + layer.type() + " '" + layer.name() + "' is " + std::to_string(value) +
                             ", which does not divide into " + std::to_string(parts) + " equal parts",
                    .at = layer.place_of({}),
                    .hint = "the options of " + layer.type() + " say both numbers"});
}

std::string sizes(int64_t in, int64_t out) { return std::to_string(in) + " → " + std::to_string(out); }

}  // namespace tessera::nn
