#pragma once
// Contractions: a fuse.kernel with a fuse.contract as a packed matrix product over tables of element offsets, with the
// rest of its body as the epilogue of each tile. The only lowering of such kernels: there is no naive one beside it.
//
//   Contract contract = make_contract(kernel, host_target());
//   for (part : contract.parts)   get part.symbol from memory, from the disk cache under part.key, or emit and compile;
//                                 link in this order: the code of a part calls parts that stand before it
//   KernelFunction f = the last part's function
//   for (pass of contract.launch) for each of its tasks, in any order on any threads: f(arguments, params, task, scratch)
//
// A contraction is some letters that A, B and the result share (batch), some of A and the result (M), of B and the
// result (N), and some that are summed (K). Whatever the strides, offset of element (m, k) in A is a table entry for m
// plus one for k; so one kernel serves every einsum, strided view and convolution. The kernel depends on the body, on
// dtypes and on how each operand walks along N (unit stride, constant, else); everything else is in the parameters.
//
// Sums: K is cut into blocks and parts by the shape alone, blocks added in order, parts added in order. The same bits
// on any number of threads.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "mlir/IR/BuiltinOps.h"

#include <tessera/codegen/cpu/target.h>

namespace tessera::fuse {
class KernelOp;
}

namespace tessera::codegen {

// Code to be had once per key: the kernel itself, or packing routines and the micro-kernel that many kernels share.
struct ContractPart {
  std::string key;     // hex
  std::string symbol;  // a function that it defines
  std::function<void(mlir::ModuleOp)> emit;  // into an empty module; refers to the program's module
};

// Arguments: inputs, results, the workspace, then the error words (as error_sites(), pairs of words in body order).
struct ContractLaunch {
  std::vector<int64_t> params;   // extents, block sizes and tables; no addresses: may be kept on disk
  std::vector<int64_t> passes;   // tasks of each pass. Task numbers count on through the passes; a pass starts when
                                 // every task of the one before has ended. Empty: nothing to do
  int64_t scratch_bytes = 0;     // per thread, 64-byte aligned, contents undefined
  int64_t workspace_bytes = 0;   // one buffer for the launch, 64-byte aligned, contents undefined; may be 0
};

struct Contract {
  std::vector<ContractPart> parts;  // in link order, the kernel last
  ContractLaunch launch;
};

// Throws InternalError for a body or an access that no contraction can have.
Contract make_contract(fuse::KernelOp kernel, const Target& target);

// May the buffers of input `in` and result `out` be the same? True when the epilogue alone reads the input, and at
// each point exactly the element that it writes there.
bool contract_may_share(fuse::KernelOp kernel, int in, int out);

}  // namespace tessera::codegen
