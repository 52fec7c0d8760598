#pragma once
// What a plan notes about an op beside how to run it: where it comes from, what it costs, where it can fail.

#include <string>
#include <vector>

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Operation.h"

#include <tessera/codegen/plan/plan.h>

namespace tessera::fuse {
class CascadeOp;
class KernelOp;
class LibraryOp;
}  // namespace tessera::fuse

namespace tessera::codegen {

std::vector<int> origins_of(mlir::Operation& op);             // instructions behind it and what it holds, sorted
std::vector<PlanCheck> index_checks(mlir::Block& body);       // of its fuse.load_at ops
PlanCheck library_check(fuse::LibraryOp op);                  // of a scatter's indices
std::vector<int64_t> library_parameters(fuse::LibraryOp op);  // as runtime/library.h wants them
std::vector<PlanWrite> writes_of(mlir::Block& body);          // one per result; without the values
PlanTypes types_of(mlir::Operation& op);                      // of a kernel or cascade
// Of a kernel that writes elements as it reads them and computes nothing: "rounds" or "widens" what it reads, "rearranges" it or
// writes it to a part of something, does both, "rounds and rearranges", or "copies". Else "".
std::string moves_of(mlir::Operation& op);
bool holds_contract(fuse::KernelOp kernel);
int64_t bytes_of_type(mlir::Type tensor);
int64_t flops_of(fuse::KernelOp kernel);
int64_t flops_of(fuse::CascadeOp cascade);              // without blocks that masks of indices leave empty
std::string dense_bytes(mlir::DenseElementsAttr attr);  // as elements lie in memory; bool is a byte

}  // namespace tessera::codegen
