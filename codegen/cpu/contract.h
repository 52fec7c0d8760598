#pragma once
// Contraction kernels: a fuse.kernel that holds a fuse.contract, as a packed matrix product over tables of element
// offsets, with the rest of its body as the epilogue of each tile.
//
// A contraction has letters that A, B and the result share (batch), letters of A and the result (M), of B and the
// result (N), and letters that are summed (K). Whatever the strides, the offset of element (m, k) in A is one number for
// m plus one for k: so one kernel serves every einsum, strided view and convolution. Its code depends on the body, on
// dtypes and on how each operand walks along N (unit stride, not at all, else); the rest is parameters and tables.
//
// Sums: K is cut into blocks and parts by the shape alone; blocks are added in order, and so are parts. The bits are
// the same on any number of threads, though M and N are cut for the threads at hand.

#include <cstdint>
#include <vector>

#include <tessera/codegen/cpu/kernels.h>
#include <tessera/codegen/cpu/target.h>

namespace tessera::fuse {
class KernelOp;
}

namespace tessera::codegen {

// A kernel and how it is launched. The kernel's arguments are: inputs, results, `tables`, `workspaces`, error words (as
// error_sites(): pairs of words in body order).
struct ContractLaunch {
  KernelRequest kernel;
  std::vector<KernelRequest> shared;         // code that many kernels call; to be linked before `kernel`
  std::vector<int64_t> parameters;           // extents, block sizes: what the code is not specialised for
  std::vector<std::vector<int64_t>> tables;  // read-only arrays kept in the plan: element offset per composite index
  std::vector<int64_t> workspaces;           // bytes of temporaries shared by all tasks, taken from the arena
  int64_t tasks = 0;                         // a grid is folded into one number, row-major
  int64_t scratch = 0;                       // bytes of workspace per thread: packed panels
};

// Launches to run one after the other (products of parts of K, then their sum); all get the same argument list, with
// one set of workspaces. None for an empty result. Throws InternalError for what no contraction can have.
std::vector<ContractLaunch> lower_contract(fuse::KernelOp kernel, const Target& target);

// May the buffers of input `in` and result `out` be the same? True when the epilogue alone reads the input, and at
// each point exactly the element that it writes there.
bool contract_may_share(fuse::KernelOp kernel, int in, int out);

}  // namespace tessera::codegen
