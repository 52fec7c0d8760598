#pragma once
// Pooling over the two last dims: a reduction over windows.

#include <tessera/core/ops.h>
#include <tessera/nn/layers/conv.h>

namespace tessera::nn {

struct PoolOptions {
  Size2 size;
  Size2 stride = 0;  // 0: the size
  Size2 pad = 0;     // max: pads count as −inf; average: as zeros that are counted
};

// [N, C, H, W] to [N, C, ⌊(H + 2·pad − size) / stride⌋ + 1, …]
Tensor max_pool2d(Operand x, PoolOptions);
Tensor avg_pool2d(Operand x, PoolOptions);

}  // namespace tessera::nn
