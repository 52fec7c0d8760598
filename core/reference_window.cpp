// Window and fold: one map between places, read in one direction and added up in the other.
#include <tessera/core/reference_ops.h>

namespace tessera::reference {
namespace {

// The windowed tensor's place in `whole`: a window dim steps by stride, its tap by dilation.
View window_view(const WindowAttrs& attrs, const Shape& whole) {
  View view = dense(whole);
  for (size_t i = 0; i < attrs.dims.size(); ++i) {
    int64_t& stride = view.strides[static_cast<size_t>(attrs.dims[i])];
    const int64_t tap = stride * attrs.dilation[i];
    stride *= attrs.stride[i];
    view.strides.push_back(tap);  // `stride` ends here
  }
  return view;
}

}  // namespace

void window(const Call& call) {
  const Value& x = call.operands[0];
  copy(size_of(call.dtype()), call.shape(), x.data, window_view(call.attrs<WindowAttrs>(), x.shape), call.result,
       dense(call.shape()));
}

void fold(const Call& call) {
  const Value& windows = call.operands[0];
  compute(call.dtype(), [&]<class T>(T) {
    const std::vector<T> x = load<T>(windows);
    std::vector<T> result(static_cast<size_t>(call.shape().numel()), T{0});
    const auto add = formula<T>(Op::Add);
    walk(windows.shape, dense(windows.shape), window_view(call.attrs<WindowAttrs>(), call.shape()),
         [&](int64_t from, int64_t to) {
           T& element = result[static_cast<size_t>(to)];
           element = add(element, x[static_cast<size_t>(from)]);
         });
    store(call, result);
  });
}

}  // namespace tessera::reference
