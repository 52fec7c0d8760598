#pragma once
// What follows a contraction in its body, as a kernel of its own: dims batch, M, N of the contraction, and the sums as
// its last input. The text of a product prints the body of one; where K is in parts, that of the kernel that adds them up.

#include <vector>

#include <tessera/codegen/cuda/contract/contraction.h>

namespace tessera::cuda {

struct Epilogue {
  fuse::KernelOp kernel;
  std::vector<unsigned> inputs;  // of the contraction's kernel, in the order of this one's; the sums come behind
};

// In `place`. Sums lie as [batch, M, N].
Epilogue make_epilogue(const Contraction& c, mlir::Block& place);
// No epilogue: the sums of each part go to [parts, batch, M, N].
Epilogue make_parts(const Contraction& c, int64_t parts, mlir::Block& place);

}  // namespace tessera::cuda
