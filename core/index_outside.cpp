#include <tessera/core/index_outside.h>

namespace tessera {

void throw_index_outside(const IndexOutside& i, std::vector<std::pair<std::string, std::string>> operands) {
  throw ValueError({.code = "T-V040",
                    .fault = (i.op.empty() ? "" : std::string(i.op) + " ") + "index " + std::to_string(i.index) +
                             " is out of range for dim " + std::to_string(i.dim) + " of extent " +
                             std::to_string(i.extent),
                    .at = user_location(i.at, i.scope),
                    .path = i.scope ? i.scope->path() : std::string(),
                    .operands = std::move(operands),
                    .hint = "indices go from 0 to the extent less one; negative ones do not count from the end"});
}

}  // namespace tessera
