#include <fmt/format.h>

#include <tessera/codegen/plan/plan.h>

namespace tessera::codegen {
namespace {

std::string place_of(const PlanValue& value) {
  switch (value.place) {
    case Place::argument: return fmt::format("argument {}", value.number);
    case Place::result: return fmt::format("result {}", value.number);
    case Place::constant: return fmt::format("constant +{}", value.offset);
    case Place::arena: return fmt::format("arena +{} launches {}–{}", value.offset, value.first, value.last);
  }
  return "";
}

std::string join(const std::vector<std::string>& list, const char* between) {
  std::string text;
  for (const std::string& item : list) text += (text.empty() ? "" : between) + item;
  return text;
}

}  // namespace

std::string Plan::str() const {
  std::string text = fmt::format("plan: {} launches of {} kernels, arena {} B (peak live {} B), scratch {} B\n",
                                 launches.size(), kernels.size(), arena_bytes, peak_bytes, scratch_bytes);
  for (size_t k = 0; k < launches.size(); ++k) {
    const PlanLaunch& launch = launches[k];
    std::string what = launch.what == PlanLaunch::What::copy      ? "copy"
                       : launch.what == PlanLaunch::What::library ? launch.library
                                                                  : kernels[static_cast<size_t>(launch.kernel)].symbol;
    std::vector<std::string> list;
    for (int value : launch.values) {
      if (value >= 0) list.push_back("v" + std::to_string(value));
    }
    text +=
        fmt::format("  {:3}{} {} ({}) tasks {}\n", k, launch.joins ? "+" : " ", what, join(list, ", "), launch.tasks);
  }
  for (size_t k = 0; k < values.size(); ++k) {
    text += fmt::format("  v{}  {}  {} B  {}\n", k, values[k].type, values[k].bytes, place_of(values[k]));
  }
  for (size_t k = 0; k < results.size(); ++k) {
    text += fmt::format("  result {} is v{}{}\n", k, results[k],
                        donor[k] >= 0 ? fmt::format(", in the buffer of argument {}", donor[k]) : "");
  }
  return text;
}

}  // namespace tessera::codegen
