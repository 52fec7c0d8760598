#include <tessera/core/location.h>

#include <cstring>
#include <string_view>

#include <tessera/core/shown_location.h>
#include <tessera/core/users_place.h>

namespace tessera {
namespace {

thread_local ScopePtr scope_of_thread;

bool starts_with_folder(std::string_view path, std::string_view root) {
  for (std::string_view folder : {"/core/", "/autograd/", "/nn/"})
    if (path.size() > root.size() && path.starts_with(root) && path.substr(root.size()).starts_with(folder))
      return true;
  return false;
}

// The root of the sources, spelled as the compiler was given it: absolute, or relative to where it ran.
constexpr std::string_view source_root() {
  std::string_view here = __FILE__;
  here.remove_suffix(std::string_view("/core/location.cpp").size());
  return here;
}

// "/nn/losses.cpp": a file of ours from the library's root on; empty for others. Ours are the sources, and the same headers
// seen through an include folder: `…/include/tessera/nn/…`.
std::string_view within_library(std::string_view path) {
  if (starts_with_folder(path, source_root())) return path.substr(source_root().size());
  constexpr std::string_view installed = "include/tessera";
  const size_t at = path.rfind(installed);
  if (at == std::string_view::npos || !starts_with_folder(path, path.substr(0, at + installed.size()))) return {};
  return path.substr(at + installed.size());
}

}  // namespace

std::string Loc::str() const { return known() ? std::string(file) + ":" + std::to_string(line) : "unknown place"; }

bool is_library_file(const char* file) { return !within_library(file).empty(); }
bool is_users(Loc at) { return at.known() && !is_library_file(at.file); }

std::string shown(Loc at) {
  const std::string_view ours = within_library(at.file);
  return at.known() && !ours.empty() ? "tessera" + std::string(ours) + ":" + std::to_string(at.line) : at.str();
}

std::string Scope::path() const { return parent ? parent->path() + "." + name : name; }

ScopeGuard::ScopeGuard(std::string name, Loc called_at) : outer_(scope_of_thread) {
  scope_of_thread = std::make_shared<const Scope>(Scope{std::move(name), called_at, outer_});
}
ScopeGuard::~ScopeGuard() { scope_of_thread = std::move(outer_); }

ScopePtr current_scope() { return scope_of_thread; }
ScopePtr exchange_scope(ScopePtr scope) {
  std::swap(scope, scope_of_thread);
  return scope;
}

Loc user_location(Loc at, const ScopePtr& scope) {
  if (is_users(at)) return at;
  for (const Scope* s = scope.get(); s; s = s->parent.get())
    if (is_users(s->called_at)) return s->called_at;
  return at;
}

}  // namespace tessera
