#include <tessera/codegen/cuda/contract/tile_kernel.h>

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Verifier.h"

#include <fmt/format.h>

#include <tessera/codegen/cuda/contract/finish_text.h>
#include <tessera/codegen/cuda/print/print_cuda.h>
#include <tessera/codegen/cuda/tile/Tile.h>
#include <tessera/core/error.h>

namespace tessera::cuda {
namespace {

using namespace mlir;
using Pair = TileSchedule::Pair;

KernelWords of_epilogue(KernelWords words, const Contraction& c, const TileSchedule& s) {
  words.inputs.erase(words.inputs.begin(), words.inputs.begin() + 2);
  words.inputs.push_back("sum");
  words.made_here = 1;
  if (s.parts > 1) words.dims.push_back("part");
  for (int d = 0; d < c.batch.count(); ++d)
    words.dims.push_back(c.batch.count() == 1 ? "batch" : fmt::format("batch_{}", d + 1));
  for (auto [side, name] : {std::pair{c.m, "m"}, {c.n, "n"}})
    for (int d = 0; d < side.count(); ++d)
      words.dims.push_back(side.count() == 1 ? name : fmt::format("{}_{}", name, d + 1));
  words.taken = words.dims;
  for (const char* name :
       {"arrivals", "beside",  "bring",  "brought", "input",      "slot",       "a_rests",  "b_rests", "of_step",
        "a",        "ab",      "at",     "b",       "batch",      "column",     "consumer", "i",       "k",
        "m",        "n",       "k_end",  "at_part", "at_batch_1", "at_batch_2", "k_first",  "left",    "m_first",
        "first",    "n_first", "halves", "packed",  "pair",       "part",       "rank",     "result",  "row",
        "s",        "scratch", "shared", "staged",  "sum",        "sums",       "sums_2",   "t",       "tile",
        "tiles",    "turns",   "whole",  "there",   "walked",     "down"})
    if (!llvm::is_contained(words.taken, name)) words.taken.push_back(name);
  return words;
}

class Builder {
 public:
  Builder(const Contraction& c, const TileSchedule& s, const Epilogue& epilogue, KernelWords words)
      : c_(c),
        s_(s),
        form_(codegen::read_form(epilogue.kernel)),
        stages_(codegen::make_stages(form_)),
        neighbours_(neighbours_along_n(form_, s.width())),
        operand_names_(words.inputs.begin(), words.inputs.begin() + 2),
        values_(form_, stages_, neighbours_, of_epilogue(std::move(words), c, s)),
        b_(form_.body->getParentOp()->getContext()) {
    for (std::string& name : operand_names_) {
      name = values_.names.identifier(name);
      if (s.operands.is_thrice()) rest_names_.push_back(values_.names.identifier(name + "_rests"));
    }
    module_ = ModuleOp::create(b_.getUnknownLoc());
    columns_ = inputs_of_columns(s, values_);
    for (size_t argument : s.beside) beside_.push_back(llvm::find(epilogue.inputs, argument) - epilogue.inputs.begin());
    lines_ = finish_lines(c, s, beside_, values_);
  }

  OwningOpRef<ModuleOp> build() {
    b_.setInsertionPointToEnd(module_->getBody());
    SmallVector<StringRef> about;
    for (const std::string& line : values_.words.head) about.push_back(line);
    kernel_ =
        tile::KernelOp::create(b_, here(), b_.getStringAttr(values_.words.kernel), b_.getI64IntegerAttr(s_.cluster()),
                               b_.getStrArrayAttr(about), ArrayAttr(), s_.is_early ? b_.getUnitAttr() : UnitAttr());
    Block& block = kernel_.getBody().emplaceBlock();
    b_.setInsertionPointToEnd(&block);
    add_parameters(block);
    add_shared();
    rank_ = s_.cluster() > 1 ? tile::ClusterRankOp::create(b_, named("rank"), b_.getI32Type()).getResult() : Value();
    if (s_.one_each || s_.kept > 0)
      cluster_index_ = tile::ClusterIndexOp::create(b_, named("t"), b_.getI32Type(),
                                                    b_.getI64IntegerAttr(s_.blocks() / s_.cluster()));
    else
      tiles_ = tile::RasterOp::create(b_, named("tiles"), tile::OrderType::get(b_.getContext()), number(s_.tiles_m),
                                      number(s_.tiles_n), b_.getI64IntegerAttr(8),
                                      s_.planes > 1 ? number(s_.planes) : Value());
    add_producer();
    add_consumer();
    check_internal(succeeded(verify(*module_)), "a contraction as a tile kernel does not verify");
    return std::move(module_);
  }

 private:
  // ---- small things ----

  Location here() { return b_.getUnknownLoc(); }
  Location named(const llvm::Twine& name) { return NameLoc::get(b_.getStringAttr(name)); }
  Value number(int64_t x) { return arith::ConstantIntOp::create(b_, here(), x, 32); }
  Value add(Value x, Value y) { return arith::AddIOp::create(b_, here(), x, y); }
  Value times(Value x, int64_t y) {
    if (const std::optional<int64_t> known = getConstantIntValue(x)) return number(*known * y);
    return y == 1 ? x : arith::MulIOp::create(b_, here(), x, number(y)).getResult();
  }
  // Printed as a variable of that name.
  Value call(Value x, const llvm::Twine& name) {
    x.getDefiningOp()->setLoc(named(name));
    return x;
  }
  tile::SmemType smem(std::vector<int64_t> shape, int64_t pitch = 0) {
    return tile::SmemType::get(b_.getContext(), shape, s_.operands.element, pitch);
  }
  // Do the statements speak of it?
  bool is_mentioned(const std::string& name) const {
    auto is_part = [](char x) { return llvm::isAlnum(x) || x == '_'; };
    for (const std::string& line : lines_)
      for (size_t at = line.find(name); at != std::string::npos; at = line.find(name, at + 1))
        if ((at == 0 || !is_part(line[at - 1])) &&
            (at + name.size() == line.size() || !is_part(line[at + name.size()])))
          return true;
    return false;
  }

  // ---- what all roles see ----

  void add_parameters(Block& block) {
    SmallVector<Attribute> tensors;
    auto map = [&](const Mapped& tensor, ArrayRef<int64_t> box, const std::string& name) {
      SmallVector<int64_t> numbers{static_cast<int64_t>(block.getNumArguments()), tensor.first};
      numbers.append(tensor.extents.begin(), tensor.extents.end());
      numbers.append(tensor.strides.begin(), tensor.strides.end());
      for (const std::vector<int64_t>* window : {&tensor.lower, &tensor.upper, &tensor.steps})
        numbers.append(window->begin(), window->end());
      tensors.push_back(b_.getDenseI64ArrayAttr(numbers));
      return block.addArgument(tile::MapType::get(b_.getContext(), box, s_.operands.element, tensor.rank()),
                               named(name));
    };
    auto pointer = [&](Type element, const std::string& name, bool read) {
      return block.addArgument(tile::PointerType::get(b_.getContext(), element, read, !values_.words.writes_elsewhere),
                               named(name));
    };
    a_map_ = map(s_.operands.a.tensor, box(s_.operands.a, s_.tile_m(), s_.pair == Pair::along_n), operand_names_[0]);
    b_map_ = map(s_.operands.b.tensor, box(s_.operands.b, s_.tile_n, s_.pair == Pair::along_m), operand_names_[1]);
    if (s_.operands.is_thrice()) {
      a_rests_map_ =
          map(*s_.operands.a.rests, box(s_.operands.a, s_.tile_m(), s_.pair == Pair::along_n), rest_names_[0]);
      b_rests_map_ = map(*s_.operands.b.rests, box(s_.operands.b, s_.tile_n, s_.pair == Pair::along_m), rest_names_[1]);
    }
    const KernelWords& words = values_.words;
    for (size_t k = 0; k < form_.in.size(); ++k) {
      Type type = form_.body->getArgument(static_cast<unsigned>(k)).getType();
      if (auto whole = dyn_cast<RankedTensorType>(type)) type = fuse::body_type(whole.getElementType());
      if (const auto place = llvm::find(beside_, k); place != beside_.end())
        beside_maps_.push_back(
            map(s_.of_beside[static_cast<size_t>(place - beside_.begin())], {64, 64}, words.inputs[k]));
      else if (!values_.is_made_here(k)) pointers_[k] = pointer(type, words.inputs[k], true);
    }
    for (unsigned k = 0; k < form_.out.size(); ++k) {
      const auto place = llvm::find(s_.sent, k);
      if (place == s_.sent.end()) pointer(fuse::body_type(values_.result_type(k)), words.results[k], false);
      else maps_.push_back(map(s_.results[static_cast<size_t>(place - s_.sent.begin())], {64, 64}, words.results[k]));
    }
    if (values_.checks_indices()) pointer(b_.getI64Type(), "errors", false);
    kernel_.setTensorsAttr(b_.getArrayAttr(tensors));
  }
  // An operand along its rows lies in columns of 64 of them, whose lines are steps of K. A block that brings half brings
  // half of the lines either way.
  std::vector<int64_t> box(const MappedOperand& operand, int64_t rows, bool is_half) const {
    const int64_t lines = (operand.along_k ? rows : s_.step) / (is_half ? 2 : 1);
    const int64_t line = s_.operands.line();
    if (!operand.is_dealt) return {lines, line};
    const auto [pair, lanes, pairs] = dealt_box(s_.operands.bytes());
    return {lines / dealt_lines(s_.operands.bytes()), pairs, lanes, pair, line};
  }

  std::vector<int64_t> tile_shape(const MappedOperand& operand, int64_t rows) const {
    return operand.along_k ? std::vector<int64_t>{rows, s_.step} : std::vector<int64_t>{s_.step, rows};
  }
  Value shared(const char* name, int64_t count, std::vector<int64_t> shape) {
    shape.insert(shape.begin(), count);
    return tile::SharedOp::create(b_, named(name), smem(std::move(shape)), b_.getStringAttr(name));
  }
  void add_shared() {
    a_ = shared("a", s_.stages, tile_shape(s_.operands.a, s_.tile_m()));
    b_tiles_ = shared("b", s_.kept > 0 ? s_.kept : s_.stages, tile_shape(s_.operands.b, s_.tile_n));
    if (s_.operands.is_thrice()) {
      a_rests_ = shared("a_rests", s_.stages, tile_shape(s_.operands.a, s_.tile_m()));
      b_rests_ = shared("b_rests", s_.stages, tile_shape(s_.operands.b, s_.tile_n));
    }
    of_each_ = static_cast<int64_t>(s_.tiles_of_round()) * s_.at_once * s_.buffers;
    if (s_.through_shared) {
      of_each_ = 1;
      auto type = tile::SmemType::get(b_.getContext(), {s_.consumers, 72, 64}, b_.getF32Type(), 0);
      staged_ = tile::SharedOp::create(b_, named("scratch"), type, b_.getStringAttr("scratch"));
    } else if (of_each_ > 0) {
      staged_ = shared("staged", s_.consumers * of_each_, {64, 64});
    }
    if (!beside_.empty()) {
      auto room = tile::ArrivalsType::get(b_.getContext(), {s_.consumers, s_.buffers}, b_.getI64Type(), 0);
      arrivals_ = tile::ArrivalsOp::create(b_, named("arrivals"), room, b_.getStringAttr("arrivals"));
    }
    if (s_.pair == Pair::along_k) {
      auto room = tile::HalvesType::get(b_.getContext(), {64, s_.columns()}, b_.getF32Type(), 0);
      halves_ = tile::HalvesOp::create(b_, named("halves"), room, b_.getStringAttr("halves"));
    }
    for (size_t k : columns_) {
      const mlir::Type element = form_.body->getArgument(static_cast<unsigned>(k)).getType();
      const std::string name = values_.words.inputs[k] + "_columns";
      auto room = tile::ValuesType::get(b_.getContext(), {s_.consumers, s_.columns()}, element, 0);
      column_rooms_.push_back(tile::ColumnValuesOp::create(b_, named(name), room, b_.getStringAttr(name)));
    }
    ab_ =
        tile::ChannelOp::create(b_, named("ab"), tile::ChannelType::get(b_.getContext()), b_.getStringAttr("ab"),
                                b_.getI64IntegerAttr(s_.stages), b_.getI64IntegerAttr(s_.in_turns ? 1 : s_.consumers));
  }

  // ---- both roles ----

  bool is_divided() const { return s_.consumers > 1 && !s_.in_turns; }  // the rows of a tile, among consumers

  tile::RoleOp role(const char* name, int64_t warpgroups, int64_t registers, bool one_thread, const char* index) {
    auto made = tile::RoleOp::create(b_, here(), b_.getStringAttr(name), b_.getI64IntegerAttr(warpgroups),
                                     b_.getI64IntegerAttr(registers), one_thread ? b_.getUnitAttr() : UnitAttr());
    made.getBody().emplaceBlock().addArgument(b_.getI32Type(), index ? named(index) : here());
    b_.setInsertionPointToEnd(&made.getBody().front());
    return made;
  }

  struct Place {
    Value m, n, part, k_first, k_end;  // not named yet
    std::vector<Value> batch;
    Value is_back;  // is K taken the other way? Where b stays
  };
  struct Tile {
    Value row, column, plane;  // no plane where there is one
  };
  // This block's tile, or each of them: then the builder stands in the loop over them.
  Tile start_tiles(Value turn) {
    if (s_.kept > 0) {  // down a column
      Value first = divided(cluster_index_, s_.tiles_n);
      if (turn) first = add(first, times(turn, s_.abreast));
      auto loop = scf::ForOp::create(b_, named("down"), first, number(s_.tiles_m),
                                     number(s_.abreast * (turn ? s_.consumers : 1)));
      b_.setInsertionPointToStart(loop.getBody());
      return {loop.getInductionVar(), remainder(cluster_index_, s_.tiles_n), Value()};
    }
    if (s_.one_each) {  // down first, plane by plane
      const Value row = remainder(cluster_index_, s_.tiles_m), of_row = divided(cluster_index_, s_.tiles_m);
      if (s_.planes == 1) return {row, of_row, Value()};
      return {row, remainder(of_row, s_.tiles_n), divided(cluster_index_, s_.tiles_m * s_.tiles_n)};
    }
    auto loop =
        tile::ForTilesOp::create(b_, here(), tiles_, Value(), turn, b_.getI64IntegerAttr(turn ? s_.consumers : 1));
    Block& body = loop.getBody().emplaceBlock();
    for (int i = 0; i < (s_.planes > 1 ? 3 : 2); ++i) body.addArgument(b_.getI32Type(), here());
    b_.setInsertionPointToEnd(&body);
    return {body.getArgument(0), body.getArgument(1), s_.planes > 1 ? body.getArgument(2) : Value()};
  }
  void end_tiles() {
    Operation* loop = b_.getInsertionBlock()->getParentOp();
    if (isa<tile::ForTilesOp, scf::ForOp>(loop)) b_.setInsertionPointAfter(loop);
  }

  Place place_of(const Tile& tile) {
    auto first = [&](Value at, int64_t extent, bool is_pair) {
      return times(is_pair ? add(times(at, 2), rank_) : at, extent);
    };
    Place place;
    place.m = first(tile.row, s_.tile_m(), s_.pair == Pair::along_m);
    place.n = first(tile.column, s_.tile_n, s_.pair == Pair::along_n);
    place.k_first = number(0), place.k_end = number(s_.operands.k);
    if (s_.pair == Pair::along_k) {
      place.k_first = call(times(rank_, s_.part), "k_first");
      place.k_end = add(place.k_first, number(s_.part));
    }
    Value batch = tile.plane;
    if (s_.parts > 1) {
      const bool is_only = s_.planes == s_.parts;
      place.part = is_only ? batch : arith::RemSIOp::create(b_, here(), batch, number(s_.parts)).getResult();
      if (!is_only) batch = arith::DivSIOp::create(b_, here(), batch, number(s_.parts));
      place.k_first = call(times(place.part, s_.part), "k_first");
      place.k_end = arith::MinSIOp::create(b_, here(), add(place.k_first, number(s_.part)), number(s_.operands.k));
    }
    if (c_.batch.count() == 1) place.batch = {batch};
    if (c_.batch.count() == 2) {
      const int64_t inner = c_.extent[static_cast<size_t>(c_.batch.end) - 1];
      place.batch = {arith::DivSIOp::create(b_, here(), batch, number(inner)),
                     arith::RemSIOp::create(b_, here(), batch, number(inner))};
    }
    return place;
  }

  SmallVector<Value> coordinates(const Mapped& tensor, Value inner, Value outer, const Place& place) {
    SmallVector<Value> at{inner, outer};
    for (int d : tensor.batch) at.push_back(place.batch[static_cast<size_t>(d - c_.batch.begin)]);
    return at;
  }

  // ---- the role that copies ----

  void add_producer() {
    OpBuilder::InsertionGuard guard(b_);
    role("producer", 1, is_divided() ? 40 : 24, true, nullptr);
    const Tile tile = start_tiles(Value());
    Place place = place_of(tile);
    place.m = name_if_computed(place.m, "m_first"), place.n = name_if_computed(place.n, "n_first");
    if (s_.kept > 0) {
      place.is_back = compare(arith::CmpIPredicate::ne, remainder(divided(tile.row, s_.abreast), 2), number(0));
      Value is_next = compare(arith::CmpIPredicate::sge, tile.row, number(s_.abreast));
      Value there = arith::SelectOp::create(b_, named("there"), is_next, number(s_.kept * s_.step), number(0));
      bring(place, place.k_first, there, false);
      place.k_first = there;
    }
    bring(place, place.k_first, place.k_end, true);
    end_tiles();
    // Other blocks arrive at the barriers of this one until they have read what it brought.
    if (tile::lands_in_all_blocks(ab_)) tile::DrainOp::create(b_, here(), ab_);
  }
  Value name_if_computed(Value x, const char* name) { return x.getDefiningOp() ? call(x, name) : x; }

  Value compare(arith::CmpIPredicate how, Value x, Value y) { return arith::CmpIOp::create(b_, here(), how, x, y); }

  // Where K is taken the other way for every other tile: its place, for how far it was walked.
  Value along_k(const Place& place, Value walked) {
    if (!place.is_back) return walked;
    Value back = arith::SubIOp::create(b_, here(), number(s_.part - s_.step), walked);
    return arith::SelectOp::create(b_, named("k"), place.is_back, back, walked);
  }
  const char* walk_name() const { return s_.kept > 0 ? "walked" : "k"; }
  // The tile that a step is brought to. Of b, where it stays, the same for each tile of the result.
  Value of_step(Value array, std::vector<int64_t> shape, Value slot, Value k) {
    const bool stays = s_.kept > 0 && array == b_tiles_;
    return tile::AtOp::create(b_, here(), smem(std::move(shape)), array,
                              stays ? remainder(divided(k, s_.step), s_.kept) : slot);
  }

  // So much of K.
  void bring(const Place& place, Value first, Value end, bool with_b) {
    OpBuilder::InsertionGuard guard(b_);
    auto loop = scf::ForOp::create(b_, named(walk_name()), first, end, number(s_.step));
    b_.setInsertionPointToStart(loop.getBody());
    SmallVector<Value> brought{a_};
    if (with_b) brought.push_back(b_tiles_);
    if (a_rests_) brought.append({a_rests_, b_rests_});
    auto slot = tile::PutOp::create(b_, named("s"), tile::SlotType::get(b_.getContext()), ab_, brought);
    Value k = along_k(place, loop.getInductionVar());
    auto load_a = [&](Value a, Value a_map) {
      load(a, a_map, s_.operands.a, s_.tile_m(), s_.pair == Pair::along_n, slot, k, place.m, place);
    };
    auto load_b = [&](Value b, Value b_map) {
      load(b, b_map, s_.operands.b, s_.tile_n, s_.pair == Pair::along_m, slot, k, place.n, place);
    };
    if (!s_.is_early) load_a(a_, a_map_);
    if (with_b) load_b(b_tiles_, b_map_);
    if (s_.is_early) load_a(a_, a_map_);  // few rows: L2 has them, and b comes from memory
    if (a_rests_) load_a(a_rests_, a_rests_map_), load_b(b_rests_, b_rests_map_);
  }

  void load(Value array, Value map, const MappedOperand& operand, int64_t rows, bool is_half, Value slot, Value k,
            Value row, const Place& place) {
    const std::vector<int64_t> shape = tile_shape(operand, rows);
    Value part = of_step(array, shape, slot, k);
    Value first;  // of this block's half
    if (is_half) {
      first = times(rank_, shape[0] / 2);
      part = tile::RowsOp::create(b_, here(), smem({shape[0] / 2, shape[1]}, shape[0]), part, first);
    }
    const UnitAttr to_all = is_half ? b_.getUnitAttr() : UnitAttr();
    SmallVector<Value> of_taps;
    if (!operand.tensor.is_window()) {
      const Taps taps(*this, k, operand);
      k = taps.in_line;
      for (const Walk& walk : operand.taps) of_taps.push_back(taps.coordinate(walk));
    }
    Value inner = operand.along_k ? k : row, outer = operand.along_k ? row : k;
    if (is_half) outer = add(outer, first);
    if (operand.tensor.is_window()) return load_window(part, map, operand, slot, inner, outer, to_all);
    SmallVector<Value> at;
    if (operand.is_dealt)
      at = {inner, number(0), number(0), number(0), divided(outer, dealt_lines(s_.operands.bytes()))};
    else at = coordinates(operand.tensor, inner, outer, place);
    llvm::append_range(at, of_taps);
    tile::LoadOp::create(b_, here(), part, map, slot, at, ValueRange(), to_all);
  }

  // A box of pixels for each line of 64: pixels are counted along the rows of the tile, taps and channels across.
  void load_window(Value part, Value map, const MappedOperand& operand, Value slot, Value across, Value along,
                   UnitAttr to_all) {
    auto type = cast<tile::SmemType>(part.getType());
    const int64_t rows = type.getShape()[0], columns = type.getShape()[1], line = 64;
    for (int64_t first = 0; first < columns; first += line) {
      Value box = part;
      if (columns > line) {
        const int64_t pitch = type.getExtra() ? type.getExtra() : rows;
        box = tile::ColumnsOp::create(b_, here(), smem({rows, line}, pitch), part, number(first));
      }
      const Taps taps(*this, first == 0 ? across : add(across, number(first)), operand);
      SmallVector<Value> at{taps.in_line}, offsets;
      for (const Walk& walk : operand.pixels) at.push_back(coordinate(along, walk));
      for (const Walk& walk : operand.taps) offsets.push_back(taps.coordinate(walk));
      tile::LoadOp::create(b_, here(), box, map, slot, at, offsets, to_all);
    }
  }

  Value divided(Value x, int64_t by) {
    return by == 1 ? x : arith::DivSIOp::create(b_, here(), x, number(by)).getResult();
  }
  Value remainder(Value x, int64_t by) {
    return by == 1 ? number(0) : arith::RemSIOp::create(b_, here(), x, number(by)).getResult();
  }
  Value coordinate(Value point, const Walk& walk) {
    if (walk.extent == 1 && !walk.is_last) return number(walk.first);
    Value at = divided(point, walk.inner);
    if (!walk.is_last) at = remainder(at, walk.extent);
    if (walk.step < 0) return arith::SubIOp::create(b_, here(), number(walk.first), times(at, -walk.step));
    at = times(at, walk.step);
    if (walk.first < 0) return arith::SubIOp::create(b_, here(), at, number(-walk.first));
    return walk.first == 0 ? at : add(at, number(walk.first));
  }

  // A number that counts channels of one tap after the other.
  struct Taps {
    Builder& of;
    Value tap, in_line;

    Taps(Builder& builder, Value point, const MappedOperand& operand) : of(builder) {
      const bool has_taps = llvm::any_of(operand.taps, [](const Walk& walk) { return walk.extent > 1; });
      tap = has_taps ? of.divided(point, operand.line) : Value();
      in_line = !has_taps                    ? point
                : operand.line == of.s_.step ? of.number(0)  // points are multiples of it
                                             : of.remainder(point, operand.line);
    }
    Value coordinate(const Walk& walk) const { return of.coordinate(tap, walk); }
  };

  // ---- the role that multiplies ----

  void add_consumer() {
    OpBuilder::InsertionGuard guard(b_);
    tile::RoleOp made =
        role("consumer", s_.consumers, is_divided() ? 232 : 240, false, s_.consumers > 1 ? "consumer" : nullptr);
    Value consumer = s_.consumers > 1 ? Value(made.getBody().getArgument(0)) : number(0);
    Value turns;
    // Where they take turns all tiles have as many steps.
    const int64_t steps = (std::min(s_.part, s_.operands.k) + s_.step - 1) / s_.step;
    if (s_.in_turns) {
      turns = tile::TurnsOp::create(b_, named("turns"), tile::TurnsType::get(b_.getContext()), consumer,
                                    b_.getI64IntegerAttr(s_.consumers));
      auto is_second = arith::CmpIOp::create(b_, here(), arith::CmpIPredicate::eq, consumer, number(1));
      auto branch = scf::IfOp::create(b_, here(), is_second, false);
      b_.setInsertionPointToStart(branch.thenBlock());
      tile::SkipOp::create(b_, here(), ab_, number(steps));
      b_.setInsertionPointAfter(branch);
    }
    if (arrivals_)
      end_of_beside_ = tile::BesideOp::create(b_, named("beside"), tile::BesideType::get(b_.getContext()), arrivals_,
                                              consumer, b_.getI64IntegerAttr(static_cast<int64_t>(beside_.size())),
                                              b_.getI64IntegerAttr(static_cast<int64_t>(s_.tiles_of_round())));
    Place place = place_of(start_tiles(s_.in_turns ? consumer : Value()));
    Value row = is_divided() ? times(consumer, 64 * s_.fragments) : Value();  // the first of this one's, in a
    if (row) place.m = add(place.m, row);
    if (s_.kept > 0) place.is_back = compare(arith::CmpIPredicate::eq, consumer, number(1));
    if (s_.pair == Pair::along_k) place.n = add(place.n, times(rank_, s_.columns()));  // of those that are finished
    const bool sends = !s_.sent.empty();
    if (sends || is_mentioned("m_first")) place.m = name_if_computed(place.m, "m_first");
    if (sends || is_mentioned("n_first")) place.n = name_if_computed(place.n, "n_first");
    name_batch(place);
    if (end_of_beside_) bring_beside(place, consumer);
    bring_columns(place, consumer);
    SmallVector<Value> sums = a_rests_ ? multiply_thrice(place, row) : multiply(place, row, turns);
    if (s_.in_turns) tile::SkipOp::create(b_, here(), ab_, number(steps));
    if (halves_) {
      auto half = tile::FragmentType::get(b_.getContext(), {64, s_.columns()}, b_.getF32Type(), 0);
      sums = {tile::AddHalvesOp::create(b_, named("whole"), half, halves_, sums[0])};
    }
    finish(sums, place, consumer);
    end_tiles();
    if (sends) tile::WaitStoresOp::create(b_, here());
  }

  void bring_columns(const Place& place, Value consumer) {
    column_values_.clear();
    for (auto [k, room] : llvm::zip(columns_, column_rooms_)) {
      auto type = cast<tile::ValuesType>(room.getType());
      column_values_.push_back(tile::BringColumnsOp::create(
          b_, here(), tile::ValuesType::get(b_.getContext(), type.getShape().drop_front(), type.getElement(), 0), room,
          consumer, pointers_[k], place.n, b_.getI64IntegerAttr(form_.in[k].base), b_.getI64IntegerAttr(c_.size(c_.n)),
          s_.is_dealt() ? b_.getUnitAttr() : UnitAttr()));
    }
  }

  void bring_beside(const Place& place, Value consumer) {
    brought_ = tile::BringBesideOp::create(b_, named("bring"), tile::BroughtType::get(b_.getContext()), end_of_beside_,
                                           staged_, times(consumer, of_each_), beside_maps_, coordinates_of_sums(place),
                                           b_.getI64IntegerAttr(s_.columns()), b_.getI64IntegerAttr(s_.fragments));
  }

  // Of the first of a tile, innermost first.
  SmallVector<Value> coordinates_of_sums(const Place& place) {
    SmallVector<Value> at{place.n, place.m};
    for (Value batch : llvm::reverse(place.batch)) at.push_back(batch);
    if (place.part) at.push_back(place.part);
    return at;
  }

  // Variables for what the statements speak of.
  void name_batch(const Place& place) {
    for (size_t d = 0; d < place.batch.size(); ++d)
      name_if_mentioned(place.batch[d], fmt::format("at_batch_{}", d + 1));
    if (place.part) name_if_mentioned(place.part, "at_part");
  }
  void name_if_mentioned(Value x, const std::string& name) {
    if (!is_mentioned(name)) return;
    if (auto argument = dyn_cast<BlockArgument>(x)) argument.setLoc(named(name));
    else call(x, name);
  }

  SmallVector<Value> multiply(const Place& place, Value row, Value turns) {
    auto type = [&](int64_t pending) {
      return tile::FragmentType::get(b_.getContext(), {64, s_.tile_n}, b_.getF32Type(), pending);
    };
    SmallVector<Value> sums;
    for (int f = 0; f < s_.fragments; ++f)
      sums.push_back(tile::EmptyOp::create(b_, named(f == 0 ? "sums" : fmt::format("sums_{}", f + 1)), type(1)));
    if (turns) tile::TurnWaitOp::create(b_, here(), turns);
    auto loop = scf::ForOp::create(b_, named(walk_name()), place.k_first, place.k_end, number(s_.step), sums);
    {
      OpBuilder::InsertionGuard guard(b_);
      b_.setInsertionPointToStart(loop.getBody());
      auto slot = tile::GetOp::create(b_, named("s"), tile::SlotType::get(b_.getContext()), ab_);
      auto later = arith::CmpIOp::create(b_, here(), arith::CmpIPredicate::sgt, loop.getInductionVar(), place.k_first);
      Value k = along_k(place, loop.getInductionVar());
      Value b = filled(of_step(b_tiles_, tile_shape(s_.operands.b, s_.tile_n), slot, k));
      SmallVector<Value> next;
      for (int f = 0; f < s_.fragments; ++f) {
        Value a = filled(part_of(a_, slot, !row ? number(64 * f) : f == 0 ? row : add(row, number(64 * f))));
        next.push_back(tile::MmaOp::create(b_, sums[static_cast<size_t>(f)].getLoc(), type(1),
                                           loop.getRegionIterArg(static_cast<unsigned>(f)), a, b, later,
                                           s_.operands.a.along_k ? UnitAttr() : b_.getUnitAttr(),
                                           s_.operands.b.along_k ? b_.getUnitAttr() : UnitAttr()));
      }
      tile::WaitMmaOp::create(b_, here(), TypeRange{}, b_.getI64IntegerAttr(s_.fragments), Value());
      auto branch = scf::IfOp::create(b_, here(), later, false);
      b_.setInsertionPointToStart(branch.thenBlock());
      tile::ReleaseOp::create(b_, here(), ab_);
      b_.setInsertionPointAfter(branch);
      scf::YieldOp::create(b_, here(), next);
    }
    if (turns) tile::TurnPassOp::create(b_, here(), turns);
    SmallVector<Value> whole;
    for (Value sum : loop.getResults())
      whole.push_back(
          tile::WaitMmaOp::create(b_, here(), TypeRange{type(0)}, b_.getI64IntegerAttr(0), sum).getResult());
    tile::ReleaseOp::create(b_, here(), ab_);
    return whole;
  }

  // Small · big, big · small and big · big of one step, which begin at nothing; what they give is added up.
  SmallVector<Value> multiply_thrice(const Place& place, Value row) {
    auto type = [&](int64_t pending) {
      return tile::FragmentType::get(b_.getContext(), {64, s_.tile_n}, b_.getF32Type(), pending);
    };
    Value zero = arith::ConstantOp::create(b_, here(), b_.getF32FloatAttr(0));
    Value sums = tile::FillOp::create(b_, named("sums"), type(0), zero);
    auto loop = scf::ForOp::create(b_, named("k"), place.k_first, place.k_end, number(s_.step), sums);
    OpBuilder::InsertionGuard guard(b_);
    b_.setInsertionPointToStart(loop.getBody());
    auto slot = tile::GetOp::create(b_, named("s"), tile::SlotType::get(b_.getContext()), ab_);
    auto b_of = [&](Value array) {
      return tile::AtOp::create(b_, here(), smem(tile_shape(s_.operands.b, s_.tile_n)), array, slot).getResult();
    };
    Value of_step = tile::EmptyOp::create(b_, named("of_step"), type(1));
    bool is_first = true;
    for (auto [a, b] : {std::pair{a_rests_, b_tiles_}, {a_, b_rests_}, {a_, b_tiles_}}) {
      Value adds = arith::ConstantIntOp::create(b_, here(), is_first ? 0 : 1, 1);
      of_step = tile::MmaOp::create(b_, of_step.getLoc(), type(1), of_step, part_of(a, slot, row), b_of(b), adds,
                                    UnitAttr(), b_.getUnitAttr());
      is_first = false;
    }
    of_step = tile::WaitMmaOp::create(b_, here(), TypeRange{type(0)}, b_.getI64IntegerAttr(0), of_step).getResult();
    tile::ReleaseOp::create(b_, here(), ab_);
    Value added = tile::AddOp::create(b_, here(), type(0), loop.getRegionIterArg(0), of_step);
    scf::YieldOp::create(b_, here(), added);
    return {loop.getResult(0)};
  }

  // What of the step of a tile holds anything.
  Value filled(Value tile) {
    if (s_.depth() == s_.step) return tile;
    auto type = cast<tile::SmemType>(tile.getType());
    const int64_t rows = type.getShape()[0], pitch = type.getExtra() ? type.getExtra() : rows;
    return tile::ColumnsOp::create(b_, here(), smem({rows, s_.depth()}, pitch), tile, number(0));
  }

  // Of a or its rests.
  Value part_of(Value array, Value slot, Value row) {
    const std::vector<int64_t> shape = tile_shape(s_.operands.a, s_.tile_m());
    Value whole = tile::AtOp::create(b_, here(), smem(shape), array, slot);
    if (s_.operands.a.along_k) return tile::RowsOp::create(b_, here(), smem({64, s_.step}, shape[0]), whole, row);
    return tile::ColumnsOp::create(b_, here(), smem({s_.step, 64}, s_.step), whole, row);
  }

  void finish(ValueRange sums, const Place& place, Value consumer) {
    SmallVector<StringRef> text(lines_.begin(), lines_.end());
    std::vector<std::string> of_columns;
    for (size_t k : columns_) of_columns.push_back(columns_name(s_, values_, k));
    SmallVector<StringRef> names(of_columns.begin(), of_columns.end());
    auto made =
        tile::FinishOp::create(b_, here(), sums, staged_, staged_ ? times(consumer, of_each_) : Value(), maps_,
                               column_values_, brought_, coordinates_of_sums(place), b_.getI64IntegerAttr(s_.at_once),
                               b_.getI64IntegerAttr(s_.buffers), b_.getStrArrayAttr(names), b_.getStrArrayAttr(text),
                               s_.is_dealt() ? b_.getI64IntegerAttr(s_.width()) : IntegerAttr());
    if (outgrow_l2()) made->setAttr(evict_first, b_.getUnitAttr());
  }

  // Does L2 hold less than the results that are sent? Then the next kernel finds none of them there.
  bool outgrow_l2() const {
    constexpr int64_t l2_bytes = 50'000'000;
    return c_.size(c_.batch) * c_.size(c_.m) * c_.size(c_.n) * 2 * static_cast<int64_t>(s_.sent.size()) > l2_bytes;
  }

  const Contraction& c_;
  const TileSchedule& s_;
  const codegen::Form form_;
  const codegen::Stages stages_;
  const RowSchedule neighbours_;
  std::vector<std::string> operand_names_, rest_names_;
  ValuesText values_;
  OpBuilder b_;
  OwningOpRef<ModuleOp> module_;
  Lines lines_;

  tile::KernelOp kernel_;
  Value a_map_, b_map_, a_rests_map_, b_rests_map_, a_, b_tiles_, a_rests_, b_rests_, staged_, halves_, rank_;
  Value tiles_, cluster_index_;  // one of them
  tile::ChannelOp ab_;
  SmallVector<Value> maps_;
  std::vector<size_t> beside_;  // inputs of the epilogue that are brought beside the sums
  SmallVector<Value> beside_maps_;
  Value arrivals_, end_of_beside_, brought_;
  std::vector<size_t> columns_;  // inputs of the epilogue that belong to columns
  SmallVector<Value> column_rooms_, column_values_;
  llvm::DenseMap<size_t, Value> pointers_;  // of inputs of the epilogue
  int64_t of_each_ = 0;                     // tiles for what becomes of the sums, of one warpgroup
};

}  // namespace

OwningOpRef<ModuleOp> build_tile_kernel(const Contraction& c, const TileSchedule& schedule, const Epilogue& epilogue,
                                        KernelWords words) {
  return Builder(c, schedule, epilogue, std::move(words)).build();
}

std::string tile_kernel_text(const Contraction& c, const TileSchedule& schedule, const Epilogue& epilogue,
                             KernelWords words) {
  OwningOpRef<ModuleOp> module = build_tile_kernel(c, schedule, epilogue, std::move(words));
  FailureOr<std::string> text = print_cuda(*module->getOps<tile::KernelOp>().begin());
  check_internal(succeeded(text), "a contraction as a tile kernel has no text");
  return std::move(*text);
}

}  // namespace tessera::cuda
