#include <tessera/codegen/cuda/tile/trace.h>

#include <algorithm>

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/TypeSwitch.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace tessera::tile {
namespace {

using namespace mlir;

constexpr size_t most_events = 1 << 20;

bool compare(arith::CmpIPredicate predicate, int64_t a, int64_t b) {
  using P = arith::CmpIPredicate;
  switch (predicate) {
    case P::eq: return a == b;
    case P::ne: return a != b;
    case P::slt:
    case P::ult: return a < b;
    case P::sle:
    case P::ule: return a <= b;
    case P::sgt:
    case P::ugt: return a > b;
    case P::sge:
    case P::uge: return a >= b;
  }
  return false;
}

class Tracer {
 public:
  Tracer(KernelOp kernel, int64_t index, llvm::ArrayRef<int64_t> arguments) : index_(index) {
    size_t next = 0;
    for (BlockArgument argument : kernel.getBody().getArguments())
      if (argument.getType().isInteger(32)) integers_[argument] = arguments[next++];
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
    integers_[role.getBody().getArgument(0)] = index_;
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
    if (auto found = integers_.find(integer); found != integers_.end()) return found->second;
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
    if (auto at = tile.getDefiningOp<AtOp>()) {
      auto owner = channel_of_.find(at.getArray());
      if (owner == channel_of_.end()) return std::nullopt;
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
    if (failed_) return;
    using Kind = Event::Kind;
    auto set = [&](int64_t result) { integers_[op.getResult(0)] = result; };
    auto in = [&](unsigned i) { return value(op, op.getOperand(i)); };
    auto channel_event = [&](Kind kind, Value channel) {
      const int number = channels_[channel];
      if (kind == Kind::put || kind == Kind::get)
        slots_[op.getResult(0)] = {number, handed_[static_cast<size_t>(number)]++};
      add({.kind = kind, .op = &op, .channel = number});
    };
    llvm::TypeSwitch<Operation*>(&op)
        .Case([&](arith::ConstantOp c) {
          if (auto integer = llvm::dyn_cast<IntegerAttr>(c.getValue()))
            set(integer.getType().isInteger(1) ? !integer.getValue().isZero() : integer.getInt());
        })
        .Case([&](arith::AddIOp) { set(in(0) + in(1)); })
        .Case([&](arith::SubIOp) { set(in(0) - in(1)); })
        .Case([&](arith::MulIOp) { set(in(0) * in(1)); })
        .Case<arith::DivSIOp, arith::RemSIOp>([&](auto o) {
          const int64_t a = in(0), b = in(1);
          if (b == 0) return fail(op, "divides by zero");
          set(llvm::isa<arith::DivSIOp>(o.getOperation()) ? a / b : a % b);
        })
        .Case([&](arith::MinSIOp) { set(std::min(in(0), in(1))); })
        .Case([&](arith::MaxSIOp) { set(std::max(in(0), in(1))); })
        .Case([&](arith::AndIOp) { set(in(0) & in(1)); })
        .Case([&](arith::CmpIOp o) { set(compare(o.getPredicate(), in(0), in(1))); })
        .Case([&](ClusterRankOp) { set(0); })
        .Case([&](scf::ForOp loop) { for_loop(loop); })
        .Case([&](scf::IfOp branch) {
          Block* taken = value(op, branch.getCondition()) ? branch.thenBlock() : branch.elseBlock();
          if (!taken) return;
          for (Operation& inner : taken->without_terminator()) run(inner);
          for (auto [result, yielded] : llvm::zip(branch.getResults(), taken->getTerminator()->getOperands()))
            if (integers_.contains(yielded)) integers_[result] = integers_[yielded];
        })
        .Case([&](ForTilesOp loop) { for_tiles(loop); })
        .Case([&](PutOp o) { channel_event(Kind::put, o.getChannel()); })
        .Case([&](GetOp o) { channel_event(Kind::get, o.getChannel()); })
        .Case([&](ReleaseOp o) { channel_event(Kind::release, o.getChannel()); })
        .Case([&](DrainOp o) { channel_event(Kind::drain, o.getChannel()); })
        .Case([&](TurnWaitOp) { add({.kind = Kind::turn_wait, .op = &op}); })
        .Case([&](TurnPassOp) { add({.kind = Kind::turn_pass, .op = &op}); })
        .Case([&](WaitMmaOp o) {
          add({.kind = Kind::wait_mma, .op = &op, .pending = static_cast<int64_t>(o.getPending())});
        })
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
    auto carry = [&](ValueRange from, ValueRange to) {
      for (auto [source, target] : llvm::zip(from, to))
        if (auto found = integers_.find(source); found != integers_.end()) integers_[target] = int64_t{found->second};
    };
    carry(loop.getInitArgs(), loop.getRegionIterArgs());
    for (int64_t i = lower; i < upper && !failed_; i += step) {
      integers_[loop.getInductionVar()] = i;
      for (Operation& inner : loop.getBody()->without_terminator()) run(inner);
      carry(loop.getYieldedValues(), loop.getRegionIterArgs());
    }
    carry(loop.getRegionIterArgs(), loop.getResults());
  }

  // The places in the order of device/tiles.cuh.
  void for_tiles(ForTilesOp loop) {
    Operation& op = *loop;
    auto visit = [&](int64_t row, int64_t column) {
      integers_[loop.getBody().getArgument(0)] = row;
      integers_[loop.getBody().getArgument(1)] = column;
      for (Operation& inner : loop.getBody().front()) run(inner);
    };
    if (auto raster = loop.getOrder().getDefiningOp<RasterOp>()) {
      const int64_t rows = value(op, raster.getRows()), columns = value(op, raster.getColumns());
      const auto group = static_cast<int64_t>(raster.getGroup());
      for (int64_t tile = 0; tile < rows * columns && !failed_; ++tile) {
        const int64_t first = tile / (group * columns) * group, inside = tile % (group * columns);
        const int64_t height = std::min(group, rows - first);
        visit(first + inside % height, inside / height);
      }
    } else if (auto longest = loop.getOrder().getDefiningOp<LongestFirstOp>()) {
      const int64_t rows = value(op, longest.getRows()), planes = value(op, longest.getPlanes()),
                    section = value(op, longest.getSection());
      for (int64_t tile = 0; tile < rows * planes && !failed_; ++tile) {
        const int64_t first = tile / (rows * section) * section, inside = tile % (rows * section);
        const int64_t width = std::min(section, planes - first);
        visit(rows - 1 - inside / width, first + inside % width);
      }
    } else {
      fail(op, "takes tiles in an order that cannot be followed");
    }
  }

  int64_t index_;
  llvm::DenseMap<Value, int64_t> integers_;
  llvm::DenseMap<Value, SlotRead> slots_;
  llvm::DenseMap<Value, int> channels_, channel_of_;
  std::vector<int64_t> handed_;  // how many buffers of each channel this role has put or got
  std::vector<Event> events_;
  bool failed_ = false;
};

}  // namespace

FailureOr<std::vector<Event>> trace_role(KernelOp kernel, RoleOp role, int64_t index,
                                         llvm::ArrayRef<int64_t> arguments) {
  return Tracer(kernel, index, arguments).trace(role);
}

}  // namespace tessera::tile
