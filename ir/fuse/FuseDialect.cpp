#include <tessera/ir/fuse/Scatter.h>

#include "llvm/ADT/SmallBitVector.h"
#include "llvm/ADT/TypeSwitch.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/DialectImplementation.h"

#include <tessera/ir/fuse/operand_sums.h>

#include <tessera/ir/fuse/FuseDialect.cpp.inc>
#include <tessera/ir/fuse/FuseEnums.cpp.inc>
#define GET_ATTRDEF_CLASSES
#include <tessera/ir/fuse/FuseAttrs.cpp.inc>
#define GET_OP_CLASSES
#include <tessera/ir/fuse/FuseOps.cpp.inc>
#define GET_OP_CLASSES
#include <tessera/ir/fuse/FuseScatter.cpp.inc>

namespace tessera::fuse {

void FuseDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include <tessera/ir/fuse/FuseAttrs.cpp.inc>
      >();
  addOperations<
#define GET_OP_LIST
#include <tessera/ir/fuse/FuseOps.cpp.inc>
      >();
  addOperations<
#define GET_OP_LIST
#include <tessera/ir/fuse/FuseScatter.cpp.inc>
      >();
}

bool is_whole_tensor(mlir::AffineMap map) { return map.getNumInputs() == 0 && map.getNumResults() == 0; }

mlir::Type body_type(mlir::Type element) {
  auto integer = llvm::dyn_cast<mlir::IntegerType>(element);
  return integer ? mlir::IntegerType::get(element.getContext(), integer.getWidth()) : element;
}

namespace {

// (C1) and (C2), which kernels and cascades share.
template <class KernelOp> mlir::LogicalResult verify_inputs(KernelOp kernel) {
  mlir::Block& body = kernel.getBody().front();
  if (kernel.getInMaps().size() != kernel.getInputs().size() || body.getNumArguments() != kernel.getInputs().size())
    return kernel.emitOpError("(C1) has ") << kernel.getInputs().size() << " inputs, " << kernel.getInMaps().size()
                                           << " in_maps and " << body.getNumArguments() << " block arguments";
  for (auto [input, attr, argument] : llvm::zip(kernel.getInputs(), kernel.getInMaps(), body.getArguments())) {
    mlir::AffineMap map = llvm::cast<mlir::AffineMapAttr>(attr).getValue();
    auto tensor = llvm::cast<mlir::RankedTensorType>(input.getType());
    if (is_whole_tensor(map)) {
      if (argument.getType() != tensor) return kernel.emitOpError("(C1) a whole input keeps its tensor type");
      continue;
    }
    if (map.getNumDims() != kernel.getDims().size() || map.getNumResults() != 1 || map.getNumSymbols() != 0)
      return kernel.emitOpError("(C2) in_map ") << attr << " is no offset over " << kernel.getDims().size() << " dims";
    if (argument.getType() != body_type(tensor.getElementType()))
      return kernel.emitOpError("(C1) block argument of type ") << argument.getType() << " for elements of " << tensor;
  }
  return mlir::success();
}

template <class KernelOp> mlir::LogicalResult verify_results(KernelOp kernel) {
  auto yield = llvm::cast<YieldOp>(kernel.getBody().front().getTerminator());
  const size_t count = kernel.getNumResults();
  if (kernel.getOutMaps().size() != count || yield.getValues().size() != count)
    return kernel.emitOpError("(C1) has ") << count << " results, " << kernel.getOutMaps().size() << " out_maps and "
                                           << yield.getValues().size() << " yielded values";
  for (auto [result, attr, value] : llvm::zip(kernel.getResults(), kernel.getOutMaps(), yield.getValues())) {
    mlir::AffineMap map = llvm::cast<mlir::AffineMapAttr>(attr).getValue();
    if (map.getNumDims() != kernel.getDims().size() || map.getNumResults() != 1 || map.getNumSymbols() != 0)
      return kernel.emitOpError("(C2) out_map ") << attr << " is no offset over " << kernel.getDims().size() << " dims";
    mlir::Type element = llvm::cast<mlir::RankedTensorType>(result.getType()).getElementType();
    if (value.getType() != body_type(element))
      return kernel.emitOpError("(C1) yields ") << value.getType() << " for a result of " << result.getType();
  }
  return mlir::success();
}

// `may_go_on`: from an earlier result.
template <class KernelOp> mlir::LogicalResult verify_inits(KernelOp kernel, bool may_go_on) {
  const size_t count = kernel.getNumResults();
  llvm::ArrayRef<int64_t> of = kernel.getInitOf().value_or(llvm::ArrayRef<int64_t>{});
  if (kernel.getInits().empty()) return mlir::success();
  if (of.size() != count) return kernel.emitOpError("(C1) `of` names an init for each result");
  for (auto [k, init] : llvm::enumerate(of)) {
    if (may_go_on && init < -1) {
      const int64_t before = -2 - init;
      if (before >= static_cast<int64_t>(k) || kernel.getResult(static_cast<unsigned>(before)).getType() !=
                                                   kernel.getResult(static_cast<unsigned>(k)).getType())
        return kernel.emitOpError("(K1) result ") << k << " goes on from no earlier result of its type";
      if (!kernel.getResult(static_cast<unsigned>(before)).use_empty())
        return kernel.emitOpError("(K1) result ") << before << " is read, but another one goes on from it";
      continue;
    }
    if (init < -1 || init >= static_cast<int64_t>(kernel.getInits().size()))
      return kernel.emitOpError("(C1) result ") << k << " has no init " << init;
    if (init >= 0 && kernel.getInits()[static_cast<size_t>(init)].getType() != kernel.getResult(k).getType())
      return kernel.emitOpError("(C1) result ") << k << " and its init differ in type";
  }
  return mlir::success();
}

// Row: inner dims alone. Column: every outer dim, and then only yielded.
mlir::LogicalResult verify_reduction(KernelOp kernel, mlir::Operation& op, llvm::ArrayRef<int64_t> over) {
  const int64_t dims = static_cast<int64_t>(kernel.getDims().size()), outer = static_cast<int64_t>(kernel.getOuter());
  llvm::SmallBitVector named(static_cast<unsigned>(dims));
  for (int64_t d : over) {
    if (d < 0 || d >= dims) return op.emitOpError("(C3) names dim ") << d << " of " << dims;
    named.set(static_cast<unsigned>(d));
  }
  int64_t outer_named = 0;
  for (int64_t d = 0; d < outer; ++d) outer_named += named.test(static_cast<unsigned>(d)) ? 1 : 0;
  if (outer_named == 0) return mlir::success();
  if (outer_named != outer) return op.emitOpError("(C3) runs over some outer dims, but not all");
  for (mlir::Operation* user : op.getUsers())
    if (!llvm::isa<YieldOp>(user)) return op.emitOpError("(C4) is a column reduction, so it may only be yielded");
  return mlir::success();
}

}  // namespace

// The implicit terminator of a body that yields nothing.
void YieldOp::build(mlir::OpBuilder&, mlir::OperationState&) {}

mlir::LogicalResult KernelOp::verify() {
  if (static_cast<int64_t>(getOuter()) < 0 || getOuter() > getDims().size())
    return emitOpError("has ") << getDims().size() << " dims, so outer cannot be " << getOuter();
  if (mlir::failed(verify_inputs(*this)) || mlir::failed(verify_results(*this)) ||
      mlir::failed(verify_inits(*this, /*may_go_on=*/false)))
    return mlir::failure();
  ContractOp contract;
  for (mlir::Operation& op : getBody().front()) {
    if (auto reduce = llvm::dyn_cast<ReduceOp>(op)) {
      if (mlir::failed(verify_reduction(*this, op, reduce.getOver()))) return mlir::failure();
    } else if (auto found = llvm::dyn_cast<ContractOp>(op)) {
      if (contract) return emitOpError("(C5) has more than one contract");
      contract = found;
    }
  }
  return contract ? verify_operand_sums(*this, contract) : mlir::success();
}

mlir::LogicalResult CascadeOp::verify() {
  if (mlir::failed(verify_inputs(*this)) || mlir::failed(verify_results(*this)) ||
      mlir::failed(verify_inits(*this, /*may_go_on=*/true)))
    return mlir::failure();
  if (static_cast<int64_t>(getBatch()) < 0 || static_cast<int64_t>(getStream()) < 1 ||
      first_rest_dim() > static_cast<int64_t>(getDims().size()))
    return emitOpError("(K2) has ") << getDims().size() << " dims for " << getBatch() << " batch, one row and "
                                    << getStream() << " stream dims";
  return verify_cascade_body(*this);
}

}  // namespace tessera::fuse
