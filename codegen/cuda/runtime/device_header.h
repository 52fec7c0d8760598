#pragma once
// The files of codegen/cuda/device/, which the build puts into the program.

#include <span>

namespace tessera::cuda {

struct DeviceHeaderFile {
  const char *name, *text;
};

std::span<const DeviceHeaderFile> device_header();

}  // namespace tessera::cuda
