#include <tessera/codegen/executor/check_nan.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include <tessera/codegen/plan/explain.h>
#include <tessera/core/convert.h>
#include <tessera/core/error.h>

namespace tessera::codegen {
namespace {

// "tensor<4x8xf32>" → f32; nothing for integers, tables and workspaces.
std::optional<DType> float_dtype(const std::string& type) {
  if (!type.starts_with("tensor<")) return std::nullopt;
  size_t at = type.rfind('x');
  std::string element = type.substr(at == std::string::npos ? 7 : at + 1);
  element.pop_back();
  for (DType t : {DType::f64, DType::f32, DType::f16, DType::bf16})
    if (element == name(t)) return t;
  if (element == "f8E4M3FN") return DType::f8e4m3;
  if (element == "f8E5M2") return DType::f8e5m2;
  return std::nullopt;
}

struct Found {
  int64_t element = -1;
  double number = 0;
};
// The first NaN; without one, the first infinity.
Found find_not_finite(const PlanValue& value, DType dtype, const void* data) {
  Found found;
  const int64_t count = value.bytes / static_cast<int64_t>(size_of(dtype));
  for (int64_t i = 0; i < count; ++i) {
    double x = load_double(data, dtype, i);
    if (std::isfinite(x) || (found.element >= 0 && !std::isnan(x))) continue;
    found = {i, x};
    if (std::isnan(x)) break;
  }
  return found;
}

std::string state_of(const PlanValue& value, const void* data) {
  auto dtype = float_dtype(value.type);
  if (!dtype || !data) return "";
  Found found = find_not_finite(value, *dtype, data);
  return found.element < 0 ? "finite" : fmt::format("{} at element {}", found.number, found.element);
}

}  // namespace

bool checks_for_nan() {
  static const bool on = [] {
    const char* set = std::getenv("TESSERA_CHECK");
    return set && std::string_view(set) == "nan";
  }();
  return on;
}

namespace {

// Parts of a value are read when the last one is there.
bool is_written_later(const Plan& plan, const PlanLaunch& launch, int value) {
  return std::any_of(&launch + 1, plan.launches.data() + plan.launches.size(), [&](const PlanLaunch& later) {
    return std::any_of(later.writes.begin(), later.writes.end(),
                       [&](const PlanWrite& write) { return write.is_part && write.value == value; });
  });
}

}  // namespace

void check_finite(const Plan& plan, const PlanLaunch& launch, const std::vector<void*>& address,
                  const Program& recorded) {
  auto value_of = [&](int value) -> const PlanValue& { return plan.values[static_cast<size_t>(value)]; };
  auto data_of = [&](int value) { return address[static_cast<size_t>(value)]; };
  for (const PlanWrite& write : launch.writes) {
    if (write.value < 0 || (write.is_part && is_written_later(plan, launch, write.value))) continue;
    auto dtype = float_dtype(value_of(write.value).type);
    if (!dtype) continue;
    Found found = find_not_finite(value_of(write.value), *dtype, data_of(write.value));
    if (found.element < 0) continue;
    std::vector<std::pair<std::string, std::string>> operands;
    bool inherited = false;
    for (int k = 0; k < launch.reads; ++k) {
      int value = launch.values[static_cast<size_t>(k)];
      if (value < 0) continue;
      std::string state = state_of(value_of(value), data_of(value));
      inherited |= !state.empty() && state != "finite";
      if (!state.empty()) operands.emplace_back(fmt::format("input {}", k), value_of(value).type + ", " + state);
    }
    // An infinity travels on from where it was meant: a mask of −∞ before a softmax.
    if (!std::isnan(found.number) && (write.infinite_by_text || inherited)) continue;
    operands.emplace_back("output",
                          fmt::format("{}, {} at element {}", value_of(write.value).type, found.number, found.element));
    std::string lines;
    for (int op : launch.ops)
      if (std::string line = line_of(recorded, op); !line.empty() && lines.find(line) == std::string::npos)
        lines += (lines.empty() ? "" : ", ") + line;
    const bool known = write.op >= 0 && write.op < static_cast<int>(recorded.instructions.size());
    const Instruction* made = known ? &recorded.instructions[static_cast<size_t>(write.op)] : nullptr;
    throw ValueError({.code = "T-V041",
                      .fault = fmt::format("{} is the first to give {}", made ? name(made->op) : "a kernel",
                                           std::isnan(found.number) ? "NaN" : "an infinity"),
                      .at = made ? user_location(made->at, made->scope) : Loc{},
                      .path = module_of(recorded, write.op),
                      .operands = std::move(operands),
                      .hint = lines.empty() ? "" : "its kernel computes the lines " + lines});
  }
}

}  // namespace tessera::codegen
