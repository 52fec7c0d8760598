#pragma once
// Planted faults: one-line corruptions that only exist in builds with TESSERA_FAULTS and only while the variable
// TESSERA_FAULT names one. tests/faults/ runs, for each, the test that must notice it. A build without the option
// compiles them away.

namespace tessera {

enum class Fault {
  none,
  skip_unbroadcast,        // autograd: the gradient of a broadcast is not summed
  gradient_twice,          // autograd: a cotangent is added twice
  gradient_lost,           // autograd: the second use of a value is forgotten
  stale_cache_hit,         // executor cache: attributes are no part of a program's identity
  random_step_stuck,       // compile: a step that draws does not advance the generator
  state_not_donated_back,  // compile: an error in a run loses the States it was to update
  fold_view_offset,        // ir: a folded slice forgets its start
  lost_max_subtraction,    // ir: softmax without its maximum
  wrong_reduce_dim,        // ir: a fused reduction runs over the dim beside
  column_tail_lost,        // codegen: the last task's partial sums are not added
  vector_tail_lost,        // codegen: elements after the last whole vector are not written
  contract_edge_lost,      // codegen: the rows of the last, partial tile are not written
  live_slot_reused,        // plan: a value's memory is given away one launch too early
  donated_too_early,       // plan: an argument is overwritten before its last reader
  scatter_last_lost,       // codegen: the last update of a scatter is dropped
};

#ifdef TESSERA_FAULTS
bool planted(Fault);
#else
constexpr bool planted(Fault) { return false; }
#endif

}  // namespace tessera
