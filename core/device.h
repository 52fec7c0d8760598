#pragma once
// Where this process computes. Tensors have no device (D19): one process, one of them.

#include <string_view>

#include <tessera/core/location.h>

namespace tessera {

// "cpu", which is what a program uses anyway, or "cuda". Before anything is computed. It weighs more than
// TESSERA_EXECUTOR. DeviceError where there is no such device, or none in this program.
void set_device(std::string_view device, Loc at = Loc::here());

}  // namespace tessera
