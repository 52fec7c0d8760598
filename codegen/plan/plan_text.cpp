#include <algorithm>
#include <map>

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
  std::string text = fmt::format("plan {}: {} launches of {} kernels, arena {} B (peak live {} B), scratch {} B\n",
                                 name, launches.size(), kernels.size(), arena_bytes, peak_bytes, scratch_bytes);
  for (size_t k = 0; k < launches.size(); ++k) {
    const PlanLaunch& launch = launches[k];
    std::string what = launch.what == PlanLaunch::What::copy      ? "copy"
                       : launch.what == PlanLaunch::What::library ? launch.library
                                                                  : kernels[static_cast<size_t>(launch.kernel)].symbol;
    std::vector<std::string> list;
    for (int value : launch.values) {
      if (value >= 0) list.push_back("v" + std::to_string(value));
    }
    text += fmt::format("  {:3}  {} ({}) tasks {}\n", k, what, join(list, ", "), launch.tasks);
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

std::string Plan::explain(const std::vector<double>& seconds) const {
  struct Row {
    std::string what;
    int launches = 0;
    int64_t bytes = 0, flops = 0;
    double seconds = 0;
    std::vector<std::string> lines;
  };
  std::vector<Row> rows;
  std::map<std::string, size_t> row_of;
  for (size_t k = 0; k < launches.size(); ++k) {
    const PlanLaunch& launch = launches[k];
    std::string what;
    switch (launch.what) {
      case PlanLaunch::What::copy: what = fmt::format("{:<40} {:<10}", "copy", "copy"); break;
      case PlanLaunch::What::library: what = fmt::format("{:<40} {:<10}", launch.library, "library"); break;
      case PlanLaunch::What::kernel: {
        const PlanKernel& kernel = kernels[static_cast<size_t>(launch.kernel)];
        what = fmt::format("{:<40} {:<10}", kernel.symbol, kernel.kind);
        break;
      }
    }
    auto [found, fresh] = row_of.try_emplace(what, rows.size());
    if (fresh) rows.push_back({what});
    Row& row = rows[found->second];
    ++row.launches;
    row.bytes += launch.bytes;
    row.flops += launch.flops;
    if (!seconds.empty()) row.seconds += seconds[k];
    for (const std::string& line : launch.lines) {
      if (std::find(row.lines.begin(), row.lines.end(), line) == row.lines.end()) row.lines.push_back(line);
    }
  }
  std::string text =
      fmt::format("explain {}: {} launches, {} kernels, arena {:.1f} MB, peak live {:.1f} MB\n", name, launches.size(),
                  kernels.size(), static_cast<double>(arena_bytes) / 1e6, static_cast<double>(peak_bytes) / 1e6);
  text += fmt::format("{:<40} {:<10} {:>8} {:>12} {:>12}", "kernel", "class", "launches", "bytes", "flops");
  if (!seconds.empty()) {
    double total = 0;
    for (const Row& row : rows) total += row.seconds;
    std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.seconds > b.seconds; });
    text += fmt::format(" {:>9} {:>6} {:>7} {:>8}", "ms", "%", "GB/s", "GFLOP/s");
    for (Row& row : rows) {
      double giga = 1e-9 / std::max(row.seconds, 1e-12);
      row.what += fmt::format(" {:>8} {:>12} {:>12} {:>9.3f} {:>6.1f} {:>7.1f} {:>8.1f}", row.launches, row.bytes,
                              row.flops, row.seconds * 1e3, 100 * row.seconds / std::max(total, 1e-12),
                              static_cast<double>(row.bytes) * giga, static_cast<double>(row.flops) * giga);
    }
  } else {
    for (Row& row : rows) row.what += fmt::format(" {:>8} {:>12} {:>12}", row.launches, row.bytes, row.flops);
  }
  text += "  lines\n";
  for (const Row& row : rows) text += fmt::format("{}  {}\n", row.what, join(row.lines, ", "));
  return text;
}

}  // namespace tessera::codegen
