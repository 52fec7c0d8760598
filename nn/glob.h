#pragma once
// Patterns over dotted names: `*` and `?` as in a shell (`*` crosses dots), alternatives by `|`: "*.bias|*norm*".

#include <string>
#include <string_view>

namespace tessera::nn {

bool glob_match(std::string_view pattern, const std::string& name);

}  // namespace tessera::nn
