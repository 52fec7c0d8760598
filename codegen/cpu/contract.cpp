#include <tessera/codegen/cpu/contract.h>

#include <algorithm>
#include <memory>

#include <tessera/codegen/cpu/code.h>
#include <tessera/codegen/cpu/contract_epilogue.h>
#include <tessera/codegen/cpu/contract_launch.h>
#include <tessera/codegen/cpu/contract_panel_sum.h>
#include <tessera/codegen/cpu/form.h>
#include <tessera/codegen/cpu/key.h>
#include <tessera/ir/fuse/Fuse.h>

namespace tessera::codegen {
namespace {

std::string text_of(mlir::Type type) {
  std::string text;
  llvm::raw_string_ostream(text) << type;
  return text;
}

std::string widening_text(const ContractOperand& operand) {
  std::string text = text_of(operand.storage);
  for (mlir::Operation* op : operand.widening) {
    text += " " + op->getName().getStringRef().str() + " " + text_of(op->getResult(0).getType());
  }
  return text;
}

KernelRequest panel_sum_request(mlir::Type sum, int r, const Target& target) {
  KernelRequest result = shared_request("contract_panel_sum", text_of(sum) + " " + std::to_string(r), target);
  result.emit = [symbol = result.symbol, sum, r](mlir::ModuleOp module) { emit_panel_sum(module, symbol, sum, r); };
  return result;
}

std::string without_suffix(const std::string& symbol) { return symbol.substr(0, symbol.rfind('_')); }

}  // namespace

KernelRequest shared_request(const std::string& kind, const std::string& what, const Target& target) {
  KernelRequest result;
  std::string text = kind + "\n" + library_build_id() + "\n" + target.key() + "\n" + what;
  result.key = blake3_hex(text);
  result.symbol = kind + "_" + result.key.substr(0, 24);
  return result;
}

KernelRequest pack_request(const ContractOperand& operand, mlir::Type sum, int r, int lanes, const Target& target) {
  KernelRequest result =
      shared_request("contract_pack", widening_text(operand) + " " + text_of(sum) + " " + std::to_string(r), target);
  auto emit = [symbol = result.symbol, storage = operand.storage, widening = operand.widening, sum, r,
               lanes](mlir::ModuleOp module) { emit_pack(module, symbol, {storage, widening, sum}, r, lanes); };
  result.emit = emit;
  result.symbol += "_copy";
  return result;
}

std::vector<ContractLaunch> lower_contract(fuse::KernelOp kernel, const Target& target) {
  mlir::Type sum;
  for (mlir::Operation& op : kernel.getBody().front()) {
    if (mlir::isa<fuse::ContractOp>(op)) sum = op.getResult(0).getType();
  }
  auto form = std::make_shared<ContractForm>(make_contract_form(kernel, register_tiles(target, sum)));
  RegisterTile tile = form->tile;

  KernelRequest micro = shared_request(
      "contract_tile", text_of(sum) + " " + std::to_string(tile.mr) + "x" + std::to_string(tile.nr), target);
  KernelRequest pack_a = pack_request(form->a, sum, tile.mr, tile.lanes, target);
  KernelRequest pack_b = pack_request(form->b, sum, tile.nr, tile.lanes, target);
  SharedSymbols shared{micro.symbol, without_suffix(pack_a.symbol), without_suffix(pack_b.symbol), {}, {}};
  micro.emit = [symbol = micro.symbol, sum, tile](mlir::ModuleOp module) { emit_tile(module, symbol, sum, tile); };
  micro.symbol += "_packed";
  std::vector<KernelRequest> codes = {micro, pack_a, pack_b};
  auto add_panel_sum = [&](const ContractOperand& operand, int r, std::string& symbol) {
    if (result_of_sum(*form, operand) < 0) return;
    codes.push_back(panel_sum_request(sum, r, target));
    symbol = codes.back().symbol;
  };
  add_panel_sum(form->a, tile.mr, shared.sum_a);
  add_panel_sum(form->b, tile.nr, shared.sum_b);
  Form body;
  body.body = form->body;
  KernelRequest whole = shared_request("contract_kernel",
                                       shared.tile + " " + shared.pack_a + " " + shared.pack_b + " " + shared.sum_a +
                                           " " + shared.sum_b + "\n" + form->classes() + "\n" + body_text(body),
                                       target);
  whole.emit = [symbol = whole.symbol, form, shared, tile](mlir::ModuleOp module) {
    emit_contract_kernel(module, symbol, *form, shared, tile);
  };

  ContractPasses passes = make_contract_passes(*form, target.threads);
  std::vector<ContractLaunch> launches;
  for (size_t k = 0; k < passes.tasks.size(); ++k) {
    ContractLaunch launch;
    launch.kernel = whole;
    launch.shared = codes;
    launch.parameters = parameters_of(passes, k);
    launch.tables = {passes.table};
    if (passes.workspace > 0) launch.workspaces = {passes.workspace};
    launch.tasks = passes.tasks[k];
    launch.scratch = passes.scratch;
    launches.push_back(std::move(launch));
  }
  return launches;
}

}  // namespace tessera::codegen
