#pragma once
// How a contraction is cut: K into blocks and parts, from its extents alone; M and N into tasks, for a number of threads;
// and its parameters.

#include <cstdint>
#include <vector>

#include <tessera/codegen/cpu/contract_form.h>
#include <tessera/codegen/cpu/contract_run.h>
#include <tessera/codegen/cpu/kernels.h>

namespace tessera::codegen {

struct ContractPasses {
  std::vector<int64_t> parameters;  // of every pass, but for `pass`
  Table table;
  std::vector<ContractPass> kinds;  // in order
  std::vector<int64_t> tasks;       // of each
  int64_t scratch = 0, workspace = 0;

  void add(ContractPass kind, int64_t count) { kinds.push_back(kind), tasks.push_back(count); }
};
ContractPasses make_contract_passes(const ContractForm& form, int threads);
// The parameters of pass `pass`.
std::vector<int64_t> parameters_of(const ContractPasses& passes, size_t pass);

// How panels of `r` rows are best made.
PackMode pack_mode(const ContractOperand& operand, int r);

// Code by what it depends on; `kind` begins its symbol. Its emission is left to the caller.
KernelRequest shared_request(const std::string& kind, const std::string& what, const Target& target);
// The packing of an operand into panels of `r` rows; its symbol is that of PackCode's first function.
KernelRequest pack_request(const ContractOperand& operand, mlir::Type sum, int r, int lanes, const Target& target);

}  // namespace tessera::codegen
