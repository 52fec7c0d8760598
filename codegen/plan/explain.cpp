#include <tessera/codegen/plan/explain.h>

#include <algorithm>
#include <cctype>
#include <map>

#include <fmt/format.h>

#include <tessera/core/shown_location.h>

namespace tessera::codegen {
namespace {

const Instruction* find(const Program& recorded, int op) {
  return op >= 0 && op < static_cast<int>(recorded.instructions.size())
             ? &recorded.instructions[static_cast<size_t>(op)]
             : nullptr;
}

std::string op_name(const Program& recorded, int op) {
  const Instruction* found = find(recorded, op);
  return found ? std::string(name(found->op)) : "?";
}

std::string bytes_text(int64_t bytes) {
  auto x = static_cast<double>(bytes);
  if (x >= 1e9) return fmt::format("{:.2f} GB", x / 1e9);
  if (x >= 1e6) return fmt::format("{:.1f} MB", x / 1e6);
  if (x >= 1e3) return fmt::format("{:.1f} kB", x / 1e3);
  return fmt::format("{} B", bytes);
}
std::string flops_text(int64_t flops) {
  auto x = static_cast<double>(flops);
  if (x >= 1e9) return fmt::format("{:.2f} GF", x / 1e9);
  if (x >= 1e6) return fmt::format("{:.1f} MF", x / 1e6);
  if (x >= 1e3) return fmt::format("{:.1f} kF", x / 1e3);
  return flops ? fmt::format("{} F", flops) : "";
}

// "gpt.blocks.3.attn" → "gpt.blocks.*.attn": what the layers of a list have in common.
std::string any_layer(const std::string& path) {
  std::string out, word;
  for (char c : path + ".") {
    if (c != '.') {
      word += c;
      continue;
    }
    bool number =
        !word.empty() && std::all_of(word.begin(), word.end(), [](unsigned char d) { return std::isdigit(d); });
    out += (out.empty() ? "" : ".") + (number ? "*" : word);
    word.clear();
  }
  return out;
}

void add_once(std::vector<std::string>& list, const std::string& item) {
  if (!item.empty() && std::find(list.begin(), list.end(), item) == list.end()) list.push_back(item);
}

std::string join(const std::vector<std::string>& list, size_t most, const char* between = ", ") {
  std::string out;
  for (size_t k = 0; k < std::min(list.size(), most); ++k) out += (k ? between : "") + list[k];
  return list.size() > most ? out + fmt::format(" and {} more", list.size() - most) : out;
}

std::string kernel_name(const Plan& plan, const PlanLaunch& launch) {
  switch (launch.what) {
    case PlanLaunch::What::copy: return "copy";
    case PlanLaunch::What::library: return launch.library;
    case PlanLaunch::What::kernel: break;
  }
  const PlanKernel& kernel = plan.kernels[static_cast<size_t>(launch.kernel)];
  return kernel.name + "_" + kernel.key.substr(0, 6);  // kernels of one name and other code stay apart
}
std::string class_of(const Plan& plan, const PlanLaunch& launch) {
  if (launch.what == PlanLaunch::What::copy) return "copy";
  if (launch.what == PlanLaunch::What::library) return "library";
  return plan.kernels[static_cast<size_t>(launch.kernel)].kind;
}

// Other modules whose ops the launch took in.
std::vector<std::string> guests(const Program& recorded, const PlanLaunch& launch, const std::string& host) {
  std::vector<std::string> out;
  for (int op : launch.ops) {
    const Instruction* found = find(recorded, op);
    if (!found || found->op == Op::Constant || found->op == Op::Iota || found->op == Op::Broadcast) continue;
    if (std::string path = module_of(recorded, op); path != host) add_once(out, path);
  }
  return out;
}

std::string header(const Plan& plan, const Program& recorded) {
  int64_t bytes = 0, flops = 0;
  for (const PlanLaunch& launch : plan.launches) bytes += launch.bytes, flops += launch.flops;
  return fmt::format("{}: {} launches of {} kernels, {} moved, {} computed; arena {}, live {}\n", recorded.name,
                     plan.launches.size(), plan.kernels.size(), bytes_text(bytes), flops ? flops_text(flops) : "0 F",
                     bytes_text(plan.arena_bytes), bytes_text(plan.peak_bytes));
}

struct Row {
  int runs = 0;
  int64_t bytes = 0, flops = 0;
  std::string name, kind, moves;
  std::vector<std::string> guests;
};
struct Section {
  std::vector<std::string> lines, modules;  // modules: the layers behind a '*'
  std::vector<Row> rows;
};

// What is wider than a terminal goes on behind the colon, on a line of its own.
std::string wrapped(std::string line) {
  constexpr size_t columns = 100;
  size_t colon = line.find(": ");
  return line.size() > columns && colon != std::string::npos ? line.replace(colon, 2, ":\n           ") : line;
}

// Remarks by module, with equal layers on one line and equal texts counted.
class RemarksByModule {
 public:
  void add(const Program& recorded, int op, const std::string& text) {
    const std::string title = any_layer(module_of(recorded, op));
    if (!modules_.count(title)) order_.push_back(title);
    Module& module = modules_[title];
    add_once(module.lines, line_of(recorded, op));
    add_once(module.texts, text);
    ++module.counts[text];
  }
  std::string str() const {
    std::string out;
    for (const std::string& title : order_) {
      const Module& module = modules_.at(title);
      out += fmt::format("\n  {}  {}\n", title.empty() ? "(no module)" : title, join(module.lines, 2));
      for (const std::string& text : module.texts)
        out += wrapped(fmt::format("  {:>4} × {}\n", module.counts.at(text), text));
    }
    return out;
  }

 private:
  struct Module {
    std::vector<std::string> lines, texts;
    std::map<std::string, int> counts;
  };
  std::vector<std::string> order_;
  std::map<std::string, Module> modules_;
};

std::string planes_text(const Plan& plan, const Program& recorded) {
  RemarksByModule by_module;
  int derived = 0, missed = 0;
  for (const ir::Remark& remark : plan.remarks) {
    if (remark.category != "plane") continue;
    derived += remark.name == "cascade";
    missed += remark.missed;
    by_module.add(recorded, remark.ops.empty() ? -1 : remark.ops.front(),
                  remark.text + (remark.reason.empty() ? "" : ": " + remark.reason));
  }
  if (derived + missed == 0) return "";
  return fmt::format("\nplanes: {} kernels derived, {} things missed\n", derived, missed) + by_module.str();
}

// Which convolutions have their channels innermost, and what is written again for them.
std::string layout_text(const Plan& plan, const Program& recorded) {
  RemarksByModule by_module;
  int found = 0;
  for (const ir::Remark& remark : plan.remarks) {
    if (remark.category != "layout") continue;
    ++found;
    by_module.add(recorded, remark.ops.empty() ? -1 : remark.ops.front(),
                  remark.text + (remark.reason.empty() ? "" : ": " + remark.reason));
  }
  return found == 0 ? "" : "\nlayout:\n" + by_module.str();
}

// Which formats each kernel reads, multiplies, sums in and writes, and what stayed wide.
std::string precision_text(const Plan& plan, const Program& recorded) {
  if (recorded.precision == Precision()) return "";
  auto row = [](const std::string& name, const PlanTypes& types) {
    return fmt::format("  {:<46} {:<10} {:<10} {:<6} {}\n", name, types.reads, types.multiplies, types.sums,
                       types.writes);
  };
  std::vector<std::string> rows;
  for (const PlanLaunch& launch : plan.launches)
    if (launch.what == PlanLaunch::What::kernel) add_once(rows, row(kernel_name(plan, launch), launch.types));
  std::string text = fmt::format("\nprecision {}:\n", recorded.precision.str()) +
                     row("kernel", {"reads", "multiplies", "sums", "writes"}) + join(rows, rows.size(), "");
  RemarksByModule by_module;
  int wide = 0;
  for (const ir::Remark& remark : plan.remarks) {
    if (remark.category != "precision") continue;
    ++wide;
    by_module.add(recorded, remark.ops.empty() ? -1 : remark.ops.front(), remark.text + ": " + remark.reason);
  }
  return wide == 0 ? text : text + fmt::format("\nnot narrow: {} values\n", wide) + by_module.str();
}

std::string edited_text(const Plan& plan) {
  std::string text;
  for (const ir::Remark& remark : plan.remarks)
    if (remark.category == "kernel") text += "  " + remark.text + "\n";
  return text.empty() ? "" : "\nkernels that were edited:\n" + text;
}

std::string missed_text(const Plan& plan, const Program& recorded) {
  RemarksByModule by_module;
  int pairs = 0;
  for (const ir::Remark& remark : plan.remarks) {
    if (remark.category != "fusion") continue;
    ++pairs;
    const int reader = remark.ops.empty() ? -1 : remark.ops.front();
    const std::string title = any_layer(module_of(recorded, reader)),
                      from = any_layer(module_of(recorded, remark.other));
    by_module.add(recorded, reader,
                  fmt::format("{} apart from {}{}: {}", op_name(recorded, reader), op_name(recorded, remark.other),
                              from == title || from.empty() ? "" : " of " + from, remark.reason));
  }
  if (pairs == 0) return "\nEvery op shares a kernel with what it reads.\n";
  return fmt::format("\nnot fused: {} pairs of kernels\n", pairs) + by_module.str();
}

}  // namespace

std::string module_of(const Program& recorded, int op) {
  const Instruction* found = find(recorded, op);
  return found && found->scope ? found->scope->path() : "";
}

std::string line_of(const Program& recorded, int op) {
  const Instruction* found = find(recorded, op);
  if (!found) return "";
  Loc at = user_location(found->at, found->scope);
  return at.known() ? shown(at) : "";
}

int chief_op(const Program& recorded, const PlanLaunch& launch) {
  for (int op : launch.ops)
    if (const Instruction* found = find(recorded, op); found && found->op == Op::Contract) return op;
  for (const PlanWrite& write : launch.writes)
    if (!module_of(recorded, write.op).empty()) return write.op;
  return !launch.writes.empty() ? launch.writes.front().op : launch.ops.empty() ? -1 : launch.ops.back();
}

std::string explain(const Plan& plan, const Program& recorded) {
  std::vector<std::string> order;
  std::map<std::string, Section> sections;
  for (const PlanLaunch& launch : plan.launches) {
    int chief = chief_op(recorded, launch);
    std::string module = module_of(recorded, chief), title = any_layer(module);
    if (!sections.count(title)) order.push_back(title);
    Section& section = sections[title];
    add_once(section.modules, module);
    add_once(section.lines, line_of(recorded, chief));
    std::string name = kernel_name(plan, launch);
    auto row = std::find_if(section.rows.begin(), section.rows.end(), [&](const Row& r) { return r.name == name; });
    if (row == section.rows.end()) {
      section.rows.push_back({.name = name, .kind = class_of(plan, launch), .moves = launch.moves});
      row = std::prev(section.rows.end());
    }
    ++row->runs;
    row->bytes += launch.bytes;
    row->flops += launch.flops;
    for (const std::string& guest : guests(recorded, launch, module))
      if (any_layer(guest) != title) add_once(row->guests, any_layer(guest));
  }
  std::string text = header(plan, recorded);
  for (const std::string& title : order) {
    const Section& section = sections[title];
    text += fmt::format("\n{}{}  {}\n", title.empty() ? "(no module)" : title,
                        section.modules.size() > 1 ? fmt::format(" ×{}", section.modules.size()) : "",
                        join(section.lines, 2));
    for (const Row& row : section.rows) {
      text += fmt::format("  {:>4} × {:<46} {:<9} {:>9}{}{}\n", row.runs, row.name, row.kind, bytes_text(row.bytes),
                          row.flops ? fmt::format(" {:>9}", flops_text(row.flops)) : "",
                          row.moves.empty() ? "" : "  only " + row.moves);
      if (!row.guests.empty()) text += fmt::format("         with {}\n", join(row.guests, 3));
    }
  }
  return text + precision_text(plan, recorded) + edited_text(plan) + layout_text(plan, recorded) +
         planes_text(plan, recorded) + missed_text(plan, recorded);
}

std::string kernel_table(const Plan& plan, const Program& recorded) {
  std::string text = header(plan, recorded);
  text += fmt::format("{:>5}  {:<36} {:<9} {:>9} {:>9}  {}\n", "", "kernel", "class", "bytes", "flops", "module, line");
  for (size_t k = 0; k < plan.launches.size(); ++k) {
    const PlanLaunch& launch = plan.launches[k];
    int chief = chief_op(recorded, launch);
    std::string module = module_of(recorded, chief), line = line_of(recorded, chief);
    line = line.substr(line.rfind('/') + 1);  // the report has it in full
    text += fmt::format("{:>5}  {:<36} {:<9} {:>9} {:>9}  {}{}{}\n", k, kernel_name(plan, launch),
                        class_of(plan, launch), bytes_text(launch.bytes), flops_text(launch.flops), module,
                        module.empty() || line.empty() ? "" : "  ", line);
  }
  return text;
}

std::string time_table(const Plan& plan, const Program& recorded, const std::vector<double>& seconds) {
  struct Timed : Row {
    double seconds = 0;
    std::vector<std::string> modules;
  };
  std::vector<Timed> rows;
  double total = 0;
  for (size_t k = 0; k < plan.launches.size(); ++k) {
    const PlanLaunch& launch = plan.launches[k];
    std::string name = kernel_name(plan, launch);
    auto row = std::find_if(rows.begin(), rows.end(), [&](const Timed& r) { return r.name == name; });
    if (row == rows.end()) {
      rows.emplace_back();
      row = std::prev(rows.end());
      row->name = name, row->kind = class_of(plan, launch);
    }
    ++row->runs;
    row->bytes += launch.bytes;
    row->flops += launch.flops;
    row->seconds += seconds[k];
    total += seconds[k];
    add_once(row->modules, any_layer(module_of(recorded, chief_op(recorded, launch))));
  }
  std::stable_sort(rows.begin(), rows.end(), [](const Timed& a, const Timed& b) { return a.seconds > b.seconds; });
  std::string text = header(plan, recorded);
  text += fmt::format("{:<36} {:<9} {:>6} {:>9} {:>5} {:>6} {:>7}  {}\n", "kernel", "class", "runs", "ms", "%", "GB/s",
                      "GFLOP/s", "modules");
  for (const Timed& row : rows) {
    double giga = 1e-9 / std::max(row.seconds, 1e-12);
    text +=
        fmt::format("{:<36} {:<9} {:>6} {:>9.3f} {:>5.1f} {:>6.1f} {:>7.1f}  {}\n", row.name, row.kind, row.runs,
                    row.seconds * 1e3, 100 * row.seconds / std::max(total, 1e-12),
                    static_cast<double>(row.bytes) * giga, static_cast<double>(row.flops) * giga, join(row.modules, 3));
  }
  return text;
}

}  // namespace tessera::codegen
