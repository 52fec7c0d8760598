#include <tessera/codegen/cpu/row_memory.h>

#include <functional>

#include "mlir/IR/AffineExpr.h"

namespace tessera::codegen {

using namespace mlir;

RowMemory::RowMemory(Code& code, const Form& form, const Stages& stages, LLVM::LLVMFuncOp function)
    : c_(code), form_(form), layout_(form, stages) {
  Block& entry = *function.addEntryBlock(c_.b);
  c_.b.setInsertionPointToStart(&entry);
  Value table = entry.getArgument(0);
  params_ = entry.getArgument(1), task_ = entry.getArgument(2), scratch_ = entry.getArgument(3);
  for (int k = 0; k < layout_.arguments; ++k) {
    arguments_.push_back(c_.load(c_.offset(table, c_.pointer(), c_.integer(k)), c_.pointer()));
  }
  parameters_.resize(static_cast<size_t>(layout_.parameters));
  row_offset_.resize(static_cast<size_t>(layout_.parameters));
  preamble_ = OpBuilder::InsertPoint(&entry, Block::iterator(c_.integer(0).getDefiningOp()));
}

Value RowMemory::parameter(int place) {
  Value& value = parameters_[static_cast<size_t>(place)];
  if (!value) {
    OpBuilder::InsertionGuard guard(c_.b);
    c_.b.restoreInsertionPoint(preamble_);
    value = c_.load(c_.offset(params_, c_.i64(), c_.integer(place)), c_.i64());
  }
  return value;
}

void RowMemory::enter_row(const std::vector<Value>& row_index) {
  row_index_ = row_index;
  auto enter = [&](const Access& access, int first) {
    if (!access.linear()) return;
    Value sum = parameter(first);
    for (int d = 0; d < form_.rows; ++d) {
      if (access.stride[static_cast<size_t>(d)] == 0) continue;
      sum = c_.add(sum, c_.mul(row_index[static_cast<size_t>(d)], parameter(first + 1 + d)));
    }
    row_offset_[static_cast<size_t>(first)] = sum;
  };
  for (size_t k = 0; k < form_.in.size(); ++k) enter(form_.in[k], layout_.in + static_cast<int>(k) * layout_.access);
  for (size_t k = 0; k < form_.out.size(); ++k) enter(form_.out[k], layout_.out + static_cast<int>(k) * layout_.access);
  for (size_t k = 0; k < form_.index.size(); ++k) {
    enter(form_.index[k], layout_.index + static_cast<int>(k) * layout_.access);
  }
}

Value RowMemory::offset(const Access& access, int first, const Place& place, int u, bool lanes) {
  int vec = form_.vec;
  auto vector_index = [&]() -> Value {
    Value at = place.index[static_cast<size_t>(vec)];
    return u == 0 ? at : c_.add(at, c_.integer(static_cast<int64_t>(u) * c_.lanes));
  };
  if (access.linear()) {
    Value sum = row_offset_[static_cast<size_t>(first)];
    for (int d = form_.rows; d < form_.dims(); ++d) {
      if (access.stride[static_cast<size_t>(d)] == 0) continue;
      bool unit = d == vec && access.stride[static_cast<size_t>(d)] == 1;
      Value at = d == vec ? vector_index() : place.index[static_cast<size_t>(d)];
      if (d == vec && lanes) at = c_.add(c_.broadcast(at), c_.iota());
      if (!unit) {
        Value stride = parameter(first + 1 + d);
        at = c_.mul(at, stride);
      }
      sum = c_.add(sum, at);
    }
    return sum;
  }
  // A map that is not linear: evaluated on the kernel's own dims.
  auto dim_value = [&](unsigned kernel_dim) -> Value {
    int d = form_.of_kernel[kernel_dim];
    if (d < 0) return c_.integer(0);
    if (d < form_.rows) return row_index_[static_cast<size_t>(d)];
    if (d != vec) return place.index[static_cast<size_t>(d)];
    Value at = vector_index();
    if (form_.segmented) {
      at = c_.add(at, c_.mul(row_index_[static_cast<size_t>(form_.rows - 1)], parameter(2)));
    }
    return lanes ? c_.add(c_.broadcast(at), c_.iota()) : at;
  };
  std::function<Value(AffineExpr)> evaluate = [&](AffineExpr expr) -> Value {
    if (auto constant = dyn_cast<AffineConstantExpr>(expr)) return c_.integer(constant.getValue());
    if (auto dim = dyn_cast<AffineDimExpr>(expr)) return dim_value(dim.getPosition());
    auto binary = cast<AffineBinaryOpExpr>(expr);
    Value x = evaluate(binary.getLHS()), y = evaluate(binary.getRHS());
    if (expr.getKind() == AffineExprKind::Add) return c_.add(x, y);
    if (expr.getKind() == AffineExprKind::Mul) return c_.mul(x, y);
    c_.match(x, y);
    // Operands of maps count places in storage: never negative, so rounding down is truncation.
    if (expr.getKind() == AffineExprKind::FloorDiv) return c_.make<arith::DivSIOp>(x, y);
    if (expr.getKind() == AffineExprKind::Mod) return c_.make<arith::RemSIOp>(x, y);
    Value rounded = c_.add(x, c_.sub(y, c_.constant_like(y, 1)));
    return c_.make<arith::DivSIOp>(rounded, y);
  };
  return evaluate(access.expression);
}

Value RowMemory::dense_offset(DimSet set, int first, const Place& place, int u) {
  Value sum = c_.integer(0);
  for (int d = form_.rows; d < form_.dims(); ++d) {
    if (!has(set, d)) continue;
    Value at = place.index[static_cast<size_t>(d)];
    if (d == form_.vec) {
      if (u > 0) at = c_.add(at, c_.integer(static_cast<int64_t>(u) * c_.lanes));
      sum = c_.add(sum, at);  // the last dim: stride 1
    } else {
      sum = c_.add(sum, c_.mul(at, parameter(first + 1 + d)));
    }
  }
  return sum;
}

Type RowMemory::stored(Type type) {
  Type held = c_.held(type);
  return held.isInteger(1) ? Type(c_.b.getI8Type()) : held;
}

Value RowMemory::from_stored(Value value, Type type) {
  if (!c_.held(type).isInteger(1)) return value;
  return c_.compare(arith::CmpIPredicate::ne, value, c_.constant_like(value, 0));
}

Value RowMemory::to_stored(Value value, Type type) {
  return c_.held(type).isInteger(1) ? c_.convert_int(value, c_.b.getI8Type(), false) : value;
}

Value RowMemory::all_lanes() { return c_.constant(1, c_.vector_of(c_.i1())); }

Value RowMemory::load_vector(Value pointer, Type element, const Place& place) {
  Type type = c_.vector_of(element);
  if (!place.mask) return c_.load(pointer, type);
  return LLVM::MaskedLoadOp::create(c_.b, c_.loc, type, pointer, place.mask, c_.constant(0, type),
                                    c_.b.getI32IntegerAttr(bytes_of(element)), UnitAttr())
      .getResult();
}

// Two vectors, of which every second lane is loaded: what lies behind the last element may be nobody's.
Value RowMemory::load_every_second(Value pointer, Type element, const Place& place) {
  const int64_t lanes = c_.lanes;
  Value real = place.mask ? place.mask : all_lanes(), none = c_.constant(0, real.getType());
  Value halves[2];
  SmallVector<int64_t> even;
  for (int64_t i = 0; i < lanes; ++i) even.push_back(2 * i);
  for (int64_t half : {0, 1}) {
    SmallVector<int64_t> order;
    for (int64_t i = 0; i < lanes; ++i) order.push_back(i % 2 == 0 ? half * lanes / 2 + i / 2 : lanes);
    Place some = place;
    some.mask = c_.make<vector::ShuffleOp>(real, none, order);
    halves[half] = load_vector(c_.offset(pointer, element, c_.integer(half * lanes)), element, some);
  }
  return c_.make<vector::ShuffleOp>(halves[0], halves[1], even);
}

void RowMemory::store_vector(Value value, Value pointer, const Place& place) {
  if (!place.mask) return c_.store(value, pointer);
  LLVM::MaskedStoreOp::create(c_.b, c_.loc, value, pointer, place.mask,
                              c_.b.getI32IntegerAttr(bytes_of(Code::element(value))));
}

Value RowMemory::load(Value base, Type type, const Access& access, int first, const Place& place, int u) {
  Type element = stored(type);
  bool along = place.vectors && form_.vec >= 0 && has(access.dims(), form_.vec);
  bool unit = along && access.linear() && access.stride[static_cast<size_t>(form_.vec)] == 1;
  if (along && access.linear() && access.stride[static_cast<size_t>(form_.vec)] == 2 && bytes_of(element) >= 4) {
    Value pointer = c_.offset(base, element, offset(access, first, place, u, false));
    return from_stored(load_every_second(pointer, element, place), type);
  }
  Value at = offset(access, first, place, u, along && !unit);
  if (along && !unit) return load_gather(base, type, at, place);
  Value pointer = c_.offset(base, element, at);
  return from_stored(along ? load_vector(pointer, element, place) : c_.load(pointer, element), type);
}

void RowMemory::store(Value value, Type type, Value base, const Access& access, int first, const Place& place, int u) {
  Type element = stored(type);
  value = to_stored(value, type);
  bool along = place.vectors && form_.vec >= 0 && has(access.dims(), form_.vec);
  bool unit = along && access.linear() && access.stride[static_cast<size_t>(form_.vec)] == 1;
  Value at = offset(access, first, place, u, along && !unit);
  Value pointer = c_.offset(base, element, at);
  if (!along) return c_.store(value, pointer);
  value = c_.broadcast(value);
  if (unit) return store_vector(value, pointer, place);
  LLVM::masked_scatter::create(c_.b, c_.loc, value, pointer, place.mask ? place.mask : all_lanes(),
                               c_.b.getI32IntegerAttr(bytes_of(element)));
}

Value RowMemory::load_dense(Value base, Type type, DimSet set, int first, const Place& place, int u) {
  Type element = stored(type);
  Value pointer = c_.offset(base, element, dense_offset(set, first, place, u));
  bool along = place.vectors && has(set, form_.vec);
  return from_stored(along ? load_vector(pointer, element, place) : c_.load(pointer, element), type);
}

void RowMemory::store_dense(Value value, Type type, Value base, DimSet set, int first, const Place& place, int u) {
  value = to_stored(value, type);
  Value pointer = c_.offset(base, stored(type), dense_offset(set, first, place, u));
  bool along = place.vectors && has(set, form_.vec);
  if (along) store_vector(c_.broadcast(value), pointer, place);
  else c_.store(value, pointer);
}

Value RowMemory::load_gather(Value base, Type type, Value index, const Place& place) {
  Type element = stored(type);
  Value pointer = c_.offset(base, element, index);
  if (!Code::is_vector(index)) return from_stored(c_.load(pointer, element), type);
  Type result = c_.vector_of(element);
  Value loaded =
      LLVM::masked_gather::create(c_.b, c_.loc, result, pointer, place.mask ? place.mask : all_lanes(),
                                  ValueRange{c_.constant(0, result)}, c_.b.getI32IntegerAttr(bytes_of(element)))
          .getResult();
  return from_stored(loaded, type);
}

Value RowMemory::load_consecutive(Value base, Type type, Value first_index, const Place& place) {
  Type element = stored(type);
  return from_stored(load_vector(c_.offset(base, element, first_index), element, place), type);
}

}  // namespace tessera::codegen
