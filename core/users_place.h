#pragma once
// Whose a place is: an error shows the innermost one that a user wrote.

#include <tessera/core/location.h>

namespace tessera {

// Known, and in no file of this library.
bool is_users(Loc at);

}  // namespace tessera
