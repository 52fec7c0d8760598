#ifndef TESSERA_CUDA_PASSES
#define TESSERA_CUDA_PASSES

include "mlir/Pass/PassBase.td"

def VerifyProtocol : Pass<"tile-verify-protocol", "::mlir::ModuleOp"> {
  let summary = "Prove that the roles of every kernel come to their end and hand every buffer back";
  let description = [{
    Problem: a missing release is a kernel that hangs, a release too early is one that is wrong now and then. Neither shows
    in the text of one role.

    Every role is followed for small values of the kernel's i32 arguments: all combinations of `sizes`. One of them is less
    than a tile, one a tile and a bit, one so large that every channel wraps around. What is checked, (R1) to (R11), stands
    at `verify_protocol`. Nothing is changed.

    Every cluster is followed where the kernel says how many there are (`tile.cluster_index`); a loop over tiles is followed
    in one cluster that has all of them.

    Not handled: an argument of 0, since kernels are not launched over nothing.
    Order: last, on what is printed.
  }];
  let options = [ListOption<"sizes", "sizes", "int64_t", "values of i32 arguments">];
}

#endif
