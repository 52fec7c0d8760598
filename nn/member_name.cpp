#include <tessera/nn/member_name.h>

#include <string_view>

namespace tessera::nn {
namespace {

// Both of its implementations keep their headers in a folder of that name.
bool is_of_standard_library(std::string_view file) { return file.find("/c++/") != std::string_view::npos; }

}  // namespace

MemberName::MemberName(std::string name, Loc l)
    : text(std::move(name)), at(is_of_standard_library(l.file) ? Loc{} : l) {}

}  // namespace tessera::nn
