#pragma once
// An index that a tensor does not have is found late, where it is data: by the reference executor in its loop, or in what a
// compiled program leaves. All say the same of it.

#include <cstdint>
#include <string_view>

#include <tessera/core/error.h>

namespace tessera {

struct IndexOutside {
  std::string_view op;  // empty: unknown
  int64_t index, dim, extent;
  Loc at;
  ScopePtr scope;
};

// ValueError with the op's line and module; `operands` as in ErrorText.
[[noreturn]] void throw_index_outside(const IndexOutside&,
                                      std::vector<std::pair<std::string, std::string>> operands = {});

}  // namespace tessera
