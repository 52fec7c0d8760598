#pragma once
// The order of passes from tsr to fuse, one per line with its reason in pipeline.cpp.

namespace mlir {
class OpPassManager;
}

namespace tessera::ir {

void build_pipeline(mlir::OpPassManager& passes);
void register_passes();  // each pass and the pipeline "tsr-to-fuse" by name: for tessera-opt

}  // namespace tessera::ir
