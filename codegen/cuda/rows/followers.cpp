#include <tessera/codegen/cuda/rows/followers.h>

#include <utility>
#include <vector>

#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"

#include <tessera/codegen/cpu/form.h>
#include <tessera/codegen/cpu/stages.h>
#include <tessera/ir/fuse/Fuse.h>
#include <tessera/ir/fuse/body_dims.h>

namespace tessera::cuda {
namespace {

bool has_inits(fuse::KernelOp kernel) { return !kernel.getInits().empty() || kernel.getInitOf(); }

// Result element i from input element i, and from nothing else.
bool is_of_one_input(fuse::KernelOp kernel) {
  if (kernel.getInputs().size() != 1 || kernel.getNumResults() != 1 || has_inits(kernel)) return false;
  if (kernel.getInMaps()[0] != kernel.getOutMaps()[0]) return false;
  return llvm::none_of(kernel.getBody().front().without_terminator(), [](mlir::Operation& op) {
    return mlir::isa<fuse::IndexOp, fuse::LoadAtOp, fuse::RandomOp, fuse::ReduceOp, fuse::ContractOp>(op);
  });
}

// A reduction over all rows that has every dim which its result is written along.
bool is_column_sum(fuse::KernelOp kernel, unsigned result) {
  auto reduce = kernel.getBody().front().getTerminator()->getOperand(result).getDefiningOp<fuse::ReduceOp>();
  if (!reduce) return false;
  const codegen::Form form = codegen::merged_form(kernel);
  const auto number = static_cast<size_t>(codegen::ordinal(reduce));
  const fuse::BodyDims dims(kernel.getBody().front(), kernel.getInMaps());
  const auto written = fuse::dims_of(mlir::cast<mlir::AffineMapAttr>(kernel.getOutMaps()[result]).getValue());
  return form.over[number] != 0 && form.column[number] && (written & ~dims.of(reduce)) == 0;
}

fuse::KernelOp follower_of(fuse::KernelOp kernel, unsigned result) {
  mlir::Value sum = kernel.getResult(result);
  if (!sum.hasOneUse()) return {};
  auto follower = mlir::dyn_cast<fuse::KernelOp>(*sum.user_begin());
  if (!follower || !is_of_one_input(follower) || follower.getInputs().front() != sum) return {};
  if (mlir::cast<mlir::RankedTensorType>(follower.getResult(0).getType()).getShape() !=
      mlir::cast<mlir::RankedTensorType>(sum.getType()).getShape())
    return {};
  return is_column_sum(kernel, result) ? follower : fuse::KernelOp();
}

// `kernel` with the ops of `followers` (by result; null: none) behind its sums.
void take_in(fuse::KernelOp kernel, std::vector<fuse::KernelOp> followers) {
  std::vector<mlir::Type> types(kernel.getResultTypes().begin(), kernel.getResultTypes().end());
  std::vector<mlir::Location> from{kernel.getLoc()};
  mlir::OpBuilder b(kernel.getBody().front().getTerminator());
  for (auto [k, follower] : llvm::enumerate(followers)) {
    if (!follower) continue;
    mlir::OpOperand& yielded = kernel.getBody().front().getTerminator()->getOpOperand(static_cast<unsigned>(k));
    mlir::Block& body = follower.getBody().front();
    mlir::IRMapping mapping;
    mapping.map(body.getArgument(0), yielded.get());
    for (mlir::Operation& op : body.without_terminator()) b.clone(op, mapping);
    yielded.set(mapping.lookupOrDefault(body.getTerminator()->getOperand(0)));
    types[k] = follower.getResult(0).getType();
    from.push_back(follower.getLoc());
  }
  b.setInsertionPoint(kernel);
  auto made = fuse::KernelOp::create(b, b.getFusedLoc(from), types, kernel.getNameAttr(), kernel.getDimsAttr(),
                                     kernel.getOuterAttr(), kernel.getInputs(), kernel.getInMapsAttr(),
                                     kernel.getInits(), kernel.getInitOfAttr(), kernel.getOutMapsAttr());
  made.getBody().takeBody(kernel.getBody());
  for (auto [k, follower] : llvm::enumerate(followers)) {
    mlir::Value now = made.getResult(static_cast<unsigned>(k));
    if (!follower) {
      kernel.getResult(static_cast<unsigned>(k)).replaceAllUsesWith(now);
      continue;
    }
    follower.getResult(0).replaceAllUsesWith(now);
    follower.erase();
  }
  kernel.erase();
}

}  // namespace

void take_in_followers(mlir::func::FuncOp function) {
  std::vector<fuse::KernelOp> sums;  // none of them follows another: a follower reduces nothing
  for (auto kernel : function.getOps<fuse::KernelOp>())
    if (!has_inits(kernel) && !kernel.getBody().getOps<fuse::ReduceOp>().empty()) sums.push_back(kernel);
  for (fuse::KernelOp kernel : sums) {
    std::vector<fuse::KernelOp> followers;
    for (unsigned k = 0; k < kernel.getNumResults(); ++k) followers.push_back(follower_of(kernel, k));
    if (llvm::any_of(followers, [](fuse::KernelOp one) { return static_cast<bool>(one); }))
      take_in(kernel, std::move(followers));
  }
}

}  // namespace tessera::cuda
