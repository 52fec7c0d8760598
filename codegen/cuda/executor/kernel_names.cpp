// What a kernel's text calls things, and the comment at its head.

#include <fmt/format.h>

#include <tessera/codegen/cuda/executor/lowering.h>
#include <tessera/codegen/plan/explain.h>
#include <tessera/codegen/plan/facts.h>

namespace tessera::cuda {

using codegen::PlanLaunch;

namespace {

// "gpt.layers.0.ln.weight" → "ln_weight"
std::string last_words(const std::string& path) {
  size_t dot = path.rfind('.');
  if (dot == std::string::npos || dot == 0) return path;
  const size_t before = path.rfind('.', dot - 1);
  return path.substr(before == std::string::npos ? 0 : before + 1);
}

std::string size_text(int64_t bytes) {
  const auto x = static_cast<double>(bytes);
  return bytes >= 1'000'000 ? fmt::format("{:.1f} MB", x / 1e6) : fmt::format("{:.1f} kB", x / 1e3);
}

}  // namespace

const Instruction* Lowering::instruction(int op) const {
  return op >= 0 && op < static_cast<int>(recorded_.instructions.size())
             ? &recorded_.instructions[static_cast<size_t>(op)]
             : nullptr;
}

std::string Lowering::value_name(mlir::Value value) {
  if (auto argument = mlir::dyn_cast<mlir::BlockArgument>(value)) {
    auto label = function().getArgAttrOfType<mlir::StringAttr>(argument.getArgNumber(), "tsr.name");
    return label && !label.getValue().empty() ? last_words(label.getValue().str())
                                              : fmt::format("x{}", argument.getArgNumber());
  }
  const Instruction* found = nullptr;
  mlir::Operation* op = value.getDefiningOp();
  if (mlir::isa<fuse::KernelOp, fuse::CascadeOp>(op)) {
    const unsigned k = mlir::cast<mlir::OpResult>(value).getResultNumber();
    found = instruction(last_origin(op->getRegion(0).front().getTerminator()->getOperand(k).getLoc()));
  } else {
    found = instruction(last_origin(op->getLoc()));
  }
  return found ? std::string(name(found->op)) + "_value" : "value";
}

KernelWords Lowering::names_of(mlir::Operation& kernel, mlir::ValueRange inputs) {
  KernelWords words;
  for (mlir::Value input : inputs) words.inputs.push_back(value_name(input));
  for (mlir::Value result : kernel.getResults()) words.results.push_back(value_name(result));
  return words;
}

std::string Lowering::line_of(int op) const {
  const std::string line = codegen::line_of(recorded_, op);
  return line.substr(line.rfind('/') + 1);
}

std::vector<std::string> Lowering::head(mlir::Operation& op, const std::string& kernel, const KernelWords& words,
                                        const std::string& schedule, const PlanLaunch& made) const {
  std::vector<std::string> lines{"kernel " + kernel, ""};
  auto list = [&](const char* what, mlir::ValueRange values, const std::vector<std::string>& names) {
    std::string text;
    for (auto [value, name] : llvm::zip(values, names)) {
      std::string type;
      llvm::raw_string_ostream(type) << value.getType();
      text +=
          (text.empty() ? "" : ", ") + name + " " + type.substr(type.find('<') + 1, type.size() - type.find('<') - 2);
    }
    if (!text.empty()) lines.push_back(fmt::format("  {:<10} {}", what, text));
  };
  list("reads", op.getOperands().take_front(words.inputs.size()), words.inputs);
  list("writes", op.getResults(), words.results);
  lines.push_back(
      fmt::format("  {:<10} {}, {:.1f} MFLOP", "moves", size_text(made.bytes), static_cast<double>(made.flops) / 1e6));
  lines.push_back(fmt::format("  {:<10} {}", "schedule", schedule));
  // One line of the comment for each line of the user, with the ops on it in the order of the program.
  std::vector<std::pair<std::string, std::string>> from;
  for (int origin : codegen::origins_of(op)) {
    const Instruction* found = instruction(origin);
    const std::string line = line_of(origin);
    if (!found || line.empty() || found->op == Op::Constant) continue;
    auto known = llvm::find_if(from, [&](const auto& entry) { return entry.first == line; });
    if (known == from.end()) known = from.insert(from.end(), {line, ""});
    known->second += " " + std::string(name(found->op));
  }
  for (size_t k = 0; k < from.size(); ++k)
    lines.push_back(fmt::format("  {:<10} {} {}", k ? "" : "from", from[k].first, from[k].second));
  return lines;
}

}  // namespace tessera::cuda
