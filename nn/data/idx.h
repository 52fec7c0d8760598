#pragma once
// IDX, the format of MNIST: two zero bytes, a type, the number of dims, big-endian extents, data. Plain or gzip.

#include <cstdint>
#include <string>
#include <vector>

#include <tessera/core/location.h>
#include <tessera/core/shape.h>

namespace tessera::data {

struct Idx {
  Shape shape;
  std::vector<uint8_t> bytes;
};
// Unsigned bytes only. FileError when the file is missing, truncated, longer than it says, or no IDX file.
Idx read_idx(const std::string& path, Loc at = Loc::here());

}  // namespace tessera::data
