#pragma once
// Which launches of a plan have to wait for which: what a device may run at the same time.

#include <cstddef>
#include <vector>

#include <tessera/codegen/plan/plan.h>

namespace tessera::codegen {

// For each launch those before it that write what it reads or writes, or read what it writes, by their places in memory: in
// the arena values follow each other, and a result may lie where an argument does. Without those that another of them
// waits for.
std::vector<std::vector<size_t>> launches_to_wait_for(const Plan& plan);

}  // namespace tessera::codegen
