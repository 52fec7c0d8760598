#include <tessera/codegen/cpu/rows.h>

#include <tessera/codegen/cpu/row_nest.h>
#include <tessera/ir/fuse/Fuse.h>

namespace tessera::codegen {

using namespace mlir;

namespace {

class RowEmitter {
 public:
  RowEmitter(Code& code, const Form& form, const Stages& stages, LLVM::LLVMFuncOp function)
      : c_(code),
        form_(form),
        stages_(stages),
        memory_(code, form, stages, function),
        values_(code, form, stages, memory_),
        columns_(code, form, stages, memory_) {}

  void emit() {
    emit_task_values();
    columns_.clear();
    Value per_task = memory_.parameter(0);
    Value begin = c_.mul(memory_.task(), per_task);
    Value end = c_.min_index(c_.add(begin, per_task), memory_.parameter(1));
    // Indices of the row dims are carried, so that a row costs no divisions.
    Values carried;
    Value rest = begin;
    SmallVector<Value> start(static_cast<size_t>(form_.rows));
    for (int d = form_.rows - 1; d >= 0; --d) {
      Value extent = row_extent(d);
      start[static_cast<size_t>(d)] = d == 0 ? rest : c_.make<arith::RemSIOp>(rest, extent);
      if (d > 0) rest = c_.make<arith::DivSIOp>(rest, extent);
    }
    carried.append(start.begin(), start.end());
    Values starts = columns_.scalar_starts();
    carried.append(starts.begin(), starts.end());
    auto loop = scf::ForOp::create(c_.b, c_.loc, begin, end, c_.integer(1), carried);
    {
      OpBuilder::InsertionGuard guard(c_.b);
      c_.b.setInsertionPointToStart(loop.getBody());
      auto arguments = loop.getRegionIterArgs();
      std::vector<Value> row(arguments.begin(), arguments.begin() + form_.rows);
      columns_.scalars.assign(arguments.begin() + form_.rows, arguments.end());
      emit_row(row);
      Values next = advance(row);
      next.append(columns_.scalars.begin(), columns_.scalars.end());
      if (!next.empty()) scf::YieldOp::create(c_.b, c_.loc, next);
    }
    auto totals = loop.getResults().drop_front(static_cast<size_t>(form_.rows));
    columns_.scalars.assign(totals.begin(), totals.end());
    columns_.store_scalars();
    LLVM::ReturnOp::create(c_.b, c_.loc, ValueRange{});
  }

 private:
  Value row_extent(int d) { return memory_.parameter(memory_.layout().extent + d); }

  Values advance(const std::vector<Value>& row) {
    Values next(row.size());
    Value carry = c_.make<arith::ConstantOp>(c_.b.getBoolAttr(true));
    for (int d = form_.rows - 1; d >= 0; --d) {
      Value at = row[static_cast<size_t>(d)];
      Value stepped = c_.select(carry, c_.add(at, c_.integer(1)), at);
      if (d == 0) {
        next[0] = stepped;
        break;
      }
      Value over = c_.compare(arith::CmpIPredicate::eq, stepped, row_extent(d));
      next[static_cast<size_t>(d)] = c_.select(over, c_.integer(0), stepped);
      carry = over;
    }
    return next;
  }

  // What depends on no dim at all is computed once per task.
  void emit_task_values() {
    Place nowhere;
    nowhere.index.assign(form_.extent.size(), Value());
    memory_.enter_row(std::vector<Value>(static_cast<size_t>(form_.rows), c_.integer(0)));
    for (BlockArgument argument : form_.body->getArguments()) {
      if (!form_.whole[argument.getArgNumber()] && stages_.of(argument).dims == 0) values_.emit(argument, nowhere);
    }
    for (Operation& op : form_.body->without_terminator()) {
      Value result = op.getResult(0);
      if (stages_.of(result).dims != 0 || stages_.of(result).level != 0) continue;
      if (isa<fuse::ReduceOp>(op) && !passes_through(form_, &op)) continue;
      values_.emit(result, nowhere);
    }
  }

  void emit_row(const std::vector<Value>& row) {
    memory_.enter_row(row);
    auto outside = values_.visible;
    for (const Nest& nest : stages_.nests) emit_nest(c_, form_, stages_, memory_, values_, columns_, nest);
    values_.visible = outside;
  }

  Code& c_;
  const Form& form_;
  const Stages& stages_;
  RowMemory memory_;
  RowValues values_;
  RowColumns columns_;
};

}  // namespace

void emit_rows(ModuleOp module, const std::string& symbol, const Form& form, const Stages& stages, int lanes) {
  OpBuilder builder(module.getContext());
  builder.setInsertionPointToEnd(module.getBody());
  Location loc = builder.getUnknownLoc();
  Type pointer = LLVM::LLVMPointerType::get(module.getContext());
  auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(module.getContext()),
                                          {pointer, pointer, builder.getI64Type(), pointer});
  auto function = LLVM::LLVMFuncOp::create(builder, loc, symbol, type);
  Code code(builder, loc, lanes);
  RowEmitter(code, form, stages, function).emit();
}

}  // namespace tessera::codegen
