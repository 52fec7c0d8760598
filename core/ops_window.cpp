#include <tessera/core/promotion.h>

namespace tessera {

Tensor window(Operand x, WindowAttrs attrs) {
  const Call call{"window", x.at()};
  NodePtr node = resolve(call, x);
  rules::Windowed w = rules::window(call, "x", *node, node->shape, std::move(attrs));
  const DType dtype = node->dtype;
  return Tensor(record(Op::Window, std::move(w.attrs), {std::move(node)}, dtype, std::move(w.shape), call.at));
}

Tensor fold(Operand windows, Shape shape, WindowAttrs attrs) {
  const Call call{"fold", windows.at()};
  NodePtr node = resolve(call, windows);
  rules::extents(call, shape);
  rules::Windowed w = rules::window(call, "windows", *node, shape, std::move(attrs));
  rules::fold(call, *node, shape, w.shape);
  const DType dtype = node->dtype;
  return Tensor(record(Op::Fold, std::move(w.attrs), {std::move(node)}, dtype, std::move(shape), call.at));
}

}  // namespace tessera
