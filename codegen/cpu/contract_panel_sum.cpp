#include <tessera/codegen/cpu/contract_panel_sum.h>

#include <tessera/codegen/cpu/code.h>
#include <tessera/ir/fuse/Fuse.h>
#include <tessera/ir/fuse/operand_sums.h>

namespace tessera::codegen {

using namespace mlir;

int result_of_sum(const ContractForm& form, const ContractOperand& operand) {
  Value element = form.body->getArgument(static_cast<unsigned>(operand.argument));
  for (auto [k, value] : llvm::enumerate(form.body->getTerminator()->getOperands())) {
    auto sum = value.getDefiningOp<fuse::ReduceOp>();
    if (sum && fuse::before_widening(sum.getValue()) == element) return static_cast<int>(k);
  }
  return -1;
}

// A row of the panel is one vector. Four sums take turns, so that they do not wait for each other, and meet in a tree.
void emit_panel_sum(ModuleOp module, const std::string& symbol, Type sum, int r) {
  constexpr unsigned turns = 4;
  Code c(OpBuilder::atBlockEnd(module.getBody()), UnknownLoc::get(module.getContext()), r);
  auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(module.getContext()),
                                          {c.pointer(), c.pointer(), c.i64(), c.i64()});
  auto function = LLVM::LLVMFuncOp::create(c.b, c.loc, symbol, type);
  Block& entry = *function.addEntryBlock(c.b);
  c.b.setInsertionPointToStart(&entry);
  Value sums = entry.getArgument(0), panel = entry.getArgument(1), kc = entry.getArgument(2);
  const Type vector = c.vector_of(sum);
  auto row = [&](Value k, unsigned turn) {
    Value at = c.add(k, c.integer(turn));
    return c.load(c.offset(panel, sum, c.mul(at, c.integer(r))), vector);
  };
  const SmallVector<Value> nothing(turns, c.constant(0, vector));
  Value whole = c.bit_and(kc, c.integer(-static_cast<int64_t>(turns)));
  auto loop = scf::ForOp::create(c.b, c.loc, c.integer(0), whole, c.integer(turns), nothing);
  auto rest = scf::ForOp::create(c.b, c.loc, whole, kc, c.integer(1), SmallVector<Value>{loop.getResult(0)});
  for (scf::ForOp of : {loop, rest}) {
    OpBuilder::InsertionGuard guard(c.b);
    c.b.setInsertionPointToStart(of.getBody());
    SmallVector<Value> totals;
    for (auto [turn, total] : llvm::enumerate(of.getRegionIterArgs()))
      totals.push_back(c.add(total, row(of.getInductionVar(), static_cast<unsigned>(turn))));
    scf::YieldOp::create(c.b, c.loc, totals);
  }
  Value total = c.add(c.add(rest.getResult(0), loop.getResult(1)), c.add(loop.getResult(2), loop.getResult(3)));
  Value fresh = c.compare(arith::CmpIPredicate::ne, entry.getArgument(3), c.integer(0));
  auto before = scf::IfOp::create(c.b, c.loc, fresh, /*withElseRegion=*/true);
  for (bool is_first : {true, false}) {
    OpBuilder::InsertionGuard guard(c.b);
    c.b.setInsertionPointToStart(is_first ? before.thenBlock() : before.elseBlock());
    c.store(is_first ? total : c.add(c.load(sums, vector), total), sums);
  }
  LLVM::ReturnOp::create(c.b, c.loc, ValueRange{});
}

}  // namespace tessera::codegen
