#include <tessera/codegen/cuda/tile/Tile.h>

#include "llvm/ADT/TypeSwitch.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/DialectImplementation.h"

#include <tessera/codegen/cuda/tile/TileDialect.cpp.inc>
#define GET_TYPEDEF_CLASSES
#include <tessera/codegen/cuda/tile/TileTypes.cpp.inc>
#define GET_OP_CLASSES
#include <tessera/codegen/cuda/tile/TileOps.cpp.inc>

namespace tessera::tile {
namespace {

// <64x256xf32> or, where the number beside the shape is not 0, <64x256xf32, pending 1>
template <class ShapedType>
mlir::Type parse_shaped(mlir::AsmParser& parser, llvm::StringRef keyword) {
  llvm::SmallVector<int64_t> shape;
  mlir::Type element;
  int64_t extra = 0;
  if (parser.parseLess() || parser.parseDimensionList(shape, /*allowDynamic=*/false) || parser.parseType(element))
    return {};
  if (mlir::succeeded(parser.parseOptionalComma()) && (parser.parseKeyword(keyword) || parser.parseInteger(extra)))
    return {};
  if (parser.parseGreater()) return {};
  return ShapedType::get(parser.getContext(), shape, element, extra);
}

template <class ShapedType>
void print_shaped(mlir::AsmPrinter& printer, ShapedType type, llvm::StringRef keyword) {
  printer << '<';
  for (int64_t extent : type.getShape()) printer << extent << 'x';
  printer << type.getElement();
  if (type.getExtra() != 0) printer << ", " << keyword << ' ' << type.getExtra();
  printer << '>';
}

}  // namespace

mlir::Type FragmentType::parse(mlir::AsmParser& parser) { return parse_shaped<FragmentType>(parser, "pending"); }
void FragmentType::print(mlir::AsmPrinter& printer) const { print_shaped(printer, *this, "pending"); }
mlir::Type SmemType::parse(mlir::AsmParser& parser) { return parse_shaped<SmemType>(parser, "pitch"); }
void SmemType::print(mlir::AsmPrinter& printer) const { print_shaped(printer, *this, "pitch"); }
mlir::Type MapType::parse(mlir::AsmParser& parser) { return parse_shaped<MapType>(parser, "rank"); }
void MapType::print(mlir::AsmPrinter& printer) const { print_shaped(printer, *this, "rank"); }
mlir::Type ValuesType::parse(mlir::AsmParser& parser) { return parse_shaped<ValuesType>(parser, ""); }
void ValuesType::print(mlir::AsmPrinter& printer) const { print_shaped(printer, *this, ""); }
mlir::Type HalvesType::parse(mlir::AsmParser& parser) { return parse_shaped<HalvesType>(parser, ""); }
void HalvesType::print(mlir::AsmPrinter& printer) const { print_shaped(printer, *this, ""); }
mlir::Type ArrivalsType::parse(mlir::AsmParser& parser) { return parse_shaped<ArrivalsType>(parser, ""); }
void ArrivalsType::print(mlir::AsmPrinter& printer) const { print_shaped(printer, *this, ""); }

mlir::Type PointerType::parse(mlir::AsmParser& parser) {
  mlir::Type element;
  if (parser.parseLess() || parser.parseType(element)) return {};
  bool read = false, alias = false;
  while (mlir::succeeded(parser.parseOptionalComma())) {
    if (mlir::succeeded(parser.parseOptionalKeyword("read"))) read = true;
    else if (parser.parseKeyword("alias")) return {};
    else alias = true;
  }
  if (parser.parseGreater()) return {};
  return PointerType::get(parser.getContext(), element, read, alias);
}
void PointerType::print(mlir::AsmPrinter& printer) const {
  printer << '<' << getElement() << (getRead() ? ", read" : "") << (getAlias() ? ", alias" : "") << '>';
}

void TileDialect::initialize() {
  addTypes<
#define GET_TYPEDEF_LIST
#include <tessera/codegen/cuda/tile/TileTypes.cpp.inc>
      >();
  addOperations<
#define GET_OP_LIST
#include <tessera/codegen/cuda/tile/TileOps.cpp.inc>
      >();
}

int64_t element_bytes(mlir::Type type) { return type.isTF32() ? 4 : type.getIntOrFloatBitWidth() / 8; }
int64_t lines(MapType type) {
  int64_t count = 1;
  for (int64_t extent : type.getShape().drop_back()) count *= extent;
  return count;
}
int64_t tile_bytes(SmemType type) { return rows(type) * columns(type) * element_bytes(type.getElement()); }
int64_t bytes(SmemType type) {
  return type.getShape().size() == 3 ? type.getShape()[0] * tile_bytes(type) : tile_bytes(type);
}

static int64_t dense_bytes(llvm::ArrayRef<int64_t> shape, mlir::Type element) {
  int64_t bytes = element_bytes(element);
  for (int64_t extent : shape) bytes *= extent;
  return bytes;
}
int64_t bytes(ValuesType type) { return dense_bytes(type.getShape(), type.getElement()); }
int64_t bytes(HalvesType type) { return dense_bytes(type.getShape(), type.getElement()); }
int64_t bytes(ArrivalsType type) { return dense_bytes(type.getShape(), type.getElement()); }

bool is_picked(AtOp tile) { return !llvm::isa<SlotType>(tile.getIndex().getType()); }

bool lands_in_all_blocks(ChannelOp channel) {
  for (mlir::Operation* user : channel.getResult().getUsers())
    if (auto put = llvm::dyn_cast<PutOp>(user))
      for (mlir::Operation* of_slot : put.getSlot().getUsers())
        if (auto load = llvm::dyn_cast<LoadOp>(of_slot); load && load.getToAll()) return true;
  return false;
}

}  // namespace tessera::tile
