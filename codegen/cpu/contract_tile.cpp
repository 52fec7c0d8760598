#include <tessera/codegen/cpu/contract_tile.h>

#include <algorithm>
#include <functional>

#include <tessera/codegen/cpu/code.h>

namespace tessera::codegen {

using namespace mlir;

RegisterTile register_tile(const Target& target, Type sum) {
  int lanes = std::min(target.lanes, target.lanes * 4 / bytes_of(sum));
  // 16 or 12 sums in registers: 8 × 2 of 32 vectors, 6 × 2 of 16.
  return {lanes, target.lanes == 16 ? 8 : 6, 2 * lanes};
}

std::vector<RegisterTile> register_tiles(const Target& target, Type sum) {
  RegisterTile tile = register_tile(target, sum);
  if (target.lanes < 16) return {tile};
  // 24 or 28 of 32 vectors hold sums: 10 or 16 loads for them, where the last has 10 for 16. Which wastes less at the
  // edges decides.
  return {{tile.lanes, 6, 4 * tile.lanes}, {tile.lanes, 14, 2 * tile.lanes}, tile};
}

namespace {

// Multiplies kc columns of A by kc rows of B. Sums start at zero and meet the tile at the end: its lines, asked for at
// the beginning, are there by then.
class TileEmitter {
 public:
  TileEmitter(ModuleOp module, Type sum, RegisterTile tile)
      : c_(OpBuilder::atBlockEnd(module.getBody()), UnknownLoc::get(module.getContext()), tile.lanes),
        sum_(sum),
        tile_(tile) {}

  // Gives the scalar of A for row i, `u` steps of k behind `k`.
  using LoadA = std::function<Value(Value k, int u, int i)>;

  void emit_packed(const std::string& symbol) {
    Block& entry = function(symbol, {c_.i64(), c_.pointer(), c_.pointer(), c_.pointer(), c_.i64()});
    Value a = entry.getArgument(1), mr = c_.integer(tile_.mr), step, at;
    multiply(/*unroll=*/4, entry.getArgument(0), entry.getArgument(2), entry.getArgument(3), entry.getArgument(4),
             [&](Value k, int u, int i) {
               if (k != step) step = k, at = c_.offset(a, sum_, c_.mul(k, mr));
               return c_.load(constant_offset(at, u * tile_.mr + i), sum_);
             });
  }

  void emit_direct(const std::string& symbol) {
    Block& entry = function(
        symbol, {c_.i64(), c_.pointer(), c_.pointer(), c_.pointer(), c_.pointer(), c_.i64(), c_.pointer(), c_.i64()});
    Value ks = entry.getArgument(2), ahead = entry.getArgument(6), pace = entry.getArgument(7);
    SmallVector<Value> rows;
    for (int i = 0; i < tile_.mr; ++i) {
      rows.push_back(c_.load(c_.offset(entry.getArgument(1), c_.pointer(), c_.integer(i)), c_.pointer()));
    }
    Value step, at[2];
    auto offset_of = [&](Value k, int u) {
      return c_.load(c_.offset(c_.offset(ks, c_.i64(), k), c_.i64(), c_.integer(u)), c_.i64());
    };
    // Unrolled by 4 as for panels, it took twice as long.
    multiply(/*unroll=*/2, entry.getArgument(0), entry.getArgument(3), entry.getArgument(4), entry.getArgument(5),
             [&](Value k, int u, int i) {
               if (k != step) {
                 step = k, at[0] = at[1] = Value();
                 prefetch(c_.offset(ahead, c_.b.getI8Type(), c_.mul(k, pace)), /*to_write=*/false);
               }
               if (!at[u]) at[u] = offset_of(k, u);
               return c_.load(c_.offset(rows[static_cast<size_t>(i)], sum_, at[u]), sum_);
             });
  }

  void emit_sum(const std::string& symbol) {
    Block& entry = function(symbol, {c_.pointer(), c_.pointer()});
    auto loop =
        scf::ForOp::create(c_.b, c_.loc, c_.integer(0), c_.integer(tile_.mr * tile_.nr), c_.integer(tile_.lanes));
    {
      OpBuilder::InsertionGuard guard(c_.b);
      c_.b.setInsertionPointToStart(loop.getBody());
      Value at = c_.offset(entry.getArgument(0), sum_, loop.getInductionVar());
      Value from = c_.offset(entry.getArgument(1), sum_, loop.getInductionVar());
      c_.store(c_.add(c_.load(at, vector()), c_.load(from, vector())), at);
    }
    LLVM::ReturnOp::create(c_.b, c_.loc, ValueRange{});
  }

 private:
  Type vector() { return c_.vector_of(sum_); }
  Value constant_offset(Value base, int64_t elements) { return c_.offset(base, sum_, c_.integer(elements)); }

  void prefetch(Value at, bool to_write) {
    LLVM::Prefetch::create(c_.b, c_.loc, at, to_write ? 1 : 0, /*hint=*/3, /*cache=*/1);
  }

  Block& function(const std::string& symbol, ArrayRef<Type> arguments) {
    auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(c_.b.getContext()), arguments);
    c_.b.setInsertionPointToEnd(module_end());
    auto f = LLVM::LLVMFuncOp::create(c_.b, c_.loc, symbol, type);
    Block& entry = *f.addEntryBlock(c_.b);
    c_.b.setInsertionPointToStart(&entry);
    return entry;
  }
  Block* module_end() {
    Operation* op = c_.b.getInsertionBlock()->getParentOp();
    while (!isa<ModuleOp>(op)) op = op->getParentOp();
    return cast<ModuleOp>(op).getBody();
  }

  using Sums = SmallVector<Value>;

  void multiply(int unroll, Value kc, Value b, Value tile, Value first, const LoadA& load_a) {
    int vectors = tile_.nr / tile_.lanes, sums = tile_.mr * vectors;
    for (int byte = 0; byte < tile_.mr * tile_.nr * bytes_of(sum_); byte += 64) {
      prefetch(constant_offset(tile, byte / bytes_of(sum_)), /*to_write=*/true);
    }
    auto steps = [&](Value k, int count, Sums all) {
      Value row = c_.offset(b, sum_, c_.mul(k, c_.integer(tile_.nr)));
      for (int u = 0; u < count; ++u) {
        Sums column;
        for (int v = 0; v < vectors; ++v) {
          column.push_back(c_.load(constant_offset(row, u * tile_.nr + v * tile_.lanes), vector()));
        }
        for (int i = 0; i < tile_.mr; ++i) {
          Value a = c_.broadcast(load_a(k, u, i));
          for (int v = 0; v < vectors; ++v) {
            Value& total = all[static_cast<size_t>(i * vectors + v)];
            Value other = column[static_cast<size_t>(v)];
            total = isa<FloatType>(sum_) ? c_.fma(a, other, total) : c_.add(total, c_.mul(a, other));
          }
        }
      }
      return all;
    };
    Sums start(static_cast<size_t>(sums), c_.constant(0, vector()));
    Value whole = c_.bit_and(kc, c_.integer(-unroll));
    auto loop = scf::ForOp::create(c_.b, c_.loc, c_.integer(0), whole, c_.integer(unroll), start);
    {
      OpBuilder::InsertionGuard guard(c_.b);
      c_.b.setInsertionPointToStart(loop.getBody());
      Sums inside(loop.getRegionIterArgs());
      scf::YieldOp::create(c_.b, c_.loc, steps(loop.getInductionVar(), unroll, inside));
    }
    auto rest = scf::ForOp::create(c_.b, c_.loc, whole, kc, c_.integer(1), loop.getResults());
    {
      OpBuilder::InsertionGuard guard(c_.b);
      c_.b.setInsertionPointToStart(rest.getBody());
      scf::YieldOp::create(c_.b, c_.loc, steps(rest.getInductionVar(), 1, Sums(rest.getRegionIterArgs())));
    }
    Value fresh = c_.compare(arith::CmpIPredicate::ne, first, c_.integer(0));
    auto store = scf::IfOp::create(c_.b, c_.loc, fresh, /*withElseRegion=*/true);
    for (bool add : {false, true}) {
      OpBuilder::InsertionGuard guard(c_.b);
      c_.b.setInsertionPointToStart(add ? store.elseBlock() : store.thenBlock());
      for (int s = 0; s < sums; ++s) {
        Value at = constant_offset(tile, s * tile_.lanes), total = rest.getResult(static_cast<unsigned>(s));
        c_.store(add ? c_.add(c_.load(at, vector()), total) : total, at);
      }
    }
    LLVM::ReturnOp::create(c_.b, c_.loc, ValueRange{});
  }

  Code c_;
  Type sum_;
  RegisterTile tile_;
};

}  // namespace

void emit_tile(ModuleOp module, const std::string& symbol, Type sum, RegisterTile tile) {
  TileEmitter emitter(module, sum, tile);
  emitter.emit_packed(symbol + "_packed");
  emitter.emit_direct(symbol + "_direct");
  emitter.emit_sum(symbol + "_sum");
}

}  // namespace tessera::codegen
