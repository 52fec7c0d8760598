#pragma once
// How a contraction is cut: blocks, parts of K and tasks, from its extents alone; and its parameters.

#include <cstdint>
#include <vector>

#include <tessera/codegen/cpu/contract_form.h>
#include <tessera/codegen/cpu/contract_tile.h>

namespace tessera::codegen {

struct ContractPasses {
  std::vector<int64_t> parameters;  // of every pass but for `first_task`
  Table table;
  std::vector<int64_t> tasks;  // of each pass
  int64_t scratch = 0, workspace = 0;
};
ContractPasses make_contract_passes(const ContractForm& form, RegisterTile tile);
// The parameters of pass `pass`.
std::vector<int64_t> parameters_of(const ContractPasses& passes, size_t pass);

}  // namespace tessera::codegen
