#pragma once
// What follows from the order of a plan's launches.

#include <tessera/codegen/plan/plan.h>

namespace tessera::codegen {

// A run that fails must not have touched its arguments: what is written before the last check is no donation.
void keep_arguments_until_checked(Plan& plan);

// From when to when each value lives, and where in the arena those lie that have no other place.
void place_arena(Plan& plan);

}  // namespace tessera::codegen
