#pragma once
// What follows from the order of a plan's launches.

#include <tessera/codegen/plan/plan.h>

namespace tessera::codegen {

// A run that fails must not have touched its arguments: what is written before the last check is no donation.
void keep_arguments_until_checked(Plan& plan);
// An argument that a launch reads when another has begun to write a result is not where that result may lie.
void keep_arguments_until_read(Plan& plan);
// The value in whose memory this one may lie: the argument that a result may overwrite, else itself.
int memory_of(const Plan& plan, int value);

// From when to when each value lives, and where in the arena those lie that have no other place.
void place_arena(Plan& plan);

}  // namespace tessera::codegen
