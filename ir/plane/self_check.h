#pragma once
// No repair is believed before it has been seen to hold, in f64 at random points.

#include <optional>
#include <string>

#include <tessera/ir/plane/part_sum.h>
#include <tessera/ir/plane/pull_out.h>

namespace tessera::ir {

// That `pulled.after` of `pulled.operand` is `operand`.
std::optional<std::string> check_pulled_out(BodyFacts& facts, mlir::Value operand, const PulledOut& pulled);

// That the parts make `operand`.
std::optional<std::string> check_parts(BodyFacts& facts, mlir::Value operand, const Parts& parts);

// That repair's h is right for g = `operand` as a function of the statistic r:
//   (H1) g(x, r′) = g(x, r) · h(r, r′)   (H3) h(r, r′) · h(r′, r″) = h(r, r″)   and 0 ≤ h ≤ 1 as the statistic moves.
// (H2), that h may be taken out of a sum, holds of factors. The repair stands in the body.
std::optional<std::string> check_repair(BodyFacts& facts, mlir::Value operand, fuse::RepairOp repair);

}  // namespace tessera::ir
