#include <tessera/ir/plane/uneven.h>

#include <numeric>

#include "llvm/ADT/STLExtras.h"

#include <tessera/ir/plane/parter.h>
#include <tessera/ir/tsr/Einsum.h>

namespace tessera::ir {

using mlir::Operation;
using mlir::Value;

namespace {

class Finder {
 public:
  explicit Finder(const Plane& plane) : plane_(plane), whole_(plane.lists->atoms_of(plane.seed->getResult(0))) {}

  Uneven run() {
    for (Operation* member : plane_.ops) {
      auto contract = llvm::dyn_cast<tsr::ContractOp>(member);
      if (!contract) continue;
      const Einsum words = *parse_einsum(std::string_view(contract.getEinsum()));
      for (auto [word, operand] : {std::pair{words.a, contract.getA()}, std::pair{words.b, contract.getB()}})
        for (auto [dim, letter] : llvm::enumerate(word))
          if (is_apart(plane_.lists->letters(contract).find(letter)->second)) descend(operand, dim);
    }
    return std::move(found_);
  }

 private:
  // Neither of rows nor columns nor batches?
  bool is_apart(const AtomList& list) const {
    const AtomList atoms = plane_.lists->expanded(list);
    return !atoms.empty() && llvm::none_of(atoms, [&](int atom) { return llvm::is_contained(whole_, atom); });
  }

  void descend(Value value, size_t dim) {
    Operation* op = value.getDefiningOp();
    if (!op || plane_.lists->is_member(op) || !seen_.insert({op, dim}).second) return;
    if (auto broadcast = llvm::dyn_cast<tsr::BroadcastOp>(op)) {
      for (auto [d, to] : llvm::enumerate(broadcast.getDims()))
        if (to == static_cast<int64_t>(dim)) descend(broadcast.getX(), d);
    } else if (auto transpose = llvm::dyn_cast<tsr::TransposeOp>(op)) {
      descend(transpose.getX(), static_cast<size_t>(transpose.getDims()[dim]));
    } else if (auto reshape = llvm::dyn_cast<tsr::ReshapeOp>(op)) {
      if (std::optional<size_t> from = kept_dim(reshape, dim)) descend(reshape.getX(), *from);
    } else if (auto concat = llvm::dyn_cast<tsr::ConcatOp>(op)) {
      if (concat.getDim() == dim && !has_equal_parts(concat)) found_.insert({concat, extent_of_parts(concat)});
      for (Value part : concat.getParts()) descend(part, dim);
    } else if (is_elementwise(op) || is_view(op)) {
      for (Value operand : op->getOperands()) descend(operand, dim);
    }
  }

  // The dim of its operand that a reshape leaves as it is.
  static std::optional<size_t> kept_dim(tsr::ReshapeOp reshape, size_t dim) {
    auto behind = [](llvm::ArrayRef<int64_t> shape, size_t d) {
      return std::reduce(shape.begin() + d + 1, shape.end(), int64_t{1}, std::multiplies<>());
    };
    llvm::ArrayRef<int64_t> from = tsr::shape_of(reshape.getX()), to = tsr::shape_of(reshape.getY());
    for (size_t d = 0; d < from.size(); ++d)
      if (from[d] == to[dim] && behind(from, d) == behind(to, dim)) return d;
    return {};
  }

  static int64_t extent_of_parts(tsr::ConcatOp concat) {
    auto joins = [](Operation* op) { return is_elementwise(op) || llvm::isa<tsr::ConcatOp>(op); };
    int64_t extent = 0;
    for (int64_t at : boundaries(concat.getY(), concat.getDim(), joins)) extent = std::gcd(extent, at);
    return tsr::shape_of(concat.getY())[concat.getDim()] / extent <= most_parts ? extent : 0;
  }

  const Plane& plane_;
  const AtomList whole_;
  llvm::DenseSet<std::pair<Operation*, size_t>> seen_;
  Uneven found_;
};

}  // namespace

Uneven find_uneven(const Plane& plane) { return Finder(plane).run(); }

tsr::ConcatOp with_equal_parts(tsr::ConcatOp concat, int64_t extent, const llvm::DenseSet<Operation*>& computed) {
  mlir::OpBuilder b(concat);
  const llvm::DenseSet<Operation*> nothing;
  Parter parter(b, nullptr, nothing, computed);
  const size_t dim = concat.getDim();
  llvm::SmallVector<Value, most_parts> parts;
  for (int64_t start = 0; start < tsr::shape_of(concat.getY())[dim]; start += extent)
    parts.push_back(parter.part(concat.getY(), dim, {start, 1, extent}));
  auto equal = tsr::ConcatOp::create(b, concat.getLoc(), concat.getY().getType(), parts, dim);
  concat.getY().replaceAllUsesWith(equal.getY());
  return equal;
}

}  // namespace tessera::ir
