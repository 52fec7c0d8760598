#include <tessera/ir/pipeline.h>

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

#include <tessera/ir/passes/Passes.h>

namespace tessera::ir {

void build_pipeline(mlir::OpPassManager& passes, Planes planes, OperandSums sums, Channels channels,
                    const MissingKernel& missing) {
  auto& function = passes.nest<mlir::func::FuncOp>();
  function.addPass(createDropEmpty());        // so that no other pass meets an extent of 0
  function.addPass(createSimplify());         // while ops are still those that rules name
  function.addPass(mlir::createCSEPass());    // equal factors become one value, by which the next two know them
  function.addPass(createSimplify());         // what is one value now: a concatenation of it is a broadcast
  function.addPass(createTrilinear());        // takes statistics out of planes, in memory or not
  function.addPass(createNormalizeScores());  // while softmax is one op, and its scores are read once
  function.addPass(createDecompose());        // after all that looks for normal forms
  if (channels == Channels::innermost)
    function.addPass(createLayout());          // while contractions are those of the user, and each reduction is one op
  function.addPass(createSplitReduce());       // what decomposition reduces too
  function.addPass(createLegalizeContract());  // makes pads and views, which the next two clean up
  function.addPass(createMmaPrecision());      // sees all that contractions read; CSE then leaves one rounding of each
  function.addPass(createSimplify());          // what decomposition left behind
  function.addPass(mlir::createCSEPass());     // equal ops become one value before ops choose kernels
  if (planes == Planes::derived)
    function.addPass(createDerivePlanes(missing));  // takes ops away that would choose kernels of their own
  function.addPass(createRecompute());              // after CSE, which would join its copies again
  function.addPass(createFormKernels());
  function.addPass(createStoragePrecision());  // what lies between kernels is known now
  if (sums == OperandSums::joined)
    function.addPass(createJoinSums());  // after what decides about bits: both kernels must read the same tensor
}

void register_passes() {
  registerTesseraPasses();
  static mlir::PassPipelineRegistration<> pipeline("tsr-to-fuse", "All passes from tsr to fuse",
                                                   [](mlir::OpPassManager& passes) { build_pipeline(passes); });
}

}  // namespace tessera::ir
