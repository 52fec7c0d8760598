#include <tessera/core/promotion.h>

namespace tessera {
namespace {

Tensor filled(const Call& call, Shape shape, const Number& number, DType dtype) {
  rules::extents(call, shape);
  return Tensor(constant_node(call, number, dtype, std::move(shape)));
}

Tensor filled_like(const Call& call, const Operand& x, const Number& number) {
  if (x.is_number()) return filled(call, {}, number, rules::number_type(x.number()));
  const Node& like = *rules::value(call, x.tensor());
  return filled(call, like.shape, number, like.dtype);
}

}  // namespace

Tensor zeros(Shape shape, DType dtype, Loc at) { return filled({"zeros", at}, std::move(shape), int64_t{0}, dtype); }
Tensor ones(Shape shape, DType dtype, Loc at) { return filled({"ones", at}, std::move(shape), int64_t{1}, dtype); }
Tensor full(Shape shape, Number number, DType dtype, Loc at) {
  return filled({"full", at}, std::move(shape), number, dtype);
}
Tensor zeros_like(Operand x) { return filled_like({"zeros_like", x.at()}, x, int64_t{0}); }
Tensor ones_like(Operand x) { return filled_like({"ones_like", x.at()}, x, int64_t{1}); }
Tensor full_like(Operand x, Number number) { return filled_like({"full_like", x.at()}, x, number); }
Tensor scalar(Number number, DType dtype, Loc at) { return filled({"scalar", at}, {}, number, dtype); }

Tensor iota(Shape shape, int dim, DType dtype, Loc at) {
  const Call call{"iota", at};
  rules::extents(call, shape);
  dim = rules::dim(call, dim, shape);
  rules::countable(call, shape, dim, dtype);
  return Tensor(record(Op::Iota, DimAttrs{dim}, {}, dtype, std::move(shape), at));
}

Tensor arange(int64_t n, DType dtype, Loc at) {
  rules::count({"arange", at}, "length", n);
  return iota({n}, 0, dtype, at);
}

Tensor eye(int64_t n, DType dtype, Loc at) {
  rules::count({"eye", at}, "size", n);
  Tensor on_diagonal = Operand(iota({n, n}, 0, i64, at), at) == Operand(iota({n, n}, 1, i64, at), at);
  return cast({on_diagonal, at}, dtype);
}

}  // namespace tessera
