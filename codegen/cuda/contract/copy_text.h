#pragma once
// The kernel before contractions of f32 by wgmma: what it writes of their operands, of each from one read.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include <tessera/codegen/cuda/contract/mapped.h>
#include <tessera/codegen/cuda/rows/kernel_text.h>

namespace tessera::cuda {

// What products read of an operand: a copy as it lies or turned, and what tf32 leaves of either.
enum class CopyForm : uint8_t { copy, rests, turned, turned_rests };
constexpr std::array copy_forms = {CopyForm::copy, CopyForm::rests, CopyForm::turned, CopyForm::turned_rests};

// What is written of one operand. Each form lies dense, in lines of whole 16 bytes: `copied` of an OperandCopy.
struct CopiedOperand {
  int source = -1;  // value of the plan
  Mapped from;
  std::array<int, copy_forms.size()> written = {-1, -1, -1, -1};  // values of the plan, by form; −1: not written

  int& operator[](CopyForm form) { return written[static_cast<size_t>(form)]; }
  bool has(CopyForm form) const { return written[static_cast<size_t>(form)] >= 0; }
  bool turns() const { return has(CopyForm::turned) || has(CopyForm::turned_rests); }
};

int64_t copy_blocks(const std::vector<CopiedOperand>& operands);
std::vector<std::string> copy_schedule_lines(const std::vector<CopiedOperand>& operands);  // for people

// Parameters: where each operand lies, then of each in this order what is written: copy, rests, turned, rests of that.
std::string copy_text(const std::vector<CopiedOperand>& operands, const KernelWords& words);

}  // namespace tessera::cuda
