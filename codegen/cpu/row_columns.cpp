#include <tessera/codegen/cpu/row_columns.h>

#include <tessera/codegen/cpu/point.h>

namespace tessera::codegen {

using namespace mlir;

RowColumns::RowColumns(Code& code, const Form& form, const Stages& stages, RowMemory& memory)
    : c_(code), form_(form), stages_(stages), memory_(memory), layout_(memory.layout()) {}

Value RowColumns::slice(size_t column) {
  Type type = stages_.columns[column].reduce->getResult(0).getType();
  Value begin = c_.mul(memory_.task(), memory_.parameter(place_of(column)));
  return c_.offset(memory_.argument(layout_.columns + static_cast<int>(column)), stored(type), begin);
}

Type RowColumns::stored(Type type) {
  Type held = c_.held(type);
  return held.isInteger(1) ? Type(c_.b.getI8Type()) : held;
}

void RowColumns::clear() {
  slices_.clear();
  for (size_t k = 0; k < stages_.columns.size(); ++k) {
    slices_.push_back(slice(k));
    if (is_scalar(k)) continue;
    Operation* reduce = stages_.columns[k].reduce;
    Type type = reduce->getResult(0).getType();
    Value identity = identity_of(c_, combine_of(reduce), c_.held(type));
    if (Code::element(identity).isInteger(1)) identity = c_.convert_int(identity, stored(type), false);
    auto loop = scf::ForOp::create(c_.b, c_.loc, c_.integer(0), memory_.parameter(place_of(k)), c_.integer(1));
    OpBuilder::InsertionGuard guard(c_.b);
    c_.b.setInsertionPointToStart(loop.getBody());
    c_.store(identity, c_.offset(slices_[k], stored(type), loop.getInductionVar()));
  }
}

Values RowColumns::scalar_starts() {
  Values starts;
  for (size_t k = 0; k < stages_.columns.size(); ++k) {
    if (!is_scalar(k)) continue;
    Operation* reduce = stages_.columns[k].reduce;
    starts.push_back(identity_of(c_, combine_of(reduce), c_.held(reduce->getResult(0).getType())));
  }
  return starts;
}

void RowColumns::add(size_t column, const Values& value, const Place& place) {
  const Column& facts = stages_.columns[column];
  Combine how = combine_of(facts.reduce);
  if (is_scalar(column)) {
    size_t at = 0;
    for (size_t k = 0; k < column; ++k) at += is_scalar(k) ? 1 : 0;
    scalars[at] = combine(c_, how, scalars[at], value[0]);
    return;
  }
  Type type = facts.reduce->getResult(0).getType();
  bool along = place.vectors && has(facts.kept, form_.vec);
  for (int u = 0; u < (along ? place.unroll : 1); ++u) {
    Value old = memory_.load_dense(slices_[column], type, facts.kept, place_of(column), place, u);
    Value next = combine(c_, how, old, pick(value, u));
    memory_.store_dense(next, type, slices_[column], facts.kept, place_of(column), place, u);
  }
}

void RowColumns::store_scalars() {
  size_t at = 0;
  for (size_t k = 0; k < stages_.columns.size(); ++k) {
    if (!is_scalar(k)) continue;
    memory_.store_dense(scalars[at++], stages_.columns[k].reduce->getResult(0).getType(), slice(k), 0, 0, Place(), 0);
  }
}

}  // namespace tessera::codegen
