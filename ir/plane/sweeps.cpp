#include <tessera/ir/plane/sweeps.h>

#include <map>

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SetVector.h"

namespace tessera::ir {

using mlir::Operation;
using mlir::Value;

namespace {

// What may make kernels fewer.
struct Liberties {
  bool postpones = false;  // what nobody waits for is made as late as something else of its side
  bool repeats = false;    // what follows point by point from statistics is computed by each kernel that reads it
};

// What `op` reads, through free ops: members and what lies in memory.
void add_bases(const FreeOps& free, Operation* op, llvm::SmallVectorImpl<Value>& out) {
  for (Value operand : op->getOperands()) {
    Operation* from = operand.getDefiningOp();
    if (from && free.is_free(from)) add_bases(free, from, out);
    else if (!llvm::is_contained(out, operand)) out.push_back(operand);
  }
}

// Which members' results the other values follow from. A walk over all ops between the first member and the last, once for
// all ways to plan.
class Between {
 public:
  Between(const Plane& plane, const FreeOps& free, const OpOrder& order) {
    const int last = order.lookup(plane.ops.back());
    for (Operation* op = plane.ops.front(); op && order.lookup(op) <= last; op = op->getNextNode()) {
      if (plane.lists->is_member(op)) continue;
      llvm::SmallVector<Value, 8> operands;
      add_bases(free, op, operands);
      Members all;
      for (Value operand : operands) {
        if (plane.is_member(operand)) all.insert(operand);
        else if (auto known = behind_.find(operand); known != behind_.end())
          all.insert(known->second.begin(), known->second.end());
      }
      if (all.empty()) continue;
      for (Value result : op->getResults()) behind_[result] = all;
    }
  }

  llvm::ArrayRef<Value> behind(Value value) const {
    const auto known = behind_.find(value);
    return known == behind_.end() ? llvm::ArrayRef<Value>() : known->second.getArrayRef();
  }

 private:
  using Members = llvm::SmallSetVector<Value, 4>;
  llvm::DenseMap<Value, Members> behind_;
};

class Sweeps {
 public:
  Sweeps(const Plane& plane, const FreeOps& free, const OpOrder& order, const Between& between, const Values& stored,
         Liberties take)
      : plane_(plane), free_(free), order_(order), between_(between), stored_(stored), take_(take) {}

  std::vector<PlaneKernel> run() {
    find_needs();
    for (Operation* op : plane_.ops)
      if (is_read_outside(plane_, free_, op->getResult(0))) add_output(op->getResult(0));
    if (take_.postpones) postpone();
    // A kernel asks only earlier sweeps for more outputs.
    for (auto it = kernels_.rbegin(); it != kernels_.rend(); ++it) collect_members(it->second);
    std::vector<PlaneKernel> out;
    for (auto& [key, kernel] : kernels_) out.push_back(std::move(kernel));
    return out;
  }

 private:
  struct Need {
    int by[2] = {0, 0};   // the first sweep in which a kernel of this side can compute the value
    int from_memory = 0;  // the same with every statistic in memory
  };

  // In block order: operands come before their readers.
  void find_needs() {
    for (Operation* op : plane_.ops) {
      llvm::SmallVector<Value, 8> operands;
      add_bases(free_, op, operands);
      need_[op->getResult(0)] = need_of(op, operands);
    }
  }

  // The first sweep that may read a value which is no member.
  int after(Value value) const {
    int first = 0;
    for (Value member : between_.behind(value)) first = std::max(first, home(member) + 1);
    return first;
  }

  Need need_of(Operation* op, llvm::ArrayRef<Value> operands) {
    Need need;
    for (Side side : {Side::row, Side::column})
      for (Value operand : operands) {
        int first = after(operand);
        if (plane_.is_member(operand)) {
          const bool here =
              plane_.spans(operand) || (side_of(plane_, operand.getDefiningOp()) == side && !stored_.contains(operand));
          const int computed = need_.find(operand)->second.by[static_cast<int>(side)];
          first = here ? computed : home(operand) + 1;
          if (repeats(operand)) first = std::min(first, computed);
        }
        int& by = need.by[static_cast<int>(side)];
        by = std::max(by, first);
      }
    for (Value operand : operands) {
      int first = after(operand);
      if (plane_.is_member(operand))
        first = plane_.spans(operand) ? need_.find(operand)->second.from_memory : home(operand) + 1;
      need.from_memory = std::max(need.from_memory, first);
    }
    // A softmax holds statistics of its own.
    if (llvm::isa<tsr::SoftmaxOp>(op)) {
      const Side side = side_of(plane_, op);
      const int own = need.by[static_cast<int>(side)];
      need.from_memory = std::max(need.from_memory, own + 1);
      int& across = need.by[static_cast<int>(other(side))];
      across = std::max(across, own + 1);
    }
    return need;
  }

  // The sweep of the kernel that writes a member, if one must.
  int home(Value value) const {
    const Need& need = need_.find(value)->second;
    const bool at_points = plane_.spans(value) || llvm::isa<tsr::ScatterOp>(value.getDefiningOp());
    return at_points ? need.from_memory : need.by[static_cast<int>(side_of(plane_, value.getDefiningOp()))];
  }

  void add_output(Value value) {
    const Side side = plane_.spans(value) ? Side::row : side_of(plane_, value.getDefiningOp());
    PlaneKernel& kernel = kernels_[{home(value), static_cast<int>(side)}];
    kernel.side = side;
    kernel.sweep = home(value);
    if (!llvm::is_contained(kernel.outputs, value)) kernel.outputs.push_back(value);
  }

  // What nobody waits for goes to the next kernel of its side, which has the scores anyway. Sums over batches and in
  // tables stay, because a kernel makes those of one kind.
  void postpone() {
    for (auto it = kernels_.begin(); it != kernels_.end();) {
      auto& [key, kernel] = *it;
      auto later = std::find_if(std::next(it), kernels_.end(),
                                [&](const auto& other) { return other.first.second == key.second; });
      if (later == kernels_.end() || !llvm::all_of(kernel.outputs, [&](Value output) { return may_wait(output); })) {
        ++it;
        continue;
      }
      later->second.outputs.append(kernel.outputs);
      it = kernels_.erase(it);
    }
  }
  bool may_wait(Value output) const {
    Operation* op = output.getDefiningOp();
    llvm::DenseSet<Operation*> seen;
    return !plane_.spans(output) && !llvm::isa<tsr::ScatterOp>(op) && !reaches_member(op, seen);
  }
  bool reaches_member(Operation* op, llvm::DenseSet<Operation*>& seen) const {
    const int last = order_.lookup(plane_.ops.back());
    return llvm::any_of(op->getUsers(), [&](Operation* user) {
      if (plane_.lists->is_member(user)) return true;
      auto at = order_.find(user);
      return at != order_.end() && at->second < last && seen.insert(user).second && reaches_member(user, seen);
    });
  }

  void collect_members(PlaneKernel& kernel) {
    llvm::DenseSet<Operation*> seen;
    llvm::SmallVector<Value, 16> work(kernel.outputs.begin(), kernel.outputs.end());
    while (!work.empty()) {
      Operation* op = work.pop_back_val().getDefiningOp();
      if (!seen.insert(op).second) continue;
      llvm::SmallVector<Value, 8> operands;
      add_bases(free_, op, operands);
      for (Value operand : operands) {
        if (!plane_.is_member(operand)) continue;
        if (plane_.spans(operand) || is_computed_in(kernel, operand) || is_repeated_in(kernel, operand))
          work.push_back(operand);
        else add_output(operand);
      }
    }
    for (Operation* op : plane_.ops)
      if (seen.contains(op)) kernel.members.push_back(op);
    llvm::sort(kernel.outputs,
               [&](Value a, Value b) { return order_.lookup(a.getDefiningOp()) < order_.lookup(b.getDefiningOp()); });
  }

  bool is_computed_in(const PlaneKernel& kernel, Value value) const {
    if (side_of(plane_, value.getDefiningOp()) != kernel.side || stored_.contains(value)) return false;
    return home(value) == kernel.sweep || (home(value) < kernel.sweep && waits_with_reader(value));
  }
  // An accumulation, or what follows from one, that only this kernel's results are made of: postponed with those.
  bool waits_with_reader(Value value) const {
    Operation* op = value.getDefiningOp();
    if (plane_.spans(value) || is_read_outside(plane_, free_, value)) return false;
    return llvm::isa<tsr::ContractOp>(op) || (is_elementwise(op) && llvm::any_of(op->getOperands(), [&](Value from) {
                                                return plane_.is_member(from) && waits_with_reader(from);
                                              }));
  }

  bool repeats(Value value) const {
    return take_.repeats && is_elementwise(value.getDefiningOp()) && !plane_.spans(value) && !stored_.contains(value);
  }
  // Where no kernel writes it early enough anyway.
  bool is_repeated_in(const PlaneKernel& kernel, Value value) const {
    return repeats(value) && need_.find(value)->second.by[static_cast<int>(kernel.side)] <= kernel.sweep &&
           (home(value) >= kernel.sweep ||
            !kernels_.contains({home(value), static_cast<int>(side_of(plane_, value.getDefiningOp()))}));
  }

  const Plane& plane_;
  const FreeOps& free_;
  const OpOrder& order_;
  const Between& between_;
  const Values& stored_;
  const Liberties take_;
  llvm::DenseMap<Value, Need> need_;                    // of members
  std::map<std::pair<int, int>, PlaneKernel> kernels_;  // by sweep and side
};

}  // namespace

Side side_of(const Plane& plane, Operation* member) {
  if (llvm::isa<tsr::ReduceOp, tsr::ContractOp, tsr::LogSumExpOp>(member))
    return plane.ends_on(Side::row, member) ? Side::row : Side::column;
  if (auto softmax = llvm::dyn_cast<tsr::SoftmaxOp>(member)) {
    const AtomLists& dims = plane.lists->of(softmax.getY());
    const AtomList along = plane.lists->expanded(dims[static_cast<size_t>(softmax.getDim())]);
    return llvm::is_contained(plane.columns, along.front()) ? Side::row : Side::column;
  }
  return plane.is_on(Side::row, member->getResult(0)) ? Side::row : Side::column;
}

bool is_read_outside(const Plane& plane, const FreeOps& free, Value value) {
  return llvm::any_of(value.getUsers(), [&](Operation* user) {
    if (plane.lists->is_member(user)) return false;
    return free.is_free(user) ? is_read_outside(plane, free, user->getResult(0)) : true;
  });
}

std::vector<PlaneKernel> plan_kernels(const Plane& plane, const FreeOps& free, const OpOrder& order,
                                      const Values& stored) {
  const Between between(plane, free, order);
  std::vector<PlaneKernel> fewest;
  for (const Liberties take : {Liberties{}, {.postpones = true}, {.repeats = true}, {true, true}}) {
    std::vector<PlaneKernel> kernels = Sweeps(plane, free, order, between, stored, take).run();
    if (fewest.empty() || kernels.size() < fewest.size()) fewest = std::move(kernels);
  }
  return fewest;
}

}  // namespace tessera::ir
