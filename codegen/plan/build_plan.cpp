#include <tessera/codegen/plan/build_plan.h>

#include <algorithm>
#include <map>

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/EquivalenceClasses.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"

#include <tessera/codegen/cpu/cascade.h>
#include <tessera/codegen/cpu/contract.h>
#include <tessera/codegen/cpu/key.h>
#include <tessera/codegen/cpu/rows.h>
#include <tessera/codegen/plan/arena.h>
#include <tessera/codegen/plan/facts.h>
#include <tessera/codegen/plan/group_launches.h>
#include <tessera/core/error.h>
#include <tessera/core/fault.h>
#include <tessera/ir/fuse/Fuse.h>

namespace tessera::codegen {

using namespace mlir;

namespace {

class Builder {
 public:
  explicit Builder(ModuleOp module) {
    for (Operation& op : *module.getBody()) {
      if (auto found = dyn_cast<func::FuncOp>(op)) function_ = found;
    }
    check_internal(static_cast<bool>(function_), "a module to plan holds no function");
  }

  Planned build() {
    number_ops();
    share_inits();
    place_interface();
    for (Operation& op : function_.getBody().front()) visit(op);
    group_launches(plan());
    keep_arguments_until_checked();
    place_arena();
    return std::move(result_);
  }

 private:
  Plan& plan() { return result_.plan; }
  static int64_t bytes_of_type(Type type) {
    auto tensor = cast<RankedTensorType>(type);
    return tensor.getNumElements() * std::max<int64_t>(1, tensor.getElementType().getIntOrFloatBitWidth() / 8);
  }

  // ---- order and lifetimes, by op ----

  void number_ops() {
    int at = 0;
    for (Operation& op : function_.getBody().front()) {
      order_[&op] = at;
      for (Value operand : op.getOperands()) last_use_[operand] = at;
      ++at;
    }
    terminator_ = function_.getBody().front().getTerminator();
  }

  // A result with an init takes over its storage when nobody needs the old value afterwards.
  void share_inits() {
    for (auto kernel : function_.getOps<fuse::KernelOp>()) {
      auto of = kernel.getInitOf();
      if (!of) continue;
      for (auto [k, init] : llvm::enumerate(*of)) {
        if (init < 0) continue;
        Value old = kernel.getInits()[static_cast<unsigned>(init)];
        bool dies = last_use_.lookup(old) == order_.lookup(kernel) && old.getDefiningOp<fuse::KernelOp>();
        bool once = llvm::count(*of, init) == 1;
        if (dies && once) owner_[kernel.getResult(static_cast<unsigned>(k))] = old;
      }
    }
    for (auto library : function_.getOps<fuse::LibraryOp>()) {
      if (!writes_over_first(library)) continue;
      Value old = library.getInputs().front();
      if (last_use_.lookup(old) == order_.lookup(library) && llvm::count(library.getInputs(), old) == 1 &&
          isa_and_present<fuse::KernelOp, fuse::LibraryOp>(old.getDefiningOp()))
        owner_[library.getResult()] = old;
    }
  }
  // Its result is its first operand but for a few elements, and it can work in place.
  static bool writes_over_first(fuse::LibraryOp op) {
    return op.getName() == "scatter" || op.getName() == "dynamic_update_slice";
  }
  Value owner(Value value) const {
    for (auto found = owner_.find(value); found != owner_.end(); found = owner_.find(value)) value = found->second;
    return value;
  }

  // ---- values ----

  int add_value(PlanValue value) {
    plan().values.push_back(std::move(value));
    return static_cast<int>(plan().values.size()) - 1;
  }

  static std::string text_of(Type type) {
    std::string text;
    llvm::raw_string_ostream(text) << type;
    return text;
  }

  void place_interface() {
    for (BlockArgument argument : function_.getArguments()) {
      PlanValue value;
      value.place = Place::argument;
      value.number = static_cast<int>(argument.getArgNumber());
      value.bytes = bytes_of_type(argument.getType());
      value.type = text_of(argument.getType());
      int id = add_value(value);
      id_[argument] = id;
      plan().arguments.push_back(id);
    }
    for (auto [k, returned] : llvm::enumerate(terminator_->getOperands())) {
      Value root = owner(returned);
      plan().donor.push_back(-1);
      auto donor = function_.getResultAttrOfType<IntegerAttr>(static_cast<unsigned>(k), "tsr.donor");
      if (!id_.count(root)) {
        PlanValue value;
        value.place = Place::result;
        value.number = static_cast<int>(k);
        value.bytes = bytes_of_type(returned.getType());
        value.type = text_of(returned.getType());
        id_[root] = add_value(value);
        if (donor && may_donate(returned, function_.getArgument(static_cast<unsigned>(donor.getInt())))) {
          plan().donor[k] = static_cast<int>(donor.getInt());
        }
      }
      plan().results.push_back(id_[root]);
    }
  }

  // May the result be written into the argument's buffer? Every other read of the argument must come before the op
  // that writes, and that op itself must read each element no later than it writes it.
  bool may_donate(Value returned, BlockArgument argument) {
    if (bytes_of_type(returned.getType()) != bytes_of_type(argument.getType())) return false;
    Value root = owner(returned);
    Operation* writer = root.getDefiningOp();
    if (!isa_and_present<fuse::KernelOp, fuse::LibraryOp>(writer)) return false;
    if (!planted(Fault::donated_too_early) && last_use_.lookup(argument) > order_.lookup(writer)) return false;
    for (Value other : terminator_->getOperands()) {
      if (other == argument) return false;
    }
    // Nobody else may have been promised this buffer.
    for (size_t k = 0; k < plan().donor.size(); ++k) {
      if (plan().donor[k] == static_cast<int>(argument.getArgNumber())) return false;
    }
    if (auto library = dyn_cast<fuse::LibraryOp>(writer)) {
      int64_t reads = llvm::count(library.getInputs(), argument);
      return reads == 0 || (reads == 1 && writes_over_first(library) && library.getInputs().front() == argument);
    }
    auto kernel = cast<fuse::KernelOp>(writer);
    bool is_init = llvm::is_contained(kernel.getInits(), argument);
    bool read = llvm::is_contained(kernel.getInputs(), argument);
    if (!read) return true;
    int out = static_cast<int>(cast<OpResult>(root).getResultNumber());
    if (holds_contract(kernel)) {
      for (auto [k, input] : llvm::enumerate(kernel.getInputs())) {
        if (input == argument && !contract_may_share(kernel, static_cast<int>(k), out)) return false;
      }
      return true;
    }
    Form form = make_form(kernel, host_target().lanes);
    Stages stages = make_stages(form);
    for (auto [k, input] : llvm::enumerate(kernel.getInputs())) {
      if (input == argument && !is_init && !may_share(form, stages, static_cast<int>(k), out)) return false;
    }
    return true;
  }

  static bool holds_contract(fuse::KernelOp kernel) {
    return !kernel.getBody().front().getOps<fuse::ContractOp>().empty();
  }

  int id_of(Value value) {
    Value root = owner(value);
    auto found = id_.find(root);
    if (found != id_.end()) return found->second;
    PlanValue made;
    made.bytes = bytes_of_type(root.getType());
    made.type = text_of(root.getType());
    return id_[root] = add_value(made);
  }

  int temporary(int64_t bytes, std::string type) {
    PlanValue made;
    made.bytes = bytes;
    made.type = std::move(type);
    return add_value(made);
  }

  int constant(std::string_view bytes, std::string type) {
    std::string& all = plan().constants;
    all.resize((all.size() + 63) / 64 * 64);
    PlanValue made;
    made.place = Place::constant;
    made.offset = static_cast<int64_t>(all.size());
    made.bytes = static_cast<int64_t>(bytes.size());
    made.type = std::move(type);
    all += bytes;
    return add_value(made);
  }

  // ---- ops ----

  void visit(Operation& op) {
    if (auto kernel = dyn_cast<fuse::KernelOp>(op)) return visit_kernel(kernel);
    if (auto cascade = dyn_cast<fuse::CascadeOp>(op)) return visit_cascade(cascade);
    if (auto library = dyn_cast<fuse::LibraryOp>(op)) return visit_library(library);
    if (auto literal = dyn_cast<arith::ConstantOp>(op)) return visit_constant(literal);
    if (isa<tensor::EmptyOp, func::ReturnOp>(op)) return;
    throw InternalError("no plan for " + op.getName().getStringRef().str());
  }

  void visit_constant(arith::ConstantOp op) {
    std::string bytes = dense_bytes(cast<DenseElementsAttr>(op.getValue()));
    id_[op.getResult()] = constant(bytes, text_of(op.getType()));
  }

  void launch(PlanLaunch made, Operation& op) {
    made.ops = origins_of(op);
    if (plan().scratch_bytes < made.scratch) plan().scratch_bytes = made.scratch;
    plan().launches.push_back(std::move(made));
  }

  void copy(int from, int to, Operation& op) {
    PlanLaunch made;
    made.what = PlanLaunch::What::copy;
    made.values = {from, to};
    made.reads = 1;
    made.bytes = 2 * plan().values[static_cast<size_t>(to)].bytes;
    launch(std::move(made), op);
  }

  void visit_library(fuse::LibraryOp op) {
    PlanLaunch made;
    made.what = PlanLaunch::What::library;
    made.library = op.getName().str();
    for (Value input : op.getInputs()) made.values.push_back(id_of(input));
    made.reads = static_cast<int>(made.values.size());
    made.values.push_back(id_of(op.getResult()));
    std::vector<int> origins = origins_of(*op);
    made.writes = {{made.values.back(), origins.empty() ? -1 : origins.back()}};
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

  void visit_kernel(fuse::KernelOp kernel) {
    std::vector<int> values;
    for (Value input : kernel.getInputs()) values.push_back(id_of(input));
    for (Value result : kernel.getResults()) values.push_back(id_of(result));
    copy_inits(kernel);
    if (holds_contract(kernel)) return launch_contract(kernel, values);
    launch_rows(kernel, values, *kernel, "");
  }

  // What keeps its old elements elsewhere must hold them first.
  void copy_inits(fuse::KernelOp kernel) {
    auto of = kernel.getInitOf();
    if (!of) return;
    for (auto [k, init] : llvm::enumerate(*of)) {
      if (init < 0) continue;
      Value old = kernel.getInits()[static_cast<unsigned>(init)];
      Value result = kernel.getResult(static_cast<unsigned>(k));
      if (old.getDefiningOp<tensor::EmptyOp>() || owner_.count(result)) continue;
      copy(id_of(old), id_of(result), *kernel);
    }
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
        tables.push_back(constant(bytes_of_table(part.tables[k]), "table"));
      }
      for (size_t k = workspaces.size(); k < part.workspaces.size(); ++k) {
        workspaces.push_back(temporary(part.workspaces[k], "workspace"));
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

  void visit_cascade(fuse::CascadeOp cascade) {
    CascadeLaunch lowered = lower_cascade(cascade, host_target());
    const std::string name = cascade.getName().str();
    PlanLaunch made;
    for (Block* body : lowered.bodies) add_checks(*body, made);
    for (KernelRequest& shared : lowered.shared) kernel_number(std::move(shared), name, "routine");
    made.kernel = kernel_number(std::move(lowered.kernel), name, "cascade");
    for (Value input : cascade.getInputs()) made.values.push_back(id_of(input));
    for (Value result : cascade.getResults()) made.values.push_back(id_of(result));
    made.values.push_back(constant(bytes_of_table(lowered.table), "table"));
    made.values.push_back(-1);  // error words
    made.parameters = std::move(lowered.parameters);
    made.tasks = lowered.tasks;
    made.scratch = lowered.scratch;
    note_writes(cascade.getBody().front(), made);
    measure(cascade.getInputs(), cascade.getResults(), flops_of(cascade), made);
    launch(std::move(made), *cascade);
  }

  static std::string_view bytes_of_table(const std::vector<int64_t>& table) {
    return {reinterpret_cast<const char*>(table.data()), table.size() * sizeof(int64_t)};
  }

  // Words of a body's sites, behind those that are there.
  static void add_checks(Block& body, PlanLaunch& made) {
    const int first = made.error_words;
    for (PlanCheck& check : index_checks(body)) {
      check.word += first;
      made.checks.push_back(std::move(check));
    }
    for (const ErrorSite& site : error_sites(body)) {
      made.error_words = first + site.first_word + 2 * (static_cast<int>(site.op->getNumOperands()) - 1);
    }
  }

  static void note_writes(Block& body, PlanLaunch& made) {
    made.reads = static_cast<int>(body.getNumArguments());
    made.writes = writes_of(body);
    for (size_t k = 0; k < made.writes.size(); ++k)
      made.writes[k].value = made.values[static_cast<size_t>(made.reads) + k];
  }

  static void measure(ValueRange inputs, ValueRange results, int64_t flops, PlanLaunch& made) {
    for (Value input : inputs) made.bytes += bytes_of_type(input.getType());
    for (Value result : results) made.bytes += bytes_of_type(result.getType());
    made.flops = flops;
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
      partials.push_back(temporary(cut.tasks * cut.column_elements[k] * element, "partial"));
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
    MLIRContext* context = function_.getContext();
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

  // A run that fails must not have touched its arguments: what is written before the last check is no donation.
  void keep_arguments_until_checked() {
    bool checked = false;
    for (size_t k = plan().launches.size(); k-- > 0;) {
      const PlanLaunch& one = plan().launches[k];
      checked |= !one.checks.empty();
      if (!checked) continue;
      for (int value : one.values) {
        if (value < 0 || plan().values[static_cast<size_t>(value)].place != Place::result) continue;
        plan().donor[static_cast<size_t>(plan().values[static_cast<size_t>(value)].number)] = -1;
      }
    }
  }

  // ---- the arena ----

  void place_arena() {
    auto& values = plan().values;
    std::vector<bool> seen(values.size(), false);
    const auto& launches = plan().launches;
    for (size_t begin = 0, end; begin < launches.size(); begin = end) {
      for (end = begin + 1; end < launches.size() && launches[end].joins;) ++end;
      for (size_t k = begin; k < end; ++k) {
        for (int value : launches[k].values) {
          if (value < 0) continue;
          PlanValue& facts = values[static_cast<size_t>(value)];
          if (!seen[static_cast<size_t>(value)]) facts.first = static_cast<int>(begin);
          seen[static_cast<size_t>(value)] = true;
          facts.last = static_cast<int>(end) - 1;
        }
      }
    }
    std::vector<Interval> intervals;
    std::vector<size_t> of;
    for (size_t k = 0; k < values.size(); ++k) {
      if (values[k].place != Place::arena) continue;
      intervals.push_back({values[k].first, values[k].last, values[k].bytes});
      of.push_back(k);
    }
    plan().arena_bytes = place_intervals(intervals);
    plan().peak_bytes = peak_live(intervals);
    for (size_t k = 0; k < of.size(); ++k) values[of[k]].offset = intervals[k].offset;
  }

  Planned result_;
  func::FuncOp function_;
  Operation* terminator_ = nullptr;
  llvm::DenseMap<Operation*, int> order_;
  llvm::DenseMap<Value, int> last_use_;
  llvm::DenseMap<Value, Value> owner_;  // result → init whose storage it takes over
  llvm::DenseMap<Value, int> id_;
  std::map<std::string, int> kernel_of_key_;
};

}  // namespace

Planned build_plan(ModuleOp module) { return Builder(module).build(); }

}  // namespace tessera::codegen
