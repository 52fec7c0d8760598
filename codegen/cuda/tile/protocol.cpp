#include <tessera/codegen/cuda/tile/protocol.h>

#include <deque>
#include <map>

#include <tessera/codegen/cuda/tile/trace.h>

namespace tessera::tile {
namespace {

using namespace mlir;

struct ChannelState {
  ChannelOp op;
  int64_t depth = 0, put = 0;
  bool has_writer = false, is_shared_out = false;  // its readers go past each other's buffers
  bool is_drained = false;                         // its writer has waited for all it has put
  std::vector<size_t> readers;                     // warpgroups
  std::vector<int64_t> releases;                   // of each buffer that was ever put
  int64_t freed = 0;                               // buffers that all their readers have released, from the first on
};

// One warpgroup, and for each channel what it got and released.
struct Warpgroup {
  RoleOp role;
  std::vector<Event> events;
  size_t next = 0;
  size_t turn = 0;
  int64_t turns_open = 0;  // that were passed to it and not taken
  std::vector<int64_t> got, released;
  // So many buffers, from the first on, are known to have been full: by its own waits, by who passed the turn. A wait tells of
  // one buffer, and of none before it: those that were gone past are not known by it.
  std::vector<int64_t> full, full_by_turn;
  std::deque<std::vector<SlotRead>> products;  // that may still run, oldest first
};

class Protocol {
 public:
  Protocol(KernelOp kernel, llvm::ArrayRef<int64_t> arguments, int64_t cluster)
      : kernel_(kernel), arguments_(arguments), cluster_(cluster) {}

  LogicalResult verify() {
    if (failed(prepare())) return failure();
    for (bool moved = true; moved;) {
      moved = false;
      for (Warpgroup& w : warpgroups_)
        while (w.next < w.events.size() && ready(w, w.events[w.next])) {
          if (failed(step(w, w.events[w.next]))) return failure();
          ++w.next, moved = true;
        }
    }
    for (Warpgroup& w : warpgroups_)
      if (w.next < w.events.size()) {
        InFlightDiagnostic error = w.events[w.next].op->emitError("(R2) waits for ever in ") << place(w);
        for (Warpgroup& other : warpgroups_)
          if (&other != &w && other.next < other.events.size())
            error.attachNote(other.events[other.next].op->getLoc()) << "and so does " << place(other);
        return error;
      }
    if (failed(picked_in_order())) return failure();
    return all_handed_back();
  }

 private:
  LogicalResult prepare() {
    kernel_.walk([&](ChannelOp op) { channels_.push_back({.op = op, .depth = static_cast<int64_t>(op.getDepth())}); });
    size_t turn = 0;
    for (Operation& op : kernel_.getBody().front()) {
      auto role = llvm::dyn_cast<RoleOp>(op);
      if (!role) continue;
      for (int64_t index = 0; index < static_cast<int64_t>(role.getWarpgroups()); ++index) {
        FailureOr<std::vector<Event>> events = trace_role(kernel_, role, {index, 0, cluster_}, arguments_);
        if (failed(events)) return failure();
        for (int64_t rank = 1; rank < static_cast<int64_t>(kernel_.getCluster()); ++rank) {
          FailureOr<std::vector<Event>> of_other = trace_role(kernel_, role, {index, rank, cluster_}, arguments_);
          if (failed(of_other)) return failure();
          if (*of_other != *events)
            return role.emitError("(R9) does something else in block ") << rank << " of a cluster";
        }
        Warpgroup w{.role = role, .events = std::move(*events)};
        w.got.resize(channels_.size(), 0), w.released.resize(channels_.size(), 0);
        w.full.resize(channels_.size(), 0), w.full_by_turn.resize(channels_.size(), 0);
        llvm::DenseSet<int> reads, writes;
        bool takes_turns = false;
        role.walk([&](Operation* inner) {
          if (auto get = llvm::dyn_cast<GetOp>(inner)) reads.insert(number_of(get.getChannel()));
          if (auto put = llvm::dyn_cast<PutOp>(inner)) writes.insert(number_of(put.getChannel()));
          takes_turns = takes_turns || llvm::isa<TurnWaitOp>(inner);
          if (auto skip = llvm::dyn_cast<SkipOp>(inner))
            channels_[static_cast<size_t>(number_of(skip.getChannel()))].is_shared_out = true;
        });
        for (int channel : writes) {
          if (channels_[static_cast<size_t>(channel)].has_writer)
            return channels_[static_cast<size_t>(channel)].op.emitError("(R1) has more than one writing warpgroup");
          channels_[static_cast<size_t>(channel)].has_writer = true;
        }
        for (int channel : reads) channels_[static_cast<size_t>(channel)].readers.push_back(warpgroups_.size());
        if (takes_turns) {
          w.turn = turn++;
          w.turns_open = w.turn == 0 ? 1 : 0;  // the first round opens with the first
          takers_.push_back(warpgroups_.size());
        }
        warpgroups_.push_back(std::move(w));
      }
    }
    for (ChannelState& channel : channels_)
      if ((channel.is_shared_out ? channel.readers.size() < channel.op.getReaders()
                                 : channel.readers.size() != channel.op.getReaders()) ||
          !channel.has_writer)
        return channel.op.emitError("(R1) is written by ")
               << (channel.has_writer ? "one" : "no") << " warpgroup and read by " << channel.readers.size();
    return success();
  }

  int number_of(Value channel) {
    for (size_t i = 0; i < channels_.size(); ++i)
      if (channels_[i].op.getResult() == channel) return static_cast<int>(i);
    return -1;
  }

  std::string place(const Warpgroup& w) const {
    RoleOp role = w.role;
    std::string text = "role '" + role.getName().str() + "', with arguments (";
    for (auto [i, value] : llvm::enumerate(arguments_)) text += (i ? ", " : "") + std::to_string(value);
    return text + ")";
  }

  bool ready(const Warpgroup& w, const Event& event) const {
    const auto c = static_cast<size_t>(event.channel);
    switch (event.kind) {
      case Event::Kind::put: return channels_[c].put - channels_[c].freed < channels_[c].depth;
      case Event::Kind::get: return channels_[c].put > w.got[c];
      case Event::Kind::drain: return channels_[c].freed == channels_[c].put;
      case Event::Kind::turn_wait: return w.turns_open > 0;
      case Event::Kind::release:
      case Event::Kind::skip:
      case Event::Kind::load:
      case Event::Kind::mma:
      case Event::Kind::wait_mma:
      case Event::Kind::add_halves:
      case Event::Kind::turn_pass: return true;
    }
    return true;
  }

  LogicalResult step(Warpgroup& w, const Event& event) {
    const auto c = static_cast<size_t>(event.channel);
    switch (event.kind) {
      case Event::Kind::put:
        ++channels_[c].put;
        channels_[c].releases.push_back(0);
        channels_[c].is_drained = false;
        break;
      case Event::Kind::get:
        if (w.got[c] - channels_[c].depth >= w.full[c])
          return event.op->emitError("(R7) may take an earlier buffer for this one in ") << place(w);
        if (w.got[c]++ == w.full[c]) ++w.full[c];
        break;
      case Event::Kind::drain: channels_[c].is_drained = true; break;
      case Event::Kind::release:
        if (w.released[c] == w.got[c])
          return event.op->emitError("(R3) frees a buffer that is not held in ") << place(w);
        for (const std::vector<SlotRead>& product : w.products)
          for (const SlotRead& read : product)
            if (read.channel == event.channel && read.number == w.released[c])
              return event.op->emitError("(R3) frees a buffer that a product may still read in ") << place(w);
        release(channels_[c], w.released[c]++);
        break;
      case Event::Kind::skip:
        if (w.released[c] != w.got[c])
          return event.op->emitError("(R3) goes past buffers while it holds one in ") << place(w);
        w.got[c] += event.pending, w.released[c] += event.pending;
        break;
      case Event::Kind::load: use(event, event.reads.front(), 0); break;
      case Event::Kind::mma:
        for (const SlotRead& read : event.reads) {
          const auto from = static_cast<size_t>(read.channel);
          if (read.number < w.released[from] || read.number >= w.got[from])
            return event.op->emitError("(R4) reads a buffer that is not held in ") << place(w);
          if (read.array) use(event, read, w.full[from]);
        }
        w.products.push_back(event.reads);
        break;
      case Event::Kind::wait_mma:
        while (static_cast<int64_t>(w.products.size()) > event.pending) w.products.pop_front();
        break;
      case Event::Kind::add_halves:
        if (!rooms_sent_to_.insert(llvm::cast<AddHalvesOp>(event.op).getRoom()).second)
          return event.op->emitError("(R8) sends to where sums lay before in ") << place(w);
        break;
      case Event::Kind::turn_wait:
        --w.turns_open;
        for (size_t k = 0; k < channels_.size(); ++k) w.full[k] = std::max(w.full[k], w.full_by_turn[k]);
        break;
      case Event::Kind::turn_pass: {
        Warpgroup& next = warpgroups_[takers_[(w.turn + 1) % takers_.size()]];
        next.full_by_turn = w.full;
        if (++next.turns_open > 1) return event.op->emitError("(R6) passes on a turn twice in ") << place(w);
        break;
      }
    }
    return success();
  }

  void use(const Event& event, const SlotRead& tile, int64_t full) {
    picked_[{tile.array.getAsOpaquePointer(), tile.picked}].push_back(
        {event.op, tile.number, channels_[static_cast<size_t>(tile.channel)].depth, full,
         event.kind == Event::Kind::load});
  }

  static void release(ChannelState& channel, int64_t number) {
    ++channel.releases[static_cast<size_t>(number)];
    const auto readers = static_cast<int64_t>(channel.op.getReaders());
    while (channel.freed < channel.put && channel.releases[static_cast<size_t>(channel.freed)] == readers)
      ++channel.freed;
  }

  // In the order of the buffers that were held meanwhile; of one buffer, the load comes first. Who reads must know the buffer
  // full that was handed over with the load: it holds that one, or has seen or been told of all up to it.
  LogicalResult picked_in_order() {
    for (auto& [tile, uses] : picked_) {
      llvm::stable_sort(uses, [](const Use& a, const Use& b) {
        return std::pair(a.number, !a.is_load) < std::pair(b.number, !b.is_load);
      });
      if (!uses.front().is_load) return uses.front().op->emitError("(R11) reads a tile that was never loaded");
      int64_t last_read = uses.front().number - uses.front().depth, last_load = -1;
      for (const Use& use : uses) {
        if (use.is_load && last_read > use.number - use.depth)
          return use.op->emitError("(R11) loads a tile that may still be read");
        (use.is_load ? last_load : last_read) = use.number;
        if (!use.is_load && last_load != use.number && last_load >= use.full)
          return use.op->emitError("(R11) reads a tile that nobody has told it to be there");
      }
    }
    return success();
  }

  LogicalResult all_handed_back() {
    for (auto [c, channel] : llvm::enumerate(channels_))
      for (size_t reader : channel.readers) {
        const Warpgroup& w = warpgroups_[reader];
        const bool is_through = channel.is_shared_out ? w.got[c] == w.released[c] && channel.freed == channel.put
                                                      : w.got[c] == channel.put && w.released[c] == channel.put;
        if (!is_through)
          return channel.op.emitError("(R5) handed over ")
                 << channel.put << " buffers, " << w.got[c] << " were read and " << w.released[c] << " released in "
                 << place(w);
      }
    for (ChannelState& channel : channels_)
      if (!channel.is_drained && lands_in_all_blocks(channel.op))
        return channel.op.emitError("(R10) is not drained, and other blocks say here that they have read its buffers");
    return success();
  }

  KernelOp kernel_;
  llvm::ArrayRef<int64_t> arguments_;
  const int64_t cluster_;
  std::vector<ChannelState> channels_;
  std::vector<Warpgroup> warpgroups_;
  llvm::DenseSet<Value> rooms_sent_to_;
  // Of a tile that is picked by a number: while which buffer is held, how many there are, and how many who reads knows full.
  struct Use {
    Operation* op;
    int64_t number, depth, full;
    bool is_load;
  };
  std::map<std::pair<const void*, int64_t>, std::vector<Use>> picked_;  // by array and number
  std::vector<size_t> takers_;                                          // warpgroups that take turns, in their order
};

}  // namespace

LogicalResult verify_protocol(KernelOp kernel, llvm::ArrayRef<int64_t> arguments) {
  int64_t clusters = 1;
  kernel.walk([&](ClusterIndexOp index) { clusters = static_cast<int64_t>(index.getOf()); });
  for (int64_t cluster = 0; cluster < clusters; ++cluster)
    if (failed(Protocol(kernel, arguments, cluster).verify())) return failure();
  return success();
}

}  // namespace tessera::tile
