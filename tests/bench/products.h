#pragma once
// The f32 products that gemm_bench and torch_bench time.

#include <cstdint>

#include <tessera/core/ops.h>

namespace tessera::bench {

struct Product {
  const char* name;
  int64_t m, n, k;
  bool a_transposed = false, b_transposed = false;

  Tensor of(Tensor a, Tensor b) const {
    return matmul(a_transposed ? transpose(a) : a, b_transposed ? transpose(b) : b);
  }
};

inline const Product products[] = {
    {"512", 512, 512, 512},
    {"1024", 1024, 1024, 1024},
    {"2048", 2048, 2048, 2048},
    {"1024 At", 1024, 1024, 1024, true, false},
    {"1024 Bt", 1024, 1024, 1024, false, true},
    {"1024 At Bt", 1024, 1024, 1024, true, true},
    {"256x1024x4096", 256, 1024, 4096},
    {"4096x1024x256", 4096, 1024, 256},
    {"1024x256x4096 At", 1024, 256, 4096, true, false},
};

}  // namespace tessera::bench
