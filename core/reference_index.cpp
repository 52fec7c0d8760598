// Gather and scatter: places that come from data.
#include <cstring>
#include <string>

#include <tessera/core/index_outside.h>
#include <tessera/core/reference_ops.h>

namespace tessera::reference {
namespace {

// Both ops see the indexed tensor as outer × extent × inner, and the other one as outer × indices × inner.
struct Indexed {
  Split split;
  std::vector<int64_t> index;

  Indexed(const Call& call, const Value& tensor, int64_t dim)
      : split(tensor.shape, dim), index(load<int64_t>(call.operands[1])) {
    for (const int64_t i : index)
      if (i < 0 || i >= split.extent) out_of_range(call, tensor, dim, i);
  }

  // Calls body(place in the indexed tensor, place in the other) for each run of `inner` elements, in index order.
  template <class Body> void each_run(Body body) const {
    const int64_t count = static_cast<int64_t>(index.size());
    for (int64_t o = 0; o < split.outer; ++o)
      for (int64_t i = 0; i < count; ++i)
        body((o * split.extent + index[static_cast<size_t>(i)]) * split.inner, (o * count + i) * split.inner);
  }

 private:
  [[noreturn]] static void out_of_range(const Call& call, const Value& tensor, int64_t dim, int64_t index) {
    const Instruction& op = call.instruction;
    throw_index_outside({name(op.op), index, dim, tensor.shape[static_cast<int>(dim)], op.at, op.scope},
                        {{"x", std::string(name(tensor.dtype)) + tensor.shape.str()}});
  }
};

}  // namespace

void gather(const Call& call) {
  const Value& x = call.operands[0];
  const Indexed indexed(call, x, call.attrs<DimAttrs>().dim);
  const int64_t size = static_cast<int64_t>(size_of(call.dtype()));
  const size_t bytes = static_cast<size_t>(indexed.split.inner * size);
  if (call.shape().numel() == 0) return;
  indexed.each_run([&](int64_t from, int64_t to) {
    std::memcpy(static_cast<char*>(call.result) + to * size, static_cast<const char*>(x.data) + from * size, bytes);
  });
}

void scatter(const Call& call) {
  const ScatterAttrs& attrs = call.attrs<ScatterAttrs>();
  const Indexed indexed(call, call.operands[0], attrs.dim);
  compute(call.dtype(), [&]<class T>(T) {
    std::vector<T> result = load<T>(call.operands[0]);
    const std::vector<T> updates = load<T>(call.operands[2]);
    const auto combine = formula<T>(attrs.mode == ScatterMode::max ? Op::Max : Op::Add);
    indexed.each_run([&](int64_t to, int64_t from) {
      for (int64_t n = 0; n < indexed.split.inner; ++n) {
        T& element = result[static_cast<size_t>(to + n)];
        const T update = updates[static_cast<size_t>(from + n)];
        element = attrs.mode == ScatterMode::set ? update : combine(element, update);
      }
    });
    store(call, result);
  });
}

}  // namespace tessera::reference
