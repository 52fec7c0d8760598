#include <tessera/codegen/cpu/cascade_product.h>

#include <functional>

#include <tessera/codegen/cpu/cascade_run.h>
#include <tessera/codegen/cpu/code.h>

namespace tessera::codegen {

using namespace mlir;

namespace {

class ProductEmitter {
 public:
  ProductEmitter(ModuleOp module, Type sum, RegisterTile tile)
      : module_(module),
        c_(OpBuilder::atBlockEnd(module.getBody()), UnknownLoc::get(module.getContext()), tile.lanes),
        sum_(sum),
        tile_(tile) {}

  void emit(const std::string& symbol, bool panel) {
    auto type = LLVM::LLVMFunctionType::get(
        LLVM::LLVMVoidType::get(c_.b.getContext()),
        {c_.i64(), c_.pointer(), c_.i64(), c_.pointer(), c_.pointer(), c_.i64(), c_.i64(), c_.pointer()});
    c_.b.setInsertionPointToEnd(module_.getBody());
    Block& entry = *LLVM::LLVMFuncOp::create(c_.b, c_.loc, symbol, type).addEntryBlock(c_.b);
    c_.b.setInsertionPointToStart(&entry);
    Value a = entry.getArgument(1);
    SmallVector<Value> rows;
    for (int i = 0; i < tile_.mr; ++i) {
      rows.push_back(panel ? at(a, i) : c_.offset(a, sum_, c_.mul(entry.getArgument(2), c_.integer(i))));
    }
    Sums sums = multiply(entry.getArgument(0), rows, panel ? tile_.mr : 1, entry.getArgument(3));
    store(sums, entry.getArgument(4), entry.getArgument(5), entry.getArgument(6), entry.getArgument(7));
    LLVM::ReturnOp::create(c_.b, c_.loc, ValueRange{});
  }

 private:
  using Sums = SmallVector<Value>;

  Type vector() { return c_.vector_of(sum_); }
  Value at(Value base, int64_t elements) { return c_.offset(base, sum_, c_.integer(elements)); }
  int vectors() const { return tile_.nr / tile_.lanes; }

  // `step`: elements of A from one k to the next.
  Sums steps(Value k, int unroll, const SmallVector<Value>& rows, int step, Value b, Sums sums) {
    Value a_at = c_.mul(k, c_.integer(step)), b_at = c_.offset(b, sum_, c_.mul(k, c_.integer(tile_.nr)));
    for (int u = 0; u < unroll; ++u) {
      Sums column;
      for (int v = 0; v < vectors(); ++v) column.push_back(c_.load(at(b_at, u * tile_.nr + v * tile_.lanes), vector()));
      for (int i = 0; i < tile_.mr; ++i) {
        Value from = at(c_.offset(rows[static_cast<size_t>(i)], sum_, a_at), u * step);
        Value a = c_.broadcast(c_.load(from, sum_));
        for (int v = 0; v < vectors(); ++v) {
          Value& total = sums[static_cast<size_t>(i * vectors() + v)];
          Value other = column[static_cast<size_t>(v)];
          total = isa<FloatType>(sum_) ? c_.fma(a, other, total) : c_.add(total, c_.mul(a, other));
        }
      }
    }
    return sums;
  }

  Sums multiply(Value kc, const SmallVector<Value>& rows, int step, Value b) {
    constexpr int unroll = 2;
    Sums start(static_cast<size_t>(tile_.mr * vectors()), c_.constant(0, vector()));
    Value whole = c_.bit_and(kc, c_.integer(-unroll));
    auto loop = scf::ForOp::create(c_.b, c_.loc, c_.integer(0), whole, c_.integer(unroll), start);
    OpBuilder::InsertionGuard guard(c_.b);
    c_.b.setInsertionPointToStart(loop.getBody());
    scf::YieldOp::create(c_.b, c_.loc,
                         steps(loop.getInductionVar(), unroll, rows, step, b, Sums(loop.getRegionIterArgs())));
    c_.b.setInsertionPointAfter(loop);
    Value odd = c_.compare(arith::CmpIPredicate::ne, kc, whole);
    auto rest = scf::IfOp::create(c_.b, c_.loc, TypeRange(ValueRange(start)), odd, /*withElseRegion=*/true);
    c_.b.setInsertionPointToStart(rest.thenBlock());
    scf::YieldOp::create(c_.b, c_.loc, steps(whole, 1, rows, step, b, Sums(loop.getResults())));
    c_.b.setInsertionPointToStart(rest.elseBlock());
    scf::YieldOp::create(c_.b, c_.loc, loop.getResults());
    return Sums(rest.getResults());
  }

  void store(const Sums& sums, Value c, Value line, Value into, Value factors) {
    auto is = [&](ProductInto one) {
      return c_.compare(arith::CmpIPredicate::eq, into, c_.integer(static_cast<int64_t>(one)));
    };
    auto fresh = scf::IfOp::create(c_.b, c_.loc, is(ProductInto::nothing), /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(c_.b);
    c_.b.setInsertionPointToStart(fresh.thenBlock());
    store_each(sums, c, line, [&](int, Value, Value sum) { return sum; });
    c_.b.setInsertionPointToStart(fresh.elseBlock());
    auto added = scf::IfOp::create(c_.b, c_.loc, is(ProductInto::sums), /*withElseRegion=*/true);
    c_.b.setInsertionPointToStart(added.thenBlock());
    store_each(sums, c, line, [&](int, Value to, Value sum) { return c_.add(c_.load(to, vector()), sum); });
    c_.b.setInsertionPointToStart(added.elseBlock());
    store_each(sums, c, line, [&](int i, Value to, Value sum) {
      Value old = c_.load(to, vector()), factor = c_.broadcast(c_.load(at(factors, i), sum_));
      return isa<FloatType>(sum_) ? c_.fma(old, factor, sum) : c_.add(c_.mul(old, factor), sum);
    });
  }

  void store_each(const Sums& sums, Value c, Value line, const std::function<Value(int, Value, Value)>& value) {
    for (int i = 0; i < tile_.mr; ++i) {
      Value row = c_.offset(c, sum_, c_.mul(line, c_.integer(i)));
      for (int v = 0; v < vectors(); ++v) {
        Value to = at(row, v * tile_.lanes);
        c_.store(value(i, to, sums[static_cast<size_t>(i * vectors() + v)]), to);
      }
    }
  }

  ModuleOp module_;
  Code c_;
  Type sum_;
  RegisterTile tile_;
};

}  // namespace

void emit_cascade_product(ModuleOp module, const std::string& symbol, Type sum, RegisterTile tile) {
  ProductEmitter emitter(module, sum, tile);
  emitter.emit(symbol + "_panel", true);
  emitter.emit(symbol + "_rows", false);
}

}  // namespace tessera::codegen
