#pragma once
// Where a user wrote something. Every public function takes a trailing `Loc at = Loc::here()`; operators and
// functions of tensors get it through Operand (tensor.h), whose converting constructor captures the caller's line.

#include <cstdint>
#include <memory>
#include <source_location>
#include <string>

namespace tessera {

struct Loc {
  const char* file = "";
  uint32_t line = 0;

  static constexpr Loc here(std::source_location at = std::source_location::current()) {
    return {at.file_name(), at.line()};
  }
  bool known() const { return line != 0; }
  std::string str() const;  // "model.cpp:57"; the file as the compiler spelled it
};

// True for a file of this library: an error shows the innermost place that is *not* one.
bool is_library_file(const char* file);

// One entry of the module path: `model.layers.3.attn` is a chain of four. Immutable and shared by nodes.
struct Scope {
  std::string name;
  Loc called_at;  // where the module was called
  std::shared_ptr<const Scope> parent;

  std::string path() const;  // dotted, root first
};
using ScopePtr = std::shared_ptr<const Scope>;

// Enters a scope on this thread for the lifetime of the object.
class ScopeGuard {
 public:
  ScopeGuard(std::string name, Loc called_at);
  ~ScopeGuard();
  ScopeGuard(const ScopeGuard&) = delete;
  ScopeGuard& operator=(const ScopeGuard&) = delete;

 private:
  ScopePtr outer_;
};

ScopePtr current_scope();                 // null at top level
ScopePtr exchange_scope(ScopePtr scope);  // makes `scope` current on this thread and returns the one before

// The place to show for an op recorded at `at`: `at` itself when it is user code, else the call site of the
// innermost enclosing module call that is.
Loc user_location(Loc at, const ScopePtr& scope);

}  // namespace tessera
