#pragma once
// The cases of every op: dtypes × shapes, so that one program per op holds them all. The sweep compares executors on
// them; tests/layering checks that no op is missing here.

#include <string>
#include <vector>

#include <tessera/core/tensor.h>

namespace tessera::testing {

struct Case {
  std::string name;            // "f32 [3, 5, 7]"
  std::vector<Tensor> inputs;  // concrete
  Tensor output;
  bool differentiable = true;  // false: only the forward value is compared
};

std::vector<Case> cases_of(Op);

}  // namespace tessera::testing
