#pragma once
// The patterns of raise.h. Each looks at what a root computes and changes nothing.

#include <functional>
#include <optional>
#include <vector>

#include <tessera/core/raise.h>

namespace tessera {

using Inside = std::vector<const Node*>;  // nodes between a root and the operands of its form
inline void append(Inside& to, const Inside& from) { to.insert(to.end(), from.begin(), from.end()); }

// A pattern that was found. Its form is made only when it will be used, because that may record nodes.
struct Found {
  std::function<NormalForm()> form;
  Inside inside;
};

// The same number but for roundings on the way to it: four of f64's units, or of f32's in a narrower program.
bool near(double a, double b, DType);

std::optional<Found> match_softmax(const NodePtr& root);
std::optional<Found> match_logsumexp(const NodePtr& root);
std::optional<Found> match_variance(const NodePtr& root);

// Σ along one dim, and what is summed.
struct RowSum {
  NodePtr of;
  int dim;
};
std::optional<RowSum> row_sum(const NodePtr& node);

// The root is logsumexp(x), perhaps with dims of extent 1 that a reduction would not keep.
struct FoundLogSumExp {
  NodePtr x;
  int dim;
  Shape reduced;          // of the logsumexp
  std::vector<int> from;  // its dim of each dim of the root, or −1
  Inside inside;
};
std::optional<FoundLogSumExp> find_logsumexp(const NodePtr& root);

}  // namespace tessera
