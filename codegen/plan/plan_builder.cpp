#include <tessera/codegen/plan/plan_builder.h>

#include <algorithm>

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <tessera/codegen/cpu/launch.h>
#include <tessera/codegen/plan/facts.h>
#include <tessera/core/error.h>

namespace tessera::codegen {

using namespace mlir;

PlanBuilder::PlanBuilder(ModuleOp module) {
  for (Operation& op : *module.getBody()) {
    if (auto found = dyn_cast<func::FuncOp>(op)) function_ = found;
  }
  check_internal(static_cast<bool>(function_), "a module to plan holds no function");
}

void PlanBuilder::visit_all(Plan& plan) {
  plan_ = &plan;
  storage_.emplace(function_, plan);
  for (Operation& op : function_.getBody().front()) visit(op);
}

void PlanBuilder::visit(Operation& op) {
  if (auto kernel = dyn_cast<fuse::KernelOp>(op)) return visit_kernel(kernel);
  if (auto cascade = dyn_cast<fuse::CascadeOp>(op)) return visit_cascade(cascade);
  if (auto library = dyn_cast<fuse::LibraryOp>(op)) return visit_library(library);
  if (auto literal = dyn_cast<arith::ConstantOp>(op))
    return storage_->place_constant(literal.getResult(), dense_bytes(cast<DenseElementsAttr>(literal.getValue())));
  if (isa<tensor::EmptyOp, func::ReturnOp>(op)) return;
  throw InternalError("no plan for " + op.getName().getStringRef().str());
}

void PlanBuilder::launch(PlanLaunch made, Operation& op) {
  made.ops = origins_of(op);
  if (made.what == PlanLaunch::What::kernel) made.types = types_of(op), made.moves = moves_of(op);
  plan_->scratch_bytes = std::max(plan_->scratch_bytes, made.scratch);
  plan_->launches.push_back(std::move(made));
}

void PlanBuilder::copy(int from, int to, Operation& op) {
  PlanLaunch made;
  made.what = PlanLaunch::What::copy;
  made.values = {from, to};
  made.reads = 1;
  made.bytes = 2 * plan_->values[static_cast<size_t>(to)].bytes;
  launch(std::move(made), op);
}

void PlanBuilder::copy_inits(Operation& op, std::optional<llvm::ArrayRef<int64_t>> init_of, ValueRange inits) {
  if (!init_of) return;
  for (auto [k, init] : llvm::enumerate(*init_of)) {
    if (init < 0) continue;
    Value old = inits[static_cast<unsigned>(init)];
    Value result = op.getResult(static_cast<unsigned>(k));
    if (old.getDefiningOp<tensor::EmptyOp>() || storage_->is_in_place(result)) continue;
    copy(storage_->id_of(old), storage_->id_of(result), op);
  }
}

std::vector<int> PlanBuilder::values_of(fuse::KernelOp kernel) {
  std::vector<int> values;
  for (Value input : kernel.getInputs()) values.push_back(storage_->id_of(input));
  for (Value result : kernel.getResults()) values.push_back(storage_->id_of(result));
  return values;
}

void PlanBuilder::add_checks(Block& body, PlanLaunch& made) {
  const int first = made.error_words;
  for (PlanCheck& check : index_checks(body)) {
    check.word += first;
    made.checks.push_back(std::move(check));
  }
  for (const ErrorSite& site : error_sites(body)) {
    made.error_words = first + site.first_word + 2 * (static_cast<int>(site.op->getNumOperands()) - 1);
  }
}

void PlanBuilder::note_writes(Block& body, PlanLaunch& made) {
  made.reads = static_cast<int>(body.getNumArguments());
  made.writes = writes_of(body);
  for (size_t k = 0; k < made.writes.size(); ++k)
    made.writes[k].value = made.values[static_cast<size_t>(made.reads) + k];
}

void PlanBuilder::measure(ValueRange inputs, ValueRange results, int64_t flops, PlanLaunch& made) {
  for (Value input : inputs) made.bytes += bytes_of_type(input.getType());
  for (Value result : results) made.bytes += bytes_of_type(result.getType());
  made.flops = flops;
}

}  // namespace tessera::codegen
