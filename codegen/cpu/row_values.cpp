#include <tessera/codegen/cpu/row_values.h>

#include <tessera/codegen/cpu/philox.h>
#include <tessera/codegen/cpu/point.h>
#include <tessera/ir/fuse/Fuse.h>

namespace tessera::codegen {

using namespace mlir;

RowValues::RowValues(Code& code, const Form& form, const Stages& stages, RowMemory& memory)
    : c_(code), form_(form), stages_(stages), memory_(memory), layout_(memory.layout()) {
  int index = 0, draw = 0, reduce = 0;
  for (Operation& op : *form.body) {
    if (isa<fuse::IndexOp>(op)) number_[&op] = index++;
    if (isa<fuse::RandomOp>(op)) number_[&op] = draw++;
    if (isa<fuse::ReduceOp>(op)) number_[&op] = reduce++;
  }
  for (const ErrorSite& site : error_sites(*form.body)) number_[site.op] = site.first_word;
}

DimSet RowValues::inside(Operation* reduce) const {
  return form_.over[static_cast<size_t>(number_.lookup(reduce))] & form_.inner_set();
}

bool RowValues::is_column(Operation* reduce) const { return form_.column[static_cast<size_t>(number_.lookup(reduce))]; }

void RowValues::emit_row_value(Value value) {
  if (visible.count(value) != 0 || isa<RankedTensorType>(value.getType())) return;
  if (Operation* op = value.getDefiningOp()) {
    if (isa<fuse::ReduceOp>(op) && !passes_through(form_, op)) return;  // its nest gives it
    for (Value operand : op->getOperands()) emit_row_value(operand);
  }
  Place nowhere;
  nowhere.index.assign(form_.extent.size(), Value());
  emit(value, nowhere);
}

void RowValues::emit(Value value, const Place& place) {
  bool along = place.vectors && has(stages_.of(value).dims, form_.vec);
  Values results;
  for (int u = 0; u < (along ? place.unroll : 1); ++u) results.push_back(emit_one(value, place, u));
  visible[value] = results;
}

Value RowValues::emit_one(Value value, const Place& place, int u) {
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    int k = static_cast<int>(argument.getArgNumber());
    return memory_.load(memory_.argument(k), value.getType(), form_.in[static_cast<size_t>(k)],
                        layout_.in + k * layout_.access, place, u);
  }
  Operation* op = value.getDefiningOp();
  auto operand = [&](Value v) { return pick(of(v), u); };
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
bool RowValues::is_consecutive(fuse::LoadAtOp load, const Place& place) const {
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

Value RowValues::emit_load_at(fuse::LoadAtOp load, const Place& place, int u) {
  int input = static_cast<int>(cast<BlockArgument>(load.getSource()).getArgNumber());
  int shape = layout_.shape_of[static_cast<size_t>(input)];
  Type type = load.getResult().getType();
  Value base = memory_.argument(input), at, first;
  bool consecutive = is_consecutive(load, place);
  Value zero = c_.integer(0);
  int rank = static_cast<int>(load.getIndices().size());
  for (int d = 0; d < rank; ++d) {
    Value index = pick(of(load.getIndices()[static_cast<unsigned>(d)]), u);
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
void RowValues::report(fuse::LoadAtOp load, int d, Value index, Value outside, const Place& place) {
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

}  // namespace tessera::codegen
