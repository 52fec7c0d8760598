#pragma once
// Matrices that a comparison of indices says as well: causal and banded masks that lie in memory as constants.

#include <cstdint>
#include <optional>
#include <span>

namespace tessera::ir {

// true where low ≤ m − n ≤ high, m being the row and n the column; low may be −columns, high may be rows (no bound).
struct Band {
  int64_t low = 0, high = 0;
  bool inside = true;  // false: true outside
  bool operator==(const Band&) const = default;
};

// The band that a matrix is, compared element by element; nothing if it is none. Row-major, one byte an element.
std::optional<Band> band_of(std::span<const uint8_t> matrix, int64_t rows, int64_t columns);

}  // namespace tessera::ir
