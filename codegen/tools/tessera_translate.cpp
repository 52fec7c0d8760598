// tessera-translate: text of one level as text of another. `tessera-translate --tile-to-cuda kernel.mlir`

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Tools/mlir-translate/MlirTranslateMain.h"
#include "mlir/Tools/mlir-translate/Translation.h"

#include <tessera/codegen/cuda/print/print_cuda.h>

int main(int argc, char** argv) {
  mlir::TranslateFromMLIRRegistration tile_to_cuda(
      "tile-to-cuda", "CUDA C++ of the tile kernels",
      [](mlir::ModuleOp module, llvm::raw_ostream& out) -> mlir::LogicalResult {
        for (auto kernel : module.getOps<tessera::tile::KernelOp>()) {
          mlir::FailureOr<std::string> text = tessera::cuda::print_cuda(kernel);
          if (mlir::failed(text)) return mlir::failure();
          out << *text;
        }
        return mlir::success();
      },
      [](mlir::DialectRegistry& registry) {
        registry.insert<mlir::arith::ArithDialect, mlir::math::MathDialect, mlir::scf::SCFDialect,
                        tessera::tile::TileDialect>();
      });
  return mlir::failed(mlir::mlirTranslateMain(argc, argv, "Tessera translation driver\n"));
}
