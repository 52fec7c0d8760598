#pragma once
// The three words of an einsum string: "bqd,bkd->bqk" names the dims of two operands and of the result.

#include <optional>
#include <string>
#include <string_view>

namespace tessera {

struct Einsum {
  std::string a, b, out;
  std::string str() const { return a + "," + b + "->" + out; }
};

// Spaces are skipped. nullopt unless it reads letters , letters -> letters; any word may be empty (a scalar).
std::optional<Einsum> parse_einsum(std::string_view);

}  // namespace tessera
