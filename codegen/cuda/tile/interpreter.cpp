#include <tessera/codegen/cuda/tile/interpreter.h>

#include <array>
#include <cmath>
#include <cstring>
#include <deque>
#include <limits>
#include <map>
#include <memory>
#include <utility>

#include "llvm/ADT/TypeSwitch.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include <tessera/codegen/cuda/tile/agents.h>
#include <tessera/codegen/cuda/tile/scalar.h>

namespace tessera::tile {
namespace {

using namespace mlir;

constexpr float nan = std::numeric_limits<float>::quiet_NaN();

float round_to_bf16(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  if (!std::isnan(x)) bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000u;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

// To nearest, half ways to even, as the copy engine does.
float round_to_tf32(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  if (std::isfinite(x)) bits = (bits + 0xfff + (bits >> 13 & 1)) & 0xffffe000u;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

using Values = std::shared_ptr<std::vector<float>>;        // of a fragment: 64 rows
using Lanes = std::shared_ptr<std::array<float, 64 * 4>>;  // of a row: the four lanes that share it

Values new_values(int64_t columns, float x) { return std::make_shared<std::vector<float>>(64 * columns, x); }
size_t lane_of(size_t column) { return column % 8 / 2; }

// Rows or columns of one tile in shared memory, whose lines have `pitch` values here.
struct TileRef {
  std::vector<float>* storage = nullptr;
  int64_t first = 0, first_column = 0, rows = 0, columns = 0, pitch = 0;

  float& at(int64_t row, int64_t column) const {
    return (*storage)[static_cast<size_t>((first + row) * pitch + first_column + column)];
  }
};

struct ChannelState {
  int64_t depth = 0, put = 0;
  bool lands_in_all = false;                            // blocks of the cluster
  std::vector<int64_t> expected, landed;                // bytes, of each buffer that was ever put
  int64_t readers = 0, released = 0;                    // warpgroups; buffers that all of them freed, from the first on
  std::vector<int64_t> releases;                        // of each buffer
  std::multimap<int64_t, std::function<void()>> loads;  // on their way, by number

  bool full(int64_t number) const {
    const auto n = static_cast<size_t>(number);
    return number < put && n < landed.size() && landed[n] == expected[n];
  }
};

// What lies in a tile.halves, or is on its way there.
struct HalfState {
  bool is_sent = false;
  std::function<void()> land;
  std::vector<float> sums;
};

struct BlockState {
  std::map<void*, std::vector<std::vector<float>>> tiles;  // by tile.shared
  std::map<void*, ChannelState> channels;                  // by tile.channel
  std::map<void*, HalfState> halves;                       // by tile.halves
  std::map<int64_t, int64_t> open_turns;                   // of each warpgroup
};

struct Cluster {
  KernelOp kernel;
  llvm::ArrayRef<Argument> arguments;
  const Execution& execution;
  Agents& agents;
  std::vector<BlockState> blocks;
  std::vector<int64_t> drawn;    // which cluster a tile falls to where tiles are drawn
  int64_t index = 0, count = 1;  // of clusters
  bool failed = false;
};

// One warpgroup of one block.
class Agent {
 public:
  Agent(Cluster& cluster, size_t block, RoleOp role, int64_t warpgroup)
      : cluster_(cluster), block_(block), role_(role), warpgroup_(warpgroup) {}

  void run(size_t self) {
    self_ = self;
    size_t i = 0;
    for (BlockArgument argument : cluster_.kernel.getBody().getArguments()) {
      const Argument& given = cluster_.arguments[i++];
      if (auto* integer = std::get_if<int64_t>(&given)) numbers_.set_integer(argument, *integer);
      if (auto* real = std::get_if<float>(&given)) numbers_.set_real(argument, *real);
      if (auto* tensor = std::get_if<GlobalTensor*>(&given)) tensors_[argument] = *tensor;
    }
    for (Operation& op : cluster_.kernel.getBody().front())
      if (!llvm::isa<RoleOp>(op)) execute(op);
    numbers_.set_integer(role_.getBody().getArgument(0), warpgroup_);
    for (Operation& op : role_.getBody().front()) execute(op);
  }

 private:
  BlockState& mine() { return cluster_.blocks[block_]; }
  ChannelState& channel(Value value, size_t block) {
    return cluster_.blocks[block].channels[value.getAsOpaquePointer()];
  }

  [[noreturn]] void fail(Operation* op, const llvm::Twine& why) {
    if (!cluster_.failed) op->emitError(why);
    cluster_.failed = true;
    cluster_.agents.stop();
    throw Stopped{};
  }

  void wait_until(Operation* op, std::function<bool()> ready) {
    waiting_at = op;
    cluster_.agents.meet(self_, std::move(ready));
  }

  Number number(Operation* op, Value value) {
    std::optional<Number> found = numbers_.get(value);
    if (!found) fail(op, "reads a number that nothing computes");
    return *found;
  }
  int64_t integer(Operation* op, Value value) { return number(op, value).integer; }
  Values& fragment(Value value) { return fragments_[value]; }
  Lanes& row(Value value) { return rows_[value]; }

  TileRef tile(Operation* op, Value value) {
    if (auto part = value.getDefiningOp<RowsOp>()) {
      TileRef whole = tile(op, part.getTile());
      const int64_t first = integer(op, part.getFirst()), count = rows(part.getResult().getType());
      if (first < 0 || first + count > whole.rows) fail(op, "takes rows that the tile does not have");
      return {whole.storage, whole.first + first, whole.first_column, count, whole.columns, whole.pitch};
    }
    if (auto part = value.getDefiningOp<ColumnsOp>()) {
      TileRef whole = tile(op, part.getTile());
      const int64_t first = integer(op, part.getFirst()), count = columns(part.getResult().getType());
      if (first < 0 || first + count > whole.columns) fail(op, "takes columns that the tile does not have");
      return {whole.storage, whole.first, whole.first_column + first, whole.rows, count, whole.pitch};
    }
    auto at = value.getDefiningOp<AtOp>();
    Value array = at ? at.getArray() : value;
    auto& storage = mine().tiles[array.getAsOpaquePointer()];
    int64_t index = 0;
    if (at)
      index = llvm::isa<SlotType>(at.getIndex().getType())
                  ? slots_[at.getIndex()].second % static_cast<int64_t>(storage.size())
                  : integer(op, at.getIndex());
    if (index < 0 || index >= static_cast<int64_t>(storage.size()))
      fail(op, "takes a tile that the array does not have");
    auto type = llvm::cast<SmemType>(array.getType());
    return {&storage[static_cast<size_t>(index)], 0, 0, rows(type), columns(type), columns(type)};
  }

  // Where in a tensor a point of a box lies, or -1 outside. Coordinates are innermost first.
  static int64_t offset(const GlobalTensor& tensor, llvm::ArrayRef<int64_t> at, int64_t box_row, int64_t box_column) {
    int64_t place = 0;
    const size_t rank = tensor.extents.size();
    for (size_t d = 0; d < rank; ++d) {
      int64_t x = at[rank - 1 - d] + (d + 1 == rank ? box_column : d + 2 == rank ? box_row : 0);
      if (x < 0 || x >= tensor.extents[d]) return -1;
      place = place * tensor.extents[d] + x;
    }
    return place;
  }

  llvm::SmallVector<int64_t> coordinates(Operation* op, ValueRange at) {
    llvm::SmallVector<int64_t> numbers;
    for (Value value : at) numbers.push_back(integer(op, value));
    return numbers;
  }

  void execute(Operation& op) {
    if (numbers_.evaluate(op)) return;
    llvm::TypeSwitch<Operation*>(&op)
        .Case([&](ClusterRankOp o) { numbers_.set_integer(o, static_cast<int64_t>(block_)); })
        .Case([&](ClusterIndexOp o) {
          if (cluster_.count != static_cast<int64_t>(o.getOf()))
            fail(o, "is run by " + llvm::Twine(cluster_.count) + " clusters");
          numbers_.set_integer(o, cluster_.index);
        })
        .Case([&](scf::ForOp o) { for_loop(o); })
        .Case([&](scf::IfOp o) {
          Block* taken = integer(o, o.getCondition()) ? o.thenBlock() : o.elseBlock();
          if (!taken) return;
          for (Operation& inner : taken->without_terminator()) execute(inner);
          carry(taken->getTerminator()->getOperands(), o.getResults());
        })
        .Case([&](ForTilesOp o) { for_tiles(o); })
        .Case([&](PutOp o) { put(o); })
        .Case([&](GetOp o) { get(o); })
        .Case([&](ReleaseOp o) {
          wait_until(o, [] { return true; });
          release(channel(o.getChannel(), block_), oldest_[o.getChannel()]++);
        })
        .Case([&](SkipOp o) {
          const int64_t count = integer(o, o.getCount());
          got_[o.getChannel()] += count, oldest_[o.getChannel()] += count;
        })
        .Case([&](DrainOp o) {
          Value name = o.getChannel();
          wait_until(o, [this, name] { return freed(name) == channel(name, block_).put; });
        })
        .Case([&](LoadOp o) { load(o); })
        .Case([&](StoreOp o) { store(o); })
        .Case([&](StoreRowOp o) { store_row(o); })
        .Case([&](FinishOp o) {
          if (!cluster_.execution.finish) fail(o, "has statements that only a caller can run");
          llvm::SmallVector<int64_t> at = coordinates(o, o.getAt());
          for (Value columns : o.getColumns())
            if (first_column_.lookup(columns) != at[0]) fail(o, "has values of the columns of another tile");
          for (Value value : o.getValues()) {
            const int64_t columns = llvm::cast<FragmentType>(value.getType()).getShape()[1];
            cluster_.execution.finish({columns,
                                       o.getDealt()
                                           ? in_order(*fragment(value), columns, static_cast<int64_t>(*o.getDealt()))
                                           : *fragment(value),
                                       at});
            at[1] += 64;
          }
        })
        .Case([&](BringColumnsOp o) { first_column_[o.getResult()] = integer(o, o.getFirst()); })
        .Case([&](EmptyOp o) { fragment(o) = new_values(o.getType().getShape()[1], nan); })
        .Case([&](FillOp o) { fragment(o) = new_values(o.getType().getShape()[1], number(o, o.getValue()).real); })
        .Case([&](MmaOp o) { mma(o); })
        .Case([&](WaitMmaOp o) {
          wait_until(o, [] { return true; });
          while (products_.size() > o.getPending()) products_.front()(), products_.pop_front();
          if (o.getValue()) fragment(o.getResult()) = fragment(o.getValue());
        })
        .Case([&](AddHalvesOp o) { add_halves(o); })
        .Case([&](MapOp o) { map_each(o); })
        .Case([&](RowwiseOp o) { rowwise(o); })
        .Case([&](RowMaxOp o) { reduce(o, o.getValue(), o.getResult(), true); })
        .Case([&](LaneSumOp o) { reduce(o, o.getValue(), o.getResult(), false); })
        .Case([&](SumOfLanesOp o) {
          Lanes result = new_row(o.getResult());
          for (size_t r = 0; r < 64; ++r) {
            float sum = 0;
            for (size_t l = 0; l < 4; ++l) sum += (*row(o.getValue()))[r * 4 + l];
            for (size_t l = 0; l < 4; ++l) (*result)[r * 4 + l] = sum;
          }
        })
        .Case([&](FiniteOrZeroOp o) {
          Lanes result = new_row(o.getResult());
          for (size_t i = 0; i < result->size(); ++i) {
            const float x = (*row(o.getValue()))[i];
            (*result)[i] = x == -INFINITY ? 0 : x;
          }
        })
        .Case([&](ReciprocalOrZeroOp o) {
          Lanes result = new_row(o.getResult());
          for (size_t i = 0; i < result->size(); ++i) {
            const float x = (*row(o.getValue()))[i];
            (*result)[i] = x == 0 ? 0 : 1 / x;
          }
        })
        .Case([&](AddOp o) {
          Values sums = std::make_shared<std::vector<float>>(*fragment(o.getValue()));
          for (size_t i = 0; i < sums->size(); ++i) (*sums)[i] += (*fragment(o.getMore()))[i];
          fragment(o) = sums;
        })
        .Case([&](ScaleRowsOp o) {
          const auto columns = static_cast<size_t>(o.getType().getShape()[1]);
          Values scaled = std::make_shared<std::vector<float>>(*fragment(o.getValue()));
          for (size_t i = 0; i < scaled->size(); ++i)
            (*scaled)[i] *= (*row(o.getBy()))[i / columns * 4 + lane_of(i % columns)];
          fragment(o) = scaled;
        })
        .Case([&](RoundOp o) {
          Values rounded = std::make_shared<std::vector<float>>(*fragment(o.getValue()));
          for (float& x : *rounded) x = round_to_bf16(x);
          fragment(o) = rounded;
        })
        .Case([&](TurnWaitOp o) {
          wait_until(o, [this] { return mine().open_turns[warpgroup_] > 0; });
          --mine().open_turns[warpgroup_];
        })
        .Case([&](TurnPassOp o) {
          auto turns = o.getTurns().getDefiningOp<TurnsOp>();
          ++mine().open_turns[(warpgroup_ + 1) % static_cast<int64_t>(turns.getCount())];
        })
        // What only names things, or is looked through where it is used.
        .Case<SharedOp, ColumnValuesOp, HalvesOp, ArrivalsOp, ChannelOp, TurnsOp, RasterOp, LongestFirstOp, AtOp,
              RowsOp, ColumnsOp, BesideOp, BringBesideOp, WaitStoresOp, YieldOp>([](auto) {})
        .Default([&](Operation* o) { fail(o, "cannot be interpreted"); });
  }

  // Sums whose columns were dealt, as the columns of their tile follow each other.
  static std::vector<float> in_order(const std::vector<float>& sums, int64_t columns, int64_t neighbours) {
    std::vector<float> ordered(sums.size());
    for (int64_t i = 0; i < static_cast<int64_t>(sums.size()); ++i) {
      const int64_t column = i % columns % (4 * neighbours), pair = column / 8, lane = column % 8 / 2;
      ordered[static_cast<size_t>(i - column + lane * neighbours + pair * 2 + column % 2)] =
          sums[static_cast<size_t>(i)];
    }
    return ordered;
  }

  Lanes new_row(Value value) { return row(value) = std::make_shared<std::array<float, 64 * 4>>(); }

  // ---- control ----

  void carry(ValueRange from, ValueRange to) {
    numbers_.copy(from, to);
    llvm::SmallVector<std::pair<Values, Lanes>> held;
    for (Value value : from) held.push_back({fragments_.lookup(value), rows_.lookup(value)});
    for (auto [value, what] : llvm::zip(to, held)) fragments_[value] = what.first, rows_[value] = what.second;
  }

  void for_loop(scf::ForOp loop) {
    carry(loop.getInitArgs(), loop.getRegionIterArgs());
    const int64_t upper = integer(loop, loop.getUpperBound()), step = integer(loop, loop.getStep());
    for (int64_t i = integer(loop, loop.getLowerBound()); i < upper; i += step) {
      numbers_.set_integer(loop.getInductionVar(), i);
      for (Operation& inner : loop.getBody()->without_terminator()) execute(inner);
      carry(loop.getYieldedValues(), loop.getRegionIterArgs());
    }
    carry(loop.getRegionIterArgs(), loop.getResults());
  }

  void for_tiles(ForTilesOp loop) {
    std::optional<std::vector<TilePlace>> places = tiles_in_order(loop, numbers_);
    if (!places) fail(loop, "takes tiles in an order that cannot be followed");
    const int64_t turn = loop.getTurn() ? integer(loop, loop.getTurn()) : 0;
    for (int64_t t = 0; t < static_cast<int64_t>(places->size()); ++t) {
      const int64_t owner =
          loop.getCounter() ? cluster_.drawn[static_cast<size_t>(t) % cluster_.drawn.size()] : t % cluster_.count;
      if (owner != cluster_.index || t / cluster_.count % static_cast<int64_t>(loop.getOf()) != turn) continue;
      (*places)[static_cast<size_t>(t)].hand_to(loop, numbers_);
      for (Operation& inner : loop.getBody().front()) execute(inner);
    }
  }

  // ---- channels ----

  // Buffers that the readers of all blocks have freed where copies of any of them may land here, else of this one.
  int64_t freed(Value value) {
    if (!channel(value, block_).lands_in_all) return channel(value, block_).released;
    int64_t least = std::numeric_limits<int64_t>::max();
    for (size_t b = 0; b < cluster_.blocks.size(); ++b) least = std::min(least, channel(value, b).released);
    return least;
  }

  static void release(ChannelState& state, int64_t number) {
    if (static_cast<int64_t>(state.releases.size()) <= number) state.releases.resize(static_cast<size_t>(number) + 1);
    ++state.releases[static_cast<size_t>(number)];
    while (state.released < static_cast<int64_t>(state.releases.size()) &&
           state.releases[static_cast<size_t>(state.released)] == state.readers)
      ++state.released;
  }

  void put(PutOp op) {
    Value name = op.getChannel();
    ChannelState& state = channel(name, block_);
    wait_until(op, [this, name, &state] { return state.put - freed(name) < state.depth; });
    const int64_t number = state.put++;
    grow(state, number);
    for (Value value : op.getTiles()) {
      state.expected[static_cast<size_t>(number)] += tile_bytes(llvm::cast<SmemType>(value.getType()));
      if (state.landed[static_cast<size_t>(number)] != 0) continue;  // another block's part is there already
      if (is_picked_by_number(value)) continue;                      // poisoned as it is loaded
      auto& storage = mine().tiles[value.getAsOpaquePointer()];
      std::vector<float>& buffer = storage[static_cast<size_t>(number) % storage.size()];
      std::fill(buffer.begin(), buffer.end(), nan);
    }
    slots_[op.getSlot()] = {name, number};
  }

  static bool is_picked_by_number(Value array) {
    return llvm::any_of(array.getUsers(), [](Operation* user) {
      auto at = llvm::dyn_cast<AtOp>(user);
      return at && is_picked(at);
    });
  }

  static bool is_part_of_picked(Value tile) {
    if (auto part = tile.getDefiningOp<RowsOp>()) return is_part_of_picked(part.getTile());
    if (auto part = tile.getDefiningOp<ColumnsOp>()) return is_part_of_picked(part.getTile());
    auto at = tile.getDefiningOp<AtOp>();
    return at && is_picked(at);
  }

  static void grow(ChannelState& state, int64_t number) {
    if (static_cast<int64_t>(state.landed.size()) <= number)
      state.landed.resize(static_cast<size_t>(number) + 1, 0),
          state.expected.resize(static_cast<size_t>(number) + 1, 0);
  }

  void get(GetOp op) {
    Value name = op.getChannel();
    ChannelState& state = channel(name, block_);
    const int64_t number = got_[name]++;
    wait_until(op, [this, name, &state, number] {
      // What is still on its way lands now.
      for (size_t b = 0; b < cluster_.blocks.size(); ++b) land(channel(name, b), number);
      return state.full(number);
    });
    slots_[op.getSlot()] = {name, number};
  }

  static void land(ChannelState& state, int64_t number) {
    auto [begin, end] = state.loads.equal_range(number);
    std::vector<std::function<void()>> arriving;
    for (auto i = begin; i != end; ++i) arriving.push_back(std::move(i->second));
    state.loads.erase(begin, end);
    for (auto& arrive : arriving) arrive();
  }

  // Where the element of a box lies in the tensor that the launch makes the map of, or -1 outside. With a window rows of the
  // box are pixels.
  static int64_t element(llvm::ArrayRef<int64_t> numbers, llvm::ArrayRef<int64_t> box, llvm::SmallVector<int64_t> at,
                         llvm::ArrayRef<int64_t> tap, int64_t row, int64_t column) {
    const size_t rank = at.size(), dims = tap.size();
    llvm::ArrayRef<int64_t> extents = numbers.slice(2, rank), strides = numbers.slice(2 + rank, rank),
                            window = numbers.drop_front(2 + 2 * rank);
    at[0] += column;
    if (tap.empty())
      for (size_t d = 1; d < box.size(); ++d) {
        const int64_t extent = box[box.size() - 1 - d];
        at[d] += row % extent, row /= extent;
      }
    for (size_t d = 0; d < dims; ++d) {
      const int64_t lower = window[d], upper = window[dims + d], step = window[2 * dims + d];
      const int64_t count = (extents[d + 1] + upper - lower - 1) / step + 1, number = (at[d + 1] - lower) / step + row;
      at[d + 1] = lower + number % count * step + tap[d];
      row = number / count;
    }
    if (!tap.empty()) at[rank - 1] += row;
    int64_t place = numbers[1];
    for (size_t d = 0; d < rank; ++d) {
      if (at[d] < 0 || at[d] >= extents[d]) return -1;
      place += at[d] * strides[d];
    }
    return place;
  }

  // What the launch makes the map of; nothing where whoever launches knows.
  llvm::ArrayRef<int64_t> numbers_of(LoadOp op) {
    auto parameter = llvm::cast<BlockArgument>(op.getMap());
    if (const ArrayAttr all = cluster_.kernel.getTensorsAttr())
      for (Attribute one : all) {
        llvm::ArrayRef<int64_t> numbers = llvm::cast<DenseI64ArrayAttr>(one).asArrayRef();
        if (numbers[0] == parameter.getArgNumber()) return numbers;
      }
    if (!op.getWindow().empty()) fail(op, "moves a window over a tensor that the kernel does not describe");
    return {};
  }

  void load(LoadOp op) {
    const GlobalTensor* tensor = tensors_[op.getMap()];
    const llvm::SmallVector<int64_t> at = coordinates(op, op.getAt()), tap = coordinates(op, op.getWindow());
    const llvm::ArrayRef<int64_t> numbers = numbers_of(op), box = op.getMap().getType().getShape();
    auto [name, number] = slots_[op.getSlot()];
    const TileRef here = tile(op, op.getTile());
    const int64_t bytes = tile_bytes(op.getTile().getType());
    const bool rounds = op.getTile().getType().getElement().isTF32();
    const bool stays = is_part_of_picked(op.getTile());
    for (size_t b = 0; b < cluster_.blocks.size(); ++b) {
      if (b != block_ && !op.getToAll()) continue;
      TileRef there = here;
      if (b != block_) there.storage = same_place(b, here.storage);
      for (int64_t r = 0; r < there.rows && stays; ++r)
        for (int64_t c = 0; c < there.columns; ++c) there.at(r, c) = nan;
      ChannelState& state = channel(name, b);
      grow(state, number);
      std::function<void()> arrive = [=, &state, number = number] {
        for (int64_t r = 0; r < there.rows; ++r)
          for (int64_t c = 0; c < there.columns; ++c) {
            const int64_t place = numbers.empty() ? offset(*tensor, at, r, c) : element(numbers, box, at, tap, r, c);
            const float value = place < 0 ? 0 : tensor->values.at(static_cast<size_t>(place));
            there.at(r, c) = rounds ? round_to_tf32(value) : value;
          }
        state.landed[static_cast<size_t>(number)] += bytes;
      };
      if (cluster_.agents.flip()) arrive();
      else state.loads.emplace(number, arrive);
    }
  }

  std::vector<float>* same_place(size_t block, const std::vector<float>* storage) {
    for (auto& [name, tiles] : mine().tiles)
      for (size_t i = 0; i < tiles.size(); ++i)
        if (&tiles[i] == storage) return &cluster_.blocks[block].tiles[name][i];
    return nullptr;
  }

  // ---- products ----

  void mma(MmaOp op) {
    wait_until(op, [] { return true; });
    const bool add = integer(op, op.getAdd()) != 0, transposed = op.getBTransposed(), a_rows = op.getATransposed();
    const auto n = op.getAcc().getType().getShape()[1];
    const Values acc = fragment(op.getAcc());
    const TileRef b = tile(op, op.getB());
    const int64_t k = transposed ? b.columns : b.rows;
    Values registers;
    TileRef a;
    if (llvm::isa<SmemType>(op.getA().getType())) a = tile(op, op.getA());
    else registers = fragment(op.getA());
    Values result = new_values(n, nan);
    fragment(op.getResult()) = result;
    products_.push_back([=] {
      for (int64_t i = 0; i < 64; ++i)
        for (int64_t j = 0; j < n; ++j) {
          double sum = add ? (*acc)[static_cast<size_t>(i * n + j)] : 0;
          for (int64_t l = 0; l < k; ++l)
            sum += static_cast<double>(registers ? (*registers)[static_cast<size_t>(i * k + l)]
                                       : a_rows  ? a.at(l, i)
                                                 : a.at(i, l)) *
                   (transposed ? b.at(j, l) : b.at(l, j));
          (*result)[static_cast<size_t>(i * n + j)] = static_cast<float>(sum);
        }
    });
    if (cluster_.agents.flip())
      while (!products_.empty()) products_.front()(), products_.pop_front();
  }

  // Sends what the other block keeps, which lands when that one waits for it or before, and adds what it has sent.
  void add_halves(AddHalvesOp op) {
    const int64_t columns = op.getType().getShape()[1];
    auto state_of = [&](size_t block) -> HalfState& {
      return cluster_.blocks[block].halves[op.getRoom().getAsOpaquePointer()];
    };
    const Values mine = fragment(op.getValue());
    auto half = [mine, columns](size_t of_block) {
      std::vector<float> values;
      for (int64_t r = 0; r < 64; ++r)
        for (int64_t c = 0; c < columns; ++c)
          values.push_back((*mine)[static_cast<size_t>((2 * r + static_cast<int64_t>(of_block)) * columns + c)]);
      return values;
    };
    HalfState& there = state_of(1 - block_);
    if (there.is_sent) fail(op, "sends to where sums lay before");
    there.is_sent = true;
    there.land = [&there, sums = half(1 - block_)] { there.sums = sums; };
    if (cluster_.agents.flip()) std::exchange(there.land, nullptr)();
    HalfState& here = state_of(block_);
    wait_until(op, [&here] { return here.is_sent; });
    if (here.land) std::exchange(here.land, nullptr)();
    const std::vector<float> kept = half(block_);
    Values result = new_values(columns, nan);
    for (size_t i = 0; i < kept.size(); ++i)
      (*result)[i] = block_ == 0 ? kept[i] + here.sums[i] : here.sums[i] + kept[i];
    fragment(op) = result;
  }

  // ---- values ----

  void map_each(MapOp op) {
    const auto columns = static_cast<size_t>(op.getType().getShape()[1]);
    Block& body = op.getBody().front();
    Value yielded = llvm::cast<YieldOp>(body.getTerminator()).getValue();
    Values result = std::make_shared<std::vector<float>>(*fragment(op.getValue()));
    for (size_t i = 0; i < result->size(); ++i) {
      const size_t r = i / columns, c = i % columns;
      numbers_.set_real(body.getArgument(0), (*result)[i]);
      numbers_.set_integer(body.getArgument(1), static_cast<int64_t>(r));
      numbers_.set_integer(body.getArgument(2), static_cast<int64_t>(c));
      for (auto [argument, of_row] : llvm::zip(body.getArguments().drop_front(3), op.getRows()))
        numbers_.set_real(argument, (*row(of_row))[r * 4 + lane_of(c)]);
      for (Operation& inner : body.without_terminator()) execute(inner);
      (*result)[i] = number(op, yielded).real;
    }
    fragment(op) = result;
  }

  void rowwise(RowwiseOp op) {
    Block& body = op.getBody().front();
    Value yielded = llvm::cast<YieldOp>(body.getTerminator()).getValue();
    std::array<float, 64 * 4> computed;
    for (size_t i = 0; i < computed.size(); ++i) {
      for (auto [argument, of_row] : llvm::zip(body.getArguments(), op.getRows()))
        numbers_.set_real(argument, (*row(of_row))[i]);
      for (Operation& inner : body.without_terminator()) execute(inner);
      computed[i] = number(op, yielded).real;
    }
    *new_row(op) = computed;
  }

  // The maximum of a whole row in all of its lanes; of a sum each lane keeps its part.
  void reduce(Operation* op, Value value, Value result, bool maximum) {
    const Values values = fragment(value);
    const size_t columns = values->size() / 64;
    std::array<float, 64 * 4> computed;
    computed.fill(maximum ? -INFINITY : 0);
    for (size_t i = 0; i < values->size(); ++i) {
      float& lane = computed[i / columns * 4 + lane_of(i % columns)];
      const float x = (*values)[i];
      if (maximum && std::isnan(x)) fail(op, "takes the maximum of NaN");
      lane = maximum ? std::max(lane, x) : lane + x;
    }
    if (maximum)
      for (size_t r = 0; r < 64; ++r)
        for (size_t l = 1; l < 4; ++l)
          for (size_t k = 0; k < 4; ++k)
            computed[r * 4 + k] = std::max(computed[r * 4 + k], computed[r * 4 + (k + l) % 4]);
    *new_row(result) = computed;
  }

  // ---- results ----

  void store(StoreOp op) {
    GlobalTensor* tensor = tensors_[op.getMap()];
    const llvm::SmallVector<int64_t> at = coordinates(op, op.getAt());
    const Values values = fragment(op.getValue());
    const auto columns = op.getValue().getType().getShape()[1];
    for (int64_t r = 0; r < 64; ++r)
      for (int64_t c = 0; c < columns; ++c)
        if (const int64_t place = offset(*tensor, at, r, c); place >= 0)
          tensor->values[static_cast<size_t>(place)] = (*values)[static_cast<size_t>(r * columns + c)];
  }

  void store_row(StoreRowOp op) {
    GlobalTensor* tensor = tensors_[op.getTo()];
    const int64_t start = integer(op, op.getOffset()), count = std::min<int64_t>(64, integer(op, op.getCount()));
    for (int64_t r = 0; r < count; ++r) {
      if (start + r < 0 || start + r >= static_cast<int64_t>(tensor->values.size())) fail(op, "writes out of bounds");
      tensor->values[static_cast<size_t>(start + r)] = (*row(op.getValue()))[static_cast<size_t>(r * 4)];
    }
  }

  Cluster& cluster_;
  size_t block_, self_ = 0;
  RoleOp role_;
  int64_t warpgroup_;
  Numbers numbers_;
  llvm::DenseMap<Value, GlobalTensor*> tensors_;
  llvm::DenseMap<Value, Values> fragments_;
  llvm::DenseMap<Value, Lanes> rows_;
  llvm::DenseMap<Value, std::pair<Value, int64_t>> slots_;
  llvm::DenseMap<Value, int64_t> got_, oldest_;
  llvm::DenseMap<Value, int64_t> first_column_;  // whose values were brought
  std::deque<std::function<void()>> products_;

 public:
  Operation* waiting_at = nullptr;
};

LogicalResult run_cluster(Cluster& cluster) {
  std::vector<std::unique_ptr<Agent>> agents;
  for (size_t b = 0; b < cluster.blocks.size(); ++b) {
    BlockState& block = cluster.blocks[b];
    for (Operation& op : cluster.kernel.getBody().front()) {
      if (auto shared = llvm::dyn_cast<SharedOp>(op)) {
        SmemType type = shared.getResult().getType();
        const auto count = static_cast<size_t>(type.getShape().size() == 3 ? type.getShape()[0] : 1);
        block.tiles[shared.getResult().getAsOpaquePointer()].assign(
            count, std::vector<float>(static_cast<size_t>(rows(type) * columns(type)), nan));
      }
      if (auto channel = llvm::dyn_cast<ChannelOp>(op)) {
        ChannelState& state = block.channels[channel.getResult().getAsOpaquePointer()];
        state.depth = static_cast<int64_t>(channel.getDepth());
        state.readers = static_cast<int64_t>(channel.getReaders());
        state.lands_in_all = lands_in_all_blocks(channel);
      }
      if (auto role = llvm::dyn_cast<RoleOp>(op))
        for (int64_t w = 0; w < static_cast<int64_t>(role.getWarpgroups()); ++w) {
          agents.push_back(std::make_unique<Agent>(cluster, b, role, w));
          Agent* agent = agents.back().get();
          cluster.agents.add([agent](size_t self) { agent->run(self); });
        }
    }
    block.open_turns[0] = 1;  // the first round opens with the first warpgroup
  }
  const bool ended = cluster.agents.run();
  if (cluster.failed) return failure();
  if (!ended) {
    Operation* first = agents[cluster.agents.stuck().front()]->waiting_at;
    return (first ? first : cluster.kernel.getOperation())->emitError("waits for ever");
  }
  return success();
}

}  // namespace

LogicalResult interpret(KernelOp kernel, llvm::ArrayRef<Argument> arguments, const Execution& execution) {
  const auto cluster_size = static_cast<int64_t>(kernel.getCluster());
  const int64_t clusters = execution.blocks / cluster_size;
  std::mt19937_64 random(execution.seed);
  std::vector<int64_t> drawn(997);
  for (int64_t& owner : drawn) owner = static_cast<int64_t>(random() % static_cast<uint64_t>(clusters));
  for (int64_t index = 0; index < clusters; ++index) {
    Agents agents(random());
    Cluster cluster{.kernel = kernel,
                    .arguments = arguments,
                    .execution = execution,
                    .agents = agents,
                    .index = index,
                    .count = clusters};
    cluster.blocks.resize(static_cast<size_t>(cluster_size));
    cluster.drawn = drawn;
    if (failed(run_cluster(cluster))) return failure();
  }
  return success();
}

}  // namespace tessera::tile
