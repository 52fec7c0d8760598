#include <tessera/codegen/cuda/print/sign_of.h>

namespace tessera::cuda {

const char* sign_of(mlir::arith::CmpIPredicate predicate) {
  using P = mlir::arith::CmpIPredicate;
  switch (predicate) {
    case P::eq: return "==";
    case P::ne: return "!=";
    case P::slt:
    case P::ult: return "<";
    case P::sle:
    case P::ule: return "<=";
    case P::sgt:
    case P::ugt: return ">";
    case P::sge:
    case P::uge: return ">=";
  }
  return "?";
}

}  // namespace tessera::cuda
