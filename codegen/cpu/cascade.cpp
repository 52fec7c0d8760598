#include <tessera/codegen/cpu/cascade.h>

#include <tessera/codegen/cpu/cascade_direct.h>
#include <tessera/codegen/cpu/cascade_launch.h>
#include <tessera/codegen/cpu/cascade_pieces.h>
#include <tessera/codegen/cpu/cascade_product.h>
#include <tessera/codegen/cpu/code.h>
#include <tessera/codegen/cpu/contract_launch.h>
#include <tessera/codegen/cpu/key.h>
#include <tessera/codegen/cpu/rows.h>
#include <tessera/ir/fuse/Fuse.h>

namespace tessera::codegen {

using namespace mlir;

namespace {

std::string text_of(Type type) {
  std::string text;
  llvm::raw_string_ostream(text) << type;
  return text;
}

// Functions that the kernel calls, and the requests that hold them.
class Shared {
 public:
  explicit Shared(const Target& target) : target_(target) {}

  void pack(const CascadeOperand& operand, Type sum, int r, int lanes) {
    KernelRequest request = pack_request(operand, sum, r, lanes, target_);
    const std::string base = request.symbol.substr(0, request.symbol.rfind('_'));
    for (const char* part : {"_copy", "_group", "_transpose", "_gather"}) symbols.push_back(base + part);
    requests.push_back(std::move(request));
  }

  // Where nothing is packed.
  void direct(Type storage, Type sum, RegisterTile tile, const char* part) {
    const std::string what = text_of(storage) + " " + text_of(sum) + " " + std::to_string(tile.lanes);
    KernelRequest request = shared_request("cascade_direct", what, target_);
    request.emit = [symbol = request.symbol, storage, sum, tile](ModuleOp module) {
      emit_cascade_direct(module, symbol, storage, sum, tile.lanes);
    };
    symbols.push_back(request.symbol + part);
    request.symbol += "_dots";
    requests.push_back(std::move(request));
  }

  void product(Type sum, RegisterTile tile, const char* part) {
    const std::string size = std::to_string(tile.mr) + "x" + std::to_string(tile.nr);
    KernelRequest request = shared_request("cascade_product", text_of(sum) + " " + size, target_);
    request.emit = [symbol = request.symbol, sum, tile](ModuleOp module) {
      emit_cascade_product(module, symbol, sum, tile);
    };
    symbols.push_back(request.symbol + part);
    request.symbol += "_panel";
    requests.push_back(std::move(request));
  }

  std::vector<std::string> symbols;
  std::vector<KernelRequest> requests;

 private:
  const Target& target_;
};

// The kernel hands the driver the addresses of all code that it needs.
void emit_entry(ModuleOp module, const std::string& symbol, const std::vector<std::string>& code) {
  Code c(OpBuilder::atBlockEnd(module.getBody()), UnknownLoc::get(module.getContext()), 1);
  auto nothing = LLVM::LLVMVoidType::get(module.getContext());
  auto opaque = LLVM::LLVMFunctionType::get(nothing, {});
  auto kernel_type = LLVM::LLVMFunctionType::get(nothing, {c.pointer(), c.pointer(), c.i64(), c.pointer()});
  auto driver_type =
      LLVM::LLVMFunctionType::get(nothing, {c.pointer(), c.pointer(), c.i64(), c.pointer(), c.pointer()});
  const char* driver = "tessera_cascade_task";
  LLVM::LLVMFuncOp::create(c.b, c.loc, driver, driver_type);
  for (const std::string& one : code) {
    if (!module.lookupSymbol(one)) LLVM::LLVMFuncOp::create(c.b, c.loc, one, opaque);
  }
  auto kernel = LLVM::LLVMFuncOp::create(c.b, c.loc, symbol, kernel_type);
  Block& entry = *kernel.addEntryBlock(c.b);
  c.b.setInsertionPointToStart(&entry);
  Value count = c.integer(static_cast<int64_t>(code.size()));
  Value list = LLVM::AllocaOp::create(c.b, c.loc, c.pointer(), c.pointer(), count, 8);
  for (size_t k = 0; k < code.size(); ++k) {
    Value address = LLVM::AddressOfOp::create(c.b, c.loc, c.pointer(), code[k]);
    c.store(address, c.offset(list, c.pointer(), c.integer(static_cast<int64_t>(k))));
  }
  SmallVector<Value> operands(entry.getArguments());
  operands.push_back(list);
  LLVM::CallOp::create(c.b, c.loc, driver_type, driver, operands);
  LLVM::ReturnOp::create(c.b, c.loc, ValueRange{});
}

}  // namespace

CascadeLaunch lower_cascade(fuse::CascadeOp cascade, const Target& target) {
  const CascadeForm form = read_cascade(cascade);
  const CascadeSizes sizes = cut_cascade(form, target);
  std::shared_ptr<CascadePieces> pieces = make_pieces(form, sizes);
  Shared shared(target);
  for (const CascadeScore& score : form.scores) {
    Type sum = score.contract->getResult(0).getType();
    const RegisterTile tile = cascade_tile(form, target, sum);
    shared.pack(score.row, sum, tile.mr, tile.lanes);
    shared.pack(score.stream, sum, tile.nr, tile.lanes);
    if (is_direct(form)) shared.direct(score.stream.storage, sum, tile, "_dots");
    else shared.product(sum, tile, "_panel");
  }
  for (const CascadeAccumulation& sums : form.accumulations) {
    Type sum = sums.contract->getResult(0).getType();
    const RegisterTile tile = cascade_tile(form, target, sum);
    shared.pack(sums.stream, sum, tile.nr, tile.lanes);
    if (is_direct(form)) shared.direct(sums.stream.storage, sum, tile, "_sums");
    else shared.product(sum, tile, "_rows");
  }

  CascadeLaunch launch;
  std::vector<const CascadePiece*> all;
  for (const CascadePiece& piece : pieces->tile) all.push_back(&piece);
  for (const CascadePiece& piece : pieces->finish) all.push_back(&piece);
  for (const CascadePiece& piece : pieces->merge) all.push_back(&piece);
  for (const CascadePiece& piece : pieces->table) all.push_back(&piece);
  for (const CascadePiece& piece : pieces->prologue) all.push_back(&piece);
  std::string text;
  for (const std::string& symbol : shared.symbols) text += symbol + "\n";
  for (const CascadePiece* piece : all) {
    text += kernel_class(piece->form) + "\n" + body_text(piece->form) + "\n";
    launch.bodies.push_back(piece->form.body);
  }
  launch.kernel = shared_request("cascade", text, target);
  std::vector<std::string> code = shared.symbols;
  for (size_t k = 0; k < all.size(); ++k) code.push_back(launch.kernel.symbol + "_piece" + std::to_string(k));
  launch.kernel.emit = [symbol = launch.kernel.symbol, pieces, all, code, lanes = target.lanes](ModuleOp module) {
    for (size_t k = 0; k < all.size(); ++k) {
      emit_rows(module, symbol + "_piece" + std::to_string(k), all[k]->form, all[k]->stages, lanes);
    }
    emit_entry(module, symbol, code);
  };
  launch.shared = std::move(shared.requests);
  CascadeNumbers numbers = number_cascade(form, *pieces, sizes, target);
  launch.parameters = std::move(numbers.parameters);
  launch.merging = std::move(numbers.merging);
  launch.table = std::move(numbers.table);
  launch.tasks = numbers.tasks, launch.merging_tasks = numbers.merging_tasks;
  launch.scratch = numbers.scratch, launch.workspace = numbers.workspace;
  return launch;
}

}  // namespace tessera::codegen
