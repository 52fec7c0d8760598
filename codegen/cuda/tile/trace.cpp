#include <tessera/codegen/cuda/tile/trace.h>

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/TypeSwitch.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include <tessera/codegen/cuda/tile/scalar.h>

namespace tessera::tile {
namespace {

using namespace mlir;

constexpr size_t most_events = 1 << 20;

class Tracer {
 public:
  Tracer(KernelOp kernel, const Traced& where, llvm::ArrayRef<int64_t> arguments) : where_(where) {
    size_t next = 0;
    for (BlockArgument argument : kernel.getBody().getArguments())
      if (argument.getType().isInteger(32)) numbers_.set_integer(argument, arguments[next++]);
    kernel.walk(
        [&](ChannelOp channel) { channels_.insert({channel.getResult(), static_cast<int>(channels_.size())}); });
    handed_.resize(channels_.size(), 0);
    kernel.walk([&](PutOp put) {
      for (Value tile : put.getTiles()) channel_of_[tile] = channels_[put.getChannel()];
    });
    for (Operation& op : kernel.getBody().front())
      if (!llvm::isa<RoleOp>(op)) run(op);
  }

  FailureOr<std::vector<Event>> trace(RoleOp role) {
    numbers_.set_integer(role.getBody().getArgument(0), where_.index);
    for (Operation& op : role.getBody().front()) run(op);
    if (failed_) return failure();
    return std::move(events_);
  }

 private:
  void fail(Operation& op, const llvm::Twine& why) {
    if (!failed_) op.emitError(why);
    failed_ = true;
  }

  int64_t value(Operation& op, Value integer) {
    if (std::optional<Number> number = numbers_.get(integer)) return number->integer;
    fail(op, "depends on a number that is not known before the kernel runs");
    return 0;
  }

  void add(Event event) {
    if (events_.size() >= most_events) return fail(*event.op, "is reached too often to be followed");
    events_.push_back(std::move(event));
  }

  // Of a tile in a channel's buffer: which one. Tiles of no channel are the role's own.
  std::optional<SlotRead> slot_of(Operation& op, Value tile) {
    if (auto part = tile.getDefiningOp<RowsOp>()) return slot_of(op, part.getTile());
    if (auto part = tile.getDefiningOp<ColumnsOp>()) return slot_of(op, part.getTile());
    if (auto at = tile.getDefiningOp<AtOp>()) {
      auto owner = channel_of_.find(at.getArray());
      if (owner == channel_of_.end()) return std::nullopt;
      if (is_picked(at)) {
        const int64_t handed = handed_[static_cast<size_t>(owner->second)];
        if (handed == 0) fail(op, "picks a tile before any was handed to this role");
        return SlotRead{owner->second, handed - 1, at.getArray(), value(op, at.getIndex())};
      }
      auto slot = slots_.find(at.getIndex());
      if (slot == slots_.end() || slot->second.channel != owner->second) {
        fail(op, "reads a tile by a slot of another channel");
        return std::nullopt;
      }
      return slot->second;
    }
    auto owner = channel_of_.find(tile);
    if (owner == channel_of_.end()) return std::nullopt;
    const int64_t handed = handed_[static_cast<size_t>(owner->second)];
    if (handed == 0) fail(op, "reads a tile that was not handed to this role yet");
    return SlotRead{owner->second, handed - 1};
  }

  void run(Operation& op) {
    if (failed_ || numbers_.evaluate(op)) return;
    using Kind = Event::Kind;
    auto channel_event = [&](Kind kind, Value channel) {
      const int number = channels_[channel];
      if (kind == Kind::put || kind == Kind::get)
        slots_[op.getResult(0)] = {number, handed_[static_cast<size_t>(number)]++};
      add({.kind = kind, .op = &op, .channel = number});
    };
    llvm::TypeSwitch<Operation*>(&op)
        .Case([&](ClusterRankOp o) { numbers_.set_integer(o, where_.rank); })
        .Case([&](ClusterIndexOp o) { numbers_.set_integer(o, where_.cluster); })
        .Case([&](scf::ForOp loop) { for_loop(loop); })
        .Case([&](scf::IfOp branch) {
          Block* taken = value(op, branch.getCondition()) ? branch.thenBlock() : branch.elseBlock();
          if (!taken) return;
          for (Operation& inner : taken->without_terminator()) run(inner);
          numbers_.copy(taken->getTerminator()->getOperands(), branch.getResults());
        })
        .Case([&](ForTilesOp loop) { for_tiles(loop); })
        .Case([&](PutOp o) { channel_event(Kind::put, o.getChannel()); })
        .Case([&](GetOp o) { channel_event(Kind::get, o.getChannel()); })
        .Case([&](ReleaseOp o) { channel_event(Kind::release, o.getChannel()); })
        .Case([&](SkipOp o) {
          const int64_t count = value(op, o.getCount());
          handed_[static_cast<size_t>(channels_[o.getChannel()])] += count;
          add({.kind = Kind::skip, .op = &op, .channel = channels_[o.getChannel()], .pending = count});
        })
        .Case([&](DrainOp o) { channel_event(Kind::drain, o.getChannel()); })
        .Case([&](TurnWaitOp) { add({.kind = Kind::turn_wait, .op = &op}); })
        .Case([&](TurnPassOp) { add({.kind = Kind::turn_pass, .op = &op}); })
        .Case([&](WaitMmaOp o) {
          add({.kind = Kind::wait_mma, .op = &op, .pending = static_cast<int64_t>(o.getPending())});
        })
        .Case([&](LoadOp o) {
          std::optional<SlotRead> tile = slot_of(op, o.getTile());
          if (tile && tile->array) add({.kind = Kind::load, .op = &op, .channel = tile->channel, .reads = {*tile}});
        })
        .Case([&](AddHalvesOp) { add({.kind = Kind::add_halves, .op = &op}); })
        .Case([&](MmaOp o) {
          Event event{.kind = Kind::mma, .op = &op};
          for (Value operand : {o.getA(), Value(o.getB())})
            if (llvm::isa<SmemType>(operand.getType()))
              if (auto slot = slot_of(op, operand)) event.reads.push_back(*slot);
          add(std::move(event));
        });
  }

  void for_loop(scf::ForOp loop) {
    Operation& op = *loop;
    const int64_t lower = value(op, loop.getLowerBound()), upper = value(op, loop.getUpperBound()),
                  step = value(op, loop.getStep());
    if (step <= 0) return fail(op, "does not step forward");
    numbers_.copy(loop.getInitArgs(), loop.getRegionIterArgs());
    for (int64_t i = lower; i < upper && !failed_; i += step) {
      numbers_.set_integer(loop.getInductionVar(), i);
      for (Operation& inner : loop.getBody()->without_terminator()) run(inner);
      numbers_.copy(loop.getYieldedValues(), loop.getRegionIterArgs());
    }
    numbers_.copy(loop.getRegionIterArgs(), loop.getResults());
  }

  void for_tiles(ForTilesOp loop) {
    std::optional<std::vector<TilePlace>> places = tiles_in_order(loop, numbers_);
    if (!places) return fail(*loop, "takes tiles in an order that cannot be followed");
    const int64_t turn = loop.getTurn() ? value(*loop, loop.getTurn()) : 0;
    for (auto [t, place] : llvm::enumerate(*places)) {
      if (static_cast<int64_t>(t % loop.getOf()) != turn) continue;
      place.hand_to(loop, numbers_);
      for (Operation& inner : loop.getBody().front()) run(inner);
    }
  }

  const Traced where_;
  Numbers numbers_;
  llvm::DenseMap<Value, SlotRead> slots_;
  llvm::DenseMap<Value, int> channels_, channel_of_;
  std::vector<int64_t> handed_;  // how many buffers of each channel this role has put or got
  std::vector<Event> events_;
  bool failed_ = false;
};

}  // namespace

FailureOr<std::vector<Event>> trace_role(KernelOp kernel, RoleOp role, const Traced& where,
                                         llvm::ArrayRef<int64_t> arguments) {
  return Tracer(kernel, where, arguments).trace(role);
}

}  // namespace tessera::tile
