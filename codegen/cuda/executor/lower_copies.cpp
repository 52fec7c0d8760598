// What is written of operands of f32 before wgmma multiplies them: asked for by each product, shared, then printed.

#include <fmt/format.h>

#include <tessera/codegen/cuda/contract/copy_text.h>
#include <tessera/codegen/cuda/executor/lowering.h>
#include <tessera/codegen/cuda/executor/share_copies.h>

namespace tessera::cuda {

using codegen::PlanLaunch;

// Of the two values that a contraction reads copies take the place; rests stand behind them.
void Lowering::ask_for_copies(mlir::Operation& kernel, const MappedOperands& operands, std::vector<int>& values) {
  CopyLaunch asked{.launch = plan().launches.size(),
                   .name = kernel.getAttrOfType<mlir::StringAttr>("name").str() + "_operand"};
  PlanLaunch made;
  for (size_t k : {0, 1}) {
    const std::optional<OperandCopy>& copy = (k == 0 ? operands.a : operands.b).copy;
    if (!copy) continue;
    const Mapped to = copied(*copy);
    const int64_t bytes = to.strides.back() * to.extents.back() * to.bytes;
    CopiedOperand operand{.source = values[k], .from = copy->from};
    auto write = [&](CopyForm form, const char* what) { return operand[form] = storage().temporary(bytes, what); };
    if (copy->has_values()) values[k] = write(copy->turns ? CopyForm::turned : CopyForm::copy, "copy");
    if (copy->splits) values.push_back(write(copy->turns ? CopyForm::turned_rests : CopyForm::rests, "rests"));
    asked.operands.push_back(std::move(operand));
  }
  if (asked.operands.empty()) return;
  copies_.push_back(std::move(asked));
  launch(std::move(made), kernel);
  plan().launches.back().types = {.reads = "f32", .multiplies = "", .sums = "", .writes = "f32"};
}

void Lowering::launch_copies() {
  share_copies(plan(), copies_);
  for (const CopyLaunch& copy : copies_) {
    PlanLaunch& made = plan().launches[copy.launch];
    made.tasks = copy_blocks(copy.operands);
    for (const CopiedOperand& operand : copy.operands) {
      int64_t elements = 1;
      for (int64_t extent : operand.from.extents) elements *= extent;
      made.bytes += elements * operand.from.bytes;
    }
    for (size_t k = static_cast<size_t>(made.reads); k < made.values.size(); ++k)
      made.bytes += plan().values[static_cast<size_t>(made.values[k])].bytes;
    const std::string name = copy.operands.size() == 1 ? copy.name : copy.name + "s";
    KernelWords words;
    words.head = {"kernel " + name, "",
                  fmt::format("  {:<10} {:.1f} MB", "moves", static_cast<double>(made.bytes) / 1e6)};
    for (std::string& line : copy_schedule_lines(copy.operands)) words.head.push_back(std::move(line));
    words = words_for_text(std::move(words));
    const std::string text = copy_text(copy.operands, words);
    made.kernel = add_text(name, "operand", text, [&] { return text; });
  }
}

}  // namespace tessera::cuda
