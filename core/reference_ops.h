#pragma once
// Inside the reference executor: how one op sees its operands, and the two walks that all families are made of.
// One function per op or family; reference.cpp chooses.

#include <cstdint>
#include <limits>
#include <type_traits>
#include <variant>
#include <vector>

#include <tessera/core/convert.h>
#include <tessera/core/program.h>

namespace tessera::reference {

struct Value {  // an operand
  DType dtype;
  const Shape& shape;
  const void* data;
};

struct Call {  // one op to run
  const Instruction& instruction;
  std::vector<Value> operands;
  void* result;  // room for shape().numel() elements of dtype()

  DType dtype() const { return instruction.dtype; }
  const Shape& shape() const { return instruction.shape; }
  template <class A> const A& attrs() const { return std::get<A>(instruction.attrs); }
};

// ---- numbers: floats are computed as double, integers and bool as int64_t ----

// Calls f with a zero of the type in which values of this dtype are computed.
template <class F> void compute(DType dtype, F f) {
  if (is_float(dtype)) f(double{});
  else f(int64_t{});
}

template <class T> std::vector<T> load(const Value& operand) {
  std::vector<T> out(static_cast<size_t>(operand.shape.numel()));
  convert(operand.data, operand.dtype, out.data(), dtype_of_v<T>, operand.shape.numel());
  return out;
}
// Rounds, once.
template <class T> void store(const Call& call, const std::vector<T>& values) {
  convert(values.data(), dtype_of_v<T>, call.result, call.dtype(), call.shape().numel());
}

// The row's formula for the type T; null for integers when the row has none of its own.
template <class T> auto formula(Op op) {
  if constexpr (std::is_same_v<T, double>) return row(op).reference;
  else return row(op).integer_reference;
}

// What a reduction by this op starts from.
template <class T> T neutral(Op op) {
  using Limits = std::numeric_limits<T>;
  if (op == Op::Max) return Limits::has_infinity ? -Limits::infinity() : Limits::lowest();
  if (op == Op::Min) return Limits::has_infinity ? Limits::infinity() : Limits::max();
  return op == Op::Mul ? 1 : 0;
}

// Fills `count` elements with one value.
void fill(void* to, DType, int64_t count, const Number& value);

// ---- places ----

// A way through a buffer, in elements: where index 0 lies and how far one step along each dim moves.
struct View {
  int64_t start = 0;
  Dims strides;
};
inline View dense(const Shape& shape) { return {0, row_major_strides(shape)}; }

// Calls body(a, b) with the places that two views give each index, in row-major order of `extents`.
template <class Body> void walk(const Shape& extents, const View& a, const View& b, Body body) {
  if (extents.numel() == 0) return;
  const size_t rank = extents.dims().size();
  Dims index(rank, 0);
  int64_t at_a = a.start, at_b = b.start;
  for (;;) {
    body(at_a, at_b);
    size_t dim = rank;
    for (; dim > 0; --dim) {
      const size_t d = dim - 1;
      at_a += a.strides[d];
      at_b += b.strides[d];
      if (++index[d] < extents.dims()[d]) break;
      at_a -= a.strides[d] * index[d];
      at_b -= b.strides[d] * index[d];
      index[d] = 0;
    }
    if (dim == 0) return;
  }
}

// Copies elements of `size` bytes from one view to another.
void copy(size_t size, const Shape& extents, const void* from, const View&, void* to, const View&);

// A shape seen from one of its dims: element (o, i, n) lies at (o · extent + i) · inner + n.
struct Split {
  int64_t outer = 1, extent = 1, inner = 1;
  Split(const Shape& shape, int64_t dim);
};

// Calls body(start) for each lane along the dim: its elements are start + i · inner.
template <class Body> void each_lane(const Split& split, Body body) {
  for (int64_t o = 0; o < split.outer; ++o)
    for (int64_t n = 0; n < split.inner; ++n) body(o * split.extent * split.inner + n);
}

// ---- the ops ----

void constant(const Call&);
void iota(const Call&);
void random(const Call&);
void elementwise(const Call&);
void cast(const Call&);
void select(const Call&);
void broadcast(const Call&);
void transpose(const Call&);
void slice(const Call&);
void pad(const Call&);
void concat(const Call&);
void reverse(const Call&);
void gather(const Call&);
void scatter(const Call&);
void dynamic_slice(const Call&);
void dynamic_update_slice(const Call&);
void reduce(const Call&);
void arg_extreme(const Call&);  // argmax, argmin
void scan(const Call&);
void argsort(const Call&);
void contract(const Call&);
void window(const Call&);
void fold(const Call&);
void softmax(const Call&);
void logsumexp(const Call&);
void variance(const Call&);

}  // namespace tessera::reference
