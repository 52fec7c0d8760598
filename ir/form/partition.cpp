#include <tessera/ir/form/partition.h>

#include <algorithm>
#include <set>
#include <utility>

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLExtras.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

#include <tessera/core/error.h>
#include <tessera/ir/form/order.h>
#include <tessera/ir/precision.h>
#include <tessera/ir/tsr/Tsr.h>

namespace tessera::ir {

using mlir::Operation;
using mlir::Value;

namespace {

constexpr size_t most_ops = 160;  // of one kernel: bounds the cost of one attempt and the size of the code

class Partition {
 public:
  Partition(mlir::Block& block, FreeOps& free)
      : block_(block), free_(free), is_mixed_(mixed_precision(block.getParentOp()).has_value()) {}

  // False when an op alone has no space; what it reads is stored by then, which makes more ops.
  bool collect() {
    parts_.reserve(block_.getOperations().size());
    for (Operation& op : block_.without_terminator())
      if (!free_.is_free(&op)) add(&op);
    bool complete = true;
    for (int op = 0; op < size(); ++op) complete &= find_alone(op);
    if (!complete) return false;
    producers_.resize(ops_.size());
    consumers_.resize(ops_.size());
    for (int op = 0; op < size(); ++op) {
      find_producers(ops_[static_cast<size_t>(op)], producers_[static_cast<size_t>(op)]);
      for (int from : producers(op)) consumers_[static_cast<size_t>(from)].push_back(op);
    }
    return true;
  }

  void join() {
    find_feeders();
    for (int op = 0; op < size(); ++op)
      if (llvm::isa<tsr::ContractOp>(ops_[static_cast<size_t>(op)])) join_epilogue(op);
    for (int op = 0; op < size(); ++op) join_operands(op);
    for (int op = 0; op < size(); ++op) join_siblings(op);
  }

  // What is apart in the end has been tried: parts only grow, and every op has met each of its producers.
  std::vector<Apart> apart() const {
    std::vector<Apart> out;
    llvm::DenseSet<std::pair<int, int>> seen;
    for (int op = 0; op < size(); ++op)
      for (int from : producers(op)) {
        const std::pair<int, int> parts(part_of_[static_cast<size_t>(from)], part_of_[static_cast<size_t>(op)]);
        if (parts.first == parts.second || !seen.insert(parts).second) continue;
        Operation *consumer = ops_[static_cast<size_t>(op)], *producer = ops_[static_cast<size_t>(from)];
        if (llvm::isa<tsr::BarrierOp>(consumer) || llvm::isa<tsr::BarrierOp>(producer)) continue;  // apart on purpose
        std::string reason = reasons_.lookup({op, from});
        for (Operation* alone : {consumer, producer})
          if (stands_alone(alone)) reason = alone->getName().stripDialect().str() + " is a routine of its own";
        out.push_back({consumer, producer, reason});
      }
    return out;
  }

  std::vector<Group> in_order() {
    const std::vector<int> parts = depth_first();
    std::vector<Group> out;
    out.reserve(parts.size());
    for (int k : order_early(order_items(parts))) {
      Part& part = parts_[static_cast<size_t>(parts[static_cast<size_t>(k)])];
      out.push_back({operations(part.ops), std::move(part.space)});
    }
    return out;
  }

 private:
  struct Part {
    std::vector<int> ops;  // sorted
    Space space;
    bool alone = false;
    int place = 0;  // in an order in which each part comes behind all that it needs
  };

  llvm::ArrayRef<int> producers(int op) const { return producers_[static_cast<size_t>(op)]; }
  llvm::ArrayRef<int> consumers(int op) const { return consumers_[static_cast<size_t>(op)]; }
  int size() const { return static_cast<int>(ops_.size()); }
  Part& part(int op) { return parts_[static_cast<size_t>(part_of_[static_cast<size_t>(op)])]; }

  void add(Operation* op) {
    index_[op] = size();
    part_of_.push_back(size());
    parts_.push_back({{size()}, Space(), stands_alone(op), size()});
    ops_.push_back(op);
  }

  std::vector<Operation*> operations(const std::vector<int>& indices) const {
    std::vector<Operation*> out;
    for (int i : indices) out.push_back(ops_[static_cast<size_t>(i)]);
    return out;
  }

  // An op alone has a space unless its operands are views that factor differently. Those are then stored.
  bool find_alone(int op) {
    Part& own = part(op);
    if (own.alone) return true;
    Operation* operation = ops_[static_cast<size_t>(op)];
    own.space = find_space(operation, free_);
    if (own.space.legal()) return true;
    for (Value operand : operation->getOperands()) free_.store(operand);
    return false;
  }

  // The ops in memory that `op` reads, through free ones.
  void find_producers(Operation* op, llvm::SmallVectorImpl<int>& out) const {
    for (Value operand : op->getOperands()) {
      Operation* from = operand.getDefiningOp();
      if (!from) continue;
      if (free_.is_free(from)) find_producers(from, out);
      else if (int i = index_.lookup(from); !llvm::is_contained(out, i)) out.push_back(i);
    }
  }

  // Depth first over producers, so that a part comes right after the last one that it needs.
  std::vector<int> depth_first() {
    std::vector<int> out;
    std::vector<char> done(parts_.size(), 0), open(parts_.size(), 0);
    for (int op = 0; op < size(); ++op) {
      llvm::SmallVector<std::pair<int, bool>, 16> stack = {{part_of_[static_cast<size_t>(op)], false}};
      while (!stack.empty()) {
        auto [current, expanded] = stack.pop_back_val();
        if (done[static_cast<size_t>(current)]) continue;
        if (expanded) {
          done[static_cast<size_t>(current)] = 1;
          out.push_back(current);
          continue;
        }
        check_internal(!open[static_cast<size_t>(current)], "two kernels need each other");
        open[static_cast<size_t>(current)] = 1;
        stack.emplace_back(current, true);
        for (int i : parts_[static_cast<size_t>(current)].ops)
          for (int from : producers(i))
            if (int next = part_of_[static_cast<size_t>(from)]; next != current && !done[static_cast<size_t>(next)])
              stack.emplace_back(next, false);
      }
    }
    return out;
  }

  // What each of `parts`, which are in an order that works, reads, allocates and must wait for.
  std::vector<OrderItem> order_items(const std::vector<int>& parts) const {
    llvm::DenseMap<int, int> number;  // part → item
    for (auto [k, part] : llvm::enumerate(parts)) number[part] = static_cast<int>(k);
    std::vector<OrderItem> items(parts.size());
    llvm::DenseMap<Value, llvm::SmallVector<int, 4>> readers;  // of arguments
    for (auto [k, part] : llvm::enumerate(parts)) {
      const Part& own = parts_[static_cast<size_t>(part)];
      llvm::DenseSet<Value> read;
      for (int op : own.ops) find_read(ops_[static_cast<size_t>(op)], read);
      std::set<int> needs;
      for (Value value : read) {
        Operation* from = value.getDefiningOp();
        if (!from) readers[value].push_back(static_cast<int>(k));
        const int before = from ? number.lookup(part_of_[static_cast<size_t>(index_.lookup(from))]) : -1;
        if (before == static_cast<int>(k)) continue;
        items[k].read += bytes_of(value);
        if (from) needs.insert(before);
      }
      items[k].needs.assign(needs.begin(), needs.end());
      for (Value output : own.alone ? llvm::SmallVector<Value, 4>{ops_[static_cast<size_t>(own.ops[0])]->getResult(0)}
                                    : own.space.outputs)
        items[k].allocated += allocates(output) ? bytes_of(output) : 0;
    }
    add_donations(number, readers, items);
    return items;
  }

  // What replaces an argument runs after all that read the old value, else it would need memory of its own.
  void add_donations(const llvm::DenseMap<int, int>& number,
                     const llvm::DenseMap<Value, llvm::SmallVector<int, 4>>& readers,
                     std::vector<OrderItem>& items) const {
    auto function = llvm::cast<mlir::func::FuncOp>(block_.getParentOp());
    for (auto [k, result] : llvm::enumerate(block_.getTerminator()->getOperands())) {
      auto donor = function.getResultAttrOfType<mlir::IntegerAttr>(static_cast<unsigned>(k), "tsr.donor");
      Operation* writer = result.getDefiningOp();
      if (!donor || !writer || !index_.contains(writer)) continue;
      const int item = number.lookup(part_of_[static_cast<size_t>(index_.lookup(writer))]);
      auto found = readers.find(block_.getArgument(static_cast<unsigned>(donor.getInt())));
      if (found == readers.end()) continue;
      std::vector<int>& needs = items[static_cast<size_t>(item)].needs;
      for (int reader : found->second)
        if (reader < item && !llvm::is_contained(needs, reader)) needs.push_back(reader);
    }
  }

  // Values in memory that `op` reads, through free ones.
  void find_read(Operation* op, llvm::DenseSet<Value>& out) const {
    for (Value operand : op->getOperands()) {
      Operation* from = operand.getDefiningOp();
      if (from && free_.is_free(from)) find_read(from, out);
      else out.insert(operand);
    }
  }

  static int64_t bytes_of(Value value) {
    return tsr::type_of(value).getNumElements() * std::max(1u, tsr::element_of(value).getIntOrFloatBitWidth() / 8);
  }
  // Results of the program have memory in any order, and a barrier is another name.
  static bool allocates(Value value) {
    return !llvm::isa<tsr::BarrierOp>(value.getDefiningOp()) &&
           llvm::any_of(value.getUsers(), [](Operation* user) { return !llvm::isa<mlir::func::ReturnOp>(user); });
  }

  void join_operands(int op) {
    if (part(op).alone) return;
    llvm::SmallVector<int, 8> from(producers(op));
    // A contraction takes what follows it or nothing; other kernels have more to choose from.
    llvm::stable_sort(from, [&](int a, int b) { return contracts(a) > contracts(b); });
    for (int producer : from) try_join(producer, op);
  }

  bool contracts(int op) { return contracts(part(op)); }
  bool contracts(const Part& part) const {
    return llvm::any_of(part.ops, [&](int i) { return llvm::isa<tsr::ContractOp>(ops_[static_cast<size_t>(i)]); });
  }

  // Which elementwise ops end in a reduction: what reduces cannot also contract.
  void find_feeders() {
    feeds_reduction_.assign(ops_.size(), 0);
    for (int op = size(); op-- > 0;) {
      Operation* operation = ops_[static_cast<size_t>(op)];
      const bool feeds = llvm::isa<tsr::ReduceOp>(operation) ||
                         (feeds_reduction_[static_cast<size_t>(op)] && is_elementwise(operation));
      if (!feeds) continue;
      for (int i : producers(op)) feeds_reduction_[static_cast<size_t>(i)] = 1;
    }
  }

  // A contraction writes each result once more for every kernel that goes on from it. So it takes ops that end in a
  // reduction elsewhere only where that adds no result.
  bool adds_results(const Part& contraction, llvm::ArrayRef<int> ops, const Space& joined) const {
    return count_results(joined) > count_results(contraction.space) &&
           llvm::any_of(ops, [&](int op) { return feeds_reduction_[static_cast<size_t>(op)] != 0; });
  }

  // Under a mixed precision a result and its rounding are written as one.
  int64_t count_results(const Space& space) const {
    return llvm::count_if(space.outputs, [&](Value output) {
      auto cast = output.getDefiningOp<tsr::CastOp>();
      return !is_mixed_ || !cast || !llvm::is_contained(space.outputs, cast.getX());
    });
  }

  // All elementwise ops that follow from a contraction and need no other kernel first, at once: taken one by one, the
  // first of several readers would seem to add a result.
  void join_epilogue(int contraction) {
    std::vector<char> follows(ops_.size(), 0), late(ops_.size(), 0);
    follows[static_cast<size_t>(contraction)] = 1;
    std::vector<int> epilogue;
    auto last_reader = [&](int op) { return consumers(op).empty() ? op : consumers(op).back(); };
    int last = last_reader(contraction);
    for (int op = contraction + 1; op <= last; ++op) {
      bool reads = false, waits = false;
      for (int from : producers(op)) {
        reads |= follows[static_cast<size_t>(from)] != 0;
        waits |= late[static_cast<size_t>(from)] != 0;
      }
      if (reads && !waits && is_elementwise(ops_[static_cast<size_t>(op)]) && epilogue.size() < most_ops) {
        follows[static_cast<size_t>(op)] = 1;
        epilogue.push_back(op);
        last = std::max(last, last_reader(op));
      } else if (reads || waits) {
        late[static_cast<size_t>(op)] = 1;
      }
    }
    Part& own = part(contraction);
    if (epilogue.empty() || own.ops.size() > 1 ||
        llvm::any_of(epilogue, [&](int op) { return part(op).ops.size() > 1; }))
      return;
    std::vector<int> all = own.ops;
    all.insert(all.end(), epilogue.begin(), epilogue.end());
    std::vector<int> parts;
    for (int op : all) parts.push_back(part_of_[static_cast<size_t>(op)]);
    // Where it does not go, op by op, each with its reason. The epilogue of another contraction, now a kernel, may wait for
    // this one, and an op of this one for that.
    if (!is_convex(parts)) return;
    Space space = find_space(operations(all), free_);
    if (!space.legal() || adds_results(own, epilogue, space)) return;
    for (int op : epilogue) unite(part_of_[static_cast<size_t>(contraction)], part_of_[static_cast<size_t>(op)]);
    own.space = std::move(space);
  }

  // A kernel that only sums, over columns, joins one that reads the same tensor, and saves reading it again.
  void join_siblings(int op) {
    if (!llvm::isa<tsr::ReduceOp>(ops_[static_cast<size_t>(op)]) || contracts(op)) return;
    const int own = part_of_[static_cast<size_t>(op)];
    if (!llvm::all_of(parts_[static_cast<size_t>(own)].space.outputs,
                      [](Value output) { return llvm::isa<tsr::ReduceOp>(output.getDefiningOp()); }))
      return;
    const std::vector<int> ops = parts_[static_cast<size_t>(own)].ops;
    for (int reader : ops)
      for (int from : producers(reader)) {
        if (part_of_[static_cast<size_t>(from)] == own) continue;
        for (Operation* user : ops_[static_cast<size_t>(from)]->getUsers()) {
          auto it = index_.find(user);
          if (it == index_.end() || part(it->second).alone || contracts(it->second)) continue;
          try_join(it->second, op);
          if (part(op).ops.size() > ops.size()) return;
        }
      }
  }

  void try_join(int producer, int consumer) {
    const int from = part_of_[static_cast<size_t>(producer)], into = part_of_[static_cast<size_t>(consumer)];
    if (from == into || parts_[static_cast<size_t>(from)].alone) return;
    Part& a = parts_[static_cast<size_t>(from)];
    Part& b = parts_[static_cast<size_t>(into)];
    std::vector<int> all;
    std::merge(a.ops.begin(), a.ops.end(), b.ops.begin(), b.ops.end(), std::back_inserter(all));
    if (all.size() > most_ops) return missed(consumer, producer, "the kernel would be too large");
    if (!is_convex({from, into})) return missed(consumer, producer, "another kernel must run in between");
    Space space = find_space(operations(all), free_);
    if (!space.legal()) return missed(consumer, producer, space.refusal);
    if (contracts(a) && adds_results(a, b.ops, space))
      return missed(consumer, producer, "it ends in a reduction, and the contraction would write one result more");
    unite(from, into);
    a.space = std::move(space);
  }

  // The ops of `into` become ones of `from`. No path leaves the two parts and comes back.
  void unite(int from, int into) {
    Part &a = parts_[static_cast<size_t>(from)], &b = parts_[static_cast<size_t>(into)];
    a.place = a.place < b.place ? place_for(from, into) : place_for(into, from);
    std::vector<int> all;
    std::merge(a.ops.begin(), a.ops.end(), b.ops.begin(), b.ops.end(), std::back_inserter(all));
    for (int op : b.ops) part_of_[static_cast<size_t>(op)] = from;
    a.ops = std::move(all);
    b.ops.clear();
  }

  // A place for both of two parts as one. What the second needs goes before it, and what needs the first behind it, on the
  // places that all of them had.
  int place_for(int first, int second) {
    auto place = [&](int part) -> int& { return parts_[static_cast<size_t>(part)].place; };
    const int low = place(first), high = place(second);
    llvm::SmallVector<int, 16> before, behind;
    walk_between({second}, low, high, producers_, before);
    if (before.empty()) return low;
    walk_between({first}, low, high, consumers_, behind);
    if (behind.empty()) return high;
    llvm::SmallVector<int, 16> places = {low, high};
    for (llvm::SmallVector<int, 16>* parts : {&before, &behind}) {
      llvm::sort(*parts, [&](int x, int y) { return place(x) < place(y); });
      for (int part : *parts) places.push_back(place(part));
    }
    llvm::sort(places);
    for (auto [part, free] : llvm::zip(before, places)) place(part) = free;
    for (auto [part, free] : llvm::zip(llvm::reverse(behind), llvm::reverse(places))) place(part) = free;
    return places[before.size()];
  }

  // Parts on places between `low` and `high` that `parts` need, or that need them, as `next` goes from op to op.
  void walk_between(llvm::ArrayRef<int> parts, int low, int high, const std::vector<llvm::SmallVector<int, 4>>& next,
                    llvm::SmallVectorImpl<int>& out) {
    walked_.resize(parts_.size(), 0);
    ++walks_;
    llvm::SmallVector<int, 16> work(parts);
    while (!work.empty())
      for (int op : parts_[static_cast<size_t>(work.pop_back_val())].ops)
        for (int other : next[static_cast<size_t>(op)]) {
          const int there = part_of_[static_cast<size_t>(other)], place = parts_[static_cast<size_t>(there)].place;
          if (place <= low || place >= high) continue;
          if (std::exchange(walked_[static_cast<size_t>(there)], walks_) == walks_) continue;
          work.push_back(there);
          out.push_back(there);
        }
  }

  // True unless a path leaves these parts and comes back: some part on it would read one of them. Mostly the first or the
  // last part on the way says so, and a way can go through all layers; so they are looked at in turns.
  bool is_convex(llvm::ArrayRef<int> parts) {
    auto place = [&](int part) { return parts_[static_cast<size_t>(part)].place; };
    const auto [low, high] = std::ranges::minmax(llvm::map_range(parts, place));
    const auto first = low, last = high;
    walked_.resize(parts_.size(), 0);
    const int own = ++walks_, seen = ++walks_;
    for (int part : parts) walked_[static_cast<size_t>(part)] = own;
    std::set<std::pair<int, int>> open;  // by place
    // Whether it reads one of `parts`; what else it reads is open then.
    auto reads_own = [&](int part) {
      bool any = false;
      for (int op : parts_[static_cast<size_t>(part)].ops)
        for (int from : producers(op)) {
          const int there = part_of_[static_cast<size_t>(from)];
          int& walked = walked_[static_cast<size_t>(there)];
          any |= walked == own;
          if (walked == own || walked == seen || place(there) <= first || place(there) >= last) continue;
          walked = seen;
          open.insert({place(there), there});
        }
      return any;
    };
    for (int part : parts) reads_own(part);
    for (bool takes_last = true; !open.empty(); takes_last = !takes_last)
      if (reads_own(open.extract(takes_last ? std::prev(open.end()) : open.begin()).value().second)) return false;
    return true;
  }

  void missed(int consumer, int producer, const std::string& why) { reasons_[{consumer, producer}] = why; }

  mlir::Block& block_;
  FreeOps& free_;
  bool is_mixed_;
  std::vector<Operation*> ops_;
  llvm::DenseMap<Operation*, int> index_;
  std::vector<llvm::SmallVector<int, 4>> producers_, consumers_;
  std::vector<int> part_of_;
  std::vector<Part> parts_;
  std::vector<char> feeds_reduction_;
  std::vector<int> walked_;  // per part: the last walk that came to it
  int walks_ = 0;
  llvm::DenseMap<std::pair<int, int>, std::string> reasons_;  // why a consumer did not join a producer
};

}  // namespace

Partitioned partition(mlir::Block& block, FreeOps& free, bool fuse) {
  for (;;) {
    Partition attempt(block, free);
    if (!attempt.collect()) continue;
    if (!fuse) return {attempt.in_order(), {}};
    attempt.join();
    std::vector<Apart> apart = attempt.apart();
    return {attempt.in_order(), std::move(apart)};
  }
}

}  // namespace tessera::ir
