#include <tessera/codegen/cpu/rows.h>

#include <algorithm>

#include "llvm/ADT/DenseSet.h"

#include <tessera/codegen/cpu/philox.h>
#include <tessera/codegen/cpu/point.h>
#include <tessera/codegen/cpu/row_memory.h>
#include <tessera/ir/fuse/Fuse.h>

namespace tessera::codegen {

using namespace mlir;

namespace {

using Values = SmallVector<Value, 4>;  // one per vector side by side, or a single one

Combine combine_of(Operation* reduce) {
  switch (cast<fuse::ReduceOp>(reduce).getKind()) {
    case fuse::ReduceKind::sum: return Combine::sum;
    case fuse::ReduceKind::max: return Combine::max;
    case fuse::ReduceKind::min: return Combine::min;
    case fuse::ReduceKind::prod: return Combine::prod;
  }
  return Combine::sum;
}

class RowEmitter {
 public:
  RowEmitter(Code& code, const Form& form, const Stages& stages, LLVM::LLVMFuncOp function)
      : c_(code), form_(form), stages_(stages), memory_(code, form, stages, function), layout_(memory_.layout()) {
    int index = 0, draw = 0, reduce = 0;
    for (Operation& op : *form.body) {
      if (isa<fuse::IndexOp>(op)) number_[&op] = index++;
      if (isa<fuse::RandomOp>(op)) number_[&op] = draw++;
      if (isa<fuse::ReduceOp>(op)) number_[&op] = reduce++;
    }
    for (const ErrorSite& site : error_sites(*form.body)) number_[site.op] = site.first_word;
  }

  void emit() {
    emit_task_values();
    clear_partials();
    Value per_task = memory_.parameter(0);
    Value begin = c_.mul(memory_.task(), per_task);
    Value end = c_.min_index(c_.add(begin, per_task), memory_.parameter(1));
    // Indices of the row dims are carried, so that a row costs no divisions.
    Values carried;
    Value rest = begin;
    SmallVector<Value> start(static_cast<size_t>(form_.rows));
    for (int d = form_.rows - 1; d >= 0; --d) {
      Value extent = row_extent(d);
      start[static_cast<size_t>(d)] = d == 0 ? rest : c_.make<arith::RemSIOp>(rest, extent);
      if (d > 0) rest = c_.make<arith::DivSIOp>(rest, extent);
    }
    carried.append(start.begin(), start.end());
    for (size_t k = 0; k < stages_.columns.size(); ++k) {
      if (stages_.columns[k].kept != 0) continue;
      Operation* reduce = stages_.columns[k].reduce;
      carried.push_back(identity_of(c_, combine_of(reduce), held(reduce->getResult(0))));
    }
    auto loop = scf::ForOp::create(c_.b, c_.loc, begin, end, c_.integer(1), carried);
    {
      OpBuilder::InsertionGuard guard(c_.b);
      c_.b.setInsertionPointToStart(loop.getBody());
      auto arguments = loop.getRegionIterArgs();
      std::vector<Value> row(arguments.begin(), arguments.begin() + form_.rows);
      scalars_.assign(arguments.begin() + form_.rows, arguments.end());
      emit_row(row);
      Values next = advance(row);
      next.append(scalars_.begin(), scalars_.end());
      if (!next.empty()) scf::YieldOp::create(c_.b, c_.loc, next);
    }
    size_t scalar = 0;
    for (size_t k = 0; k < stages_.columns.size(); ++k) {
      if (stages_.columns[k].kept != 0) continue;
      Value total = loop.getResult(static_cast<unsigned>(form_.rows + static_cast<int>(scalar++)));
      memory_.store_dense(total, stages_.columns[k].reduce->getResult(0).getType(), partial(k), 0, 0, Place(), 0);
    }
    LLVM::ReturnOp::create(c_.b, c_.loc, ValueRange{});
  }

 private:
  Type held(Value value) { return c_.held(value.getType()); }
  Value row_extent(int d) { return memory_.parameter(layout_.extent + d); }

  Values advance(const std::vector<Value>& row) {
    Values next(row.size());
    Value carry = c_.make<arith::ConstantOp>(c_.b.getBoolAttr(true));
    for (int d = form_.rows - 1; d >= 0; --d) {
      Value at = row[static_cast<size_t>(d)];
      Value stepped = c_.select(carry, c_.add(at, c_.integer(1)), at);
      if (d == 0) {
        next[0] = stepped;
        break;
      }
      Value over = c_.compare(arith::CmpIPredicate::eq, stepped, row_extent(d));
      next[static_cast<size_t>(d)] = c_.select(over, c_.integer(0), stepped);
      carry = over;
    }
    return next;
  }

  // ---- partial results of column reductions: one slice per task ----

  Value partial(size_t column) {
    Type type = stages_.columns[column].reduce->getResult(0).getType();
    Value elements = memory_.parameter(column_place(column));
    Value slice = c_.mul(memory_.task(), elements);
    Type stored = held_storage(type);
    return c_.offset(memory_.argument(layout_.columns + static_cast<int>(column)), stored, slice);
  }
  int column_place(size_t column) { return layout_.column + static_cast<int>(column) * layout_.access; }
  Type held_storage(Type type) {
    Type held = c_.held(type);
    return held.isInteger(1) ? Type(c_.b.getI8Type()) : held;
  }

  void clear_partials() {
    partials_.clear();
    for (size_t k = 0; k < stages_.columns.size(); ++k) {
      partials_.push_back(partial(k));
      if (stages_.columns[k].kept == 0) continue;
      Operation* reduce = stages_.columns[k].reduce;
      Type stored = held_storage(reduce->getResult(0).getType());
      Value identity = identity_of(c_, combine_of(reduce), held(reduce->getResult(0)));
      if (Code::element(identity).isInteger(1)) identity = c_.convert_int(identity, stored, false);
      auto loop = scf::ForOp::create(c_.b, c_.loc, c_.integer(0), memory_.parameter(column_place(k)), c_.integer(1));
      OpBuilder::InsertionGuard guard(c_.b);
      c_.b.setInsertionPointToStart(loop.getBody());
      c_.store(identity, c_.offset(partials_[k], stored, loop.getInductionVar()));
    }
  }

  // ---- values that need no loop ----

  // What depends on no dim at all is computed once per task.
  void emit_task_values() {
    Place nowhere;
    nowhere.index.assign(form_.extent.size(), Value());
    memory_.enter_row(std::vector<Value>(static_cast<size_t>(form_.rows), c_.integer(0)));
    for (BlockArgument argument : form_.body->getArguments()) {
      if (!form_.whole[argument.getArgNumber()] && stages_.of(argument).dims == 0) emit_value(argument, nowhere);
    }
    for (Operation& op : form_.body->without_terminator()) {
      Value result = op.getResult(0);
      if (stages_.of(result).dims != 0 || stages_.of(result).level != 0) continue;
      if (isa<fuse::ReduceOp>(op) && !passes_through(form_, &op)) continue;
      emit_value(result, nowhere);
    }
  }

  // A value without inner dims, at the level of the row.
  void need_row_value(Value value) {
    if (values_.count(value) != 0 || is_whole(value)) return;
    if (Operation* op = value.getDefiningOp()) {
      if (isa<fuse::ReduceOp>(op) && !passes_through(form_, op)) return;  // its nest gives it
      for (Value operand : op->getOperands()) need_row_value(operand);
    }
    Place nowhere;
    nowhere.index.assign(form_.extent.size(), Value());
    emit_value(value, nowhere);
  }

  void emit_row(const std::vector<Value>& row) {
    memory_.enter_row(row);
    auto outside = values_;
    for (const Nest& nest : stages_.nests) emit_nest(nest);
    values_ = outside;
  }

  // ---- one loop nest ----

  struct Item {
    Value value;
    int depth;
    bool from_scratch;
  };

  DimSet inner(Value value) const { return stages_.inner(form_, value); }
  bool is_whole(Value value) const { return isa<RankedTensorType>(value.getType()); }

  bool in_scratch(Value value, const Nest& nest) const {
    if (stages_.spill_of(value) < 0) return false;
    Operation* op = value.getDefiningOp();
    int stored_at = stages_.of(value).level - (isa<fuse::ReduceOp>(op) && !passes_through(form_, op) ? 1 : 0);
    return stored_at < nest.level;
  }

  int depth_of(Value value, const Nest& nest) const {
    int depth = 0;
    for (size_t k = 0; k < nest.loops.size(); ++k) {
      if (has(stages_.of(value).dims, nest.loops[k])) depth = static_cast<int>(k) + 1;
    }
    return depth;
  }

  void list_items(Value value, const Nest& nest, std::vector<Item>& items, llvm::DenseSet<Value>& seen) {
    if (is_whole(value)) return;
    if (inner(value) == 0) return need_row_value(value);
    if (!seen.insert(value).second) return;
    bool scratch = in_scratch(value, nest);
    if (Operation* op = value.getDefiningOp(); op && !scratch) {
      for (Value operand : op->getOperands()) list_items(operand, nest, items, seen);
    }
    items.push_back({value, depth_of(value, nest), scratch});
  }

  std::vector<Operation*> reductions_of(const Nest& nest) const {  // those that run over loops of this nest
    std::vector<Operation*> list = nest.reduces;
    for (int k : nest.columns) {
      Operation* reduce = stages_.columns[static_cast<size_t>(k)].reduce;
      if (inside_of(reduce) != 0) list.push_back(reduce);
    }
    return list;
  }
  DimSet inside_of(Operation* reduce) const {
    return form_.over[static_cast<size_t>(number_.find(reduce)->second)] & form_.inner_set();
  }

  static int cost(const std::vector<Item>& items) {
    int sum = 0;
    for (const Item& item : items) {
      Operation* op = item.value.getDefiningOp();
      sum += op && op->getName().getDialectNamespace() == "math" ? 10 : 1;
    }
    return sum;
  }

  void emit_nest(const Nest& nest) {
    std::vector<Item> items;
    llvm::DenseSet<Value> seen;
    for (Operation* reduce : nest.reduces) list_items(reduce->getOperand(0), nest, items, seen);
    for (int k : nest.columns) {
      list_items(stages_.columns[static_cast<size_t>(k)].reduce->getOperand(0), nest, items, seen);
    }
    for (int k : nest.yields) {
      list_items(form_.body->getTerminator()->getOperand(static_cast<unsigned>(k)), nest, items, seen);
    }
    for (int k : nest.spills) list_items(stages_.spills[static_cast<size_t>(k)].value, nest, items, seen);
    nest_ = &nest;
    items_ = &items;
    reductions_ = reductions_of(nest);
    // A chain of additions waits for itself; several chains side by side do not.
    int work = cost(items);
    unroll_ = reductions_.empty() ? 1 : work <= 6 ? 4 : work <= 16 ? 2 : 1;
    Place place;
    place.index.assign(form_.extent.size(), Value());
    auto outside = values_;
    std::vector<Values> totals = emit_loops(0, place, {});
    values_ = outside;
    // Reductions that keep no inner dim are values of the row from here on.
    for (size_t k = 0; k < totals.size(); ++k) {
      Operation* reduce = reductions_[k];
      if ((nest.domain & ~nest.reduced) == 0 && !is_column(reduce)) values_[reduce->getResult(0)] = totals[k];
    }
  }

  bool is_column(Operation* reduce) const { return form_.column[static_cast<size_t>(number_.find(reduce)->second)]; }

  bool vectors_reduced() const { return form_.vec >= 0 && has(nest_->reduced, form_.vec); }

  // Emits the loops from `depth` inwards. `sums`: accumulators, once a reduced loop was entered.
  std::vector<Values> emit_loops(int depth, Place& place, std::vector<Values> sums) {
    const Nest& nest = *nest_;
    bool entering = depth == nest.kept && !reductions_.empty();
    for (const Item& item : *items_) {
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
    Type type = held(reduce->getResult(0));
    bool wide = place.vectors || vectors_reduced();
    Value start = identity_of(c_, combine_of(reduce), wide ? c_.vector_of(type) : type);
    return Values(place.vectors ? static_cast<size_t>(place.unroll) : 1, start);
  }

  void accumulate(Operation* reduce, Values& sums, const Place& place) {
    Values value = values_.lookup(reduce->getOperand(0));
    for (size_t u = 0; u < sums.size(); ++u) {
      Value next = combine(c_, combine_of(reduce), sums[u], value[value.size() == 1 ? 0 : u]);
      // Lanes past the end must not count.
      if (place.mask && vectors_reduced()) next = c_.select(place.mask, next, sums[u]);
      sums[u] = next;
    }
  }

  std::vector<Values> emit_plain_loop(int depth, Place& place, std::vector<Values> sums) {
    int d = nest_->loops[static_cast<size_t>(depth)];
    auto loop = scf::ForOp::create(c_.b, c_.loc, c_.integer(0), memory_.parameter(layout_.extent + d), c_.integer(1),
                                   flatten(sums));
    return fill_loop(loop, depth, d, place, sums);
  }

  std::vector<Values> fill_loop(scf::ForOp loop, int depth, int d, Place& place, const std::vector<Values>& shape) {
    {
      OpBuilder::InsertionGuard guard(c_.b);
      auto outside = values_;
      c_.b.setInsertionPointToStart(loop.getBody());
      Value saved = place.index[static_cast<size_t>(d)];
      place.index[static_cast<size_t>(d)] = loop.getInductionVar();
      std::vector<Values> inside = unflatten(loop.getRegionIterArgs(), shape);
      inside = emit_loops(depth + 1, place, std::move(inside));
      // The body of a loop over kept dims returns what its own reductions ended with: nothing to carry.
      if (shape.empty()) inside.clear();
      if (loop.getNumRegionIterArgs() > 0) scf::YieldOp::create(c_.b, c_.loc, flatten(inside));
      place.index[static_cast<size_t>(d)] = saved;
      values_ = outside;
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
    auto outside = values_;
    Operation* last = place.mask.getDefiningOp();
    c_.b.setInsertionPointAfter(last);
    place.index[static_cast<size_t>(form_.vec)] = loop.getInductionVar();
    std::vector<Values> inside = emit_loops(depth + 1, place, unflatten(loop.getRegionIterArgs(), shape));
    if (shape.empty()) inside.clear();
    if (loop.getNumRegionIterArgs() > 0) scf::YieldOp::create(c_.b, c_.loc, flatten(inside));
    place.index[static_cast<size_t>(form_.vec)] = Value();
    values_ = outside;
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
      if (is_column(reduce)) {
        size_t column = column_index(reduce);
        if (stages_.columns[column].kept != 0) add_to_partial(column, sums[k], place);
        else add_to_scalar(column, sums[k][0]);
        continue;
      }
      if ((nest_->domain & ~nest_->reduced) != 0) store_spill(stages_.spill_of(reduce->getResult(0)), sums[k], place);
    }
  }

  size_t column_index(Operation* reduce) const {
    for (size_t k = 0; k < stages_.columns.size(); ++k) {
      if (stages_.columns[k].reduce == reduce) return k;
    }
    return 0;
  }

  void add_to_scalar(size_t column, Value value) {
    size_t place = 0;
    for (size_t k = 0; k < column; ++k) place += stages_.columns[k].kept == 0 ? 1 : 0;
    scalars_[place] = combine(c_, combine_of(stages_.columns[column].reduce), scalars_[place], value);
  }

  void add_to_partial(size_t column, const Values& value, const Place& place) {
    const Column& facts = stages_.columns[column];
    Type type = facts.reduce->getResult(0).getType();
    bool along = place.vectors && has(facts.kept, form_.vec);
    for (int u = 0; u < (along ? place.unroll : 1); ++u) {
      Value old = memory_.load_dense(partials_[column], type, facts.kept, column_place(column), place, u);
      Value next = combine(c_, combine_of(facts.reduce), old, pick(value, u));
      memory_.store_dense(next, type, partials_[column], facts.kept, column_place(column), place, u);
    }
  }

  static Value pick(const Values& values, int u) { return values[values.size() == 1 ? 0 : static_cast<size_t>(u)]; }

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
    for (int k : nest_->spills) store_spill(k, values_.lookup(stages_.spills[static_cast<size_t>(k)].value), place);
    for (int k : nest_->columns) {
      auto column = static_cast<size_t>(k);
      Operation* reduce = stages_.columns[column].reduce;
      if (inside_of(reduce) != 0) continue;
      const Values& value = values_.lookup(reduce->getOperand(0));
      if (stages_.columns[column].kept == 0) add_to_scalar(column, value[0]);
      else add_to_partial(column, value, place);
    }
    for (int k : nest_->yields) emit_yield(k, place);
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
    const Values value = values_.lookup(yielded);
    bool along = place.vectors && has(access.dims(), form_.vec);
    for (int u = 0; u < (along ? place.unroll : 1); ++u) {
      memory_.store(pick(value, u), yielded.getType(), memory_.argument(layout_.outputs + k), access,
                    layout_.out + k * layout_.access, place, u);
    }
  }

  // ---- values ----

  void emit_item(const Item& item, const Place& place) {
    if (!item.from_scratch) return emit_value(item.value, place);
    int spill = stages_.spill_of(item.value);
    DimSet dims = stages_.spills[static_cast<size_t>(spill)].dims;
    Values loaded;
    bool along = place.vectors && has(dims, form_.vec);
    for (int u = 0; u < (along ? place.unroll : 1); ++u) {
      loaded.push_back(memory_.load_dense(spill_base(spill), item.value.getType(), dims, spill_place(spill), place, u));
    }
    values_[item.value] = loaded;
  }

  void emit_value(Value value, const Place& place) {
    bool along = place.vectors && has(stages_.of(value).dims, form_.vec);
    Values results;
    for (int u = 0; u < (along ? place.unroll : 1); ++u) results.push_back(emit_one(value, place, u));
    values_[value] = results;
  }

  Value emit_one(Value value, const Place& place, int u) {
    if (auto argument = dyn_cast<BlockArgument>(value)) {
      int k = static_cast<int>(argument.getArgNumber());
      return memory_.load(memory_.argument(k), value.getType(), form_.in[static_cast<size_t>(k)],
                          layout_.in + k * layout_.access, place, u);
    }
    Operation* op = value.getDefiningOp();
    auto operand = [&](Value v) { return pick(values_.lookup(v), u); };
    if (isa<fuse::IndexOp>(op)) {
      int k = number_.lookup(op);
      const Access& access = form_.index[static_cast<size_t>(k)];
      bool along = place.vectors && has(access.dims(), form_.vec);
      return memory_.offset(access, layout_.index + k * layout_.access, place, u, along);
    }
    if (auto load = dyn_cast<fuse::LoadAtOp>(op)) return emit_load_at(load, place, u);
    if (auto random = dyn_cast<fuse::RandomOp>(op)) {
      Value bits = random_bits(c_, operand(random.getSeed()), memory_.parameter(layout_.stream + number_.lookup(op)),
                               operand(random.getStep()), operand(random.getElement()));
      return random.getResult().getType().isF32() ? uniform_from_bits(c_, bits) : bits;
    }
    if (isa<fuse::ReduceOp>(op)) return operand(op->getOperand(0));  // over dims of extent 1
    SmallVector<Value> operands;
    for (Value v : op->getOperands()) operands.push_back(operand(v));
    return emit_point(c_, op, operands);
  }

  // The index along the last dim counts up with the lanes and the others are the same in all of them: one load.
  bool is_consecutive(fuse::LoadAtOp load, const Place& place) const {
    if (!place.vectors || load.getIndices().empty()) return false;
    auto last = load.getIndices().back().getDefiningOp<fuse::IndexOp>();
    if (!last) return false;
    const Access& access = form_.index[static_cast<size_t>(number_.find(last)->second)];
    if (!access.linear() || access.stride[static_cast<size_t>(form_.vec)] != 1) return false;
    for (Value index : load.getIndices().drop_back()) {
      if (has(stages_.of(index).dims, form_.vec)) return false;
    }
    return true;
  }

  Value emit_load_at(fuse::LoadAtOp load, const Place& place, int u) {
    int input = static_cast<int>(cast<BlockArgument>(load.getSource()).getArgNumber());
    int shape = layout_.shape_of[static_cast<size_t>(input)];
    Type type = load.getResult().getType();
    Value base = memory_.argument(input), at, first;
    bool consecutive = is_consecutive(load, place);
    Value zero = c_.integer(0);
    int rank = static_cast<int>(load.getIndices().size());
    for (int d = 0; d < rank; ++d) {
      Value index = pick(values_.lookup(load.getIndices()[static_cast<unsigned>(d)]), u);
      Value extent = memory_.parameter(shape + d);
      Value outside = c_.compare(arith::CmpIPredicate::uge, index, extent);
      if (!load.getClamp()) report(load, d, index, outside, place);
      Value clamped = c_.select(
          outside, c_.select(c_.compare(arith::CmpIPredicate::slt, index, zero), zero, c_.sub(extent, c_.integer(1))),
          index);
      if (consecutive && d + 1 == rank) {
        Value start = c_.make<vector::ExtractOp>(index, 0);
        first = at ? c_.add(c_.mul(at, extent), start) : start;
        Value stop = c_.add(start, c_.integer(c_.lanes - 1));
        Value inside = c_.bit_and(c_.compare(arith::CmpIPredicate::sge, start, zero),
                                  c_.compare(arith::CmpIPredicate::slt, stop, extent));
        at = at ? c_.add(c_.mul(at, extent), clamped) : clamped;
        auto branch = scf::IfOp::create(c_.b, c_.loc, TypeRange{c_.vector_of(c_.held(type))}, inside, true);
        OpBuilder::InsertionGuard guard(c_.b);
        c_.b.setInsertionPointToStart(branch.thenBlock());
        Value direct = memory_.load_consecutive(base, type, first, place);
        scf::YieldOp::create(c_.b, c_.loc, direct);
        c_.b.setInsertionPointToStart(branch.elseBlock());
        Value gathered = memory_.load_gather(base, type, at, place);
        scf::YieldOp::create(c_.b, c_.loc, gathered);
        return branch.getResult(0);
      }
      at = at ? c_.add(c_.mul(at, extent), clamped) : clamped;
    }
    return memory_.load_gather(base, type, at ? at : zero, place);
  }

  // Keeps the largest and the smallest index that was outside: the same two whatever the order of tasks.
  void report(fuse::LoadAtOp load, int d, Value index, Value outside, const Place& place) {
    if (Code::is_vector(outside) && place.mask) outside = c_.bit_and(outside, place.mask);
    Value any = outside;
    if (Code::is_vector(outside)) any = c_.make<vector::ReductionOp>(vector::CombiningKind::OR, outside);
    auto branch = scf::IfOp::create(c_.b, c_.loc, any, /*withElseRegion=*/false);
    OpBuilder::InsertionGuard guard(c_.b);
    c_.b.setInsertionPointToStart(branch.thenBlock());
    Type i64 = c_.i64();
    int word = number_.lookup(load.getOperation()) + 2 * d;
    for (Combine how : {Combine::max, Combine::min}) {
      Value worst = index;
      if (Code::is_vector(index)) {
        worst = across_lanes(c_, how, c_.select(outside, index, identity_of(c_, how, index.getType())));
      }
      Value address = c_.offset(memory_.argument(layout_.errors), i64, c_.integer(word));
      LLVM::AtomicRMWOp::create(c_.b, c_.loc, how == Combine::max ? LLVM::AtomicBinOp::max : LLVM::AtomicBinOp::min,
                                address, worst, LLVM::AtomicOrdering::monotonic);
      ++word;
    }
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
  RowMemory memory_;
  const Layout& layout_;
  llvm::DenseMap<Operation*, int> number_;  // place among ops of its kind; of a load_at its first error word
  llvm::DenseMap<Value, Values> values_;    // what has been emitted and is visible here
  Values scalars_;                          // running totals of column reductions without kept dims
  std::vector<Value> partials_;
  const Nest* nest_ = nullptr;
  const std::vector<Item>* items_ = nullptr;
  std::vector<Operation*> reductions_;
  int unroll_ = 1;
};

}  // namespace

void emit_rows(ModuleOp module, const std::string& symbol, const Form& form, const Stages& stages, int lanes) {
  OpBuilder builder(module.getContext());
  builder.setInsertionPointToEnd(module.getBody());
  Location loc = builder.getUnknownLoc();
  Type pointer = LLVM::LLVMPointerType::get(module.getContext());
  auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(module.getContext()),
                                          {pointer, pointer, builder.getI64Type(), pointer});
  auto function = LLVM::LLVMFuncOp::create(builder, loc, symbol, type);
  Code code(builder, loc, lanes);
  RowEmitter(code, form, stages, function).emit();
}

}  // namespace tessera::codegen
