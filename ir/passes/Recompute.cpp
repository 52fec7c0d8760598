#include "llvm/ADT/MapVector.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Remarks.h"

#include <tessera/ir/form/equality.h>
#include <tessera/ir/form/partition.h>
#include <tessera/ir/passes/Passes.h>
#include <tessera/ir/tsr/Tsr.h>

namespace tessera::ir {

#define GEN_PASS_DEF_RECOMPUTE
#include <tessera/ir/passes/Passes.h.inc>

namespace {

using mlir::Operation;
using mlir::Value;

constexpr size_t most_ops = 24;  // of one recomputed value: a few cycles an element, where a load and a store cost more

// What a kernel may spell by what else it computes (codegen/cuda/rows), and so in another way than the kernel before.
bool has_spellings(Operation* op) { return llvm::isa<tsr::ExpOp, tsr::TanhOp, tsr::SigmoidOp>(op); }

class RecomputePass : public impl::RecomputeBase<RecomputePass> {
  void runOnOperation() override {
    mlir::Block& block = getOperation().getBody().front();
    for (auto fold : block.getOps<tsr::FoldOp>()) give_own_copies(fold.getXMutable());
    FreeOps free(block);
    const std::vector<Group> groups = partition(block, free, /*fuse=*/true).groups;
    llvm::DenseMap<Operation*, const Group*> group_of;
    llvm::DenseSet<Value> stored;
    for (const Group& group : groups) {
      for (Operation* op : group.ops) group_of[op] = &group;
      if (stands_alone(group.ops.back())) stored.insert_range(group.ops.back()->getResults());
      else stored.insert(group.space.outputs.begin(), group.space.outputs.end());
    }
    for (const Group& group : groups) {
      for (Value output : group.space.outputs)  // in program order: the later ones then follow from less
        if (is_elementwise(output.getDefiningOp()) && whole_use_count(output, free) == 0)
          replace(output, group, group_of, stored, free);
      copies_.clear();
    }
  }

  // Of the few elementwise ops right before a fold that others read too, which would be written for its sake.
  static void give_own_copies(mlir::OpOperand& folded) {
    constexpr size_t most_copies = 4;
    llvm::SmallVector<mlir::OpOperand*, 4> work = {&folded};
    for (size_t copies = 0; !work.empty();) {
      mlir::OpOperand& use = *work.pop_back_val();
      Operation* op = use.get().getDefiningOp();
      const bool is_such = op && is_elementwise(op) &&
                           tsr::type_of(use.get()).getNumElements() == tsr::type_of(folded.get()).getNumElements();
      if (!is_such || copies == most_copies) continue;
      if (!op->hasOneUse()) {
        mlir::OpBuilder b(use.getOwner());
        op = b.clone(*op);
        use.set(op->getResult(0));
        ++copies;
      }
      for (mlir::OpOperand& operand : op->getOpOperands()) work.push_back(&operand);
    }
  }

  // How many users want `output` in memory: they address it, return it or hand it to a routine.
  static int whole_use_count(Value output, const FreeOps& free) {
    int count = 0;
    for (Operation* user : output.getUsers())
      if (free.is_free(user)) count += whole_use_count(user->getResult(0), free) + (moves_elements(user) ? 1 : 0);
      else if (!is_elementwise(user) && !llvm::isa<tsr::ReduceOp>(user)) ++count;
    return count;
  }

  // One value per row of a kernel that reduces: it may be written next to the full results.
  static bool is_row(Value value, const Group& group) {
    const int64_t outer = group.space.outer, dims = static_cast<int64_t>(group.space.extents.size());
    auto places = group.space.places.find(value);
    if (outer == 0 || outer == dims || group.space.operands.empty() || places == group.space.places.end()) return false;
    int64_t count = 0;
    for (const Place& place : places->second)
      for (unsigned d : place) {
        if (d >= outer) return false;
        ++count;
      }
    return count == outer;
  }

  // What `output` is computed from, as far as that lies in memory without it. False when it is too much.
  static bool find_chain(Value value, const Group& group, const llvm::DenseMap<Operation*, const Group*>& group_of,
                         const llvm::DenseSet<Value>& stored, const FreeOps& free, bool is_first,
                         llvm::SetVector<Operation*>& chain, llvm::SetVector<Value>& leaves) {
    Operation* op = value.getDefiningOp();
    if (!op || (!is_first && stored.contains(value))) {
      leaves.insert(value);
      return true;
    }
    if (chain.contains(op)) return true;
    auto it = group_of.find(op);
    if (!is_first && it != group_of.end() && it->second == &group && is_row(value, group)) {
      leaves.insert(value);  // small enough to be written for the readers' sake
      return true;
    }
    const bool is_here = it != group_of.end() && it->second == &group && is_elementwise(op);
    if (!is_here && !free.is_free(op)) return false;
    for (Value operand : op->getOperands())
      if (!find_chain(operand, group, group_of, stored, free, false, chain, leaves)) return false;
    chain.insert(op);
    return chain.size() <= most_ops;
  }

  void replace(Value output, const Group& group, llvm::DenseMap<Operation*, const Group*>& group_of,
               llvm::DenseSet<Value>& stored, FreeOps& free) {
    llvm::SetVector<Operation*> chain;
    llvm::SetVector<Value> leaves;
    if (!find_chain(output, group, group_of, stored, free, true, chain, leaves)) return;
    const int64_t size = tsr::type_of(output).getNumElements();
    int64_t large = 0;
    for (Value leaf : leaves) large += tsr::type_of(leaf).getNumElements() >= size ? 1 : 0;
    if (large > 1) return;  // it would read more than it saves

    // Readers in other kernels, in program order; one copy serves all of a kernel.
    llvm::MapVector<const Group*, llvm::SmallVector<mlir::OpOperand*, 4>> readers;
    collect_readers(output, group, group_of, readers);
    // A kernel goes on with more bits of a narrow value than it stores, but of a cast, and another one begins with those that
    // are stored.
    auto has_more_bits_here = [&](Value leaf) {
      auto type = llvm::dyn_cast<mlir::FloatType>(tsr::element_of(leaf));
      auto maker = group_of.find(leaf.getDefiningOp());
      return type && type.getWidth() < 32 && maker != group_of.end() && maker->second == &group &&
             !llvm::isa<tsr::CastOp>(maker->first);
    };
    const bool may_differ = llvm::any_of(chain, has_spellings) || llvm::any_of(leaves, has_more_bits_here);
    if (may_differ && looks_for(chain, readers)) return;
    mlir::OpBuilder b(&getContext());
    b.setInsertionPointAfter(output.getDefiningOp());
    for (auto& [reader, uses] : readers) {
      mlir::IRMapping copies;
      for (Value leaf : leaves) {
        Value& copy = copies_[{reader, leaf}];
        // A barrier: the copies belong to the reader, not to what made the leaf.
        if (!copy) {
          copy = leaf.getDefiningOp() ? Value(tsr::BarrierOp::create(b, output.getLoc(), leaf.getType(), leaf)) : leaf;
          stored.insert(copy);
        }
        copies.map(leaf, copy);
      }
      for (Operation* op : chain) {
        Value& copy = copies_[{reader, op->getResult(0)}];
        if (!copy) {
          copy = b.clone(*op, copies)->getResult(0);
          if (free.is_free(op)) free.add_copy(copy.getDefiningOp());
          else group_of[copy.getDefiningOp()] = reader;  // what the reader makes may be computed again from it
        }
        copies.map(op->getResult(0), copy);
      }
      for (mlir::OpOperand* use : uses) use->set(copy_of(use->get(), *reader, output, copies.lookup(output), free));
    }
    stored.erase(output);
    stored.insert(leaves.begin(), leaves.end());
    mlir::remark::passed(output.getLoc(), mlir::remark::RemarkOpts::name("recompute").category("fusion"))
        << mlir::remark::add("{0} kernels compute {1} again", readers.size(),
                             output.getDefiningOp()->getName().getStringRef().str());
  }

  // Would a kernel ask of what it computes again whether that is the value which another kernel has found?
  static bool looks_for(const llvm::SetVector<Operation*>& chain,
                        const llvm::MapVector<const Group*, llvm::SmallVector<mlir::OpOperand*, 4>>& readers) {
    return llvm::any_of(chain, tests_equality) || llvm::any_of(readers, [](const auto& reader) {
             return llvm::any_of(reader.second, [](mlir::OpOperand* use) { return tests_equality(use->getOwner()); });
           });
  }

  // Uses of `value` in other kernels, also through views and widenings.
  static void collect_readers(Value value, const Group& group, const llvm::DenseMap<Operation*, const Group*>& group_of,
                              llvm::MapVector<const Group*, llvm::SmallVector<mlir::OpOperand*, 4>>& readers) {
    for (mlir::OpOperand& use : value.getUses()) {
      Operation* user = use.getOwner();
      if (is_view(user) || is_widening(user)) collect_readers(user->getResult(0), group, group_of, readers);
      else if (const Group* reader = group_of.lookup(user); reader && reader != &group) readers[reader].push_back(&use);
    }
  }

  // What `value`, which is `output` or a view of it, is for `reader`.
  Value copy_of(Value value, const Group& reader, Value output, Value copy, FreeOps& free) {
    if (value == output) return copy;
    Value& view = copies_[{&reader, value}];
    if (view) return view;
    Operation* op = value.getDefiningOp();
    Value of = copy_of(op->getOperand(0), reader, output, copy, free);
    mlir::OpBuilder b(op->getContext());
    b.setInsertionPointAfter(op);
    Operation* made = b.clone(*op);
    made->setOperand(0, of);
    free.add_copy(made);
    return copies_[{&reader, value}] = made->getResult(0);
  }

  llvm::DenseMap<std::pair<const Group*, Value>, Value> copies_;  // of a value, for a reader
};

}  // namespace
}  // namespace tessera::ir
