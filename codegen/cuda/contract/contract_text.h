#pragma once
// The CUDA C++ text of a contraction: how its operands lie, the walk over K, and the epilogue, one statement per op.

#include <string>

#include <tessera/codegen/cuda/contract/epilogue.h>
#include <tessera/codegen/cuda/contract/schedule.h>
#include <tessera/codegen/cuda/rows/kernel_text.h>

namespace tessera::cuda {

// Parameters: both operands, the inputs and results of the epilogue's kernel (without the sums), and the error words where
// an index is checked. `words` has inputs and results in that order.
std::string contract_text(const Contraction& c, const ContractSchedule& schedule, const Epilogue& epilogue,
                          KernelWords words);

}  // namespace tessera::cuda
