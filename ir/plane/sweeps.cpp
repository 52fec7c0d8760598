#include <tessera/ir/plane/sweeps.h>

#include <map>
#include <set>

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

// Which members' results other values follow from.
//
// The gradient of a plane follows from what the plane made through all layers behind it, and also past few ops, by what its
// own layer has of the forward pass. So the way back takes the first op and the last of those that are open in turns, goes
// no further back than the first member that is still to be found, and ends with the last: else each plane would walk over
// most of the program.
class Between {
 public:
  Between(const Plane& plane, const FreeOps& free) : plane_(plane), free_(free) {
    for (Operation* op : plane.ops)
      if (is_read_outside(plane, free, op->getResult(0))) read_.push_back(op);
  }

  llvm::ArrayRef<Value> behind(Value value) {
    Operation* from = value.getDefiningOp();
    if (!from || plane_.lists->is_member(from)) return {};
    const auto [known, is_new] = behind_.try_emplace(from);
    if (is_new) known->second = find(from);
    return known->second;
  }

 private:
  using Members = llvm::SmallVector<Value, 4>;

  Members find(Operation* from) const {
    Members found;
    auto missing = llvm::to_vector(
        llvm::make_filter_range(read_, [&](Operation* member) { return member->isBeforeInBlock(from); }));
    std::set<Operation*, InBlock> open = {from};
    llvm::DenseSet<Operation*> seen;
    for (bool takes_last = true; !open.empty() && !missing.empty(); takes_last = !takes_last) {
      Operation* op = open.extract(takes_last ? std::prev(open.end()) : open.begin()).value();
      if (op->isBeforeInBlock(missing.front())) continue;
      llvm::SmallVector<Value, 8> operands;
      add_bases(free_, op, operands);
      for (Value operand : operands) {
        Operation* maker = operand.getDefiningOp();
        if (!maker || !seen.insert(maker).second) continue;
        if (auto it = llvm::find(missing, maker); it != missing.end()) {
          missing.erase(it);
          found.push_back(operand);
        } else if (!plane_.lists->is_member(maker)) {
          open.insert(maker);
        }
      }
    }
    return found;
  }

  const Plane& plane_;
  const FreeOps& free_;
  llvm::SmallVector<Operation*, 8> read_;  // members that others read, in program order
  llvm::DenseMap<Operation*, Members> behind_;
};

class Sweeps {
 public:
  Sweeps(const Plane& plane, const FreeOps& free, Between& between, const Values& stored, Liberties take)
      : plane_(plane), free_(free), between_(between), stored_(stored), take_(take) {}

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
    return !plane_.spans(output) && !llvm::isa<tsr::ScatterOp>(output.getDefiningOp()) && !reaches_member(output);
  }
  bool reaches_member(Value output) const {
    return llvm::any_of(plane_.ops, [&](Operation* op) {
      llvm::SmallVector<Value, 8> operands;
      add_bases(free_, op, operands);
      return llvm::any_of(operands, [&](Value operand) {
        return operand == output || llvm::is_contained(between_.behind(operand), output);
      });
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
    llvm::sort(kernel.outputs, [](Value a, Value b) { return InBlock()(a.getDefiningOp(), b.getDefiningOp()); });
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
  Between& between_;
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

std::vector<PlaneKernel> plan_kernels(const Plane& plane, const FreeOps& free, const Values& stored) {
  Between between(plane, free);
  std::vector<PlaneKernel> fewest;
  for (const Liberties take : {Liberties{}, {.postpones = true}, {.repeats = true}, {true, true}}) {
    std::vector<PlaneKernel> kernels = Sweeps(plane, free, between, stored, take).run();
    if (fewest.empty() || kernels.size() < fewest.size()) fewest = std::move(kernels);
  }
  return fewest;
}

}  // namespace tessera::ir
