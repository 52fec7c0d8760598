#pragma once
// Fréchet distance of two sets of feature vectors under a normal model:
//   ‖μ₁ − μ₂‖² + tr(C₁ + C₂ − 2·(C₁^½ C₂ C₁^½)^½)
// Heusel et al., "GANs Trained by a Two Time-Scale Update Rule", 2017 (there in Inception features; here in our ViT's).

#include <cstdint>
#include <vector>

namespace tessera::examples {

// Row-major [count, dim] each.
double frechet_distance(const std::vector<double>& a, const std::vector<double>& b, int64_t dim);

}  // namespace tessera::examples
