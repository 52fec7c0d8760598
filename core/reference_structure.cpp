// Ops that move elements to known places: each is one or a few copies between views.
#include <algorithm>
#include <cstring>

#include <tessera/core/reference_ops.h>

namespace tessera::reference {
namespace {

// The result, dense, from a view of the first operand.
void copy_from(const Call& call, const View& source) {
  copy(size_of(call.dtype()), call.shape(), call.operands[0].data, source, call.result, dense(call.shape()));
}

// The start of a dynamic slice: operands from `first` on, moved so that `size` fits into `shape`.
View dynamic_view(const Call& call, size_t first, const Shape& shape, const Shape& size) {
  View view = dense(shape);
  for (int d = 0; d < shape.rank(); ++d) {
    const Value& operand = call.operands[first + static_cast<size_t>(d)];
    const int64_t start = load_int(operand.data, operand.dtype, 0);
    view.start += std::clamp<int64_t>(start, 0, shape[d] - size[d]) * view.strides[static_cast<size_t>(d)];
  }
  return view;
}

}  // namespace

void broadcast(const Call& call) {
  const Dims& dims = call.attrs<DimsAttrs>().dims;
  const View operand = dense(call.operands[0].shape);
  View source{0, Dims(call.shape().dims().size(), 0)};  // stride 0: the same element again
  for (size_t i = 0; i < dims.size(); ++i)
    if (call.operands[0].shape.dims()[i] != 1) source.strides[static_cast<size_t>(dims[i])] = operand.strides[i];
  copy_from(call, source);
}

void transpose(const Call& call) {
  const View operand = dense(call.operands[0].shape);
  View source;
  for (const int64_t dim : call.attrs<DimsAttrs>().dims)
    source.strides.push_back(operand.strides[static_cast<size_t>(dim)]);
  copy_from(call, source);
}

void slice(const Call& call) {
  const SliceAttrs& attrs = call.attrs<SliceAttrs>();
  View source = dense(call.operands[0].shape);
  for (size_t d = 0; d < source.strides.size(); ++d) {
    source.start += attrs.start[d] * source.strides[d];
    source.strides[d] *= attrs.step[d];
  }
  copy_from(call, source);
}

void pad(const Call& call) {
  const PadAttrs& attrs = call.attrs<PadAttrs>();
  const Value& x = call.operands[0];
  fill(call.result, call.dtype(), call.shape().numel(), attrs.value);
  View target = dense(call.shape());
  for (size_t d = 0; d < target.strides.size(); ++d) {
    target.start += attrs.low[d] * target.strides[d];
    target.strides[d] *= attrs.interior[d] + 1;
  }
  copy(size_of(call.dtype()), x.shape, x.data, dense(x.shape), call.result, target);
}

void concat(const Call& call) {
  const size_t dim = static_cast<size_t>(call.attrs<DimAttrs>().dim);
  View target = dense(call.shape());
  for (const Value& part : call.operands) {
    copy(size_of(call.dtype()), part.shape, part.data, dense(part.shape), call.result, target);
    target.start += part.shape.dims()[dim] * target.strides[dim];
  }
}

void reverse(const Call& call) {
  View source = dense(call.operands[0].shape);
  for (const int64_t dim : call.attrs<DimsAttrs>().dims) {
    int64_t& stride = source.strides[static_cast<size_t>(dim)];
    source.start += (call.shape()[static_cast<int>(dim)] - 1) * stride;
    stride = -stride;
  }
  copy_from(call, source);
}

void dynamic_slice(const Call& call) { copy_from(call, dynamic_view(call, 1, call.operands[0].shape, call.shape())); }

void dynamic_update_slice(const Call& call) {
  const Value &x = call.operands[0], &update = call.operands[1];
  cast(call);  // the base, whole
  copy(size_of(call.dtype()), update.shape, update.data, dense(update.shape), call.result,
       dynamic_view(call, 2, x.shape, update.shape));
}

}  // namespace tessera::reference
