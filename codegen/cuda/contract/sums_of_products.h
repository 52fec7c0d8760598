#pragma once
// Sums of products with something in common, as derivatives of activations are, in few operations.

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace tessera::cuda {

struct Product {
  double factor = 1;
  std::vector<int> values;  // sorted; one that stands twice is squared
};

// Alike products become one: 2 x y + x y is 3 x y. Nothing where they have other signs, since their difference would be all
// that is left of both.
std::optional<std::vector<Product>> joined(const std::vector<Product>& sum);

// Does any value stand in several?
bool share_values(const std::vector<Product>& sum);

// What several have in common is multiplied once, and a product and a sum are one operation: of y, 2 x y and 3 x³ y that is
// y * ::fmaf(x, ::fmaf(3.f, x * x, 2.f), 1.f). The sum is not empty.
std::string factored_text(const std::vector<Product>& sum, const std::function<std::string(int)>& name_of);

}  // namespace tessera::cuda
