#pragma once
// A place as reports and texts show it: a file of this library by its path from the library's root, as it is included,
// "tessera/nn/losses.cpp:32", on every machine the same; a user's as the compiler spelled it.

#include <string>

#include <tessera/core/location.h>

namespace tessera {

std::string shown(Loc at);

}  // namespace tessera
