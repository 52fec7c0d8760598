#include <tessera/codegen/plan/stored_plan.h>

#include <charconv>

#include <tessera/core/error.h>

namespace tessera::codegen {

std::string stored_plan(const Plan& plan) {
  Plan rest = plan;
  rest.constants.clear();
  const std::string text = rest.to_json();
  return std::to_string(text.size()) + "\n" + text + plan.constants;
}

Plan read_stored_plan(std::string_view stored) {
  size_t length = 0;
  const char* end = stored.data() + stored.size();
  const auto [after, failure] = std::from_chars(stored.data(), end, length);
  if (failure != std::errc() || after == end || *after != '\n' || static_cast<size_t>(end - after - 1) < length)
    throw InternalError("a stored plan does not begin with its length");
  Plan plan = Plan::from_json(std::string(after + 1, length));
  plan.constants.assign(after + 1 + length, end);
  return plan;
}

}  // namespace tessera::codegen
