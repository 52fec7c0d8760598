#include <tessera/codegen/cpu/cascade_direct.h>

#include <functional>

#include <tessera/codegen/cpu/cascade_run.h>
#include <tessera/codegen/cpu/code.h>
#include <tessera/codegen/cpu/point.h>

namespace tessera::codegen {

using namespace mlir;

namespace {

class DirectEmitter {
 public:
  DirectEmitter(ModuleOp module, Type storage, Type sum, int lanes)
      : module_(module),
        c_(OpBuilder::atBlockEnd(module.getBody()), UnknownLoc::get(module.getContext()), lanes),
        storage_(storage),
        stored_(c_.held(storage)),
        sum_(sum) {}

  // As many columns as a vector has lanes, one after the other, as they lie in memory: a vector of sums for each, whose
  // lanes are added up together at the end.
  void emit_dots(const std::string& symbol) {
    Block& entry = function(symbol, {c_.i64(), c_.pointer(), c_.pointer(), c_.pointer(), c_.i64(), c_.pointer()});
    Value depth = entry.getArgument(0), a = entry.getArgument(1), from = entry.getArgument(2);
    Value rows = entry.getArgument(3), last = entry.getArgument(4), whole = c_.bit_and(depth, c_.integer(-c_.lanes));
    Values sums(static_cast<size_t>(c_.lanes));
    const SmallVector<int64_t> place = places_of_columns();
    for (int64_t i = 0; i < c_.lanes; ++i) {
      Value at = c_.min_index(c_.integer(i), last);
      Value start = c_.offset(from, stored_, c_.load(c_.offset(rows, c_.i64(), at), c_.i64()));
      auto step = [&](Value k, Value mask, Value sum) {
        return fma(load(c_.offset(a, sum_, k), sum_, mask), load_widened(c_.offset(start, stored_, k), mask), sum);
      };
      Values sum = loop(c_.integer(0), whole, c_.lanes, {zero()},
                        [&](Value k, Values some) { return Values{step(k, Value(), some.front())}; });
      sum = loop(whole, depth, c_.lanes, sum,
                 [&](Value k, Values some) { return Values{step(k, first_lanes(c_.sub(depth, k)), some.front())}; });
      sums[static_cast<size_t>(place[static_cast<size_t>(i)])] = sum.front();
    }
    c_.store(folded(std::move(sums)), entry.getArgument(5));
    LLVM::ReturnOp::create(c_.b, c_.loc, ValueRange{});
  }

  void emit_sums(const std::string& symbol) {
    Block& entry = function(
        symbol, {c_.i64(), c_.pointer(), c_.pointer(), c_.i64(), c_.i64(), c_.pointer(), c_.i64(), c_.pointer()});
    Value columns = entry.getArgument(4);
    constexpr int wide = 4;
    Value whole = c_.bit_and(columns, c_.integer(-wide * c_.lanes));
    loop(c_.integer(0), whole, wide * c_.lanes, {}, [&](Value n, Values) { return strip(entry, n, wide, Value()); });
    loop(whole, columns, c_.lanes, {},
         [&](Value n, Values) { return strip(entry, n, 1, first_lanes(c_.sub(columns, n))); });
    LLVM::ReturnOp::create(c_.b, c_.loc, ValueRange{});
  }

 private:
  using Values = SmallVector<Value>;

  Block& function(const std::string& symbol, ArrayRef<Type> arguments) {
    auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(c_.b.getContext()), arguments);
    c_.b.setInsertionPointToEnd(module_.getBody());
    Block& entry = *LLVM::LLVMFuncOp::create(c_.b, c_.loc, symbol, type).addEntryBlock(c_.b);
    c_.b.setInsertionPointToStart(&entry);
    return entry;
  }

  Values loop(Value begin, Value end, int64_t step, const Values& start,
              const std::function<Values(Value, Values)>& body) {
    auto op = scf::ForOp::create(c_.b, c_.loc, begin, end, c_.integer(step), start);
    OpBuilder::InsertionGuard guard(c_.b);
    c_.b.setInsertionPointToStart(op.getBody());
    Values made = body(op.getInductionVar(), Values(op.getRegionIterArgs()));
    if (!start.empty()) scf::YieldOp::create(c_.b, c_.loc, made);
    return Values(op.getResults());
  }

  Type vector() { return c_.vector_of(sum_); }
  Value zero() { return c_.constant(0, vector()); }
  Value fma(Value x, Value y, Value z) { return c_.fma(x, y, z); }
  Value first_lanes(Value count) { return c_.compare(arith::CmpIPredicate::slt, c_.iota(), c_.broadcast(count)); }
  Value load(Value from, Type element, Value mask) {
    Type type = c_.vector_of(element);
    if (!mask) return c_.load(from, type);
    auto masked = LLVM::MaskedLoadOp::create(c_.b, c_.loc, type, from, mask, c_.constant(0, type),
                                             c_.b.getI32IntegerAttr(bytes_of(element)), UnitAttr());
    return masked.getResult();
  }
  Value load_widened(Value from, Value mask) { return convert_float(c_, load(from, stored_, mask), storage_, sum_); }

  // Which vector's sum stands in each lane when they have been folded: where each column's vector must be put.
  SmallVector<int64_t> places_of_columns() const {
    SmallVector<SmallVector<int64_t>> held;
    for (int64_t i = 0; i < c_.lanes; ++i) held.push_back({i});
    while (held.size() > 1) {
      const size_t half = held.size() / 2;
      for (size_t i = 0; i < half; ++i) held[i].append(held[i + half]);
      held.resize(half);
    }
    return held.front();
  }
  // Half as many vectors, each of the halves of two: every segment of lanes that belongs to one column is halved.
  Value folded(Values sums) {
    for (int64_t segment = c_.lanes; segment > 1; segment /= 2) {
      SmallVector<int64_t> low, high;
      for (int64_t of = 0; of < 2 * c_.lanes; of += segment)
        for (int64_t i = 0; i < segment / 2; ++i) low.push_back(of + i), high.push_back(of + segment / 2 + i);
      const size_t half = sums.size() / 2;
      for (size_t i = 0; i < half; ++i) {
        Value x = sums[i], y = sums[i + half];
        sums[i] = c_.add(c_.make<vector::ShuffleOp>(x, y, low), c_.make<vector::ShuffleOp>(x, y, high));
      }
      sums.resize(half);
    }
    return sums.front();
  }

  // Columns from `n` on, `vectors` of them.
  Values strip(Block& entry, Value n, int vectors, Value mask) {
    Value kc = entry.getArgument(0), p = entry.getArgument(1), line = entry.getArgument(3);
    Value from = c_.offset(entry.getArgument(2), stored_, n), to = c_.offset(entry.getArgument(5), sum_, n);
    Values sums = loop(c_.integer(0), kc, 1, Values(static_cast<size_t>(vectors), zero()), [&](Value k, Values all) {
      Value weight = c_.broadcast(c_.load(c_.offset(p, sum_, k), sum_));
      Value row = c_.offset(from, stored_, c_.mul(k, line));
      for (int v = 0; v < vectors; ++v) {
        Value& sum = all[static_cast<size_t>(v)];
        sum = fma(weight, load_widened(c_.offset(row, stored_, c_.integer(v * c_.lanes)), mask), sum);
      }
      return all;
    });
    Value scaled = c_.compare(arith::CmpIPredicate::eq, entry.getArgument(6),
                              c_.integer(static_cast<int64_t>(ProductInto::scaled_sums)));
    auto branch = scf::IfOp::create(c_.b, c_.loc, scaled, /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(c_.b);
    for (bool scales : {true, false}) {
      c_.b.setInsertionPointToStart(scales ? branch.thenBlock() : branch.elseBlock());
      Value factor = scales ? c_.broadcast(c_.load(entry.getArgument(7), sum_)) : Value();
      for (int v = 0; v < vectors; ++v) {
        Value at = c_.offset(to, sum_, c_.integer(v * c_.lanes)), old = c_.load(at, vector());
        Value sum = sums[static_cast<size_t>(v)];
        c_.store(scales ? fma(old, factor, sum) : c_.add(old, sum), at);
      }
    }
    return {};
  }

  ModuleOp module_;
  Code c_;
  const Type storage_, stored_, sum_;  // in the body; in memory; of the sums
};

}  // namespace

void emit_cascade_direct(ModuleOp module, const std::string& symbol, Type storage, Type sum, int lanes) {
  DirectEmitter emitter(module, storage, sum, lanes);
  emitter.emit_dots(symbol + "_dots");
  emitter.emit_sums(symbol + "_sums");
}

}  // namespace tessera::codegen
