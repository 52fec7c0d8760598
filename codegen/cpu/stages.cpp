#include <tessera/codegen/cpu/stages.h>

#include <algorithm>
#include <functional>

#include "llvm/ADT/SetVector.h"

#include <tessera/ir/fuse/Fuse.h>

namespace tessera::codegen {

int Stages::spill_of(mlir::Value value) const {
  for (size_t k = 0; k < spills.size(); ++k) {
    if (spills[k].value == value) return static_cast<int>(k);
  }
  return -1;
}

int ordinal(mlir::Operation* op) {
  int count = 0;
  for (mlir::Operation& other : *op->getBlock()) {
    if (&other == op) return count;
    if (other.getName() == op->getName()) ++count;
  }
  return -1;
}

bool passes_through(const Form& form, mlir::Operation* reduce) {
  return form.over[static_cast<size_t>(ordinal(reduce))] == 0;
}

namespace {

constexpr int recompute_limit = 8;

int cost_of(mlir::Operation* op) {
  llvm::StringRef name = op->getName().getStringRef();
  if (mlir::isa<fuse::RandomOp>(op)) return 60;
  if (mlir::isa<fuse::LoadAtOp>(op)) return 10;
  if (op->hasTrait<mlir::OpTrait::ConstantLike>()) return 0;
  if (name.starts_with("math.")) return name == "math.absf" || name == "math.fma" ? 1 : 12;
  if (name.starts_with("arith.div") || name.starts_with("arith.rem")) return 4;
  if (name == "arith.truncf") return 4;
  return 1;
}

class Builder {
 public:
  explicit Builder(const Form& form) : form_(form) {}

  Stages build() {
    find_facts();
    place_sinks();
    keep_values();
    for (Nest& nest : result_.nests) order_loops(nest);
    return std::move(result_);
  }

 private:
  DimSet inner(mlir::Value value) const { return result_.inner(form_, value); }

  void find_facts() {
    for (size_t k = 0; k < form_.in.size(); ++k) {
      auto argument = form_.body->getArgument(static_cast<unsigned>(k));
      result_.facts[argument] = {form_.whole[k] ? 0 : form_.in[k].dims(), 0};
    }
    size_t index = 0, reduce = 0;
    for (mlir::Operation& op : form_.body->without_terminator()) {
      ValueFacts facts;
      for (mlir::Value operand : op.getOperands()) {
        facts.dims |= result_.of(operand).dims;
        facts.level = std::max(facts.level, result_.of(operand).level);
      }
      if (mlir::isa<fuse::IndexOp>(op)) facts.dims = form_.index[index++].dims();
      if (mlir::isa<fuse::ReduceOp>(op)) {
        DimSet over = form_.over[reduce];
        facts.dims &= ~over;
        if (over != 0 && !form_.column[reduce]) ++facts.level;
        ++reduce;
      }
      result_.facts[op.getResult(0)] = facts;
    }
  }

  // The nest of `level` that walks `domain` and reduces over `reduced`; made when there is none. A nest without
  // reductions of its own joins one that walks the same dims.
  Nest& nest(int level, DimSet domain, DimSet reduced) {
    for (Nest& nest : result_.nests) {
      if (nest.level != level || nest.domain != domain) continue;
      if (nest.reduced == reduced || reduced == 0) return nest;
      if (nest.reduced == 0) {
        nest.reduced = reduced;
        return nest;
      }
    }
    Nest made;
    made.level = level, made.domain = domain, made.reduced = reduced;
    auto place =
        std::find_if(result_.nests.begin(), result_.nests.end(), [&](const Nest& nest) { return nest.level > level; });
    return *result_.nests.insert(place, made);
  }

  void place_sinks() {
    size_t reduce = 0;
    for (mlir::Operation& op : form_.body->without_terminator()) {
      if (!mlir::isa<fuse::ReduceOp>(op)) continue;
      DimSet over = form_.over[reduce];
      bool column = form_.column[reduce++];
      if (over == 0) continue;
      mlir::Value value = op.getOperand(0);
      DimSet inside = over & form_.inner_set();
      DimSet domain = inner(value) | inside;
      if (column) {
        domain |= kept_by_result(op.getResult(0));
        result_.columns.push_back({&op, domain & ~inside});
        nest(result_.of(value).level, domain, inside).columns.push_back(static_cast<int>(result_.columns.size()) - 1);
        continue;
      }
      nest(result_.of(value).level, domain, inside).reduces.push_back(&op);
      if ((domain & ~inside) != 0) spill(op.getResult(0));
    }
    mlir::Operation* yield = form_.body->getTerminator();
    for (unsigned k = 0; k < yield->getNumOperands(); ++k) {
      mlir::Value value = yield->getOperand(k);
      if (column_of(value) >= 0) continue;
      DimSet domain = inner(value) | (form_.out[k].dims() & form_.inner_set());
      nest(result_.of(value).level, domain, 0).yields.push_back(static_cast<int>(k));
    }
  }

  // The dims a column result is written over; a value that is the same in all of them does not depend on them itself.
  DimSet kept_by_result(mlir::Value value) const {
    mlir::Operation* yield = form_.body->getTerminator();
    DimSet kept = 0;
    for (unsigned k = 0; k < yield->getNumOperands(); ++k) {
      if (yield->getOperand(k) == value) kept |= form_.out[k].dims() & form_.inner_set();
    }
    return kept;
  }

  int column_of(mlir::Value value) const {
    for (size_t k = 0; k < result_.columns.size(); ++k) {
      if (result_.columns[k].reduce == value.getDefiningOp()) return static_cast<int>(k);
    }
    return -1;
  }

  int spill(mlir::Value value) {
    int found = result_.spill_of(value);
    if (found >= 0) return found;
    mlir::Type type = value.getType();
    int bits = type.isIndex() ? 64 : static_cast<int>(type.getIntOrFloatBitWidth());
    result_.spills.push_back({value, inner(value), std::max(1, bits / 8)});
    return static_cast<int>(result_.spills.size()) - 1;
  }

  // The cost of computing `value` again at a point; reductions that keep inner dims are in the scratch already.
  int recompute_cost(mlir::Value value, llvm::DenseMap<mlir::Value, int>& memo) {
    if (inner(value) == 0) return 0;
    mlir::Operation* op = value.getDefiningOp();
    if (!op || (mlir::isa<fuse::ReduceOp>(op) && !passes_through(form_, op))) return 1;
    auto [found, fresh] = memo.try_emplace(value, 0);
    if (!fresh) return 0;  // counted already
    int cost = cost_of(op);
    for (mlir::Value operand : op->getOperands()) {
      if (!mlir::isa<mlir::RankedTensorType>(operand.getType())) cost += recompute_cost(operand, memo);
    }
    return cost;
  }

  std::vector<mlir::Value> roots(const Nest& nest) const {
    std::vector<mlir::Value> values;
    for (mlir::Operation* reduce : nest.reduces) values.push_back(reduce->getOperand(0));
    for (int column : nest.columns)
      values.push_back(result_.columns[static_cast<size_t>(column)].reduce->getOperand(0));
    for (int k : nest.yields) values.push_back(form_.body->getTerminator()->getOperand(static_cast<unsigned>(k)));
    for (int k : nest.spills) values.push_back(result_.spills[static_cast<size_t>(k)].value);
    return values;
  }

  // From the last level to the first: what a nest needs of an earlier level and would be dear to compute again is
  // stored by that level.
  void keep_values() {
    int last = 0;
    for (const Nest& nest : result_.nests) last = std::max(last, nest.level);
    for (int level = last; level > 0; --level) {
      llvm::SetVector<mlir::Value> kept;
      llvm::DenseMap<mlir::Value, bool> seen;
      std::function<void(mlir::Value)> visit = [&](mlir::Value value) {
        if (inner(value) == 0 || !seen.try_emplace(value, true).second) return;
        mlir::Operation* op = value.getDefiningOp();
        if (!op || (mlir::isa<fuse::ReduceOp>(op) && !passes_through(form_, op))) return;
        if (result_.of(value).level < level) {
          llvm::DenseMap<mlir::Value, int> memo;
          if (recompute_cost(value, memo) > recompute_limit) {
            kept.insert(value);
            return;
          }
        }
        for (mlir::Value operand : op->getOperands()) {
          if (!mlir::isa<mlir::RankedTensorType>(operand.getType())) visit(operand);
        }
      };
      for (const Nest& nest : result_.nests) {
        if (nest.level != level) continue;
        for (mlir::Value root : roots(nest)) visit(root);
      }
      for (mlir::Value value : kept) {
        if (result_.spill_of(value) >= 0) continue;
        int k = spill(value);
        nest(result_.of(value).level, inner(value), 0).spills.push_back(k);
      }
    }
  }

  void order_loops(Nest& nest) const {
    auto add = [&](DimSet set) {
      for (int d = form_.rows; d < form_.dims(); ++d) {
        if (has(set, d)) nest.loops.push_back(d);
      }
    };
    add(nest.domain & ~nest.reduced);  // `vec` is the last dim, so it comes innermost of its group
    nest.kept = static_cast<int>(nest.loops.size());
    add(nest.reduced);
  }

  const Form& form_;
  Stages result_;
};

// The nests that read block argument `argument`, given which values come from the scratch.
bool reads(const Form& form, const Stages& stages, const Nest& nest, mlir::Value argument) {
  llvm::DenseMap<mlir::Value, bool> seen;
  std::function<bool(mlir::Value)> visit = [&](mlir::Value value) {
    if (value == argument) return true;
    mlir::Operation* op = value.getDefiningOp();
    if (!op || !seen.try_emplace(value, true).second) return false;
    if (stages.spill_of(value) >= 0 && stages.of(value).level < nest.level) return false;
    if (mlir::isa<fuse::ReduceOp>(op) && !passes_through(form, op) && stages.of(value).level <= nest.level)
      return false;
    for (mlir::Value operand : op->getOperands()) {
      if (visit(operand)) return true;
    }
    return false;
  };
  mlir::Operation* yield = form.body->getTerminator();
  for (mlir::Operation* reduce : nest.reduces) {
    if (visit(reduce->getOperand(0))) return true;
  }
  for (int column : nest.columns) {
    if (visit(stages.columns[static_cast<size_t>(column)].reduce->getOperand(0))) return true;
  }
  for (int k : nest.yields) {
    if (visit(yield->getOperand(static_cast<unsigned>(k)))) return true;
  }
  for (int k : nest.spills) {
    if (visit(stages.spills[static_cast<size_t>(k)].value)) return true;
  }
  return false;
}

}  // namespace

Stages make_stages(const Form& form) { return Builder(form).build(); }

bool may_share(const Form& form, const Stages& stages, int in, int out) {
  auto i = static_cast<size_t>(in), o = static_cast<size_t>(out);
  const Access& read = form.in[i];
  const Access& write = form.out[o];
  if (form.whole[i] || !read.linear() || !write.linear()) return false;
  if (read.base != write.base || read.stride != write.stride) return false;
  DimSet all = bit(form.dims()) - 1;
  if (write.dims() != all) return false;  // another point would read what this one wrote
  bool written = false;
  for (const Nest& nest : stages.nests) {
    if (written && reads(form, stages, nest, form.body->getArgument(static_cast<unsigned>(in)))) return false;
    written |= std::find(nest.yields.begin(), nest.yields.end(), out) != nest.yields.end();
  }
  return true;
}

}  // namespace tessera::codegen
