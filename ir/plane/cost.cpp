#include <tessera/ir/plane/cost.h>

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FormatVariadic.h"

#include <tessera/ir/tsr/Einsum.h>

namespace tessera::ir {

namespace {

// The widest rows that one block keeps on chip, of operands and of results.
constexpr int64_t widest = 256;
// Every further sweep computes scores again. Where scores of one batch share an operand with all others (a weight), as
// in an MLP, they are as cheap to keep as the operands unless the plane is much larger than those.
constexpr double least_ratio = 2;
// Between fewer rows than this the plane is smaller than what it streams over, which every sweep would read again.
constexpr int64_t shortest = 8;
constexpr int64_t least_stream = 64;  // points, if rows are few

int64_t volume(const DimLists& lists, const AtomList& atoms) {
  int64_t n = 1;
  for (int atom : atoms) n *= lists.extent(atom);
  return n;
}

// A few queries against many keys, and nothing else.
bool is_one_long_sweep(const Plane& plane, const std::vector<PlaneKernel>& kernels) {
  if (kernels.size() != 1) return false;
  const PlaneKernel& kernel = kernels.front();
  return volume(*plane.lists, plane.atoms(other(kernel.side))) >= least_stream &&
         llvm::none_of(kernel.outputs, [&](mlir::Value output) { return plane.spans(output); });
}

}  // namespace

bool is_narrow(const Plane& plane) {
  return std::min(volume(*plane.lists, plane.rows), volume(*plane.lists, plane.columns)) < shortest;
}

bool sums_wide_rows(tsr::ContractOp seed) {
  const Einsum words = *parse_einsum(std::string_view(seed.getEinsum()));
  int64_t summed = 1;
  for (auto [letter, extent] : llvm::zip(words.a, tsr::shape_of(seed.getA())))
    if (words.out.find(letter) == std::string::npos) summed *= extent;
  return summed > widest;
}

std::optional<Obstruction> why_materialise(const Plane& plane, const FreeOps& free,
                                           llvm::function_ref<std::vector<PlaneKernel>()> kernels) {
  const DimLists& lists = *plane.lists;
  const AtomList whole = lists.atoms_of(plane.seed->getResult(0));
  const bool narrow = is_narrow(plane);
  if (narrow && !is_one_long_sweep(plane, kernels()))
    return {
        {"the plane is only a few rows or columns wide",
         llvm::formatv("give both sides at least {0}, or read nothing of it but what one sweep over {1} points makes",
                       shortest, least_stream)
             .str()}};
  double around = 0;  // elements of what the plane is made from and of what is made from it
  for (mlir::Operation* op : plane.ops) {
    const bool is_end = plane.ends_on(Side::row, op) || plane.ends_on(Side::column, op);
    auto contract = llvm::dyn_cast<tsr::ContractOp>(op);
    if (!contract) continue;
    for (mlir::Value operand : contract->getOperands())
      if (!plane.is_member(base_of(operand))) around += static_cast<double>(tsr::type_of(operand).getNumElements());
    if (is_end) around += static_cast<double>(tsr::type_of(contract.getY()).getNumElements());
    int64_t rest = 1;
    for (const auto& [letter, list] : lists.letters(op))
      for (int atom : lists.expanded(list))
        if (!llvm::is_contained(whole, atom)) rest *= lists.extent(atom);
    if (rest > widest)
      return {{llvm::formatv("rows of {0} elements are too wide for one block", rest).str(),
               llvm::formatv("let contractions of the plane read and make rows of at most {0}", widest).str()}};
  }
  const bool reduces = llvm::any_of(plane.ops, [](mlir::Operation* op) { return llvm::isa<tsr::ReduceOp>(op); });
  const bool shared = whole.size() == plane.rows.size() + plane.columns.size() && !(narrow && reduces);
  const double ratio = static_cast<double>(volume(lists, whole)) / around;
  if (shared && ratio < least_ratio)
    return {{llvm::formatv("it is only {0:F1} times as large as what it is made of", ratio).str(),
             "let it lie in memory: computing it again would cost more"}};
  if (llvm::none_of(plane.ops, [&](mlir::Operation* op) { return is_read_outside(plane, free, op->getResult(0)); }))
    return {{"nothing is read of it", "leave it out"}};
  return {};
}

}  // namespace tessera::ir
