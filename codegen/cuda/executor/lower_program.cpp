#include <tessera/codegen/cuda/executor/lower_program.h>

#include <mutex>

#include <fmt/format.h>

#include <tessera/codegen/cpu/key.h>
#include <tessera/codegen/cuda/cascade/cascade_text.h>
#include <tessera/codegen/cuda/contract/bounds.h>
#include <tessera/codegen/cuda/executor/group_tensors.h>
#include <tessera/codegen/cuda/executor/lowering.h>
#include <tessera/codegen/cuda/rows/followers.h>
#include <tessera/codegen/cuda/tile/Tile.h>
#include <tessera/codegen/executor/compile_fuse.h>
#include <tessera/codegen/plan/explain.h>
#include <tessera/codegen/plan/facts.h>
#include <tessera/codegen/plan/lifetimes.h>
#include <tessera/core/error.h>
#include <tessera/ir/compile_ir.h>
#include <tessera/ir/import/origin.h>

namespace tessera::cuda {
namespace {

std::string name_of_kernel(mlir::Operation& op) { return op.getAttrOfType<mlir::StringAttr>("name").str(); }

int last_origin_of(mlir::Operation& op) {
  const std::vector<int> origins = codegen::origins_of(op);
  return origins.empty() ? -1 : origins.back();
}

}  // namespace

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

int last_origin(mlir::Location location) {
  std::vector<int> origins;
  ir::add_origins(location, origins);
  return origins.empty() ? -1 : origins.back();
}

LoweredProgram Lowering::lower() {
  read_beyond_ends(function(), [this](fuse::KernelOp kernel) { return has_tile_schedule(kernel); });
  take_in_followers(function());
  visit_all(result_.plan);
  launch_copies();
  codegen::keep_arguments_until_read(result_.plan);  // results of one kernel may be several launches here
  group_tensors(result_);
  codegen::place_arena(result_.plan);
  return std::move(result_);
}

void Lowering::visit_kernel(fuse::KernelOp kernel) {
  const std::vector<int> values = values_of(kernel);
  copy_inits(*kernel, kernel.getInitOf(), kernel.getInits());
  if (codegen::holds_contract(kernel)) return launch_contract(kernel, values, names_of(*kernel, kernel.getInputs()));
  launch_rows(kernel, values, *kernel, names_of(*kernel, kernel.getInputs()));
}

void Lowering::refuse(int op, const std::string& what, const std::string& kernel) const {
  ErrorText text{.code = "T-X010", .fault = "no CUDA kernel yet for " + what};
  if (const Instruction* found = instruction(op)) {
    text.fault += fmt::format(" ({})", name(found->op));
    text.at = user_location(found->at, found->scope);
    text.path = found->scope ? found->scope->path() : "";
  }
  text.operands = {{"kernel", kernel}};
  text.hint = "the CUDA leg has not all routines, and no f8 yet; TESSERA_EXECUTOR=jit runs this program";
  throw DeviceError(std::move(text));
}

void Lowering::refuse(mlir::Operation& kernel, const Unsupported& found) const {
  refuse(found.op ? last_origin(found.op->getLoc()) : last_origin_of(kernel), found.what, name_of_kernel(kernel));
}

KernelWords Lowering::words_for_text(KernelWords words) const {
  words.kernel = "NAME";
  words.rounding = rounding();
  words.line_of = [this](mlir::Operation* op) { return line_of(last_origin(op->getLoc())); };
  return words;
}

KernelWords Lowering::without_names(KernelWords words) {
  for (std::string& name : words.inputs) name = "x";
  for (std::string& name : words.results) name = "y";
  return words;
}

int Lowering::kernel_number(mlir::Operation& kernel, const std::string& structure, const char* kind, KernelWords words,
                            const std::function<std::string(const KernelWords&)>& text_of, const std::string& apart) {
  const auto [known, is_new] = of_structure_.try_emplace(
      fmt::format("{} {} {} {}", kind, words.writes_elsewhere, words.is_early, structure), -1);
  if (!is_new) return known->second;
  words = words_for_text(std::move(words));
  try {
    ++result_.texts;
    return known->second = add_text(name_of_kernel(kernel), kind, text_of(without_names(words)) + apart,
                                    [&] { return text_of(words); });
  } catch (const Unsupported& found) {
    refuse(kernel, found);
  }
}

std::string Lowering::key_of(const std::string& kernel, const std::string& text) const {
  return codegen::blake3_hex(kernel + "\n" + std::to_string(recorded_.strict) + without_comments(text));
}

KernelSource Lowering::source_of(const std::string& kernel, const std::string& key, std::string text) {
  std::string symbol;
  for (char c : kernel) symbol += llvm::isAlnum(c) ? c : '_';
  symbol = symbol.substr(0, 40) + "_" + key.substr(0, 8);
  for (size_t at = text.find("NAME"); at != std::string::npos; at = text.find("NAME", at + symbol.size()))
    text.replace(at, 4, symbol);
  return {key, symbol, std::move(text)};
}

int Lowering::add_text(const std::string& kernel, const char* kind, const std::string& key_text,
                       const std::function<std::string()>& text_of) {
  // The name is that of the first: it follows the order of ops, which need not be the text's.
  auto [found, fresh] = number_.try_emplace(key_of("", key_text), static_cast<int>(plan().kernels.size()));
  if (fresh) {
    const std::string key = key_of(kernel, key_text);
    KernelSource source = source_of(kernel, key, text_of());
    plan().kernels.push_back({key, source.name, kernel, kind});
    result_.kernels.push_back(std::move(source));
  }
  return found->second;
}

mlir::Block& Lowering::place_for_kernel(mlir::Location location) {
  extra_.push_back(mlir::ModuleOp::create(location));
  return *extra_.back()->getBody();
}

struct ProgramLowering::State {
  State(const Program& program, const Target& target) : context(mlir::MLIRContext::Threading::DISABLED) {
    codegen::load_fuse_dialects(context);
    ir::load_dialects(context);
    context.loadDialect<tile::TileDialect>();
    module = ir::import_program(context, program);
    // Only the copy engine's windows want channels innermost.
    const auto channels = target.has_wgmma() ? ir::Channels::innermost : ir::Channels::as_named;
    remarks = ir::lower_to_fuse(*module, {}, ir::Planes::derived, ir::OperandSums::apart, channels, why_no_text);
    lowering.emplace(*module, program, target);
  }

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::vector<ir::Remark> remarks;
  std::optional<Lowering> lowering;
  std::mutex mutex;  // of the context
};

ProgramLowering::ProgramLowering(const Program& program, const Target& target)
    : state_(std::make_unique<State>(program, target)), program_(state_->lowering->lower()) {
  program_.plan.name = program.name;
  program_.plan.remarks = std::move(state_->remarks);
}

ProgramLowering::~ProgramLowering() = default;

std::optional<NextSchedule> ProgramLowering::next_schedule(const std::string& key) {
  std::lock_guard lock(state_->mutex);
  return state_->lowering->next_schedule(key);
}

LoweredProgram lower_program(const Program& program, const Target& target) {
  return ProgramLowering(program, target).take();
}

}  // namespace tessera::cuda
