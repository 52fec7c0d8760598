#include <tessera/ir/plane/split_results.h>

#include <optional>

#include "llvm/ADT/STLExtras.h"

#include <tessera/ir/plane/parter.h>

namespace tessera::ir {

using mlir::Operation;
using mlir::Value;

namespace {

constexpr size_t most_seen = 48;  // of what follows from a slice

// Slices of one value that are read together, and the elements between the first and the last of theirs.
struct Group {
  llvm::SmallVector<tsr::SliceOp, 2> slices;
  int64_t start, stop;
  llvm::DenseSet<Operation*> readers;  // point by point, and what follows from those
};

class Splitter {
 public:
  Splitter(const Plane& plane, Value accumulation) : plane_(plane) {
    ops.insert(accumulation.getDefiningOp());
    for (value = accumulation; value.hasOneUse(); value = (*value.user_begin())->getResult(0)) {
      Operation* view = *value.user_begin();
      if (!is_view(view) || moves_elements(view)) break;
      ops.insert(view);
    }
    if (value.hasOneUse() || !find_slices()) groups.clear();
  }

  llvm::DenseSet<Operation*> ops;  // from the accumulation to `value`
  Value value;                     // which all slices are of
  size_t dim = 0;
  std::vector<Group> groups;  // in the order of their elements; none if it is not to be split

 private:
  bool find_slices() {
    std::optional<size_t> along;
    for (Operation* user : value.getUsers()) {
      auto slice = llvm::dyn_cast<tsr::SliceOp>(user);
      if (!slice) return false;
      for (size_t d = 0; d < tsr::shape_of(value).size(); ++d) {
        if (!moves_dim(slice, d)) continue;
        if (along && along != d) return false;
        along = d;
      }
      if (!along || slice.getStep()[*along] != 1) return false;
      Group one{{slice}, slice.getStart()[*along], slice.getStop()[*along], {}};
      find_readers(slice, one.readers);
      groups.push_back(std::move(one));
    }
    if (!along) return false;  // nobody reads it
    dim = *along;
    llvm::sort(groups, [](const Group& a, const Group& b) { return a.start < b.start; });
    join_groups();
    return groups.size() > 1;
  }

  void find_readers(Operation* op, llvm::DenseSet<Operation*>& readers) {
    for (Operation* user : op->getUsers()) {
      const bool is_followed = is_view(user) || is_elementwise(user) || llvm::isa<tsr::ConcatOp>(user);
      if (!is_followed || plane_.lists->is_member(user) || readers.size() >= most_seen) continue;
      if (readers.insert(user).second) find_readers(user, readers);
    }
  }

  // What has readers or elements in common, with all that lies between.
  void join_groups() {
    auto meet = [](const Group& a, const Group& b) {
      return a.stop > b.start || llvm::any_of(a.readers, [&](Operation* op) { return b.readers.contains(op); });
    };
    for (size_t last = 1; last < groups.size(); ++last)
      for (size_t first = 0; first < last; ++first) {
        if (!meet(groups[first], groups[last])) continue;
        Group& into = groups[first];
        for (size_t k = first + 1; k <= last; ++k) {
          into.slices.append(groups[k].slices);
          into.stop = std::max(into.stop, groups[k].stop);
          into.readers.insert_range(groups[k].readers);
        }
        groups.erase(groups.begin() + static_cast<ptrdiff_t>(first) + 1,
                     groups.begin() + static_cast<ptrdiff_t>(last) + 1);
        last = first;
        break;
      }
  }

  const Plane& plane_;
};

}  // namespace

SplitResults split_results(const Plane& plane, llvm::ArrayRef<Operation*> prologues) {
  const llvm::DenseSet<Operation*> computed(prologues.begin(), prologues.end());
  SplitResults all;
  for (Operation* member : plane.ops) {
    if (!llvm::isa<tsr::ContractOp>(member) || plane.is_score(member)) continue;
    const Splitter split(plane, member->getResult(0));
    if (split.groups.empty()) continue;
    mlir::OpBuilder b(member->getBlock(), std::next(split.value.getDefiningOp()->getIterator()));
    for (const Group& group : split.groups) {
      Parter parter(b, member, split.ops, computed);
      Value part = parter.part(split.value, split.dim, {group.start, 1, group.stop - group.start});
      if (!part) continue;  // it stays a slice
      for (tsr::SliceOp slice : group.slices) {
        llvm::SmallVector<int64_t, 6> start(slice.getStart()), stop(slice.getStop());
        start[split.dim] -= group.start, stop[split.dim] -= group.start;
        Value same = part;
        if (part.getType() != slice.getY().getType())
          same = tsr::SliceOp::create(b, slice.getLoc(), slice.getY().getType(), part, b.getDenseI64ArrayAttr(start),
                                      b.getDenseI64ArrayAttr(stop), slice.getStepAttr());
        slice.getY().replaceAllUsesWith(same);
        all.replaced.push_back(slice);
      }
      all.operands.insert_range(parter.operands);
    }
  }
  return all;
}

}  // namespace tessera::ir
