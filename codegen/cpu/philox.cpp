#include <tessera/codegen/cpu/philox.h>

#include <array>

namespace tessera::codegen {

using mlir::arith::CmpIPredicate;

// Words are held in i64 with zero upper halves: a product of two is then whole, and its halves are a mask and a shift.
Value random_bits(Code& c, Value seed, Value stream, Value step, Value element) {
  Value low_mask = c.constant_like(element, 0xffffffff);
  auto low = [&](Value x) { return c.bit_and(x, low_mask); };
  auto high = [&](Value x) { return c.shr(x, 32); };
  Value key = c.bit_xor(seed, stream);
  if (Code::is_vector(element)) key = c.broadcast(key), step = c.broadcast(step);
  Value k0 = low(key), k1 = high(key);
  Value block = c.shr(element, 2);
  std::array<Value, 4> w{low(block), high(block), low(step), high(step)};
  for (int round = 0; round < 10; ++round) {
    Value p0 = c.mul(w[0], c.constant_like(element, 0xD2511F53));
    Value p1 = c.mul(w[2], c.constant_like(element, 0xCD9E8D57));
    w = {c.bit_xor(c.bit_xor(high(p1), w[1]), k0), low(p1), c.bit_xor(c.bit_xor(high(p0), w[3]), k1), low(p0)};
    k0 = low(c.add(k0, c.constant_like(element, 0x9E3779B9)));
    k1 = low(c.add(k1, c.constant_like(element, 0xBB67AE85)));
  }
  Value which = c.bit_and(element, c.constant_like(element, 3));
  auto is = [&](int k) { return c.compare(CmpIPredicate::eq, which, c.constant_like(element, k)); };
  Value word = c.select(is(0), w[0], c.select(is(1), w[1], c.select(is(2), w[2], w[3])));
  return c.convert_int(word, c.i32(), false);
}

Value uniform_from_bits(Code& c, Value bits) {
  Value number = c.make<mlir::arith::SIToFPOp>(c.like(bits, c.f32()), c.shr(bits, 8));
  return c.mul(number, c.constant_like(number, 0x1p-24));
}

}  // namespace tessera::codegen
