#pragma once
// Operands whose rows (or whose K) are places of a window, and whose other side are taps of it and channels: convolutions
// with channels last, and their gradients. And the other operand, which has the taps in another order or turned.

#include <tessera/codegen/cuda/contract/mapped.h>

namespace tessera::cuda {

struct MappedWindow {
  MappedOperand window, other;
  int64_t k = 0, channels = 0, columns = 0;  // as in MappedOperands
};

// Of a contraction whose dims are apart; `rows` are those of each operand.
std::optional<MappedWindow> map_window(const Contraction& apart, const ContractOperand& window, Side rows,
                                       const ContractOperand& other, Side other_rows);

}  // namespace tessera::cuda
