#include <tessera/codegen/plan/storage.h>

#include "mlir/IR/BuiltinOps.h"

#include <tessera/codegen/cpu/contract.h>
#include <tessera/codegen/cpu/stages.h>
#include <tessera/codegen/plan/facts.h>
#include <tessera/core/fault.h>
#include <tessera/ir/fuse/Fuse.h>

namespace tessera::codegen {

using namespace mlir;

namespace {

std::string text_of(Type type) {
  std::string text;
  llvm::raw_string_ostream(text) << type;
  return text;
}

// Its result is its first operand but for a few elements, and it can work in place.
bool writes_over_first(fuse::LibraryOp op) {
  return op.getName() == "scatter" || op.getName() == "dynamic_update_slice";
}

}  // namespace

Storage::Storage(func::FuncOp function, Plan& plan)
    : function_(function), plan_(plan), terminator_(function.getBody().front().getTerminator()) {
  number_ops();
  share_inits();
  place_interface();
}

void Storage::number_ops() {
  int at = 0;
  for (Operation& op : function_.getBody().front()) {
    order_[&op] = at;
    for (Value operand : op.getOperands()) last_use_[operand] = at;
    ++at;
  }
}

// A result with an init takes over its storage when nobody needs the old value afterwards.
void Storage::share_inits() {
  for (Operation& op : function_.getBody().front()) {
    if (auto kernel = dyn_cast<fuse::KernelOp>(op)) share_inits_of(kernel);
    if (auto cascade = dyn_cast<fuse::CascadeOp>(op)) share_inits_of(cascade);
  }
  for (auto library : function_.getOps<fuse::LibraryOp>()) {
    if (!writes_over_first(library)) continue;
    Value old = library.getInputs().front();
    if (last_use_.lookup(old) == order_.lookup(library) && llvm::count(library.getInputs(), old) == 1 &&
        isa_and_present<fuse::KernelOp, fuse::LibraryOp>(old.getDefiningOp()))
      owner_[library.getResult()] = old;
  }
}

template <class KernelOp> void Storage::share_inits_of(KernelOp kernel) {
  auto of = kernel.getInitOf();
  if (!of) return;
  for (auto [k, init] : llvm::enumerate(*of)) {
    if (init == -1) continue;
    Value result = kernel.getResult(static_cast<unsigned>(k));
    if (init < -1) {  // one launch writes both
      owner_[result] = kernel.getResult(static_cast<unsigned>(-2 - init));
      continue;
    }
    Value old = kernel.getInits()[static_cast<unsigned>(init)];
    bool dies = last_use_.lookup(old) == order_.lookup(kernel) &&
                isa_and_present<fuse::KernelOp, fuse::CascadeOp>(old.getDefiningOp());
    bool once = llvm::count(*of, init) == 1;
    if (dies && once) owner_[result] = old;
  }
}

Value Storage::owner(Value value) const {
  for (auto found = owner_.find(value); found != owner_.end(); found = owner_.find(value)) value = found->second;
  return value;
}

int Storage::add_value(PlanValue value) {
  plan_.values.push_back(std::move(value));
  return static_cast<int>(plan_.values.size()) - 1;
}

void Storage::place_interface() {
  for (BlockArgument argument : function_.getArguments()) {
    PlanValue value;
    value.place = Place::argument;
    value.number = static_cast<int>(argument.getArgNumber());
    value.bytes = bytes_of_type(argument.getType());
    value.type = text_of(argument.getType());
    int id = add_value(value);
    id_[argument] = id;
    plan_.arguments.push_back(id);
  }
  for (auto [k, returned] : llvm::enumerate(terminator_->getOperands())) {
    Value root = owner(returned);
    plan_.donor.push_back(-1);
    auto donor = function_.getResultAttrOfType<IntegerAttr>(static_cast<unsigned>(k), "tsr.donor");
    if (!id_.count(root)) {
      PlanValue value;
      value.place = Place::result;
      value.number = static_cast<int>(k);
      value.bytes = bytes_of_type(returned.getType());
      value.type = text_of(returned.getType());
      id_[root] = add_value(value);
      if (donor && may_donate(returned, function_.getArgument(static_cast<unsigned>(donor.getInt())))) {
        plan_.donor[k] = static_cast<int>(donor.getInt());
      }
    }
    plan_.results.push_back(id_[root]);
  }
}

// May the result be written into the argument's buffer? Every other read of the argument must come before the op
// that writes, and that op itself must read each element no later than it writes it.
bool Storage::may_donate(Value returned, BlockArgument argument) {
  if (bytes_of_type(returned.getType()) != bytes_of_type(argument.getType())) return false;
  Value root = owner(returned);
  Operation* writer = root.getDefiningOp();
  if (!isa_and_present<fuse::KernelOp, fuse::LibraryOp>(writer)) return false;
  if (!planted(Fault::donated_too_early) && last_use_.lookup(argument) > order_.lookup(writer)) return false;
  for (Value other : terminator_->getOperands()) {
    if (other == argument) return false;
  }
  // Nobody else may have been promised this buffer.
  for (size_t k = 0; k < plan_.donor.size(); ++k) {
    if (plan_.donor[k] == static_cast<int>(argument.getArgNumber())) return false;
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

int Storage::id_of(Value value) {
  Value root = owner(value);
  auto found = id_.find(root);
  if (found != id_.end()) return found->second;
  PlanValue made;
  made.bytes = bytes_of_type(root.getType());
  made.type = text_of(root.getType());
  return id_[root] = add_value(made);
}

int Storage::temporary(int64_t bytes, std::string type) {
  PlanValue made;
  made.bytes = bytes;
  made.type = std::move(type);
  return add_value(made);
}

int Storage::constant(std::string_view bytes, std::string type) {
  std::string& all = plan_.constants;
  all.resize((all.size() + 63) / 64 * 64);
  PlanValue made;
  made.place = Place::constant;
  made.offset = static_cast<int64_t>(all.size());
  made.bytes = static_cast<int64_t>(bytes.size());
  made.type = std::move(type);
  all += bytes;
  return add_value(made);
}

void Storage::place_constant(Value value, std::string_view bytes) {
  id_[value] = constant(bytes, text_of(value.getType()));
}

}  // namespace tessera::codegen
