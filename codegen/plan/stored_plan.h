#pragma once
// A plan as the disk cache keeps it: JSON, but its constants as they are. Tables of a model take megabytes, and a start
// that finds them on the disk waits until they are read.
//
//   length of the JSON in decimal, newline, JSON, constants

#include <string>
#include <string_view>

#include <tessera/codegen/plan/plan.h>

namespace tessera::codegen {

std::string stored_plan(const Plan& plan);
Plan read_stored_plan(std::string_view stored);  // throws InternalError

}  // namespace tessera::codegen
