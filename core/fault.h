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
  device_copy_kept,        // buffer: what the host writes leaves an old value on the device
  read_unmarked,           // state: who has got a value leaves no mark
  assignment_unmarked,     // state: nor does who has given one
  state_not_donated_back,  // compile: an error in a run loses the States it was to update
  layout_taps_turned,      // layout: a filter is read as if its taps lay across before down
  contract_edge_lost,      // codegen: the rows of the last, partial tile are not written
  operand_sum_twice,       // codegen: a contraction counts K blocks behind the first twice in the sum of an operand
  last_task_lost,          // codegen: the last task of a launch does not run
  maximum_lost,            // codegen: a cascade takes exponentials as they are, not less their maximum
  cascade_edge_lost,       // codegen: the last column of a cascade's partial block is not counted
  repair_skipped,          // codegen: sums of a cascade stay as they were when their maximum grows
  live_range_short,        // codegen: what masks leave of a row of blocks is a block too short
  stream_part_lost,        // codegen: the last part of a cascade's split stream is not merged
  partial_table_lost,      // codegen: what the last task has summed in a table of a cascade is not added
  column_part_lost,        // codegen: only the first task's partial sums are counted
  scatter_last_lost,       // codegen: the last update of a scatter is dropped
  live_slot_reused,        // plan: a value's memory is given away one launch too early
  graph_edge_lost,         // cuda: the launches of a graph do not wait for each other
  graph_address_old,       // cuda: a graph runs again with the addresses of its first run
  operand_copy_stale,      // cuda: a product reads the copy of an operand that has been written since
  donated_too_early,       // plan: an argument is overwritten before its last reader
  bias_uncorrected,        // optim: Adam takes its young mean for an old one
  loader_restarts,         // data: a resumed epoch begins anew
  dropout_unscaled,        // nn: kept values are not scaled up
  slot_overwritten,        // cuda: the host fills a slot whose last run may not have read it
  slot_address_old,        // cuda: a slot names the places of results of the run that had it last
  run_ended_early,         // cuda: a run says that it is done before it leaves the words about indices
};

#ifdef TESSERA_FAULTS
bool planted(Fault);
#else
constexpr bool planted(Fault) { return false; }
#endif

}  // namespace tessera
