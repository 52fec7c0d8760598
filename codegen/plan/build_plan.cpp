#include <tessera/codegen/plan/build_plan.h>

#include <algorithm>
#include <map>

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"

#include <tessera/codegen/cpu/cascade.h>
#include <tessera/codegen/cpu/contract.h>
#include <tessera/codegen/cpu/key.h>
#include <tessera/codegen/cpu/launch.h>
#include <tessera/codegen/cpu/rows.h>
#include <tessera/codegen/plan/facts.h>
#include <tessera/codegen/plan/group_launches.h>
#include <tessera/codegen/plan/lifetimes.h>
#include <tessera/codegen/plan/plan_builder.h>
#include <tessera/core/error.h>
#include <tessera/core/fault.h>
#include <tessera/ir/fuse/Fuse.h>

namespace tessera::codegen {

using namespace mlir;

namespace {

class Builder : public PlanBuilder {
 public:
  using PlanBuilder::PlanBuilder;

  Planned build() {
    visit_all(plan());
    group_launches(plan());
    keep_arguments_until_checked(plan());
    place_arena(plan());
    return std::move(result_);
  }

 private:
  Plan& plan() { return result_.plan; }

  void visit_library(fuse::LibraryOp op) override {
    PlanLaunch made;
    made.what = PlanLaunch::What::library;
    made.library = op.getName().str();
    for (Value input : op.getInputs()) made.values.push_back(storage().id_of(input));
    made.reads = static_cast<int>(made.values.size());
    made.values.push_back(storage().id_of(op.getResult()));
    std::vector<int> origins = origins_of(*op);
    made.writes = {{made.values.back(), origins.empty() ? -1 : origins.back(),
                    cast<RankedTensorType>(op.getResult().getType()).getNumElements()}};
    made.parameters = library_parameters(op);
    const bool in_place = made.values.front() == made.values.back();  // then most of it stays as it is
    for (int value : made.values)
      if (!in_place || value != made.values.front()) made.bytes += plan().values[static_cast<size_t>(value)].bytes;
    if (op.getName() == "scatter") {
      made.error_words = 2;
      made.checks = {library_check(op)};
    }
    launch(std::move(made), *op);
  }

  void visit_kernel(fuse::KernelOp kernel) override {
    std::vector<int> values = values_of(kernel);
    copy_inits(*kernel, kernel.getInitOf(), kernel.getInits());
    if (holds_contract(kernel)) return launch_contract(kernel, values);
    launch_rows(kernel, values, *kernel, "");
  }

  int kernel_number(KernelRequest request, const std::string& name, const std::string& kind) {
    auto [found, fresh] = kernel_of_key_.try_emplace(request.key, static_cast<int>(plan().kernels.size()));
    if (fresh) {
      plan().kernels.push_back({request.key, request.symbol, name, kind});
      result_.kernels.push_back(std::move(request));
    }
    return found->second;
  }

  void launch_contract(fuse::KernelOp kernel, const std::vector<int>& values) {
    std::vector<ContractLaunch> parts = lower_contract(kernel, host_target());
    std::vector<int> tables, workspaces;  // the same for every part
    for (ContractLaunch& part : parts) {
      PlanLaunch made;
      for (KernelRequest& shared : part.shared) kernel_number(std::move(shared), kernel.getName().str(), "routine");
      made.kernel = kernel_number(std::move(part.kernel), kernel.getName().str(), "contract");
      for (size_t k = tables.size(); k < part.tables.size(); ++k) {
        tables.push_back(table(std::move(part.tables[k])));
      }
      for (size_t k = workspaces.size(); k < part.workspaces.size(); ++k) {
        workspaces.push_back(storage().temporary(part.workspaces[k], "workspace"));
      }
      made.values = values;
      if (&part == &parts.back()) note_writes(kernel.getBody().front(), made);  // complete when all parts have run
      made.values.insert(made.values.end(), tables.begin(), tables.end());
      made.values.insert(made.values.end(), workspaces.begin(), workspaces.end());
      made.values.push_back(-1);  // error words
      made.parameters = std::move(part.parameters);
      made.tasks = part.tasks;
      made.scratch = part.scratch;
      add_checks(kernel.getBody().front(), made);
      if (&part == &parts.front()) measure(kernel.getInputs(), kernel.getResults(), flops_of(kernel), made);
      launch(std::move(made), *kernel);
    }
  }

  void visit_cascade(fuse::CascadeOp cascade) override {
    copy_inits(*cascade, cascade.getInitOf(), cascade.getInits());
    CascadeLaunch lowered = lower_cascade(cascade, host_target());
    const std::string name = cascade.getName().str();
    PlanLaunch made;
    for (Block* body : lowered.bodies) add_checks(*body, made);
    for (KernelRequest& shared : lowered.shared) kernel_number(std::move(shared), name, "routine");
    made.kernel = kernel_number(std::move(lowered.kernel), name, "cascade");
    for (Value input : cascade.getInputs()) made.values.push_back(storage().id_of(input));
    for (Value result : cascade.getResults()) made.values.push_back(storage().id_of(result));
    made.values.push_back(table(std::move(lowered.table)));
    if (lowered.workspace > 0) made.values.push_back(storage().temporary(lowered.workspace, "workspace"));
    made.values.push_back(-1);  // error words
    made.parameters = std::move(lowered.parameters);
    made.tasks = lowered.tasks;
    made.scratch = lowered.scratch;
    PlanLaunch merging = made;
    measure(cascade.getInputs(), cascade.getResults(), flops_of(cascade), made);
    const bool is_split = lowered.merging_tasks > 0;
    if (!is_split) note_writes(cascade.getBody().front(), made);
    launch(std::move(made), *cascade);
    if (!is_split) return;
    merging.parameters = std::move(lowered.merging);
    merging.tasks = lowered.merging_tasks;
    note_writes(cascade.getBody().front(), merging);  // complete when all parts are merged
    launch(std::move(merging), *cascade);
  }

  // Equal tables once: the layers of a model have the same.
  int table(std::vector<int64_t> words) {
    auto [found, fresh] = value_of_table_.try_emplace(std::move(words), 0);
    const std::vector<int64_t>& kept = found->first;
    const std::string_view bytes(reinterpret_cast<const char*>(kept.data()), kept.size() * sizeof(int64_t));
    if (fresh) found->second = storage().constant(bytes, "table");
    return found->second;
  }

  void launch_rows(fuse::KernelOp kernel, std::vector<int> values, Operation& at, const std::string& kind) {
    auto form = std::make_shared<Form>(make_form(kernel, host_target().lanes));
    auto stages = std::make_shared<Stages>(make_stages(*form));
    Cut cut = make_cut(*form, *stages);
    KernelRequest request;
    request.key = row_kernel_key(*form, host_target());
    request.symbol = symbol_of(form->name, request.key);
    request.emit = [form, stages, symbol = request.symbol](ModuleOp module) {
      emit_rows(module, symbol, *form, *stages, host_target().lanes);
    };
    PlanLaunch made;
    std::vector<int> partials;
    for (size_t k = 0; k < stages->columns.size(); ++k) {
      Type type = stages->columns[k].reduce->getResult(0).getType();
      int64_t element = std::max<int64_t>(1, type.getIntOrFloatBitWidth() / 8);
      partials.push_back(storage().temporary(cut.tasks * cut.column_elements[k] * element, "partial"));
    }
    bool rows_reduced = llvm::any_of(stages->nests, [](const Nest& nest) { return !nest.reduces.empty(); });
    made.kernel = kernel_number(std::move(request), form->name,
                                !kind.empty()       ? kind
                                : !partials.empty() ? "column"
                                : rows_reduced      ? "row"
                                                    : "pointwise");
    made.values = values;
    note_writes(kernel.getBody().front(), made);
    made.values.insert(made.values.end(), partials.begin(), partials.end());
    made.values.push_back(-1);
    made.parameters = make_parameters(*form, *stages, cut);
    made.tasks = cut.tasks;
    made.scratch = cut.scratch_bytes;
    add_checks(*form->body, made);
    measure(kernel.getInputs(), kernel.getResults(), flops_of(kernel), made);
    // Results of column reductions come from the launches below.
    Operation* yield = form->body->getTerminator();
    for (unsigned k = 0; k < yield->getNumOperands(); ++k) {
      if (column_of(*stages, yield->getOperand(k)) >= 0) made.values[form->in.size() + k] = -1;
    }
    std::erase_if(made.writes, [&](const PlanWrite& write) { return !llvm::is_contained(made.values, write.value); });
    launch(std::move(made), at);
    for (unsigned k = 0; k < yield->getNumOperands(); ++k) {
      int column = column_of(*stages, yield->getOperand(k));
      if (column >= 0) finish_column(*form, *stages, cut, column, k, partials[static_cast<size_t>(column)], values, at);
    }
  }

  static int column_of(const Stages& stages, Value value) {
    for (size_t k = 0; k < stages.columns.size(); ++k) {
      if (stages.columns[k].reduce == value.getDefiningOp()) return static_cast<int>(k);
    }
    return -1;
  }

  static std::string symbol_of(const std::string& name, const std::string& key) {
    std::string clean;
    for (char c : name) clean += llvm::isAlnum(c) ? c : '_';
    return clean.substr(0, 40) + "_" + key.substr(0, 16);
  }

  // Adds up the partial results of the tasks: a row kernel over [kept dims, tasks], in the order of tasks.
  void finish_column(const Form& form, const Stages& stages, const Cut& cut, int column, unsigned result, int partial,
                     const std::vector<int>& values, Operation& at) {
    const Column& facts = stages.columns[static_cast<size_t>(column)];
    MLIRContext* context = function().getContext();
    OpBuilder b(context);
    Location loc = facts.reduce->getLoc();
    result_.extra.push_back(ModuleOp::create(loc));
    b.setInsertionPointToEnd(result_.extra.back()->getBody());
    Type element = facts.reduce->getResult(0).getType();
    std::vector<int64_t> dims, in_strides, out_strides;
    int64_t step = cut.column_elements[static_cast<size_t>(column)];
    int64_t elements = step;
    for (int d = 0; d < form.dims(); ++d) {
      if (!has(facts.kept, d)) continue;
      auto i = static_cast<size_t>(d);
      step /= std::max<int64_t>(1, form.extent[i]);
      dims.push_back(form.extent[i]);
      in_strides.push_back(step);
      out_strides.push_back(form.out[result].stride[i]);
    }
    int64_t kept = static_cast<int64_t>(dims.size());
    dims.push_back(planted(Fault::column_part_lost) ? 1 : cut.tasks);
    in_strides.push_back(elements);
    auto map = [&](int64_t base, ArrayRef<int64_t> strides) {
      AffineExpr sum = b.getAffineConstantExpr(base);
      for (auto [d, stride] : llvm::enumerate(strides))
        sum = sum + b.getAffineDimExpr(static_cast<unsigned>(d)) * stride;
      return AffineMap::get(static_cast<unsigned>(dims.size()), 0, sum, context);
    };
    auto in_type = RankedTensorType::get({cut.tasks * elements}, element);
    auto out_type = cast<RankedTensorType>(cast<fuse::KernelOp>(form.body->getParentOp()).getResult(result).getType());
    Value source = tensor::EmptyOp::create(b, loc, in_type.getShape(), element);
    auto kernel = fuse::KernelOp::create(
        b, loc, TypeRange{out_type}, b.getStringAttr(form.name + "_sum"), b.getDenseI64ArrayAttr(dims),
        b.getI64IntegerAttr(kept), ValueRange{source}, b.getAffineMapArrayAttr({map(0, in_strides)}), ValueRange{},
        DenseI64ArrayAttr(), b.getAffineMapArrayAttr({map(form.out[result].base, out_strides)}));
    Block& body = kernel.getBody().emplaceBlock();
    body.addArgument(element, loc);
    b.setInsertionPointToEnd(&body);
    auto reduce = cast<fuse::ReduceOp>(facts.reduce);
    Value total =
        fuse::ReduceOp::create(b, loc, element, reduce.getKind(), body.getArgument(0), b.getDenseI64ArrayAttr({kept}));
    fuse::YieldOp::create(b, loc, ValueRange{total});
    launch_rows(kernel, {partial, values[form.in.size() + result]}, at, "row");
  }

  Planned result_;
  std::map<std::string, int> kernel_of_key_;
  std::map<std::vector<int64_t>, int> value_of_table_;
};

}  // namespace

Planned build_plan(ModuleOp module) { return Builder(module).build(); }

}  // namespace tessera::codegen
