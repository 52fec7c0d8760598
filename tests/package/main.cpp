// A user's program on the installed package: a value, a gradient, a mistake.
#include <iostream>

#include <tessera/tessera.h>

int main() {
  using namespace tessera;
  const Tensor x = tensor<float>({1, 2, 3}, {3});
  const Tensor slope = grad(sum(x * x), x);
  std::cout << slope << '\n';
  try {
    std::cout << x + tensor<float>({1, 2}, {2}) << '\n';
    return 1;
  } catch (const ShapeError& error) {  // it must cross from the library into this program
    std::cout << error.what() << '\n';
  }
  return slope.to_vector<float>() == std::vector<float>{2, 4, 6} ? 0 : 1;
}
