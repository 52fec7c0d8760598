#include <tessera/core/promotion.h>

namespace tessera {
namespace {

Tensor scanned(std::string_view name, const Operand& x, ScanKind kind, int dim, bool reverse,
               DType (*dtype)(const Call&, const Node&)) {
  const Call call{name, x.at()};
  NodePtr node = resolve(call, x);
  dim = rules::dim(call, dim, *node);
  const DType type = dtype(call, *node);
  node = cast_node(std::move(node), type, call.at);
  Shape shape = node->shape;
  return Tensor(record(Op::Scan, ScanAttrs{kind, dim, reverse}, {std::move(node)}, type, std::move(shape), call.at));
}

}  // namespace

Tensor cumsum(Operand x, int dim, bool reverse) {
  return scanned("cumsum", x, ScanKind::sum, dim, reverse, rules::accumulated);
}
Tensor cummax(Operand x, int dim, bool reverse) {
  return scanned("cummax", x, ScanKind::max, dim, reverse, rules::arithmetic);
}
Tensor cumprod(Operand x, int dim, bool reverse) {
  return scanned("cumprod", x, ScanKind::prod, dim, reverse, rules::accumulated);
}

Tensor argsort(Operand x, int dim, bool descending) {
  const Call call{"argsort", x.at()};
  NodePtr node = resolve(call, x);
  rules::arithmetic(call, *node);
  dim = rules::dim(call, dim, *node);
  Shape shape = node->shape;
  return Tensor(record(Op::ArgSort, ArgSortAttrs{dim, descending}, {std::move(node)}, i64, std::move(shape), call.at));
}

}  // namespace tessera
