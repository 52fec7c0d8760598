#include <tessera/core/error.h>

#include <algorithm>

#include <tessera/core/user_call.h>
#include <tessera/core/users_place.h>

namespace tessera {
namespace {

ErrorText complete(ErrorText text) {
  ScopePtr scope = current_scope();
  text.at = user_location(text.at, scope);
  if (!is_users(text.at))
    if (const Loc call = UserCall::current(); call.known()) text.at = call;
  if (text.path.empty() && scope) text.path = scope->path();
  return text;
}

std::string render(const char* kind, const ErrorText& text) {
  size_t width = 4;  // of the longest label: "hint"
  for (const auto& [label, description] : text.operands) width = std::max(width, label.size());
  std::string out = std::string(kind) + ": " + text.fault;
  auto line = [&](std::string label, const std::string& value) {
    label.resize(width, ' ');
    out += "\n  " + label + "  " + value;
  };
  for (const auto& [label, description] : text.operands) line(label, description);
  if (text.at.known() || !text.path.empty())
    line("at", (text.at.known() ? text.at.str() : "") + (text.path.empty() ? "" : " in " + text.path));
  if (!text.hint.empty()) line("hint", text.hint);
  return out + "\n  [" + text.code + "]";
}

}  // namespace

// The base is initialised from a completed copy, so that what() and text() agree.
Error::Error(const char* kind, ErrorText text)
    // NOLINTNEXTLINE(bugprone-use-after-move): the base is initialised first and leaves `text` completed
    : std::runtime_error(render(kind, text = complete(std::move(text)))), kind_(kind), text_(std::move(text)) {}

InternalError::InternalError(const std::string& what, Loc at)
    : std::logic_error("InternalError: " + what + "\n  at   " + at.str() +
                       "\n  hint this is a fault in Tessera, not in your program: please report it with this text") {}

void check_internal(bool condition, const char* what, Loc at) {
  if (!condition) throw InternalError(what, at);
}

}  // namespace tessera
