#include <tessera/ir/plane/write_cascade.h>

#include "llvm/ADT/STLExtras.h"

#include <tessera/ir/form/body.h>
#include <tessera/ir/fuse/body_dims.h>
#include <tessera/ir/tsr/Einsum.h>

namespace tessera::ir {

using mlir::Operation;
using mlir::Value;

namespace {

// The dims of a cascade: batch, those that are summed last; one row dim; stream; rest. Of several atoms that a kernel owns, the longest is the row;
// if it owns none, the row is a dim of one point. Of the atoms it streams over, the longest comes last, where it is cut
// into blocks.
class CascadeSpace {
 public:
  CascadeSpace(const Plane& plane, const PlaneKernel& kernel) : plane_(plane), lists_(*plane.lists) {
    const AtomList owned = plane.atoms(kernel.side);
    AtomList stream = plane.atoms(other(kernel.side));
    const int row = owned.empty() ? one_point : longest(owned);
    const AtomList summed = summed_batches(kernel);
    for (const bool late : {false, true})
      for (int atom : lists_.atoms_of(plane.seed->getResult(0)))
        if (atom != row && !llvm::is_contained(stream, atom) && llvm::is_contained(summed, atom) == late) add(atom);
    batch_ = static_cast<int64_t>(order_.size());
    add(row);
    const int inner = longest(stream);
    llvm::erase(stream, inner);
    stream.push_back(inner);
    for (int atom : stream) add(atom);
    streams_ = static_cast<int64_t>(stream.size());
    for (Operation* op : kernel.members) {
      if (!llvm::isa<tsr::ContractOp>(op)) continue;
      for (const auto& [letter, list] : lists_.letters(op))
        for (int atom : lists_.expanded(list)) add(atom);
    }
    for (Operation* op : kernel.members)
      if (llvm::isa<tsr::ScatterOp>(op))
        for (int atom : lists_.atoms_of(op->getResult(0))) add(atom);
    space_.outer = batch_ + 1;
    for (Operation* op : kernel.members) place(op);
  }

  const Space& space() const { return space_; }
  int64_t batch() const { return batch_; }
  int64_t streams() const { return streams_; }

 private:
  AtomList summed_batches(const PlaneKernel& kernel) const {
    AtomList all;
    for (Operation* op : kernel.members) {
      if (plane_.sums_batches(op))
        for (int64_t d : llvm::cast<tsr::ReduceOp>(op).getDims())
          all.append(lists_.expanded(lists_.reduced(op)[static_cast<size_t>(d)]));
      if (llvm::isa<tsr::ScatterOp>(op))
        for (int atom : lists_.atoms_of(plane_.seed->getResult(0)))
          if (!llvm::is_contained(lists_.atoms_of(op->getResult(0)), atom)) all.push_back(atom);
    }
    return all;
  }

  int longest(const AtomList& atoms) const {
    return *llvm::max_element(atoms, [&](int a, int b) { return lists_.extent(a) < lists_.extent(b); });
  }

  void add(int atom) {
    if (llvm::is_contained(order_, atom)) return;
    order_.push_back(atom);
    space_.extents.push_back(atom == one_point ? 1 : lists_.extent(atom));
  }

  Place place(const AtomList& list) const {
    Place dims;
    for (int atom : lists_.expanded(list))
      dims.push_back(static_cast<unsigned>(llvm::find(order_, atom) - order_.begin()));
    return dims;
  }
  Places place(const AtomLists& lists) const {
    Places places;
    for (const AtomList& list : lists) places.push_back(place(list));
    return places;
  }
  void place(Operation* op) {
    space_.places[op->getResult(0)] = place(lists_.of(op->getResult(0)));
    if (llvm::isa<tsr::ReduceOp, tsr::ScatterOp>(op)) space_.operands[op] = place(lists_.reduced(op));
    if (llvm::isa<tsr::ContractOp>(op))
      for (const auto& [letter, list] : lists_.letters(op)) space_.letters[op][letter] = place(list);
  }

  static constexpr int one_point = -1;

  const Plane& plane_;
  const DimLists& lists_;
  AtomList order_;
  int64_t batch_ = 0, streams_ = 0;
  Space space_;
};

// A row of one point is named by no access, but what belongs to it must depend on it: the operands of scores that do not
// depend on the stream.
void name_row(fuse::CascadeOp cascade) {
  mlir::Block& body = cascade.getBody().front();
  const fuse::BodyDims dims(body, cascade.getInMaps());
  fuse::DimBits stream = 0;
  for (int64_t d = cascade.first_stream_dim(); d < cascade.first_rest_dim(); ++d) stream |= fuse::DimBits{1} << d;
  llvm::SmallVector<mlir::Attribute, 8> maps(cascade.getInMaps().getValue());
  for (auto contract : body.getOps<fuse::ContractOp>()) {
    if (fuse::dim_bits(contract.getOver()) == stream) continue;
    for (Value operand : contract->getOperands()) {
      if ((dims.of(operand) & stream) != 0) continue;
      while (Operation* widening = operand.getDefiningOp()) operand = widening->getOperand(0);
      mlir::Attribute& map = maps[llvm::cast<mlir::BlockArgument>(operand).getArgNumber()];
      const mlir::AffineMap at = llvm::cast<mlir::AffineMapAttr>(map).getValue();
      auto row = mlir::getAffineDimExpr(static_cast<unsigned>(cascade.row_dim()), cascade.getContext());
      map = mlir::AffineMapAttr::get(mlir::AffineMap::get(at.getNumDims(), 0, at.getResult(0) + row));
    }
  }
  cascade.setInMapsAttr(mlir::ArrayAttr::get(cascade.getContext(), maps));
}

}  // namespace

WrittenCascade write_cascade(mlir::OpBuilder& b, const Plane& plane, const PlaneKernel& kernel, const FreeOps& free,
                             const mlir::IRMapping& memory) {
  const CascadeSpace dims(plane, kernel);
  KernelWriter writer(b, free, memory, dims.space());
  llvm::SmallVector<Root, 4> roots;
  for (Value output : kernel.outputs) {
    Coordinates at = writer.at(dims.space().places.find(output)->second);
    mlir::RankedTensorType type = tsr::type_of(output);
    roots.push_back({output, at, type, writer.offset(at, type.getShape())});
  }
  WrittenCascade out;
  out.op = writer.write_cascade(kernel.members, roots, dims.batch(), dims.streams());
  if (plane.atoms(kernel.side).empty()) name_row(out.op);
  out.sources = writer.sources();
  return out;
}

}  // namespace tessera::ir
