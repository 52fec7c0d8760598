#include <tessera/codegen/cuda/executor/lower_program.h>

#include <map>
#include <optional>

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"

#include <fmt/format.h>

#include <tessera/codegen/cpu/key.h>
#include <tessera/codegen/cuda/rows/kernel_text.h>
#include <tessera/codegen/cuda/rows/unsupported.h>
#include <tessera/codegen/executor/compile_fuse.h>
#include <tessera/codegen/plan/explain.h>
#include <tessera/codegen/plan/facts.h>
#include <tessera/codegen/plan/lifetimes.h>
#include <tessera/codegen/plan/plan_builder.h>
#include <tessera/core/error.h>
#include <tessera/ir/compile_ir.h>
#include <tessera/ir/import/origin.h>

namespace tessera::cuda {
namespace {

using codegen::Form;
using codegen::PlanLaunch;
using codegen::Stages;

int last_origin(mlir::Location location) {
  std::vector<int> origins;
  ir::add_origins(location, origins);
  return origins.empty() ? -1 : origins.back();
}

const Instruction* instruction(const Program& recorded, int op) {
  return op >= 0 && op < static_cast<int>(recorded.instructions.size())
             ? &recorded.instructions[static_cast<size_t>(op)]
             : nullptr;
}

// What has no kernel yet: the op and where the user wrote it.
[[noreturn]] void refuse(const Program& recorded, int op, const std::string& what, const std::string& kernel) {
  ErrorText text{.code = "T-X010", .fault = "no CUDA kernel yet for " + what};
  if (const Instruction* found = instruction(recorded, op)) {
    text.fault += fmt::format(" ({})", name(found->op));
    text.at = user_location(found->at, found->scope);
    text.path = found->scope ? found->scope->path() : "";
  }
  text.operands = {{"kernel", kernel}};
  text.hint = "the CUDA leg runs pointwise kernels and reductions so far; TESSERA_EXECUTOR=jit runs this program";
  throw DeviceError(std::move(text));
}

std::string without_comments(const std::string& text) {
  std::string kept;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line(text.data() + begin, end - begin);
    kept += std::string(line.substr(0, std::min(line.find("//"), line.size()))) + "\n";
    begin = end + 1;
  }
  return kept;
}

std::string size_text(int64_t bytes) {
  const auto x = static_cast<double>(bytes);
  return bytes >= 1'000'000 ? fmt::format("{:.1f} MB", x / 1e6) : fmt::format("{:.1f} kB", x / 1e3);
}

class Lowering : public codegen::PlanBuilder {
 public:
  Lowering(mlir::ModuleOp module, const Program& recorded) : PlanBuilder(module), recorded_(recorded) {}

  LoweredProgram lower() {
    visit_all(result_.plan);
    codegen::place_arena(result_.plan);
    return std::move(result_);
  }

 private:
  codegen::Plan& plan() { return result_.plan; }

  void visit_kernel(fuse::KernelOp kernel) override {
    if (codegen::holds_contract(kernel)) {
      for (auto contract : kernel.getBody().getOps<fuse::ContractOp>())
        refuse(recorded_, last_origin(contract.getLoc()), "a contraction", kernel.getName().str());
    }
    fold_reductions(kernel);
    std::vector<int> values = values_of(kernel);
    copy_inits(*kernel, kernel.getInitOf(), kernel.getInits());
    launch_rows(kernel, values, *kernel, names_of(kernel));
  }
  // A reduction of nothing but a reduction of the same kind is one over the dims of both.
  static void fold_reductions(fuse::KernelOp kernel) {
    for (auto outer : llvm::make_early_inc_range(kernel.getBody().getOps<fuse::ReduceOp>())) {
      auto inner = outer.getValue().getDefiningOp<fuse::ReduceOp>();
      if (!inner || inner.getKind() != outer.getKind() || !inner->hasOneUse()) continue;
      std::vector<int64_t> over(inner.getOver().begin(), inner.getOver().end());
      over.insert(over.end(), outer.getOver().begin(), outer.getOver().end());
      llvm::sort(over);
      outer.setOver(over);
      outer.getValueMutable().assign(inner.getValue());
      inner.erase();
    }
  }

  void visit_cascade(fuse::CascadeOp cascade) override {
    refuse(recorded_, codegen::origins_of(*cascade).empty() ? -1 : codegen::origins_of(*cascade).back(),
           "a cascade of contractions", cascade.getName().str());
  }
  void visit_library(fuse::LibraryOp library) override {
    refuse(recorded_, last_origin(library.getLoc()), "the routine '" + library.getName().str() + "'",
           library.getName().str());
  }

  // ---- names ----

  std::string value_name(mlir::Value value) {
    if (auto argument = mlir::dyn_cast<mlir::BlockArgument>(value)) {
      auto label = function().getArgAttrOfType<mlir::StringAttr>(argument.getArgNumber(), "tsr.name");
      return label && !label.getValue().empty() ? last_words(label.getValue().str())
                                                : fmt::format("x{}", argument.getArgNumber());
    }
    const Instruction* found = nullptr;
    if (auto kernel = value.getDefiningOp<fuse::KernelOp>()) {
      const unsigned k = mlir::cast<mlir::OpResult>(value).getResultNumber();
      found = instruction(recorded_, last_origin(kernel.getBody().front().getTerminator()->getOperand(k).getLoc()));
    } else if (mlir::Operation* op = value.getDefiningOp()) {
      found = instruction(recorded_, last_origin(op->getLoc()));
    }
    return found ? std::string(name(found->op)) + "_value" : "value";
  }

  // "gpt.layers.0.ln.weight" → "ln_weight"
  static std::string last_words(const std::string& path) {
    size_t dot = path.rfind('.');
    if (dot == std::string::npos || dot == 0) return path;
    const size_t before = path.rfind('.', dot - 1);
    return path.substr(before == std::string::npos ? 0 : before + 1);
  }

  KernelWords names_of(fuse::KernelOp kernel) {
    KernelWords words;
    for (mlir::Value input : kernel.getInputs()) words.inputs.push_back(value_name(input));
    for (mlir::Value result : kernel.getResults()) words.results.push_back(value_name(result));
    return words;
  }

  // "model.cpp:84": without the folders, which differ from host to host.
  std::string line_of(int op) const {
    const std::string line = codegen::line_of(recorded_, op);
    return line.substr(line.rfind('/') + 1);
  }

  std::vector<std::string> head(fuse::KernelOp kernel, const KernelWords& words, const std::string& schedule,
                                const PlanLaunch& made) const {
    std::vector<std::string> lines{"kernel " + kernel.getName().str(), ""};
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
    list("reads", kernel.getInputs(), words.inputs);
    list("writes", kernel.getResults(), words.results);
    lines.push_back(fmt::format("  {:<10} {}, {:.1f} MFLOP", "moves", size_text(made.bytes),
                                static_cast<double>(made.flops) / 1e6));
    lines.push_back(fmt::format("  {:<10} {}", "schedule", schedule));
    // One line of the comment for each line of the user, with the ops on it in the order of the program.
    std::vector<std::pair<std::string, std::string>> from;
    for (int op : codegen::origins_of(*kernel)) {
      const Instruction* found = instruction(recorded_, op);
      const std::string line = line_of(op);
      if (!found || line.empty() || found->op == Op::Constant) continue;
      auto known = llvm::find_if(from, [&](const auto& entry) { return entry.first == line; });
      if (known == from.end()) known = from.insert(from.end(), {line, ""});
      known->second += " " + std::string(name(found->op));
    }
    for (size_t k = 0; k < from.size(); ++k)
      lines.push_back(fmt::format("  {:<10} {} {}", k ? "" : "from", from[k].first, from[k].second));
    return lines;
  }

  // ---- launches ----

  int kernel_number(fuse::KernelOp kernel, const Form& form, const Stages& stages, const RowSchedule& schedule,
                    KernelWords words, const char* kind) {
    words.kernel = "NAME";
    words.line_of = [this](mlir::Operation* op) { return line_of(last_origin(op->getLoc())); };
    std::string text;
    try {
      text = row_kernel_text(form, stages, schedule, words);
    } catch (const Unsupported& found) {
      refuse(recorded_, found.op ? last_origin(found.op->getLoc()) : -1, found.what, kernel.getName().str());
    }
    const std::string key =
        codegen::blake3_hex(kernel.getName().str() + "\n" + std::to_string(recorded_.strict) + without_comments(text));
    auto [found, fresh] = number_.try_emplace(key, static_cast<int>(plan().kernels.size()));
    if (fresh) {
      std::string symbol;
      for (char c : kernel.getName()) symbol += llvm::isAlnum(c) ? c : '_';
      symbol = symbol.substr(0, 40) + "_" + key.substr(0, 8);
      for (size_t at = text.find("NAME"); at != std::string::npos; at = text.find("NAME", at + symbol.size()))
        text.replace(at, 4, symbol);
      plan().kernels.push_back({key, symbol, kernel.getName().str(), kind});
      result_.kernels.push_back({key, symbol, text});
    }
    return found->second;
  }

  void launch_rows(fuse::KernelOp kernel, const std::vector<int>& values, mlir::Operation& at, KernelWords words) {
    const Form form = codegen::merged_form(kernel);
    const Stages stages = codegen::make_stages(form);
    RowSchedule schedule;
    try {
      schedule = schedule_rows(form, stages);
    } catch (const Unsupported& found) {
      if (kernel.getNumResults() > 1 && !has_inits(kernel)) return launch_apart(kernel, values, at, words);
      const std::vector<int> origins = codegen::origins_of(*kernel);
      refuse(recorded_, origins.empty() ? -1 : origins.back(), found.what, kernel.getName().str());
    }
    PlanLaunch made;
    made.values = values;
    note_writes(kernel.getBody().front(), made);
    measure(kernel.getInputs(), kernel.getResults(), codegen::flops_of(kernel), made);
    std::vector<int> parts;
    for (const codegen::Column& column : stages.columns) {
      const int64_t kept = column.kept ? schedule.columns : 1;
      parts.push_back(storage().temporary(
          schedule.groups() * kept * bytes_of_element(column.reduce->getResult(0).getType()), "partial"));
    }
    for (int read : std::vector<int>(values.begin(), values.begin() + made.reads))
      for (size_t k = static_cast<size_t>(made.reads); k < values.size(); ++k)
        words.writes_elsewhere &= values[k] != read;
    words.head = head(kernel, words, schedule_text(stages, schedule), made);
    const bool reduces = llvm::any_of(stages.nests, [](const codegen::Nest& nest) { return !nest.reduces.empty(); });
    made.kernel = kernel_number(kernel, form, stages, schedule, std::move(words),
                                !parts.empty() ? "column"
                                : reduces      ? "row"
                                               : "pointwise");
    made.values.insert(made.values.end(), parts.begin(), parts.end());
    made.tasks = schedule.blocks;
    add_checks(kernel.getBody().front(), made);
    // Results of column reductions come from the launches below.
    mlir::Operation* yield = form.body->getTerminator();
    std::vector<std::pair<size_t, unsigned>> finishes;
    for (unsigned k = 0; k < yield->getNumOperands(); ++k) {
      for (size_t column = 0; column < stages.columns.size(); ++column) {
        if (stages.columns[column].reduce != yield->getOperand(k).getDefiningOp()) continue;
        made.values[form.in.size() + k] = -1;
        finishes.push_back({column, k});
      }
    }
    std::erase_if(made.writes,
                  [&](const codegen::PlanWrite& write) { return !llvm::is_contained(made.values, write.value); });
    launch(std::move(made), at);
    for (auto [column, k] : finishes)
      add_parts(form, schedule, stages.columns[column], k, parts[column], values[form.in.size() + k], at);
  }

  static bool has_inits(fuse::KernelOp kernel) {
    return kernel.getInitOf() && llvm::any_of(*kernel.getInitOf(), [](int64_t init) { return init != -1; });
  }

  // A kernel for each result: what is reduced over different dims finds its schedule by itself, and reads its inputs again.
  void launch_apart(fuse::KernelOp kernel, const std::vector<int>& values, mlir::Operation& at,
                    const KernelWords& words) {
    mlir::OpBuilder b(function().getContext());
    const size_t inputs = kernel.getInputs().size();
    for (unsigned k = 0; k < kernel.getNumResults(); ++k) {
      extra_.push_back(mlir::ModuleOp::create(kernel.getLoc()));
      b.setInsertionPointToEnd(extra_.back()->getBody());
      std::vector<mlir::Value> sources;
      for (mlir::Value input : kernel.getInputs()) {
        auto type = mlir::cast<mlir::RankedTensorType>(input.getType());
        sources.push_back(mlir::tensor::EmptyOp::create(b, kernel.getLoc(), type.getShape(), type.getElementType()));
      }
      auto one = fuse::KernelOp::create(b, kernel.getLoc(), mlir::TypeRange{kernel.getResult(k).getType()},
                                        kernel.getNameAttr(), kernel.getDimsAttr(), kernel.getOuterAttr(), sources,
                                        kernel.getInMapsAttr(), mlir::ValueRange{}, mlir::DenseI64ArrayAttr(),
                                        b.getArrayAttr({kernel.getOutMapsAttr()[k]}));
      mlir::IRMapping mapping;
      kernel.getBody().cloneInto(&one.getBody(), mapping);
      mlir::Operation* yield = one.getBody().front().getTerminator();
      yield->setOperands(mlir::ValueRange{yield->getOperand(k)});
      for (mlir::Operation& op : llvm::make_early_inc_range(llvm::reverse(one.getBody().front())))
        if (&op != yield && op.use_empty()) op.erase();
      std::vector<int> places(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(inputs));
      places.push_back(values[inputs + k]);
      launch_rows(one, places, at, {.kernel = "", .inputs = words.inputs, .results = {words.results[k]}});
    }
  }

  // Adds up the parts of the groups, in their order.
  void add_parts(const Form& form, const RowSchedule& schedule, const codegen::Column& column, unsigned result,
                 int part, int value, mlir::Operation& at) {
    auto source_kernel = mlir::cast<fuse::KernelOp>(form.body->getParentOp());
    if (!form.out[result].linear())
      refuse(recorded_, last_origin(column.reduce->getLoc()), "a sum that is written through a map that is not linear",
             source_kernel.getName().str());
    mlir::OpBuilder b(function().getContext());
    mlir::Location loc = column.reduce->getLoc();
    extra_.push_back(mlir::ModuleOp::create(loc));
    b.setInsertionPointToEnd(extra_.back()->getBody());
    const mlir::Type element = column.reduce->getResult(0).getType();
    const int64_t width = column.kept ? schedule.columns : 1;
    std::vector<int64_t> dims, in_strides, out_strides;
    int64_t step = width;
    if (column.kept) {
      for (int d : schedule.inner_dims) {
        step /= form.extent[static_cast<size_t>(d)];
        dims.push_back(form.extent[static_cast<size_t>(d)]);
        in_strides.push_back(step);
        out_strides.push_back(form.out[result].stride[static_cast<size_t>(d)]);
      }
    }
    const auto kept = static_cast<int64_t>(dims.size());
    dims.push_back(schedule.groups());
    in_strides.push_back(width);
    auto map = [&](int64_t base, const std::vector<int64_t>& strides) {
      mlir::AffineExpr sum = b.getAffineConstantExpr(base);
      for (auto [d, stride] : llvm::enumerate(strides))
        sum = sum + b.getAffineDimExpr(static_cast<unsigned>(d)) * stride;
      return mlir::AffineMap::get(static_cast<unsigned>(dims.size()), 0, sum, b.getContext());
    };
    mlir::Value source = mlir::tensor::EmptyOp::create(b, loc, {schedule.groups() * width}, element);
    auto kernel = fuse::KernelOp::create(b, loc, mlir::TypeRange{source_kernel.getResult(result).getType()},
                                         b.getStringAttr(source_kernel.getName().str() + "_parts"),
                                         b.getDenseI64ArrayAttr(dims), b.getI64IntegerAttr(kept),
                                         mlir::ValueRange{source}, b.getAffineMapArrayAttr({map(0, in_strides)}),
                                         mlir::ValueRange{}, mlir::DenseI64ArrayAttr(),
                                         b.getAffineMapArrayAttr({map(form.out[result].base, out_strides)}));
    mlir::Block& body = kernel.getBody().emplaceBlock();
    body.addArgument(element, loc);
    b.setInsertionPointToEnd(&body);
    mlir::Value total = fuse::ReduceOp::create(b, loc, element, mlir::cast<fuse::ReduceOp>(column.reduce).getKind(),
                                               body.getArgument(0), b.getDenseI64ArrayAttr({kept}));
    fuse::YieldOp::create(b, loc, mlir::ValueRange{total});
    KernelWords words;
    words.inputs = {"part"};
    words.results = {value_name(source_kernel.getResult(result))};
    launch_rows(kernel, {part, value}, at, std::move(words));
  }

  const Program& recorded_;
  LoweredProgram result_;
  std::map<std::string, int> number_;
  std::vector<mlir::OwningOpRef<mlir::ModuleOp>> extra_;
};

}  // namespace

LoweredProgram lower_program(const Program& program) {
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  codegen::load_fuse_dialects(context);
  ir::load_dialects(context);
  auto module = ir::import_program(context, program);
  std::vector<ir::Remark> remarks = ir::lower_to_fuse(*module);
  LoweredProgram lowered = Lowering(*module, program).lower();
  lowered.plan.name = program.name;
  lowered.plan.remarks = std::move(remarks);
  return lowered;
}

}  // namespace tessera::cuda
