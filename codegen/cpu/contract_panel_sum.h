#pragma once
// An operand of a contraction that is summed over K beside the product: which result that is, and the code for it.

#include <string>

#include <tessera/codegen/cpu/contract_form.h>

namespace tessera::codegen {

// The result of the kernel that is `operand` summed over K, one number for each of its rows; −1: none is. Such a result is
// not used by the epilogue.
int result_of_sum(const ContractForm& form, const ContractOperand& operand);

// Appends @symbol, which sums panels of `r` rows: see PanelSumCode.
void emit_panel_sum(mlir::ModuleOp module, const std::string& symbol, mlir::Type sum, int r);

}  // namespace tessera::codegen
