#include <tessera/core/fault.h>

#ifdef TESSERA_FAULTS
#  include <cstdlib>
#  include <iterator>
#  include <string_view>

#  include <tessera/core/error.h>

namespace tessera {
namespace {

constexpr std::string_view names[] = {
    "none",
    "skip_unbroadcast",
    "gradient_twice",
    "gradient_lost",
    "stale_cache_hit",
    "random_step_stuck",
    "device_copy_kept",
    "read_unmarked",
    "assignment_unmarked",
    "state_not_donated_back",
    "layout_taps_turned",
    "contract_edge_lost",
    "operand_sum_twice",
    "last_task_lost",
    "maximum_lost",
    "cascade_edge_lost",
    "repair_skipped",
    "live_range_short",
    "stream_part_lost",
    "partial_table_lost",
    "column_part_lost",
    "scatter_last_lost",
    "live_slot_reused",
    "graph_edge_lost",
    "graph_address_old",
    "operand_copy_stale",
    "donated_too_early",
    "bias_uncorrected",
    "loader_restarts",
    "dropout_unscaled",
    "slot_overwritten",
    "slot_address_old",
    "run_ended_early",
};

Fault chosen() {
  const char* wanted = std::getenv("TESSERA_FAULT");
  if (!wanted) return Fault::none;
  for (size_t i = 0; i < std::size(names); ++i)
    if (names[i] == wanted) return static_cast<Fault>(i);
  throw InternalError("no planted fault is called " + std::string(wanted));
}

}  // namespace

bool planted(Fault fault) {
  static const Fault active = chosen();
  return fault == active;
}

}  // namespace tessera
#endif
