#pragma once
// Seeded host data for tests: the same bytes on every machine.

#include <cstdint>

#include <tessera/core/convert.h>
#include <tessera/core/hash.h>
#include <tessera/core/op_table.h>
#include <tessera/core/tensor.h>

namespace tessera::testing {

class Draw {  // SplitMix64
 public:
  explicit Draw(uint64_t seed) : state_(mix(seed)) {}
  uint64_t bits() { return mix(state_++); }
  double uniform(double low, double high) { return low + (high - low) * static_cast<double>(bits() >> 11) * 0x1p-53; }
  int64_t below(int64_t n) { return static_cast<int64_t>(bits() % static_cast<uint64_t>(n)); }

 private:
  uint64_t state_;
};

// A concrete tensor: floats uniform in the domain, integers in [−9, 9] (unsigned [0, 9]), bools by a coin.
Tensor random_tensor(Draw&, DType, const Shape&, Domain = {-2, 2});
// The numbers of random_tensor(draw, storage, …) in another dtype: two programs that compute in different ones see the same.
Tensor random_tensor(Draw&, DType storage, DType dtype, const Shape&, Domain = {-2, 2});
Tensor from_doubles(const std::vector<double>&, DType, const Shape&);

}  // namespace tessera::testing
