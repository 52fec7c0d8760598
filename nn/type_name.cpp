#include <cxxabi.h>

#include <cstdlib>
#include <memory>

#include <tessera/nn/module.h>

namespace tessera::nn {

// Drops every qualifier: "tessera::nn::List<(anonymous namespace)::Block>" is "List<Block>".
std::string short_type_name(const std::type_info& type) {
  int status = 0;
  std::unique_ptr<char, decltype(&std::free)> full(abi::__cxa_demangle(type.name(), nullptr, nullptr, &status),
                                                   &std::free);
  std::string out;
  int parentheses = 0;
  for (const char* c = full ? full.get() : type.name(); *c; ++c) {
    if (*c == '(') ++parentheses;
    else if (*c == ')') --parentheses;
    else if (parentheses > 0) continue;
    else if (*c == ':') out.erase(out.find_last_of("<, ") + 1);
    else out += *c;
  }
  return out;
}

}  // namespace tessera::nn
