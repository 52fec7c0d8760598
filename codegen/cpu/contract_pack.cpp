#include <array>
#include <bit>
#include <functional>
#include <numeric>

#include <tessera/codegen/cpu/code.h>
#include <tessera/codegen/cpu/contract_tile.h>
#include <tessera/codegen/cpu/point.h>

namespace tessera::codegen {

using namespace mlir;

namespace {

class PackEmitter {
 public:
  PackEmitter(ModuleOp module, const PackedElement& element, int r, int lanes)
      : module_(module),
        element_(element),
        r_(r),
        c_(OpBuilder::atBlockEnd(module.getBody()), UnknownLoc::get(module.getContext()), r % lanes == 0 ? lanes : r),
        eight_(c_.b, c_.loc, 8),
        wide_(c_.b, c_.loc, static_cast<int>(std::bit_ceil(static_cast<unsigned>(c_.lanes)))),
        stored_(c_.held(element.storage).isInteger(1) ? Type(c_.b.getI8Type()) : c_.held(element.storage)),
        sum_(element.sum) {}

  void emit_copy(const std::string& symbol) {
    Block& entry = function(symbol, {c_.pointer(), c_.pointer(), c_.pointer(), c_.i64(), c_.i64(), c_.i64()});
    Value panel = entry.getArgument(0), source = entry.getArgument(1), ks = entry.getArgument(2);
    Value kc = entry.getArgument(3), at = entry.getArgument(4), length = entry.getArgument(5);
    Value whole = c_.compare(arith::CmpIPredicate::eq, length, c_.integer(r_));
    auto branch = scf::IfOp::create(c_.b, c_.loc, whole, /*withElseRegion=*/true);
    {
      OpBuilder::InsertionGuard guard(c_.b);
      c_.b.setInsertionPointToStart(branch.thenBlock());
      each_row(kc, [&](Value k, bool last) { copy_row(from(source, ks, k), to(panel, k), last); });
      c_.b.setInsertionPointToStart(branch.elseBlock());
      Value target = c_.offset(panel, sum_, at);
      loop(c_.integer(0), length, c_.lanes, [&](Value first) {
        Value mask = c_.compare(arith::CmpIPredicate::slt, c_.iota(), c_.broadcast(c_.sub(length, first)));
        Value begin = c_.offset(source, stored_, first), end = c_.offset(target, sum_, first);
        loop(c_.integer(0), kc, 1, [&](Value k) { copy_vector(from(begin, ks, k), to(end, k), mask); });
      });
    }
    finish();
  }

  void emit_group(const std::string& symbol) {
    Block& entry = function(symbol, {c_.pointer(), c_.pointer(), c_.pointer(), c_.i64()});
    Value panels = entry.getArgument(0), source = entry.getArgument(1), kc = entry.getArgument(3);
    Value size = c_.mul(kc, c_.integer(r_));
    SmallVector<Value> panel{panels};
    for (int p = 1; p < 4; ++p) panel.push_back(c_.offset(panel.back(), sum_, size));
    each_row(kc, [&](Value k, bool last) {
      Value row = from(source, entry.getArgument(2), k);
      for (int p = 0; p < 4; ++p) copy_row(ahead(row, stored_, p * r_), to(panel[static_cast<size_t>(p)], k), last);
    });
    finish();
  }

  // Blocks of 8 rows, or of 16 where a vector has as many, by 8 k. Stores ascend in k, and where r is no multiple of 8 go
  // on with the rows before, so that what one writes too much the next puts right.
  void emit_transpose(const std::string& symbol) {
    Block& entry = function(symbol, {c_.pointer(), c_.pointer(), c_.pointer(), c_.i64(), c_.i64()});
    Value panel = entry.getArgument(0), source = entry.getArgument(1), rows = entry.getArgument(2);
    Value last = c_.sub(entry.getArgument(3), c_.integer(1)), length = entry.getArgument(4);
    Value whole = c_.bit_and(length, c_.integer(-8));
    const int last_block = (r_ - 1) / 8 * 8, height = c_.lanes == 16 ? 16 : 8;
    loop(c_.integer(0), c_.integer(r_), height, [&](Value block_row) {
      Value first = r_ % 8 == 0 ? block_row : c_.sub(c_.integer(last_block), block_row);
      SmallVector<Value> row;
      for (int i = 0; i < height; ++i) {
        Value at = c_.min_index(c_.add(first, c_.integer(i)), last);
        row.push_back(c_.offset(source, stored_, c_.load(c_.offset(rows, c_.i64(), at), c_.i64())));
      }
      Value target = c_.offset(panel, sum_, first);
      auto block = [&](Value k, Value mask) {
        sync();
        SmallVector<Value> lines;
        for (Value start : row) lines.push_back(load_vector(eight_, c_.offset(start, stored_, k), mask));
        if (height == 16) lines = pairs_of(lines);
        transpose(lines);
        for (int j = 0; j < 8; ++j) c_.store(lines[static_cast<size_t>(j)], to(target, c_.add(k, c_.integer(j))));
      };
      loop(c_.integer(0), whole, 8, [&](Value k) { block(k, Value()); });
      Value some = c_.compare(arith::CmpIPredicate::ne, length, whole);
      auto rest = scf::IfOp::create(c_.b, c_.loc, some, /*withElseRegion=*/false);
      OpBuilder::InsertionGuard guard(c_.b);
      c_.b.setInsertionPointToStart(rest.thenBlock());
      sync();
      Value mask =
          eight_.compare(arith::CmpIPredicate::slt, eight_.iota(), eight_.broadcast(eight_.sub(length, whole)));
      block(whole, mask);
    });
    finish();
  }

  void emit_gather(const std::string& symbol) {
    Block& entry = function(symbol, {c_.pointer(), c_.pointer(), c_.pointer(), c_.i64(), c_.pointer(), c_.i64()});
    Value panel = entry.getArgument(0), rows = entry.getArgument(2), count = entry.getArgument(3);
    loop(c_.integer(0), entry.getArgument(5), 1, [&](Value k) {
      Value source = from(entry.getArgument(1), entry.getArgument(4), k), target = to(panel, k);
      loop(c_.integer(0), count, 1, [&](Value i) {
        Value at = c_.load(c_.offset(rows, c_.i64(), i), c_.i64());
        Value value = c_.load(c_.offset(source, stored_, at), stored_);
        c_.store(widened(c_, value), c_.offset(target, sum_, i));
      });
      loop(count, c_.integer(r_), 1, [&](Value i) { c_.store(c_.constant(0, sum_), c_.offset(target, sum_, i)); });
    });
    finish();
  }

 private:
  Block& function(const std::string& symbol, ArrayRef<Type> arguments) {
    auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(c_.b.getContext()), arguments);
    c_.b.setInsertionPointToEnd(module_.getBody());
    Block& entry = *LLVM::LLVMFuncOp::create(c_.b, c_.loc, symbol, type).addEntryBlock(c_.b);
    c_.b.setInsertionPointToStart(&entry);
    return entry;
  }
  void finish() { LLVM::ReturnOp::create(c_.b, c_.loc, ValueRange{}); }

  void loop(Value begin, Value end, int64_t step, const std::function<void(Value)>& body) {
    auto op = scf::ForOp::create(c_.b, c_.loc, begin, end, c_.integer(step));
    OpBuilder::InsertionGuard guard(c_.b);
    c_.b.setInsertionPointToStart(op.getBody());
    body(op.getInductionVar());
  }
  // All writers stand at the same place.
  void sync() {
    eight_.b.restoreInsertionPoint(c_.b.saveInsertionPoint());
    wide_.b.restoreInsertionPoint(c_.b.saveInsertionPoint());
  }

  // Rows in ascending order; behind the last one may lie another panel.
  void each_row(Value kc, const std::function<void(Value k, bool last)>& body) {
    Value some = c_.compare(arith::CmpIPredicate::sgt, kc, c_.integer(0));
    Value last = c_.select(some, c_.sub(kc, c_.integer(1)), c_.integer(0));
    loop(c_.integer(0), last, 1, [&](Value k) { body(k, false); });
    loop(last, kc, 1, [&](Value k) { body(k, true); });
  }

  Value ahead(Value base, Type type, int64_t elements) { return c_.offset(base, type, c_.integer(elements)); }
  Value from(Value source, Value ks, Value k) {
    return c_.offset(source, stored_, c_.load(c_.offset(ks, c_.i64(), k), c_.i64()));
  }
  Value to(Value panel, Value k) { return c_.offset(panel, sum_, c_.mul(k, c_.integer(r_))); }

  Value widened(Code& code, Value value) {
    if (c_.held(element_.storage).isInteger(1)) {
      value = code.compare(arith::CmpIPredicate::ne, value, code.constant_like(value, 0));
    }
    for (Operation* op : element_.widening) value = emit_point(code, op, value);
    // A contract widens what the body left narrow.
    Type type = element_.widening.empty() ? element_.storage : element_.widening.back()->getResult(0).getType();
    return isa<FloatType>(type) ? convert_float(code, value, type, sum_) : value;
  }

  Value load_vector(Code& code, Value source, Value mask) {
    Type type = code.vector_of(stored_);
    if (!mask) return widened(code, code.load(source, type));
    auto load = LLVM::MaskedLoadOp::create(code.b, code.loc, type, source, mask, code.constant(0, type),
                                           code.b.getI32IntegerAttr(bytes_of(stored_)), UnitAttr());
    return widened(code, load.getResult());
  }

  void copy_vector(Value source, Value target, Value mask) {
    Value value = load_vector(c_, source, mask);
    if (!mask) return c_.store(value, target);
    LLVM::MaskedStoreOp::create(c_.b, c_.loc, value, target, mask, c_.b.getI32IntegerAttr(bytes_of(sum_)));
  }

  // A row that is no whole vector takes one store all the same: what it writes too much, the next row puts right.
  void copy_row(Value source, Value target, bool last) {
    if (!last && wide_.lanes != c_.lanes && stored_ == sum_) {
      sync();
      Value mask = wide_.compare(arith::CmpIPredicate::slt, wide_.iota(), wide_.broadcast(wide_.integer(r_)));
      return c_.store(load_vector(wide_, source, mask), target);
    }
    for (int v = 0; v < r_; v += c_.lanes) copy_vector(ahead(source, stored_, v), ahead(target, sum_, v), Value());
  }

  Value shuffle(Value x, Value y, ArrayRef<int64_t> order) { return c_.make<vector::ShuffleOp>(x, y, order); }

  // 16 rows of 8 as 8 vectors of two, of which transpose() makes 8 of 16 rows.
  SmallVector<Value> pairs_of(ArrayRef<Value> rows) {
    constexpr int64_t both[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    SmallVector<Value> pairs;
    for (size_t i : {0, 1, 2, 3, 8, 9, 10, 11}) pairs.push_back(shuffle(rows[i], rows[i + 4], both));
    return pairs;
  }

  // Three rounds of shuffles of two vectors, each one instruction on x86: within quarters of 4 elements, then of quarters.
  void transpose(SmallVector<Value>& rows) {
    const int64_t size = cast<VectorType>(rows[0].getType()).getDimSize(0);
    auto within = [&](Value x, Value y, std::array<int64_t, 4> of_quarter) {  // ≥ 4: of y
      SmallVector<int64_t> order;
      for (int64_t quarter = 0; quarter < size; quarter += 4) {
        for (int64_t k : of_quarter) order.push_back(quarter + (k < 4 ? k : size + k - 4));
      }
      return shuffle(x, y, order);
    };
    auto quarters = [&](Value x, Value y, int64_t first) {  // every second one
      SmallVector<int64_t> order;
      for (int64_t from : {int64_t{0}, size}) {
        for (int64_t quarter = first; quarter < size / 4; quarter += 2) {
          for (int64_t k = 0; k < 4; ++k) order.push_back(from + 4 * quarter + k);
        }
      }
      return shuffle(x, y, order);
    };
    SmallVector<Value> pairs, fours;
    for (size_t i = 0; i < 8; i += 2) {
      pairs.push_back(within(rows[i], rows[i + 1], {0, 4, 1, 5}));
      pairs.push_back(within(rows[i], rows[i + 1], {2, 6, 3, 7}));
    }
    for (size_t i = 0; i < 8; i += 4) {
      for (size_t j = i; j < i + 2; ++j) {
        fours.push_back(within(pairs[j], pairs[j + 2], {0, 1, 4, 5}));
        fours.push_back(within(pairs[j], pairs[j + 2], {2, 3, 6, 7}));
      }
    }
    for (size_t i = 0; i < 4; ++i) {
      rows[i] = quarters(fours[i], fours[i + 4], 0);
      rows[i + 4] = quarters(fours[i], fours[i + 4], 1);
    }
  }

  ModuleOp module_;
  const PackedElement& element_;
  int r_;
  Code c_, eight_, wide_;  // lanes: of a row of a panel, of a transposition, of the row's one store
  Type stored_, sum_;
};

}  // namespace

void emit_pack(ModuleOp module, const std::string& symbol, const PackedElement& element, int r, int lanes) {
  PackEmitter emitter(module, element, r, lanes);
  emitter.emit_copy(symbol + "_copy");
  emitter.emit_group(symbol + "_group");
  emitter.emit_transpose(symbol + "_transpose");
  emitter.emit_gather(symbol + "_gather");
}

}  // namespace tessera::codegen
