#pragma once
// The name of a child, Param or Buffer and the line where it was given: what errors of a constructor show, since nothing
// but names says there where a user's model comes from.

#include <string>

#include <tessera/core/location.h>

namespace tessera::nn {

struct MemberName {
  std::string text;
  Loc at;  // unknown where a template of the standard library made it of a string, as std::optional::emplace does

  MemberName(const char* name, Loc l = Loc::here()) : MemberName(std::string(name), l) {}
  MemberName(std::string name, Loc l = Loc::here());
  operator std::string() const { return text; }  // for modules that take a plain string
};

}  // namespace tessera::nn
