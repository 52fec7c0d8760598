// Ops that look at one index at a time: sources, the formulas of the op table, casts and selects.
#include <cstring>

#include <tessera/core/error.h>
#include <tessera/core/random.h>
#include <tessera/core/reference_ops.h>

namespace tessera::reference {

void constant(const Call& call) {
  fill(call.result, call.dtype(), call.shape().numel(), call.attrs<ConstantAttrs>().value);
}

void iota(const Call& call) {
  const Split split(call.shape(), call.attrs<DimAttrs>().dim);
  each_lane(split, [&](int64_t start) {
    for (int64_t i = 0; i < split.extent; ++i) store_int(call.result, call.dtype(), start + i * split.inner, i);
  });
}

void random(const Call& call) {
  const RandomAttrs& attrs = call.attrs<RandomAttrs>();
  const auto scalar = [&](size_t k) {
    return static_cast<uint64_t>(load_int(call.operands[k].data, call.operands[k].dtype, 0));
  };
  const uint64_t seed = scalar(0), step = scalar(1);
  for (int64_t i = 0; i < call.shape().numel(); ++i) {
    const uint64_t element = static_cast<uint64_t>(i);
    if (attrs.kind == RandomKind::uniform)
      store_double(call.result, call.dtype(), i, random_uniform(seed, attrs.stream, step, element));
    else store_int(call.result, call.dtype(), i, random_bits(seed, attrs.stream, step, element));
  }
}

void elementwise(const Call& call) {
  const auto run = [&](auto zero, auto apply) {
    using T = decltype(zero);
    std::vector<T> x = load<T>(call.operands[0]);
    if (call.operands.size() == 1) {
      for (T& element : x) element = apply(element, T{});
    } else {
      const std::vector<T> y = load<T>(call.operands[1]);
      check_internal(x.size() == y.size(), "the operands of an elementwise op have one shape");
      for (size_t i = 0; i < x.size(); ++i) x[i] = apply(x[i], y[i]);
    }
    store(call, x);
  };
  // bool takes the formula of the floats, where `not` is logical; so do integers when none is their own.
  const OpRow& formulas = row(call.instruction.op);
  if (is_integer(call.operands[0].dtype) && formulas.integer_reference) run(int64_t{}, formulas.integer_reference);
  else run(double{}, formulas.reference);
}

void cast(const Call& call) {
  const Value& x = call.operands[0];
  convert(x.data, x.dtype, call.result, call.dtype(), call.shape().numel());
}

void select(const Call& call) {
  const size_t size = size_of(call.dtype());
  const auto* condition = static_cast<const uint8_t*>(call.operands[0].data);
  for (int64_t i = 0; i < call.shape().numel(); ++i) {
    const void* chosen = call.operands[condition[i] != 0 ? 1 : 2].data;
    const size_t at = static_cast<size_t>(i) * size;
    std::memcpy(static_cast<char*>(call.result) + at, static_cast<const char*>(chosen) + at, size);
  }
}

}  // namespace tessera::reference
