#pragma once
// Every error a user can cause is an Error with fields; what() renders them:
//
//   ShapeError: matmul inner dimensions differ: 512 vs 768
//     lhs  bf16[8, 128, 512]  result of gelu at model.cpp:41
//     rhs  f32[768, 2048]     parameter layers.0.mlp.up.weight
//     at   model.cpp:57       in model.layers.0.mlp
//     hint Linear was built for in=768; its input has 512 features
//     [T-S012]
//
// InternalError stands apart: it is our bug, and says how to report it.

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <tessera/core/location.h>

namespace tessera {

struct ErrorText {
  std::string code;       // "T-S012": letter = kind, number = the constraint's label in the docs
  std::string fault;      // one sentence, no full stop
  Loc at = {};            // user's place; filled from the scope when unknown
  std::string path = {};  // module path, may be empty
  std::vector<std::pair<std::string, std::string>> operands = {};  // label, description
  std::string hint = {};
};

class Error : public std::runtime_error {
 public:
  Error(const char* kind, ErrorText text);
  const char* kind() const { return kind_; }
  const ErrorText& text() const { return text_; }
  const std::string& code() const { return text_.code; }

 private:
  const char* kind_;
  ErrorText text_;
};

#define TESSERA_ERROR_KIND(Name)                                     \
  struct Name : Error {                                              \
    explicit Name(ErrorText text) : Error(#Name, std::move(text)) {} \
  }
TESSERA_ERROR_KIND(ShapeError);    // T-S: extents do not fit
TESSERA_ERROR_KIND(DTypeError);    // T-D: element types do not fit
TESSERA_ERROR_KIND(ValueError);    // T-V: an argument out of its range, an index out of bounds
TESSERA_ERROR_KIND(TraceError);    // T-T: what a compiled function may not do
TESSERA_ERROR_KIND(GradError);     // T-G: no gradient here
TESSERA_ERROR_KIND(DeviceError);   // T-X: device or executor not available
TESSERA_ERROR_KIND(CompileError);  // T-C: the compiler refused
TESSERA_ERROR_KIND(FileError);     // T-F: a file is missing, truncated or not what it claims
TESSERA_ERROR_KIND(OutOfMemory);   // T-M
#undef TESSERA_ERROR_KIND

class InternalError : public std::logic_error {
 public:
  explicit InternalError(const std::string& what, Loc at = Loc::here());
};

// Throws InternalError when `condition` is false: our invariant, never the user's mistake.
void check_internal(bool condition, const char* what, Loc at = Loc::here());

}  // namespace tessera
