#include <tessera/codegen/cpu/row_nest.h>

#include "llvm/ADT/DenseSet.h"

#include <tessera/codegen/cpu/point.h>
#include <tessera/ir/fuse/Fuse.h>

namespace tessera::codegen {

using namespace mlir;

namespace {

class NestEmitter {
 public:
  NestEmitter(Code& code, const Form& form, const Stages& stages, RowMemory& memory, RowValues& values,
              RowColumns& columns, const Nest& nest)
      : c_(code),
        form_(form),
        stages_(stages),
        memory_(memory),
        values_(values),
        columns_(columns),
        layout_(memory.layout()),
        nest_(nest) {}

  void emit() {
    const Nest& nest = nest_;
    llvm::DenseSet<Value> seen;
    for (Operation* reduce : nest.reduces) list_items(reduce->getOperand(0), seen);
    for (int k : nest.columns) {
      list_items(stages_.columns[static_cast<size_t>(k)].reduce->getOperand(0), seen);
    }
    for (int k : nest.yields) {
      list_items(form_.body->getTerminator()->getOperand(static_cast<unsigned>(k)), seen);
    }
    for (int k : nest.spills) list_items(stages_.spills[static_cast<size_t>(k)].value, seen);
    reductions_ = reductions_of_nest();
    // A chain of additions waits for itself; several chains side by side do not.
    int work = cost();
    unroll_ = reductions_.empty() ? 1 : work <= 6 ? 4 : work <= 16 ? 2 : 1;
    Place place;
    place.index.assign(form_.extent.size(), Value());
    auto outside = values_.visible;
    std::vector<Values> totals = emit_loops(0, place, {});
    values_.visible = outside;
    // Reductions that keep no inner dim are values of the row from here on.
    for (size_t k = 0; k < totals.size(); ++k) {
      Operation* reduce = reductions_[k];
      if ((nest.domain & ~nest.reduced) == 0 && !values_.is_column(reduce))
        values_.set(reduce->getResult(0), totals[k]);
    }
  }

 private:
  struct Item {
    Value value;
    int depth;
    bool from_scratch;
  };

  DimSet inner(Value value) const { return stages_.inner(form_, value); }
  bool in_scratch(Value value) const {
    if (stages_.spill_of(value) < 0) return false;
    Operation* op = value.getDefiningOp();
    int stored_at = stages_.of(value).level - (isa<fuse::ReduceOp>(op) && !passes_through(form_, op) ? 1 : 0);
    return stored_at < nest_.level;
  }

  int depth_of(Value value) const {
    int depth = 0;
    for (size_t k = 0; k < nest_.loops.size(); ++k) {
      if (has(stages_.of(value).dims, nest_.loops[k])) depth = static_cast<int>(k) + 1;
    }
    return depth;
  }

  void list_items(Value value, llvm::DenseSet<Value>& seen) {
    if (isa<RankedTensorType>(value.getType())) return;
    if (inner(value) == 0) return values_.emit_row_value(value);
    if (!seen.insert(value).second) return;
    bool scratch = in_scratch(value);
    if (Operation* op = value.getDefiningOp(); op && !scratch) {
      for (Value operand : op->getOperands()) list_items(operand, seen);
    }
    items_.push_back({value, depth_of(value), scratch});
  }

  std::vector<Operation*> reductions_of_nest() const {  // those that run over loops of this nest
    std::vector<Operation*> list = nest_.reduces;
    for (int k : nest_.columns) {
      Operation* reduce = stages_.columns[static_cast<size_t>(k)].reduce;
      if (values_.inside(reduce) != 0) list.push_back(reduce);
    }
    return list;
  }
  int cost() const {
    int sum = 0;
    for (const Item& item : items_) {
      Operation* op = item.value.getDefiningOp();
      sum += op && op->getName().getDialectNamespace() == "math" ? 10 : 1;
    }
    return sum;
  }

  bool vectors_reduced() const { return form_.vec >= 0 && has(nest_.reduced, form_.vec); }

  // Emits the loops from `depth` inwards. `sums`: accumulators, once a reduced loop was entered.
  std::vector<Values> emit_loops(int depth, Place& place, std::vector<Values> sums) {
    const Nest& nest = nest_;
    bool entering = depth == nest.kept && !reductions_.empty();
    for (const Item& item : items_) {
      if (item.depth == depth) emit_item(item, place);
    }
    if (entering) {
      for (Operation* reduce : reductions_) sums.push_back(start_of(reduce, place));
    }
    if (depth == static_cast<int>(nest.loops.size())) {
      emit_sinks(place);
      for (size_t k = 0; k < reductions_.size(); ++k) accumulate(reductions_[k], sums[k], place);
    } else if (nest.loops[static_cast<size_t>(depth)] == form_.vec) {
      sums = emit_vector_loop(depth, place, std::move(sums));
    } else {
      sums = emit_plain_loop(depth, place, std::move(sums));
    }
    if (entering) finish(sums, place);
    return sums;
  }

  // Accumulators are vectors when lanes work on different sums or on shares of one.
  Values start_of(Operation* reduce, const Place& place) {
    Type type = c_.held(reduce->getResult(0).getType());
    bool wide = place.vectors || vectors_reduced();
    Value start = identity_of(c_, combine_of(reduce), wide ? c_.vector_of(type) : type);
    return Values(place.vectors ? static_cast<size_t>(place.unroll) : 1, start);
  }

  void accumulate(Operation* reduce, Values& sums, const Place& place) {
    Values value = values_.of(reduce->getOperand(0));
    for (size_t u = 0; u < sums.size(); ++u) {
      Value next = combine(c_, combine_of(reduce), sums[u], value[value.size() == 1 ? 0 : u]);
      // Lanes past the end must not count.
      if (place.mask && vectors_reduced()) next = c_.select(place.mask, next, sums[u]);
      sums[u] = next;
    }
  }

  std::vector<Values> emit_plain_loop(int depth, Place& place, std::vector<Values> sums) {
    int d = nest_.loops[static_cast<size_t>(depth)];
    auto loop = scf::ForOp::create(c_.b, c_.loc, c_.integer(0), memory_.parameter(layout_.extent + d), c_.integer(1),
                                   flatten(sums));
    return fill_loop(loop, depth, d, place, sums);
  }

  std::vector<Values> fill_loop(scf::ForOp loop, int depth, int d, Place& place, const std::vector<Values>& shape) {
    {
      OpBuilder::InsertionGuard guard(c_.b);
      auto outside = values_.visible;
      c_.b.setInsertionPointToStart(loop.getBody());
      Value saved = place.index[static_cast<size_t>(d)];
      place.index[static_cast<size_t>(d)] = loop.getInductionVar();
      std::vector<Values> inside = unflatten(loop.getRegionIterArgs(), shape);
      inside = emit_loops(depth + 1, place, std::move(inside));
      // The body of a loop over kept dims returns what its own reductions ended with: nothing to carry.
      if (shape.empty()) inside.clear();
      if (loop.getNumRegionIterArgs() > 0) scf::YieldOp::create(c_.b, c_.loc, flatten(inside));
      place.index[static_cast<size_t>(d)] = saved;
      values_.visible = outside;
    }
    return unflatten(loop.getResults(), shape);
  }

  // Whole vectors first, `unroll_` side by side, then single ones under a mask.
  std::vector<Values> emit_vector_loop(int depth, Place& place, std::vector<Values> sums) {
    Value extent = vector_extent();
    int64_t step = static_cast<int64_t>(unroll_) * c_.lanes;
    Value whole = c_.bit_and(extent, c_.integer(-step));
    place.vectors = true;
    place.unroll = unroll_;
    std::vector<Values> wide = sums;
    for (size_t k = 0; k < sums.size(); ++k) {
      Value identity = identity_of(c_, combine_of(reductions_[k]), sums[k][0].getType());
      wide[k].resize(static_cast<size_t>(unroll_), identity);
    }
    auto main = scf::ForOp::create(c_.b, c_.loc, c_.integer(0), whole, c_.integer(step), flatten(wide));
    wide = fill_loop(main, depth, form_.vec, place, wide);
    for (size_t k = 0; k < sums.size(); ++k) sums[k] = {tree(combine_of(reductions_[k]), wide[k])};
    place.unroll = 1;
    auto rest = scf::ForOp::create(c_.b, c_.loc, whole, extent, c_.integer(c_.lanes), flatten(sums));
    {
      OpBuilder::InsertionGuard guard(c_.b);
      c_.b.setInsertionPointToStart(rest.getBody());
      Value left = c_.sub(extent, rest.getInductionVar());
      place.mask = c_.compare(arith::CmpIPredicate::slt, c_.iota(), c_.broadcast(left));
    }
    sums = fill_loop_after_mask(rest, depth, place, sums);
    place.mask = Value();
    place.vectors = false;
    return sums;
  }

  std::vector<Values> fill_loop_after_mask(scf::ForOp loop, int depth, Place& place, const std::vector<Values>& shape) {
    OpBuilder::InsertionGuard guard(c_.b);
    auto outside = values_.visible;
    Operation* last = place.mask.getDefiningOp();
    c_.b.setInsertionPointAfter(last);
    place.index[static_cast<size_t>(form_.vec)] = loop.getInductionVar();
    std::vector<Values> inside = emit_loops(depth + 1, place, unflatten(loop.getRegionIterArgs(), shape));
    if (shape.empty()) inside.clear();
    if (loop.getNumRegionIterArgs() > 0) scf::YieldOp::create(c_.b, c_.loc, flatten(inside));
    place.index[static_cast<size_t>(form_.vec)] = Value();
    values_.visible = outside;
    return unflatten(loop.getResults(), shape);
  }

  Value vector_extent() {
    Value extent = memory_.parameter(layout_.extent + form_.vec);
    if (!form_.segmented) return extent;
    Value begin = c_.mul(memory_.row_index().back(), memory_.parameter(2));
    return c_.min_index(memory_.parameter(2), c_.sub(memory_.parameter(3), begin));
  }

  Value tree(Combine how, Values values) {
    while (values.size() > 1) {
      size_t half = values.size() / 2;
      for (size_t k = 0; k < half; ++k) values[k] = combine(c_, how, values[k], values[k + half]);
      values.resize(half);
    }
    return values[0];
  }

  // All reduced loops are behind: `sums` are results, one per place of the kept dims.
  void finish(std::vector<Values>& sums, const Place& place) {
    for (size_t k = 0; k < reductions_.size(); ++k) {
      Operation* reduce = reductions_[k];
      if (vectors_reduced()) sums[k] = {across_lanes(c_, combine_of(reduce), sums[k][0])};
      if (values_.is_column(reduce)) {
        columns_.add(column_index(reduce), sums[k], place);
        continue;
      }
      if ((nest_.domain & ~nest_.reduced) != 0) store_spill(stages_.spill_of(reduce->getResult(0)), sums[k], place);
    }
  }

  size_t column_index(Operation* reduce) const {
    for (size_t k = 0; k < stages_.columns.size(); ++k) {
      if (stages_.columns[k].reduce == reduce) return k;
    }
    return 0;
  }

  void store_spill(int spill, const Values& value, const Place& place) {
    const Spill& facts = stages_.spills[static_cast<size_t>(spill)];
    bool along = place.vectors && has(facts.dims, form_.vec);
    for (int u = 0; u < (along ? place.unroll : 1); ++u) {
      memory_.store_dense(pick(value, u), facts.value.getType(), spill_base(spill), facts.dims, spill_place(spill),
                          place, u);
    }
  }
  int spill_place(int spill) { return layout_.spill + spill * layout_.access; }
  Value spill_base(int spill) {
    return c_.offset(memory_.scratch(), c_.b.getI8Type(), memory_.parameter(spill_place(spill)));
  }

  // ---- the innermost place: what is written there ----

  void emit_sinks(const Place& place) {
    for (int k : nest_.spills) store_spill(k, values_.of(stages_.spills[static_cast<size_t>(k)].value), place);
    for (int k : nest_.columns) {
      auto column = static_cast<size_t>(k);
      Operation* reduce = stages_.columns[column].reduce;
      if (values_.inside(reduce) != 0) continue;
      columns_.add(column, values_.of(reduce->getOperand(0)), place);
    }
    for (int k : nest_.yields) emit_yield(k, place);
  }

  void emit_yield(int k, const Place& place) {
    auto result = static_cast<size_t>(k);
    Value yielded = form_.body->getTerminator()->getOperand(static_cast<unsigned>(k));
    const Access& access = form_.out[result];
    // Points of a row dim that the result does not have would all write the same: the first one does.
    DimSet absent = form_.row_set() & ~access.dims();
    OpBuilder::InsertionGuard guard(c_.b);
    Value first;
    for (int d = 0; d < form_.rows; ++d) {
      if (!has(absent, d)) continue;
      Value zero = c_.compare(arith::CmpIPredicate::eq, memory_.row_index()[static_cast<size_t>(d)], c_.integer(0));
      first = first ? c_.bit_and(first, zero) : zero;
    }
    if (first) {
      auto branch = scf::IfOp::create(c_.b, c_.loc, first, /*withElseRegion=*/false);
      c_.b.setInsertionPointToStart(branch.thenBlock());
    }
    const Values value = values_.of(yielded);
    bool along = place.vectors && has(access.dims(), form_.vec);
    for (int u = 0; u < (along ? place.unroll : 1); ++u) {
      memory_.store(pick(value, u), yielded.getType(), memory_.argument(layout_.outputs + k), access,
                    layout_.out + k * layout_.access, place, u);
    }
  }

  void emit_item(const Item& item, const Place& place) {
    if (!item.from_scratch) return values_.emit(item.value, place);
    int spill = stages_.spill_of(item.value);
    DimSet dims = stages_.spills[static_cast<size_t>(spill)].dims;
    Values loaded;
    bool along = place.vectors && has(dims, form_.vec);
    for (int u = 0; u < (along ? place.unroll : 1); ++u) {
      loaded.push_back(memory_.load_dense(spill_base(spill), item.value.getType(), dims, spill_place(spill), place, u));
    }
    values_.set(item.value, loaded);
  }

  // ---- accumulators as loop arguments ----

  static SmallVector<Value> flatten(const std::vector<Values>& lists) {
    SmallVector<Value> all;
    for (const Values& list : lists) all.append(list.begin(), list.end());
    return all;
  }
  static std::vector<Values> unflatten(ValueRange all, const std::vector<Values>& shape) {
    std::vector<Values> lists;
    size_t at = 0;
    for (const Values& list : shape) {
      Values part;
      for (size_t k = 0; k < list.size(); ++k) part.push_back(all[at++]);
      lists.push_back(part);
    }
    return lists;
  }

  Code& c_;
  const Form& form_;
  const Stages& stages_;
  RowMemory& memory_;
  RowValues& values_;
  RowColumns& columns_;
  const Layout& layout_;
  const Nest& nest_;
  std::vector<Item> items_;  // operands before what is computed from them
  std::vector<Operation*> reductions_;
  int unroll_ = 1;
};

}  // namespace

void emit_nest(Code& code, const Form& form, const Stages& stages, RowMemory& memory, RowValues& values,
               RowColumns& columns, const Nest& nest) {
  NestEmitter(code, form, stages, memory, values, columns, nest).emit();
}

}  // namespace tessera::codegen
