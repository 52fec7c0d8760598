#pragma once
// What texts call of the device header. A parameter or value of that name would hide the function from all of its kernel.

#include <string>
#include <unordered_set>

namespace tessera::cuda {

// Functions that are no members.
const std::unordered_set<std::string>& device_functions();

}  // namespace tessera::cuda
