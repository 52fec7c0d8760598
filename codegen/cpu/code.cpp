#include <tessera/codegen/cpu/code.h>

#include <algorithm>

namespace tessera::codegen {

using namespace mlir;

int bytes_of(Type element) {
  if (isa<LLVM::LLVMPointerType>(element)) return 8;
  return std::max(1u, element.getIntOrFloatBitWidth() / 8);
}

Type Code::held(Type type) {
  if (type.isIndex()) return i64();
  if (type.isBF16()) return b.getI16Type();
  if (isa<FloatType>(type) && type.getIntOrFloatBitWidth() == 8) return b.getI8Type();
  if (auto integer_type = dyn_cast<IntegerType>(type)) return b.getIntegerType(integer_type.getWidth());
  return type;
}

Value Code::integer(int64_t value, Type type) { return make<arith::ConstantOp>(b.getIntegerAttr(type, value)); }

Value Code::constant(double value, Type type) {
  Type element = getElementTypeOrSelf(type);
  TypedAttr scalar = isa<FloatType>(element) ? TypedAttr(b.getFloatAttr(element, value))
                                             : TypedAttr(b.getIntegerAttr(element, static_cast<int64_t>(value)));
  if (auto shaped = dyn_cast<VectorType>(type)) {
    return make<arith::ConstantOp>(DenseElementsAttr::get(shaped, Attribute(scalar)));
  }
  return make<arith::ConstantOp>(scalar);
}

Value Code::bits(uint32_t pattern, Value shape) {
  auto attr = b.getIntegerAttr(i32(), static_cast<int32_t>(pattern));
  if (!is_vector(shape)) return make<arith::ConstantOp>(attr);
  return make<arith::ConstantOp>(DenseElementsAttr::get(cast<VectorType>(vector_of(i32())), Attribute(attr)));
}

Value Code::iota() {
  SmallVector<int64_t> values;
  for (int k = 0; k < lanes; ++k) values.push_back(k);
  auto type = VectorType::get({lanes}, i64());
  return make<arith::ConstantOp>(DenseElementsAttr::get(type, ArrayRef<int64_t>(values)));
}

Value Code::broadcast(Value value) {
  if (is_vector(value)) return value;
  return make<vector::BroadcastOp>(cast<VectorType>(vector_of(value.getType())), value);
}

void Code::match(Value& x, Value& y) {
  if (is_vector(x) == is_vector(y)) return;
  x = broadcast(x);
  y = broadcast(y);
}

namespace {
bool is_float(Value value) { return isa<FloatType>(Code::element(value)); }
}  // namespace

Value Code::add(Value x, Value y) {
  match(x, y);
  if (is_float(x)) return make<arith::AddFOp>(x, y);
  return make<arith::AddIOp>(x, y);
}

Value Code::sub(Value x, Value y) {
  match(x, y);
  if (is_float(x)) return make<arith::SubFOp>(x, y);
  return make<arith::SubIOp>(x, y);
}

Value Code::mul(Value x, Value y) {
  match(x, y);
  if (is_float(x)) return make<arith::MulFOp>(x, y);
  return make<arith::MulIOp>(x, y);
}

Value Code::div(Value x, Value y) {
  match(x, y);
  return make<arith::DivFOp>(x, y);
}

Value Code::fma(Value x, Value y, Value z) {
  match(x, y);
  match(x, z);
  match(y, z);
  return make<math::FmaOp>(x, y, z);
}

Value Code::neg(Value x) { return make<arith::NegFOp>(x); }

Value Code::shl(Value x, int by) { return make<arith::ShLIOp>(x, constant_like(x, by)); }
Value Code::shr(Value x, int by) { return make<arith::ShRUIOp>(x, constant_like(x, by)); }

Value Code::bit_and(Value x, Value y) {
  match(x, y);
  return make<arith::AndIOp>(x, y);
}
Value Code::bit_or(Value x, Value y) {
  match(x, y);
  return make<arith::OrIOp>(x, y);
}
Value Code::bit_xor(Value x, Value y) {
  match(x, y);
  return make<arith::XOrIOp>(x, y);
}

Value Code::compare(arith::CmpFPredicate predicate, Value x, Value y) {
  match(x, y);
  return make<arith::CmpFOp>(predicate, x, y);
}
Value Code::compare(arith::CmpIPredicate predicate, Value x, Value y) {
  match(x, y);
  return make<arith::CmpIOp>(predicate, x, y);
}

Value Code::select(Value condition, Value yes, Value no) {
  match(yes, no);
  if (is_vector(condition)) yes = broadcast(yes), no = broadcast(no);
  return make<arith::SelectOp>(condition, yes, no);
}

Value Code::bitcast(Value x, Type element) { return make<arith::BitcastOp>(like(x, element), x); }

Value Code::maximum(Value x, Value y) {
  match(x, y);
  // The first select is the machine's own maximum, which gives y when either is NaN.
  Value larger = select(compare(arith::CmpFPredicate::OGT, x, y), x, y);
  return select(is_nan(x), x, larger);
}

Value Code::minimum(Value x, Value y) {
  match(x, y);
  Value smaller = select(compare(arith::CmpFPredicate::OLT, x, y), x, y);
  return select(is_nan(x), x, smaller);
}

Value Code::min_index(Value x, Value y) {
  match(x, y);
  return make<arith::MinSIOp>(x, y);
}

Value Code::convert_int(Value x, Type element_type, bool is_signed) {
  unsigned from = element(x).getIntOrFloatBitWidth(), to = element_type.getIntOrFloatBitWidth();
  Type type = like(x, element_type);
  if (from == to) return x;
  if (from > to) return make<arith::TruncIOp>(type, x);
  if (is_signed) return make<arith::ExtSIOp>(type, x);
  return make<arith::ExtUIOp>(type, x);
}

Value Code::offset(Value base, Type element_type, Value index) {
  Type type = is_vector(index) ? vector_of(pointer()) : pointer();
  return make<LLVM::GEPOp>(type, element_type, base, ArrayRef<LLVM::GEPArg>{index});
}

Value Code::load(Value from, Type type) {
  auto op = LLVM::LoadOp::create(b, loc, type, from, static_cast<unsigned>(bytes_of(getElementTypeOrSelf(type))));
  return op.getResult();
}

void Code::store(Value value, Value to) {
  LLVM::StoreOp::create(b, loc, value, to, static_cast<unsigned>(bytes_of(element(value))));
}

}  // namespace tessera::codegen
