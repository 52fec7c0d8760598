#pragma once
// The remarks of a plan as data, for programs that look at a run.

#include <string>

#include <tessera/codegen/plan/plan.h>
#include <tessera/core/program.h>

namespace tessera::codegen {

// One JSON object a line, in the order of decisions:
//   {"category": "plane", "name": "cascade", "missed": false, "at": "model.cpp:84", "module": "gpt.layers.0.attn",
//    "op": "softmax", "ops": [41, 42, 44], "text": …, "reason": …, "hint": …}
// `op`, `at` and `module` are those of the first of `ops`, `other_at` that of the op in the way, if there is one.
std::string remark_lines(const Plan& plan, const Program& recorded);

}  // namespace tessera::codegen
