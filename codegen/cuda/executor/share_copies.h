#pragma once
// Launches that copy operands of products (contract/copy_text.h): each form of a tensor once for all who read it, and the
// copies of a moment in one launch. Each product asks for its own, and would read and write what others have beside.

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

// `copies` in the order of the plan, one operand each. Who reads what an earlier launch has written of the same tensor reads
// that, if nobody has written to the tensor since. Other copies move up into the launch of copies before theirs, if their
// tensor is there by then. Neither is done where more memory would be in use than at the fullest moment of the plan as it
// was. What is left of `copies` says what its launches read and write; no launch writes the others' values.
void share_copies(codegen::Plan& plan, std::vector<CopyLaunch>& copies);

}  // namespace tessera::cuda
