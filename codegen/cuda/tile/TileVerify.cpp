// The constraints (T1) to (T7) of TileOps.td.

#include <tessera/codegen/cuda/tile/Tile.h>

namespace tessera::tile {
namespace {

constexpr int64_t shared_limit = 232448, register_limit = 65536;

// Lines between the column blocks of a tile or a part of one.
int64_t pitch(SmemType tile) { return tile.getExtra() ? tile.getExtra() : rows(tile); }

}  // namespace

mlir::LogicalResult KernelOp::verify() {
  int64_t shared = 0, registers = 0;
  for (mlir::Operation& op : getBody().front()) {
    if (auto buffer = llvm::dyn_cast<SharedOp>(op)) shared += bytes(buffer.getResult().getType());
    if (auto values = llvm::dyn_cast<ColumnValuesOp>(op)) shared += bytes(values.getResult().getType());
    if (auto halves = llvm::dyn_cast<HalvesOp>(op)) shared += bytes(halves.getResult().getType()) + 8;
    if (auto arrivals = llvm::dyn_cast<ArrivalsOp>(op)) shared += bytes(arrivals.getResult().getType());
    if (auto channel = llvm::dyn_cast<ChannelOp>(op)) shared += static_cast<int64_t>(channel.getDepth()) * 16;
    if (auto role = llvm::dyn_cast<RoleOp>(op)) {
      const auto count = static_cast<int64_t>(role.getRegisters());
      if (count % 8 != 0 || count < 24 || count > 256)
        return role.emitOpError("(T2) cannot have ") << count << " registers a thread";
      registers += count * 128 * static_cast<int64_t>(role.getWarpgroups());
    }
    if (llvm::isa<PutOp, GetOp, LoadOp, MmaOp, AddHalvesOp, StoreOp, BringBesideOp>(op))
      return op.emitOpError("(T3) stands in no role");
  }
  if (shared > shared_limit)
    return emitOpError("(T1) takes ") << shared << " of " << shared_limit << " bytes of shared memory";
  if (registers > register_limit)
    return emitOpError("(T2) takes ") << registers << " of " << register_limit << " registers";
  return mlir::success();
}

// What lands in this block: a box that goes to all blocks comes once from each of them.
mlir::LogicalResult PutOp::verify() {
  auto kernel = (*this)->getParentOfType<KernelOp>();
  int64_t expected = 0, landing = 0;
  for (mlir::Value tile : getTiles()) expected += tile_bytes(llvm::cast<SmemType>(tile.getType()));
  for (mlir::Operation* user : getSlot().getUsers())
    if (auto load = llvm::dyn_cast<LoadOp>(user))
      landing += tile_bytes(load.getTile().getType()) *
                 (load.getToAll() && kernel ? static_cast<int64_t>(kernel.getCluster()) : 1);
  if (expected != landing)
    return emitOpError("(T4) waits for ") << expected << " bytes, and " << landing << " are loaded";
  return mlir::success();
}

mlir::LogicalResult AtOp::verify() {
  SmemType array = getArray().getType(), tile = getResult().getType();
  if (array.getShape().size() != 3 || tile.getShape() != array.getShape().drop_front() ||
      tile.getElement() != array.getElement())
    return emitOpError("takes ") << tile << " of " << array;
  return mlir::success();
}

mlir::LogicalResult RowsOp::verify() {
  SmemType whole = getTile().getType(), part = getResult().getType();
  if (whole.getShape().size() != 2 || part.getShape().size() != 2 || columns(whole) != columns(part) ||
      rows(part) > rows(whole) || rows(part) % 8 != 0 || part.getExtra() != pitch(whole))
    return emitOpError("takes ") << part << " of " << whole;
  return mlir::success();
}

mlir::LogicalResult ColumnsOp::verify() {
  SmemType whole = getTile().getType(), part = getResult().getType();
  if (whole.getShape().size() != 2 || part.getShape().size() != 2 || rows(whole) != rows(part) ||
      columns(part) > columns(whole) || columns(part) % (line(part.getElement()) / 4) != 0 ||
      part.getExtra() != pitch(whole))
    return emitOpError("takes ") << part << " of " << whole;
  return mlir::success();
}

mlir::LogicalResult LoadOp::verify() {
  SmemType tile = getTile().getType();
  MapType map = getMap().getType();
  const auto dims = static_cast<int64_t>(map.getShape().size());
  const int64_t across = line(tile.getElement());
  if (rows(tile) != lines(map) || map.getShape().back() != across || columns(tile) % across != 0 ||
      map.getElement() != tile.getElement() || (dims != 2 && (dims != map.getExtra() || !getWindow().empty())))
    return emitOpError("(T5) loads boxes of ") << map << " into " << tile;
  if (static_cast<int64_t>(getAt().size()) != map.getExtra())
    return emitOpError("(T5) has ") << getAt().size() << " coordinates for " << map;
  if (!getWindow().empty() && (getWindow().size() + 2 != getAt().size() || columns(tile) != 64))
    return emitOpError("(T5) has ") << getWindow().size() << " offsets for " << map << " and " << tile;
  return mlir::success();
}

mlir::LogicalResult StoreOp::verify() {
  SmemType tile = getStaging().getType();
  MapType map = getMap().getType();
  if (map.getShape().size() != 2 || rows(tile) != map.getShape()[0] || map.getShape()[1] != 64 ||
      tile.getShape() != getValue().getType().getShape() || tile.getElement() != getValue().getType().getElement())
    return emitOpError("(T5) stores ") << getValue().getType() << " through " << tile << " by boxes of " << map;
  if (static_cast<int64_t>(getAt().size()) != map.getExtra())
    return emitOpError("(T5) has ") << getAt().size() << " coordinates for " << map;
  return mlir::success();
}

mlir::LogicalResult MmaOp::verify() {
  FragmentType acc = getAcc().getType(), result = getResult().getType();
  SmemType b = getB().getType();
  llvm::ArrayRef<int64_t> a_shape;
  mlir::Type a_element;
  if (auto tile = llvm::dyn_cast<SmemType>(getA().getType())) a_shape = tile.getShape(), a_element = tile.getElement();
  else
    a_shape = llvm::cast<FragmentType>(getA().getType()).getShape(),
    a_element = llvm::cast<FragmentType>(getA().getType()).getElement();
  const bool in_shared = llvm::isa<SmemType>(getA().getType());
  const bool is_half = a_element.isBF16() || (a_element.isF16() && in_shared);
  const bool is_tf32 = a_element.isTF32() && in_shared && !getATransposed() && getBTransposed();  // both along K
  if (!(is_half || is_tf32) || b.getElement() != a_element || !acc.getElement().isF32() ||
      (getATransposed() && !in_shared))
    return emitOpError("(T6) multiplies ") << getA().getType() << " and " << b << " into " << acc;
  const int64_t n = getBTransposed() ? rows(b) : columns(b), k = getBTransposed() ? columns(b) : rows(b);
  if (a_shape.size() != 2 || a_shape[getATransposed() ? 1 : 0] != 64 || acc.getShape()[0] != 64 ||
      acc.getShape()[1] != n || a_shape[getATransposed() ? 0 : 1] != k || k % (is_tf32 ? 8 : 16) != 0)
    return emitOpError("(T6) multiplies ") << getA().getType() << " and " << b << " into " << acc;
  if (result.getShape() != acc.getShape() || result.getElement() != acc.getElement() || result.getExtra() != 1)
    return emitOpError("(T6) returns ") << result << ", which is not pending";
  return mlir::success();
}

mlir::LogicalResult WaitMmaOp::verify() {
  if (!getValue()) return mlir::success();
  FragmentType before = getValue().getType(), after = getResult().getType();
  if (before.getExtra() != 1 || after.getExtra() != 0 || before.getShape() != after.getShape())
    return emitOpError("makes ") << after << " of " << before;
  return mlir::success();
}

mlir::LogicalResult AddHalvesOp::verify() {
  HalvesType room = getRoom().getType();
  FragmentType value = getValue().getType(), result = getResult().getType();
  auto kernel = (*this)->getParentOfType<KernelOp>();
  if (kernel && kernel.getCluster() != 2) return emitOpError("(T7) is for pairs of blocks");
  bool has_another = false, shares = false;
  if (kernel)
    for (mlir::Operation& op : kernel.getBody().front()) {
      has_another |= llvm::isa<HalvesOp>(op) && op.getResult(0) != getRoom();
      if (auto channel = llvm::dyn_cast<ChannelOp>(op)) shares |= lands_in_all_blocks(channel);
    }
  if (has_another || shares)
    return emitOpError("(T7) stands beside ") << (shares ? "boxes that land in both blocks" : "room for other sums");
  if (room.getShape() != result.getShape() || result.getShape()[0] != 64 ||
      value.getShape() != llvm::ArrayRef<int64_t>{64, 2 * result.getShape()[1]} || result.getShape()[1] % 8 != 0)
    return emitOpError("(T7) makes ") << result << " of " << value << " and " << room;
  if (!room.getElement().isF32() || !value.getElement().isF32() || !result.getElement().isF32())
    return emitOpError("(T7) adds ") << value << " and " << room << " to " << result;
  return mlir::success();
}

mlir::LogicalResult BringColumnsOp::verify() {
  ValuesType room = getRoom().getType(), made = getResult().getType();
  if (room.getShape().size() != 2 || made.getShape() != room.getShape().drop_front() ||
      made.getElement() != room.getElement() || getFrom().getType().getElement() != made.getElement() ||
      made.getShape()[0] % 32 != 0)
    return emitOpError("brings ") << made << " to " << room << " from " << getFrom().getType();
  return mlir::success();
}

mlir::LogicalResult BringBesideOp::verify() {
  auto beside = getBeside().getDefiningOp<BesideOp>();
  if (!beside) return emitOpError("is of no warpgroup");
  SmemType tiles = getStaging().getType();
  const int64_t buffers = beside.getRoom().getType().getShape().back(), inputs = beside.getInputs();
  if (inputs < 1 || inputs > static_cast<int64_t>(beside.getTiles()) ||
      static_cast<int64_t>(getMaps().size()) != inputs)
    return emitOpError("brings ") << getMaps().size() << " of " << inputs << " to " << beside.getTiles() << " tiles";
  if (tiles.getShape().size() != 3 || rows(tiles) != 64 || columns(tiles) != 64 || getColumns() % 64 != 0 ||
      tiles.getShape()[0] < static_cast<int64_t>(beside.getTiles()) * buffers)
    return emitOpError("brings what stands beside ") << getColumns() << " columns to " << tiles;
  for (mlir::Value map : getMaps()) {
    auto type = llvm::cast<MapType>(map.getType());
    if (type.getShape() != llvm::ArrayRef<int64_t>{64, 64} || type.getElement() != tiles.getElement() ||
        type.getExtra() != static_cast<int64_t>(getAt().size()))
      return emitOpError("(T5) has ") << getAt().size() << " coordinates for " << type << " and " << tiles;
  }
  return mlir::success();
}

mlir::LogicalResult FinishOp::verify() {
  for (mlir::Value value : getValues())
    if (getAtOnce() < 1 ||
        (getStaging() && llvm::cast<FragmentType>(value.getType()).getShape()[1] % (64 * getAtOnce()) != 0))
      return emitOpError("finishes ") << value.getType();
  if (getNames().size() != getColumns().size() || (getMaps().empty() && !getDealt() && !getColumns().empty()))
    return emitOpError("names ") << getNames().size() << " of " << getColumns().size() << " values of columns";
  for (mlir::Value values : getColumns())
    if (llvm::cast<ValuesType>(values.getType()).getShape() !=
        llvm::cast<FragmentType>(getValues()[0].getType()).getShape().drop_front())
      return emitOpError("has ") << values.getType() << " for columns of " << getValues()[0].getType();
  if (goes_through_shared()) {
    SmemType scratch = getStaging().getType();
    if (!getMaps().empty() || !getFirst() || scratch.getShape().size() != 3 || rows(scratch) != 72 ||
        columns(scratch) != 64)
      return emitOpError("goes through ") << scratch;
    return mlir::success();
  }
  if (getDealt()) {
    if (getStaging() || !getMaps().empty()) return emitOpError("is dealt, and stores boxes");
    if (*getDealt() != 4 && *getDealt() != 8) return emitOpError("deals ") << *getDealt() << " neighbours";
    for (mlir::Value value : getValues())
      if (llvm::cast<FragmentType>(value.getType()).getShape()[1] % (4 * static_cast<int64_t>(*getDealt())) != 0)
        return emitOpError("is dealt ") << value.getType();
    return mlir::success();
  }
  if (getMaps().empty()) return getBeside() ? emitOpError("has tiles for nothing") : mlir::success();
  if (!getStaging() || !getFirst()) return emitOpError("stores boxes through nothing");
  SmemType tiles = getStaging().getType();
  if (getBeside()) {
    auto brought = getBeside().getDefiningOp<BringBesideOp>();
    auto end = brought ? brought.getBeside().getDefiningOp<BesideOp>() : BesideOp();
    if (!end || brought.getStaging() != getStaging() || end.getTiles() < getMaps().size() || getAtOnce() != 1 ||
        brought.getFragments() != getValues().size() ||
        end.getRoom().getType().getShape().back() != static_cast<int64_t>(getBuffers()) ||
        llvm::any_of(getValues(), [&](mlir::Value value) {
          return llvm::cast<FragmentType>(value.getType()).getShape()[1] != static_cast<int64_t>(brought.getColumns());
        }))
      return emitOpError("finishes other sums than those beside which something was brought");
  }
  if (tiles.getShape().size() != 3 || rows(tiles) != 64 || columns(tiles) != 64 || getBuffers() < 1 ||
      tiles.getShape()[0] < static_cast<int64_t>(getMaps().size() * getAtOnce() * getBuffers()))
    return emitOpError("stores ") << getMaps().size() << " results through " << getBuffers() << " buffers of " << tiles;
  for (mlir::Value map : getMaps()) {
    auto type = llvm::cast<MapType>(map.getType());
    if (type.getShape() != llvm::ArrayRef<int64_t>{64, 64} || type.getExtra() != static_cast<int64_t>(getAt().size()))
      return emitOpError("(T5) has ") << getAt().size() << " coordinates for " << type;
  }
  return mlir::success();
}

}  // namespace tessera::tile
