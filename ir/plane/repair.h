#pragma once
// The algebra that lets a cascade stream: what was accumulated under a part's statistics becomes what the whole row's
// statistics call for.

#include <optional>
#include <string>

#include <tessera/ir/fuse/Fuse.h>

namespace tessera::ir {

// An accumulation (a reduction, a contraction over the stream, or the yield of a plane value) that a statistic keeps
// from being streamed, and why.
struct Unrepaired {
  mlir::Operation* accumulation;
  mlir::Operation* statistic;
  std::string why;
};

// What was done, for those who ask how a kernel came about.
struct RepairSteps {
  int pulled_out = 0;  // accumulations that factors or terms left
  int parted = 0;      // accumulations that became two, because their terms wait for different things
  int moved = 0;       // factors that move an accumulation with a statistic
};

// `cascade` says what is computed by definition and has no fuse.repair yet. Afterwards it meets (K6) and (K7):
//   1. Factors that no stream dim moves leave the accumulation: Σ (e / l) v = (Σ e v) / l, also from behind a cast that
//      rounds e / l. So do terms under max and min, through any increasing function: max (x − r) = max x − r.
//   2. A sum or difference of which a term cannot leave so is accumulated term by term: Σ p (y − d) v = Σ p y v − d Σ p v.
//   3. Exponentials are taken relative to the largest exponent, exp(c (x − max x)), with a new statistic where the body
//      has none; what else the exponent held of the row leaves as a factor.
//   4. What is left depends on maxima alone, and moves by exp(c (old − new)) or (old / new)^k, both ≤ 1.
// Every step is evaluated at random points before it is believed (self_check.h).
//
// Otherwise the first pair that cannot be repaired, and the cascade is what it was. Of several statistics in the way it
// is the last one: a kernel that computes it has the others at hand. On success the ops of the body are new ones.
//
// Exact but for rounding, also at −∞. A row whose statistics are no numbers (an exponent is +∞, a sum that divides is 0)
// may become NaN also where the definition has another value.
std::optional<Unrepaired> repair(fuse::CascadeOp cascade, RepairSteps& steps);

}  // namespace tessera::ir
