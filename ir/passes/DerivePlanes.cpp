#include "mlir/Analysis/TopologicalSortUtils.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include <tessera/core/error.h>
#include <tessera/ir/passes/Passes.h>
#include <tessera/ir/plane/cost.h>
#include <tessera/ir/plane/find_liveness.h>
#include <tessera/ir/plane/normalize_body.h>
#include <tessera/ir/plane/part_results.h>
#include <tessera/ir/plane/prologue.h>
#include <tessera/ir/plane/repair.h>
#include <tessera/ir/plane/slices_last.h>
#include <tessera/ir/plane/split_results.h>
#include <tessera/ir/plane/split_sums.h>
#include <tessera/ir/plane/write_cascade.h>
#include <tessera/ir/remarks.h>

namespace tessera::ir {

#define GEN_PASS_DEF_DERIVEPLANES
#include <tessera/ir/passes/Passes.h.inc>

namespace {

using mlir::Operation;
using mlir::Value;

class DerivePlanesPass : public impl::DerivePlanesBase<DerivePlanesPass> {
 public:
  explicit DerivePlanesPass(MissingKernel missing = {}) : missing_(std::move(missing)) {}

 private:
  void runOnOperation() override {
    if (keeps_order(getOperation())) return;
    mlir::Block& block = getOperation().getBody().front();
    for (Operation& op : llvm::make_early_inc_range(llvm::reverse(block)))
      if (mlir::isOpTriviallyDead(&op)) op.erase();  // no reader then
    // Seeds in program order; what an earlier plane made of one is gone by then.
    llvm::SmallVector<Operation*, 32> seeds;
    for (auto contract : block.getOps<tsr::ContractOp>()) seeds.push_back(contract);
    FreeOps now(block, is_table_sum);
    for (Operation* op : seeds) {
      if (gone_.contains(op)) continue;
      auto seed = llvm::cast<tsr::ContractOp>(op);
      if (const auto known = obstructed_.find(op); known != obstructed_.end()) {
        missed(seed, op, known->second);
        continue;
      }
      std::string why;
      std::unique_ptr<Plane> plane = grow_plane(seed, now, why);
      if (plane && split_sums(*plane)) {
        plane.reset();  // it holds ops of before
        now.forget();
        plane = grow_plane(seed, now, why);
      }
      if (!plane) {
        if (!why.empty()) missed(seed, seed.getOperation(), {why, "write its parts as separate values"});
        continue;
      }
      prologues_ = {};
      std::unique_ptr<FreeOps> free;
      if (!missing_ && takes_in_more(*plane, now)) {
        if (const auto replaced = put_slices_last(*plane); !replaced.empty()) grow_again(seed, plane, now, replaced);
        PartedResults parted = with_parted_results(seed, plane, now);
        with_cut_operands(seed, plane, now, parted);
        free = with_prologues(seed, plane, now, parted);
      }
      derive(seed, *plane, free ? *free : now, block);
      now.forget();
    }
  }

  // May it be made of more than what grows from scores? Not where it lies in memory; and what few rows stream over is
  // read once, as it lies.
  static bool takes_in_more(const Plane& plane, const FreeOps& free) {
    auto plan = [&] { return plan_kernels(plane, free, {}); };
    return !is_narrow(plane) && !why_materialise(plane, free, plan);
  }

  // The plane again, where accumulations that others read in parts are computed in parts.
  PartedResults with_parted_results(tsr::ContractOp seed, std::unique_ptr<Plane>& plane, FreeOps& now) {
    const SplitResults split = split_results(*plane, find_prologues(*plane, now).ops);
    if (!split.replaced.empty()) grow_again(seed, plane, now, split.replaced);
    PartedResults parted = part_results(*plane, find_prologues(*plane, now, split.operands).ops);
    parted.operands.insert_range(split.operands);
    if (!parted.replaced.empty()) grow_with_results(seed, plane, now, parted.replaced, parted);
    return parted;
  }

  // The plane again with what follows from its accumulations, or without any of it where that does not fit.
  void grow_with_results(tsr::ContractOp seed, std::unique_ptr<Plane>& plane, FreeOps& now,
                         llvm::ArrayRef<Operation*> replaced, PartedResults& parted) {
    erase_dead(replaced);
    now.forget();
    std::string why;
    std::unique_ptr<Plane> with = grow_plane(seed, now, why, parted.following);
    auto is_member = [&](Operation* op) { return with->lists->is_member(op); };
    if (with && llvm::all_of(parted.following, is_member)) {
      plane = std::move(with);
      return;
    }
    parted.following.clear();
    grow_again(seed, plane, now, {});
  }

  // The plane again, with equal parts in what its kernels will compute where they read their operands.
  void with_cut_operands(tsr::ContractOp seed, std::unique_ptr<Plane>& plane, FreeOps& now, PartedResults& parted) {
    for (;;) {
      const Prologues prologues = find_prologues(*plane, now, parted.operands);
      if (prologues.uneven.empty()) return;
      // Others may lie within the first: they are looked at again.
      auto [concat, extent] = prologues.uneven.front();
      with_equal_parts(concat, extent, {prologues.ops.begin(), prologues.ops.end()});
      grow_with_results(seed, plane, now, concat.getOperation(), parted);
    }
  }

  void grow_again(tsr::ContractOp seed, std::unique_ptr<Plane>& plane, FreeOps& now,
                  llvm::ArrayRef<Operation*> replaced) {
    erase_dead(replaced);
    now.forget();
    std::string why;
    plane = grow_plane(seed, now, why);
    check_internal(plane != nullptr, "a plane does not grow again when values beside it are computed in parts");
  }

  // The plane again, with operands that its kernels compute where they read them; gives what is free for it then.
  std::unique_ptr<FreeOps> with_prologues(tsr::ContractOp seed, std::unique_ptr<Plane>& plane, const FreeOps& now,
                                          const PartedResults& parted) {
    prologues_ = find_prologues(*plane, now, parted.operands);
    if (prologues_.ops.empty()) return nullptr;
    auto free = std::make_unique<FreeOps>(now);
    for (Operation* op : prologues_.ops) free->release(op);
    for (Value table : prologues_.tables) free->store(table);
    std::string why;
    std::unique_ptr<Plane> again = grow_plane(seed, *free, why, parted.following);
    const auto dims = [&](const Plane& of) { return of.lists->atoms_of(seed.getY()).size(); };
    if (again && again->ops == plane->ops && dims(*again) == dims(*plane)) {
      plane = std::move(again);
      return free;
    }
    prologues_.missed.push_back(
        {prologues_.ops.front(), "it joins rows or columns of the plane", "join what they hold"});
    prologues_.ops.clear();
    return nullptr;
  }

  void derive(tsr::ContractOp seed, const Plane& plane, const FreeOps& free, mlir::Block& block) {
    Values stored;
    for (;;) {
      auto plan = [&] { return plan_kernels(plane, free, stored); };
      if (auto obstruction = why_materialise(plane, free, plan)) {
        missed(seed, plane.ops, *obstruction);
        for (Operation* op : scores_of(plane)) obstructed_.try_emplace(op, *obstruction);
        return;
      }
      const std::vector<PlaneKernel> kernels = plan();
      std::vector<fuse::CascadeOp> written;
      mlir::IRMapping memory;
      std::vector<RepairSteps> steps;
      const std::optional<Stop> stop = write(plane, kernels, free, block, memory, written, steps);
      if (!stop) {
        finish(plane, kernels, free, memory, written, steps, block);
        return;
      }
      for (fuse::CascadeOp op : llvm::reverse(written)) op.erase();
      if (!stop->statistic || !stored.insert(stop->statistic).second) {
        const Obstruction obstruction{stop->why, "write what it says as values of their own"};
        missed(seed, plane.ops, obstruction);
        for (Operation* op : scores_of(plane)) obstructed_.try_emplace(op, obstruction);
        return;
      }
    }
  }

  // What keeps a kernel from streaming: a statistic that must lie in memory first, or something that has no remedy.
  struct Stop {
    Value statistic;
    std::string why;
  };
  std::optional<Stop> write(const Plane& plane, const std::vector<PlaneKernel>& kernels, const FreeOps& free,
                            mlir::Block& block, mlir::IRMapping& memory, std::vector<fuse::CascadeOp>& written,
                            std::vector<RepairSteps>& steps) {
    mlir::OpBuilder b(block.getTerminator());
    for (const PlaneKernel& kernel : kernels) {
      WrittenCascade cascade = write_cascade(b, plane, kernel, free, memory);
      written.push_back(cascade.op);
      normalize_body(cascade.op);
      if (const std::optional<Unrepaired> failed = repair(cascade.op, steps.emplace_back())) {
        mlir::remark::missed(cascade.op.getLoc(), mlir::remark::RemarkOpts::name("repair").category("plane"))
            << mlir::remark::add("a statistic gets a kernel of its own") << mlir::remark::reason("{0}", failed->why);
        return Stop{cascade.sources.lookup(failed->statistic), "a statistic cannot be repaired: " + failed->why};
      }
      if (std::string why = why_no_cascade(cascade.op); !why.empty()) return Stop{{}, why};
      if (std::string why = missing_ ? missing_(cascade.op) : ""; !why.empty())
        return Stop{{}, "the target has no kernel yet for " + why};
      for (auto [output, tensor] : llvm::zip(kernel.outputs, cascade.op.getResults())) memory.map(output, tensor);
    }
    return std::nullopt;
  }

  // The constraint that it breaks, if it does.
  static std::string why_no_cascade(fuse::CascadeOp op) {
    std::string why;
    mlir::ScopedDiagnosticHandler handler(op.getContext(), [&](mlir::Diagnostic& diagnostic) {
      why = diagnostic.str();
      return mlir::success();
    });
    return mlir::failed(fuse::verify_cascade_body(op)) ? why : "";
  }

  void finish(const Plane& plane, const std::vector<PlaneKernel>& kernels, const FreeOps& free,
              const mlir::IRMapping& memory, std::vector<fuse::CascadeOp>& written,
              const std::vector<RepairSteps>& all_steps, mlir::Block& block) {
    gone_.insert(plane.ops.begin(), plane.ops.end());
    for (const PlaneKernel& kernel : kernels)  // while their readers still read them
      for (Value output : kernel.outputs)
        if (plane.spans(output) && !plane.sums_batches(output.getDefiningOp())) report_tap(plane, output, free);
    report_prologues(plane.seed);
    for (auto [kernel, op, steps] : llvm::zip_equal(kernels, written, all_steps)) {
      for (Value output : kernel.outputs)
        output.replaceUsesWithIf(memory.lookup(output),
                                 [&](mlir::OpOperand& use) { return !plane.lists->is_member(use.getOwner()); });
      place(op, block);
      report(kernel, op, steps);
      say_skipped(op);
    }
    erase_dead(plane.ops);
    if (!llvm::all_of(written, is_before_readers)) mlir::sortTopologically(&block);
  }

  // Those of `ops` that nobody reads, and what was for them alone.
  void erase_dead(llvm::ArrayRef<Operation*> ops) {
    llvm::SmallSetVector<Operation*, 16> work(ops.begin(), ops.end());
    while (!work.empty()) {
      Operation* op = work.pop_back_val();
      if (!mlir::isOpTriviallyDead(op)) continue;
      const llvm::SmallVector<Value, 4> operands(op->getOperands());
      gone_.insert(op);
      op->erase();
      for (Value operand : operands)
        if (Operation* maker = operand.getDefiningOp()) work.insert(maker);
    }
  }

  // What masks save.
  static void say_skipped(fuse::CascadeOp op) {
    const Liveness blocks = find_liveness(op).blocks;
    if (blocks.empty < 0) return;
    const std::optional<BlockCount> count = count_blocks(op, blocks);
    const std::string share =
        count ? std::to_string(count->empty) + " of " + std::to_string(count->all) : "as data say";
    mlir::remark::passed(op.getLoc(), mlir::remark::RemarkOpts::name("mask").category("plane"))
        << mlir::remark::add("{0} skips the blocks that a mask hides: {1}", op.getName().str(), share);
  }

  // Right behind what it reads. Taken out and put in: `moveAfter` forgets the order of all ops, which takes a walk over
  // the block to know again.
  static void place(fuse::CascadeOp op, mlir::Block& block) {
    Operation* last = nullptr;
    for (Value input : op.getInputs())
      if (Operation* from = input.getDefiningOp(); from && (!last || last->isBeforeInBlock(from))) last = from;
    op->remove();
    if (last) block.getOperations().insertAfter(last->getIterator(), op);
    else block.push_front(op);
    (void)op->isBeforeInBlock(op->getNextNode());  // gives it a number while those beside it have theirs
  }

  static bool is_before_readers(fuse::CascadeOp op) {
    return llvm::all_of(op->getUsers(), [&](Operation* reader) { return op->isBeforeInBlock(reader); });
  }

  static void report(const PlaneKernel& kernel, fuse::CascadeOp op, const RepairSteps& steps) {
    auto remark = mlir::remark::passed(op.getLoc(), mlir::remark::RemarkOpts::name("cascade").category("plane"));
    if (!remark) return;
    remark << mlir::remark::add("{0} computes {1} ops of a plane in blocks: sweep {2} over its {3}", op.getName().str(),
                                kernel.members.size(), kernel.sweep, kernel.side == Side::row ? "rows" : "columns");
    if (steps.pulled_out) remark << mlir::remark::add("; {0} sums without factors of their rows", steps.pulled_out);
    if (steps.parted) remark << mlir::remark::add("; {0} sums taken apart into terms", steps.parted);
    if (steps.moved) remark << mlir::remark::add("; {0} factors move sums when a maximum grows", steps.moved);
    remark << about(kernel.members);
  }

  void report_prologues(tsr::ContractOp seed) const {
    for (const auto& [op, why, hint] : prologues_.missed)
      mlir::remark::missed(op->getLoc(), mlir::remark::RemarkOpts::name("prologue").category("plane"))
          << mlir::remark::add("an operand of a plane lies in memory, {0} bytes", bytes_of(op->getResult(0)))
          << mlir::remark::reason("{0}", why) << mlir::remark::suggest("{0}", hint) << about(op);
    if (prologues_.ops.empty()) return;
    mlir::remark::passed(seed.getLoc(), mlir::remark::RemarkOpts::name("prologue").category("plane"))
        << mlir::remark::add("kernels of a plane compute {0} ops where they read their operands", prologues_.ops.size())
        << about(prologues_.ops);
  }

  // A value of the plane that somebody reads element by element.
  static void report_tap(const Plane& plane, Value value, const FreeOps& free) {
    auto remark = mlir::remark::missed(value.getLoc(), mlir::remark::RemarkOpts::name("tap").category("plane"));
    if (!remark) return;
    Operation* reader = reader_outside(plane, value, free);
    remark << mlir::remark::add("{0} is written to memory, {1} bytes",
                                value.getDefiningOp()->getName().getStringRef().str(), bytes_of(value));
    if (!reader || reader->hasTrait<mlir::OpTrait::IsTerminator>()) {
      remark << mlir::remark::reason("the program returns it");
      return;
    }
    remark << mlir::remark::reason("{0} reads it outside of its plane", reader->getName().getStringRef().str())
           << mlir::remark::suggest("let that op read a reduction of it, or reduce what it makes over a whole side")
           << because_of(reader);
  }

  static int64_t bytes_of(Value value) {
    const mlir::RankedTensorType type = tsr::type_of(value);
    return type.getNumElements() * std::max<int64_t>(1, type.getElementTypeBitWidth() / 8);
  }

  static Operation* reader_outside(const Plane& plane, Value value, const FreeOps& free) {
    for (Operation* user : value.getUsers()) {
      if (plane.lists->is_member(user)) continue;
      if (!free.is_free(user)) return user;
      if (Operation* reader = reader_outside(plane, user->getResult(0), free)) return reader;
    }
    return nullptr;
  }

  static void missed(tsr::ContractOp seed, llvm::ArrayRef<Operation*> ops, const Obstruction& obstruction) {
    if (auto remark = mlir::remark::missed(seed.getLoc(), mlir::remark::RemarkOpts::name("plane").category("plane")))
      remark << mlir::remark::add("the plane lies in memory, {0} bytes a value", bytes_of(seed.getY()))
             << mlir::remark::reason("{0}", obstruction.why) << mlir::remark::suggest("{0}", obstruction.hint)
             << about(ops);
  }

  MissingKernel missing_;
  llvm::DenseSet<Operation*> gone_;
  // Scores of planes that lie in memory. What grows from another score of one is that plane again: along a residual
  // stream one goes through all layers, and is looked at once.
  llvm::DenseMap<Operation*, Obstruction> obstructed_;
  Prologues prologues_;  // of the plane that is looked at
};

}  // namespace

std::unique_ptr<mlir::Pass> createDerivePlanes(MissingKernel missing) {
  return std::make_unique<DerivePlanesPass>(std::move(missing));
}

}  // namespace tessera::ir
