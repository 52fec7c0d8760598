#pragma once
// Launches that copy operands of products (contract/copy_text.h): each form of a tensor once for all who read it, and the
// copies of a moment in one launch.

#include <string>
#include <vector>

#include <tessera/codegen/cuda/contract/copy_text.h>
#include <tessera/codegen/plan/plan.h>

namespace tessera::cuda {

struct CopyLaunch {
  size_t launch = 0;  // of the plan
  std::string name;   // of its kernel
  std::vector<CopiedOperand> operands;
};

// `copies` in the order of the plan, one for each product. Who reads what an earlier launch has written of the same tensor
// reads that, if nobody has written to the tensor since. What a product asks for beside moves up into the launch of copies
// before, if all its tensors are there by then. Neither is done where more memory would be in use than at the fullest moment
// of the plan as it was. What is left of `copies` says what its launches read and write.
void share_copies(codegen::Plan& plan, std::vector<CopyLaunch>& copies);

}  // namespace tessera::cuda
