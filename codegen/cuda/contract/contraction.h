#pragma once
// A fuse.kernel with a fuse.contract, read as a matrix product: its dims sorted into batch, M, N and K, and each access
// as strides over them.
//
// Whatever the layout, the element (batch, row, k) of an operand lies at the sum of three numbers, one for each: so one
// engine serves every einsum, strided view and convolution.

#include <cstdint>
#include <optional>
#include <vector>

#include <tessera/codegen/cpu/form.h>
#include <tessera/ir/fuse/Fuse.h>

namespace tessera::cuda {

// A few dims next to each other, the last moves fastest: what one number counts.
struct Side {
  int begin = 0, end = 0;
  int count() const { return end - begin; }
};

struct ContractOperand {
  unsigned argument = 0;                   // of the kernel
  std::vector<mlir::Operation*> widening;  // from the block argument to the contract
  codegen::Access access;
};

struct Contraction {
  mlir::Operation* kernel_op = nullptr;
  mlir::Operation* contract_op = nullptr;
  std::vector<int64_t> extent;  // of batch, M, N and K dims in this order
  Side batch, m, n, k;
  ContractOperand a, b;  // a has the rows M, b the rows N; N is what the first result has neighbours along
  std::vector<codegen::Access> in, out, index;  // of the kernel

  int64_t size(Side side) const;
  fuse::KernelOp kernel() const { return mlir::cast<fuse::KernelOp>(kernel_op); }
  mlir::Block& body() const { return *contract_op->getBlock(); }
  mlir::Type sum_type() const { return contract_op->getResult(0).getType(); }
  mlir::Type stored_type(const ContractOperand& operand) const {
    return body().getArgument(operand.argument).getType();
  }
};

// Which neighbouring dims of M, N or K become one. The points of a side have the same order each time.
enum class Joined {
  where_all_alike,      // those that every access walks as one, as it is with batch dims
  where_results_alike,  // those that all but the operands walk so: whoever brings the operands looks at them apart
  never,
};

Contraction read_contraction(fuse::KernelOp kernel, Joined joined = Joined::where_all_alike);

// The step from one point of `side` to the next, if it is always the same.
std::optional<int64_t> stride_along(const Contraction& c, const codegen::Access& access, Side side);

// How many points of `side` from a multiple of it on lie next to each other: 1, or a divisor of the side's size.
int64_t run_along(const Contraction& c, const codegen::Access& access, Side side);

}  // namespace tessera::cuda
