#include <tessera/codegen/cpu/contract_epilogue.h>

#include <cstddef>
#include <functional>

#include "llvm/ADT/DenseMap.h"

#include <tessera/codegen/cpu/code.h>
#include <tessera/codegen/cpu/contract_run.h>
#include <tessera/codegen/cpu/philox.h>
#include <tessera/codegen/cpu/point.h>
#include <tessera/ir/fuse/Fuse.h>

namespace tessera::codegen {

using namespace mlir;

EpilogueLayout::EpilogueLayout(const ContractForm& form) {
  int at = static_cast<int>(head_words);
  auto place = [&](const std::vector<ContractAccess>& list, std::vector<int>& places) {
    for (const ContractAccess& access : list) {
      places.push_back(access.used ? at : -1);
      at += access.used ? 3 : 0;
    }
  };
  place(form.in, in);
  place(form.out, out);
  place(form.index, index);
  for (size_t k = 0; k < form.whole.size(); ++k) {
    shape.push_back(form.whole[k] ? at : -1);
    if (!form.whole[k]) continue;
    at +=
        static_cast<int>(cast<RankedTensorType>(form.body->getArgument(static_cast<unsigned>(k)).getType()).getRank());
  }
  stream = at;
  for (Operation& op : *form.body) at += isa<fuse::RandomOp>(op) ? 1 : 0;
  words = at;
  outputs = static_cast<int>(form.in.size());
  table = outputs + static_cast<int>(form.out.size());
}

namespace {

Type stored_type(Code& c, Type type) {
  Type held = c.held(type);
  return held.isInteger(1) ? Type(c.b.getI8Type()) : held;
}

// @symbol(arguments, params, tile, batch, m, n, rows, columns): vectors along N, masked at the end.
class EpilogueEmitter {
 public:
  EpilogueEmitter(Code& code, const ContractForm& form, RegisterTile tile, LLVM::LLVMFuncOp function)
      : c_(code), form_(form), layout_(form), tile_(tile) {
    Block& entry = *function.addEntryBlock(c_.b);
    c_.b.setInsertionPointToStart(&entry);
    arguments_ = entry.getArgument(0), params_ = entry.getArgument(1), tile_at_ = entry.getArgument(2);
    batch_ = entry.getArgument(3), m_ = entry.getArgument(4), n_ = entry.getArgument(5);
    rows_ = entry.getArgument(6), columns_ = entry.getArgument(7);
    for (unsigned k = 0; k < form.out.size(); ++k) {
      if (form.out[k].used) results_.push_back(k);
    }
    int index = 0, draw = 0, word = 0;
    for (Operation& op : *form.body) {
      if (isa<fuse::IndexOp>(op)) number_[&op] = index++;
      if (isa<fuse::RandomOp>(op)) number_[&op] = draw++;
      auto load = dyn_cast<fuse::LoadAtOp>(op);
      if (!load || load.getClamp()) continue;
      number_[&op] = word;
      word += 2 * static_cast<int>(load.getIndices().size());
    }
  }

  void emit() {
    for (unsigned k : results_) find_dims(result(k));
    open_accesses();
    find_streams();
    emit_values(0);
    Value whole = c_.bit_and(columns_, c_.integer(-tile_.lanes));
    loop(c_.integer(0), whole, tile_.lanes, [&](Value column) { emit_column(column, Value()); });
    Value some = c_.compare(arith::CmpIPredicate::ne, columns_, whole);
    auto rest = scf::IfOp::create(c_.b, c_.loc, some, /*withElseRegion=*/false);
    {
      OpBuilder::InsertionGuard guard(c_.b);
      c_.b.setInsertionPointToStart(rest.thenBlock());
      Value left = c_.sub(columns_, whole);
      emit_column(whole, c_.compare(arith::CmpIPredicate::slt, c_.iota(), c_.broadcast(left)));
    }
    LLVM::ReturnOp::create(c_.b, c_.loc, ValueRange{});
  }

 private:
  // What a value depends on beside the batch.
  enum Dims { none = 0, by_n = 1, by_m = 2 };

  // One used access as this tile sees it.
  struct Open {
    Value start;  // offset of batch, and of the first column where it is a unit-stride one
    Value m_table, n_table;
  };

  Value result(unsigned k) { return form_.body->getTerminator()->getOperand(k); }

  void loop(Value begin, Value end, int64_t step, const std::function<void(Value)>& body) {
    auto op = scf::ForOp::create(c_.b, c_.loc, begin, end, c_.integer(step));
    OpBuilder::InsertionGuard guard(c_.b);
    c_.b.setInsertionPointToStart(op.getBody());
    body(op.getInductionVar());
  }

  int dims_of(const ContractAccess& access) const {
    return (access.by_m ? by_m : none) | (access.along == Along::same ? none : by_n);
  }

  int find_dims(Value value) {
    auto found = dims_.find(value);
    if (found != dims_.end()) return found->second;
    int dims = none;
    if (auto argument = dyn_cast<BlockArgument>(value)) {
      if (!isa<RankedTensorType>(value.getType())) dims = dims_of(form_.in[argument.getArgNumber()]);
    } else if (value.getDefiningOp() == form_.contract) {
      dims = by_m | by_n;
    } else {
      Operation* op = value.getDefiningOp();
      if (isa<fuse::IndexOp>(op)) dims = dims_of(form_.index[static_cast<size_t>(number_.lookup(op))]);
      for (Value operand : op->getOperands()) dims |= find_dims(operand);
    }
    dims_[value] = dims;
    return dims;
  }

  // ---- accesses ----

  Value word(int place) { return c_.load(c_.offset(params_, c_.i64(), c_.integer(place)), c_.i64()); }
  Value argument(int k) { return c_.load(c_.offset(arguments_, c_.pointer(), c_.integer(k)), c_.pointer()); }
  Value table(int place, Value first) { return c_.offset(c_.offset(table_, c_.i64(), word(place)), c_.i64(), first); }

  void open_accesses() {
    table_ = argument(layout_.table);
    for (int k = 0; k < layout_.table; ++k) base_.push_back(argument(k));
    auto open = [&](const std::vector<ContractAccess>& list, const std::vector<int>& places, std::vector<Open>& all) {
      for (size_t k = 0; k < list.size(); ++k) {
        all.emplace_back();
        if (places[k] < 0) continue;
        Open& access = all.back();
        access.start = c_.load(table(places[k], batch_), c_.i64());
        if (list[k].by_m) access.m_table = table(places[k] + 1, m_);
        if (list[k].along == Along::same) continue;
        access.n_table = table(places[k] + 2, n_);
        if (list[k].along == Along::unit) access.start = c_.add(access.start, c_.load(access.n_table, c_.i64()));
      }
    };
    open(form_.in, layout_.in, in_);
    open(form_.out, layout_.out, out_);
    open(form_.index, layout_.index, index_);
  }

  // Element offset at the current row and column: of lane 0, or of each lane when `lanes`.
  Value offset(const ContractAccess& access, const Open& open, bool lanes) {
    Value at = open.start;
    if (access.by_m) at = c_.add(at, c_.load(c_.offset(open.m_table, c_.i64(), row_), c_.i64()));
    if (access.along == Along::unit) {
      at = c_.add(at, column_);
      if (lanes) at = c_.add(c_.broadcast(at), c_.iota());
    } else if (access.along == Along::other) {
      at = c_.add(c_.broadcast(at), load_vector(c_.offset(open.n_table, c_.i64(), column_), c_.i64()));
    }
    return at;
  }

  Value load_vector(Value from, Type element) {
    Type type = c_.vector_of(element);
    if (!mask_) return c_.load(from, type);
    return LLVM::MaskedLoadOp::create(c_.b, c_.loc, type, from, mask_, c_.constant(0, type),
                                      c_.b.getI32IntegerAttr(bytes_of(element)), UnitAttr())
        .getResult();
  }

  Value lanes_mask() { return mask_ ? mask_ : c_.constant(1, c_.vector_of(c_.i1())); }

  Value gather(Value base, Type element, Value at) {
    Value from = c_.offset(base, element, at);
    if (!Code::is_vector(at)) return c_.load(from, element);
    Type type = c_.vector_of(element);
    return LLVM::masked_gather::create(c_.b, c_.loc, type, from, lanes_mask(), ValueRange{c_.constant(0, type)},
                                       c_.b.getI32IntegerAttr(bytes_of(element)))
        .getResult();
  }

  Value from_stored(Value value, Type type) {
    if (!c_.held(type).isInteger(1)) return value;
    return c_.compare(arith::CmpIPredicate::ne, value, c_.constant_like(value, 0));
  }

  Value load(size_t k, Type type) {
    const ContractAccess& access = form_.in[k];
    Type element = stored_type(c_, type);
    Value at = offset(access, in_[k], false);
    if (access.along == Along::other) return from_stored(gather(base_[k], element, at), type);
    Value from = c_.offset(base_[k], element, at);
    return from_stored(access.along == Along::unit ? load_vector(from, element) : c_.load(from, element), type);
  }

  void store(size_t k, Value value, Type type) {
    const ContractAccess& access = form_.out[k];
    Type element = stored_type(c_, type);
    if (c_.held(type).isInteger(1)) value = c_.convert_int(value, element, false);
    Value at = offset(access, out_[k], false);
    Value to = c_.offset(base_[static_cast<size_t>(layout_.outputs) + k], element, at);
    if (access.along == Along::same) {
      // Columns that all write the same element hold the same value.
      return c_.store(Code::is_vector(value) ? c_.make<vector::ExtractOp>(value, 0) : value, to);
    }
    value = c_.broadcast(value);
    auto alignment = c_.b.getI32IntegerAttr(bytes_of(element));
    if (access.along == Along::other) LLVM::masked_scatter::create(c_.b, c_.loc, value, to, lanes_mask(), alignment);
    else if (mask_) LLVM::MaskedStoreOp::create(c_.b, c_.loc, value, to, mask_, alignment);
    else store_whole(value, to);
  }

  // A whole vector; where results go past the cache and it is a whole line, so does it.
  void store_whole(Value value, Value to) {
    if (tile_.lanes * bytes_of(Code::element(value)) != line) return c_.store(value, to);
    auto branch = scf::IfOp::create(c_.b, c_.loc, streams_, /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(c_.b);
    c_.b.setInsertionPointToStart(branch.thenBlock());
    LLVM::StoreOp::create(c_.b, c_.loc, value, to, line, /*isVolatile=*/false, /*isNonTemporal=*/true);
    c_.b.setInsertionPointToStart(branch.elseBlock());
    c_.store(value, to);
  }

  // The launch wants it, and this tile's results begin at lines.
  void find_streams() {
    Value low = c_.integer(0);
    for (unsigned k : results_) {
      Value type_size = c_.integer(bytes_of(c_.held(result(k).getType())));
      Value base = c_.make<LLVM::PtrToIntOp>(c_.i64(), base_[static_cast<size_t>(layout_.outputs) + k]);
      low = c_.bit_or(low, c_.add(base, c_.mul(out_[k].start, type_size)));
    }
    Value begins = c_.compare(arith::CmpIPredicate::eq, c_.bit_and(low, c_.integer(line - 1)), c_.integer(0));
    Value wanted = word(static_cast<int>(offsetof(ContractHead, stream) / sizeof(int64_t)));
    streams_ = c_.bit_and(begins, c_.compare(arith::CmpIPredicate::ne, wanted, c_.integer(0)));
  }

  // ---- the body ----

  void emit_column(Value column, Value mask) {
    auto outside = values_;
    column_ = column, mask_ = mask;
    emit_values(by_n);
    loop(c_.integer(0), rows_, 1, [&](Value row) {
      auto column_values = values_;
      row_ = row;
      emit_values(by_m | by_n);
      for (unsigned k : results_) store(k, values_.lookup(result(k)), result(k).getType());
      values_ = column_values;
    });
    values_ = outside;
  }

  // Everything that the results need and that depends on no more than `dims`.
  void emit_values(int dims) {
    for (unsigned k : results_) need(result(k), dims);
  }

  void need(Value value, int dims) {
    if (values_.count(value) != 0 || isa<RankedTensorType>(value.getType())) return;
    Operation* op = value.getDefiningOp();
    if (op && op != form_.contract) {
      for (Value operand : op->getOperands()) need(operand, dims);
    }
    if ((dims_.lookup(value) & ~dims) == 0) values_[value] = emit_one(value);
  }

  Value emit_one(Value value) {
    if (auto argument = dyn_cast<BlockArgument>(value)) return load(argument.getArgNumber(), value.getType());
    Operation* op = value.getDefiningOp();
    if (op == form_.contract) {
      Value at = c_.add(c_.mul(row_, c_.integer(tile_.nr)), column_);
      Type sum = c_.held(value.getType());
      return c_.load(c_.offset(tile_at_, sum, at), c_.vector_of(sum));
    }
    auto operand = [&](Value v) { return values_.lookup(v); };
    if (isa<fuse::IndexOp>(op)) {
      auto k = static_cast<size_t>(number_.lookup(op));
      return offset(form_.index[k], index_[k], true);
    }
    if (auto random = dyn_cast<fuse::RandomOp>(op)) {
      Value bits = random_bits(c_, operand(random.getSeed()), word(layout_.stream + number_.lookup(op)),
                               operand(random.getStep()), operand(random.getElement()));
      return random.getResult().getType().isF32() ? uniform_from_bits(c_, bits) : bits;
    }
    if (auto load_at = dyn_cast<fuse::LoadAtOp>(op)) return emit_load_at(load_at);
    SmallVector<Value> operands;
    for (Value v : op->getOperands()) operands.push_back(operand(v));
    return emit_point(c_, op, operands);
  }

  Value emit_load_at(fuse::LoadAtOp load_at) {
    unsigned input = cast<BlockArgument>(load_at.getSource()).getArgNumber();
    Type type = load_at.getResult().getType();
    Value at = c_.integer(0), zero = c_.integer(0);
    for (auto [d, operand] : llvm::enumerate(load_at.getIndices())) {
      Value index = values_.lookup(operand), extent = word(layout_.shape[input] + static_cast<int>(d));
      Value outside = c_.compare(arith::CmpIPredicate::uge, index, extent);
      if (!load_at.getClamp()) report(load_at, static_cast<int>(d), index, outside);
      Value below = c_.compare(arith::CmpIPredicate::slt, index, zero);
      Value clamped = c_.select(outside, c_.select(below, zero, c_.sub(extent, c_.integer(1))), index);
      at = c_.add(c_.mul(at, extent), clamped);
    }
    return from_stored(gather(base_[input], stored_type(c_, type), at), type);
  }

  // Keeps the largest and the smallest index that was outside: the same two whatever the order of tasks.
  void report(fuse::LoadAtOp load_at, int d, Value index, Value outside) {
    Value any = outside;
    if (Code::is_vector(outside)) {
      if (mask_) outside = c_.bit_and(outside, mask_);
      any = c_.make<vector::ReductionOp>(vector::CombiningKind::OR, outside);
    }
    auto branch = scf::IfOp::create(c_.b, c_.loc, any, /*withElseRegion=*/false);
    OpBuilder::InsertionGuard guard(c_.b);
    c_.b.setInsertionPointToStart(branch.thenBlock());
    Value number = word(static_cast<int>(offsetof(ContractHead, errors_argument) / sizeof(int64_t)));
    Value errors = c_.load(c_.offset(arguments_, c_.pointer(), number), c_.pointer());
    int at = number_.lookup(load_at.getOperation()) + 2 * d;
    for (Combine how : {Combine::max, Combine::min}) {
      Value worst = index;
      if (Code::is_vector(index)) {
        worst = across_lanes(c_, how, c_.select(outside, index, identity_of(c_, how, index.getType())));
      }
      Value to = c_.offset(errors, c_.i64(), c_.integer(at++));
      LLVM::AtomicRMWOp::create(c_.b, c_.loc, how == Combine::max ? LLVM::AtomicBinOp::max : LLVM::AtomicBinOp::min, to,
                                worst, LLVM::AtomicOrdering::monotonic);
    }
  }

  Code& c_;
  const ContractForm& form_;
  EpilogueLayout layout_;
  RegisterTile tile_;
  Value arguments_, params_, table_, tile_at_, batch_, m_, n_, rows_, columns_;
  Value row_, column_, mask_, streams_;
  static constexpr int line = 64;  // bytes
  std::vector<unsigned> results_;  // that are written here
  std::vector<Open> in_, out_, index_;
  std::vector<Value> base_;                 // address of each input and result
  llvm::DenseMap<Operation*, int> number_;  // place among ops of its kind; of a load_at its first error word
  llvm::DenseMap<Value, int> dims_;
  llvm::DenseMap<Value, Value> values_;  // emitted and visible here
};

// The kernel hands the driver the addresses of all code that it needs, in the order of ContractCode.
void emit_entry(Code& c, ModuleOp module, LLVM::LLVMFuncOp kernel, const std::string& epilogue,
                const SharedSymbols& shared) {
  std::vector<std::string> symbols;
  for (const std::string& pack : {shared.pack_a, shared.pack_b}) {
    for (const char* part : {"_copy", "_group", "_transpose", "_gather"}) symbols.push_back(pack + part);
  }
  for (const char* part : {"_packed", "_direct", "_sum"}) symbols.push_back(shared.tile + part);
  for (const std::string& symbol : {epilogue, shared.sum_a, shared.sum_b}) symbols.push_back(symbol);
  auto nothing = LLVM::LLVMVoidType::get(c.b.getContext());
  auto opaque = LLVM::LLVMFunctionType::get(nothing, {});
  auto driver_type =
      LLVM::LLVMFunctionType::get(nothing, {c.pointer(), c.pointer(), c.i64(), c.pointer(), c.pointer()});
  c.b.setInsertionPointToEnd(module.getBody());
  const char* driver = "tessera_contract_task";
  LLVM::LLVMFuncOp::create(c.b, c.loc, driver, driver_type);
  for (const std::string& symbol : symbols) {
    if (!symbol.empty() && !module.lookupSymbol(symbol)) LLVM::LLVMFuncOp::create(c.b, c.loc, symbol, opaque);
  }
  Block& entry = *kernel.addEntryBlock(c.b);
  c.b.setInsertionPointToStart(&entry);
  Value code = LLVM::AllocaOp::create(c.b, c.loc, c.pointer(), c.pointer(), c.integer(contract_code_pointers), 8);
  for (size_t k = 0; k < symbols.size(); ++k) {
    Value address =
        symbols[k].empty() ? c.make<LLVM::ZeroOp>(c.pointer()) : c.make<LLVM::AddressOfOp>(c.pointer(), symbols[k]);
    c.store(address, c.offset(code, c.pointer(), c.integer(static_cast<int64_t>(k))));
  }
  SmallVector<Value> operands(entry.getArguments());
  operands.push_back(code);
  LLVM::CallOp::create(c.b, c.loc, driver_type, driver, operands);
  LLVM::ReturnOp::create(c.b, c.loc, ValueRange{});
}

}  // namespace

void emit_contract_kernel(ModuleOp module, const std::string& symbol, const ContractForm& form,
                          const SharedSymbols& shared, RegisterTile tile) {
  Code c(OpBuilder::atBlockEnd(module.getBody()), UnknownLoc::get(module.getContext()), tile.lanes);
  auto nothing = LLVM::LLVMVoidType::get(module.getContext());
  Type pointer = c.pointer(), i64 = c.i64();
  auto epilogue_type = LLVM::LLVMFunctionType::get(nothing, {pointer, pointer, pointer, i64, i64, i64, i64, i64});
  std::string epilogue = symbol + "_epilogue";
  auto function = LLVM::LLVMFuncOp::create(c.b, c.loc, epilogue, epilogue_type);
  auto kernel_type = LLVM::LLVMFunctionType::get(nothing, {pointer, pointer, i64, pointer});
  auto kernel = LLVM::LLVMFuncOp::create(c.b, c.loc, symbol, kernel_type);
  EpilogueEmitter(c, form, tile, function).emit();
  emit_entry(c, module, kernel, epilogue, shared);
}

}  // namespace tessera::codegen
