#pragma once
// Data that a formula says:
//   - a matrix of two values, one of them on a band of diagonals. A causal mask that a user builds as a tensor of 0 and 1,
//     or of 0 and −∞, and closes over is then as good as `iota(…, 0) >= iota(…, 1)`: the compiler knows which elements it
//     hides.
//   - indices 0, …, 0, 1, …, 1, 2, …, each as often: which head of keys serves a head of queries. They are i / r.

#include <optional>

#include <tessera/core/tensor.h>

namespace tessera {

// The same values from iotas, exact by comparison with every element, or nothing. Of matrices it looks only at those that
// are large enough to gain from it; ordinary data is dismissed at its third value.
std::optional<Tensor> formula_of(const Node& data);

}  // namespace tessera
