// tessera-opt: runs the passes of ir/ and codegen/cuda/ on text. `tessera-opt --help` lists them.

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"

#include <tessera/codegen/cuda/passes/Passes.h>
#include <tessera/codegen/cuda/tile/Tile.h>
#include <tessera/ir/fuse/Fuse.h>
#include <tessera/ir/pipeline.h>
#include <tessera/ir/tsr/Tsr.h>

int main(int argc, char** argv) {
  mlir::DialectRegistry registry;
  registry.insert<mlir::arith::ArithDialect, mlir::func::FuncDialect, mlir::math::MathDialect, mlir::scf::SCFDialect,
                  mlir::tensor::TensorDialect, tessera::tsr::TsrDialect, tessera::fuse::FuseDialect,
                  tessera::tile::TileDialect>();
  tessera::ir::register_passes();
  tessera::cuda::registerTilePasses();
  mlir::registerCSEPass();
  mlir::registerCanonicalizerPass();
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, "Tessera pass driver\n", registry));
}
