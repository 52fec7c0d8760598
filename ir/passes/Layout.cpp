#include <algorithm>
#include <array>

#include "llvm/ADT/TypeSwitch.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Remarks.h"

#include <tessera/core/fault.h>
#include <tessera/ir/form/convolution.h>
#include <tessera/ir/form/free_ops.h>
#include <tessera/ir/form/memory_order.h>
#include <tessera/ir/passes/Passes.h>
#include <tessera/ir/precision.h>
#include <tessera/ir/tsr/Einsum.h>
#include <tessera/ir/tsr/Tsr.h>

namespace tessera::ir {

#define GEN_PASS_DEF_LAYOUT
#include <tessera/ir/passes/Passes.h.inc>

namespace {

using llvm::ArrayRef;
using llvm::SmallVector;
using mlir::Operation;
using mlir::Value;

// What a convolution of 16-bit elements needs to be read by windows, whatever the target's tiles are.
constexpr int64_t channel_unit = 8;  // 16 bytes: every stride of a picture is a multiple of it
constexpr int64_t most_stride = 8;

// Pictures of a few channels, as a first layer reads. With four of them in memory the taps of a line are neighbours, and
// where windows step by two pixels each begins 16 bytes behind the one before: so a line of taps is read as channels are,
// up to as many as a line of a tile holds.
constexpr int64_t few_channels = 4, most_of_line = 64;

// Results that leave the program, as they are or as views.
bool is_returned(Value value) {
  return llvm::any_of(value.getUsers(), [](Operation* user) {
    return llvm::isa<mlir::func::ReturnOp>(user) || (is_view(user) && is_returned(user->getResult(0)));
  });
}

class Layout {
 public:
  Layout(mlir::func::FuncOp function) : block_(function.getBody().front()) {
    if (std::optional<MixedPrecision> precision = mixed_precision(function)) narrow_ = precision->narrow;
  }

  void run() {
    for (Operation& op : llvm::make_early_inc_range(block_.without_terminator())) visit(&op);
  }

 private:
  void visit(Operation* op) {
    llvm::TypeSwitch<Operation*>(op)
        .Case<tsr::ContractOp, tsr::ReduceOp, tsr::PadOp, tsr::ConcatOp, tsr::FoldOp, tsr::TransposeOp, tsr::ReshapeOp,
              tsr::WindowOp, tsr::SliceOp, tsr::ReverseOp>([&](auto known) { visit(known); })
        .Case<tsr::ConstantOp, tsr::IotaOp, tsr::RandomOp, tsr::BroadcastOp>(
            [&](auto source) { open_.insert(source.getY()); })
        .Default([&](Operation* other) {
          if (is_elementwise(other) || llvm::isa<tsr::BarrierOp>(other)) visit_points(other);
        });
  }

  // ---- what computes, in the order of what it reads ----

  void visit_points(Operation* op) {
    if (llvm::all_of(op->getOperands(), [&](Value x) { return open_.contains(x); })) {
      open_.insert(op->getResult(0));
      return;
    }
    const MemoryOrder order = elected(op);
    if (order.empty() || is_returned(op->getResult(0))) return;
    mlir::OpBuilder b(op);
    replace(op, cloned(b, op, order, order), order);
  }

  // That of most operands; of as many, the one that is not the user's.
  MemoryOrder elected(Operation* op) const {
    SmallVector<std::pair<MemoryOrder, int>, 2> votes;
    for (Value operand : op->getOperands()) {
      if (open_.contains(operand)) continue;
      const MemoryOrder order = order_.lookup(operand);
      auto* known = llvm::find_if(votes, [&](const auto& vote) { return vote.first == order; });
      if (known == votes.end()) votes.push_back({order, 1});
      else ++known->second;
    }
    auto* best = std::max_element(votes.begin(), votes.end(), [](const auto& a, const auto& b) {
      return std::pair(a.second, !a.first.empty()) < std::pair(b.second, !b.first.empty());
    });
    return best->first;
  }

  void visit(tsr::ReduceOp op) {
    const MemoryOrder order = order_.lookup(op.getX());
    if (order.empty()) return;
    const MemoryOrder left = kept_dims(order, [&](int64_t d) { return !llvm::is_contained(op.getDims(), d); });
    if (is_returned(op.getY()) && !normal_order(left, tsr::shape_of(op.getY())).empty()) return;
    const MemoryOrder place = inverse(order);
    SmallVector<int64_t, 6> dims;
    for (int64_t d : op.getDims()) dims.push_back(place[static_cast<size_t>(d)]);
    llvm::sort(dims);
    mlir::OpBuilder b(op);
    Operation* moved = cloned(b, op, order, left);
    llvm::cast<tsr::ReduceOp>(moved).setDims(dims);
    replace(op, moved, left);
  }

  void visit(tsr::PadOp op) {
    const MemoryOrder order = order_.lookup(op.getX());
    if (order.empty() || is_returned(op.getY())) return;
    mlir::OpBuilder b(op);
    auto moved = llvm::cast<tsr::PadOp>(cloned(b, op, order, order));
    moved.setLow(permuted(op.getLow(), order));
    moved.setHigh(permuted(op.getHigh(), order));
    moved.setInterior(permuted(op.getInterior(), order));
    replace(op, moved, order);
  }

  void visit(tsr::ConcatOp op) {
    const MemoryOrder order = elected_of_all(op);
    if (order.empty() || is_returned(op.getY())) return;
    mlir::OpBuilder b(op);
    auto moved = llvm::cast<tsr::ConcatOp>(cloned(b, op, order, order));
    moved.setDim(static_cast<uint64_t>(inverse(order)[static_cast<size_t>(op.getDim())]));
    replace(op, moved, order);
  }
  MemoryOrder elected_of_all(tsr::ConcatOp op) const {
    return llvm::all_of(op.getParts(), [&](Value x) { return open_.contains(x); }) ? MemoryOrder() : elected(op);
  }

  // The taps stay behind: they are what a fold reads together.
  void visit(tsr::FoldOp op) {
    const int64_t rank = tsr::type_of(op.getY()).getRank();
    MemoryOrder order = order_.lookup(op.getX());
    if (order.empty() || is_returned(op.getY())) return;
    const MemoryOrder left = kept_dims(order, [&](int64_t d) { return d < rank; }), place = inverse(left);
    MemoryOrder from = left;
    for (int64_t d = rank; d < static_cast<int64_t>(order.size()); ++d) from.push_back(d);
    SmallVector<int64_t, 4> dims;
    for (int64_t d : op.getDims()) dims.push_back(place[static_cast<size_t>(d)]);
    mlir::OpBuilder b(op);
    auto moved = llvm::cast<tsr::FoldOp>(cloned(b, op, from, left));
    moved.setDims(dims);
    replace(op, moved, left);
  }

  // ---- views: what they look at lies as it did ----

  void note(Value view, const MemoryOrder& order) {
    if (!order.empty()) order_[view] = order;
  }
  template <class View, class Order> void visit_view(View op, Order order_of) {
    if (open_.contains(op.getX())) open_.insert(op.getY());
    if (const MemoryOrder order = order_.lookup(op.getX()); !order.empty()) note(op.getY(), order_of(order));
  }
  void visit(tsr::TransposeOp op) {
    visit_view(op, [&](const MemoryOrder& order) { return transposed_order(order, op.getDims(), shape(op.getY())); });
  }
  void visit(tsr::ReshapeOp op) {
    visit_view(op, [&](const MemoryOrder& order) { return reshaped_order(order, shape(op.getX()), shape(op.getY())); });
  }
  void visit(tsr::SliceOp op) {
    visit_view(op, [&](const MemoryOrder& order) { return normal_order(order, shape(op.getY())); });
  }
  void visit(tsr::ReverseOp op) {
    visit_view(op, [](const MemoryOrder& order) { return order; });
  }
  void visit(tsr::WindowOp op) {
    visit_view(op, [&](MemoryOrder order) {
      while (order.size() < shape(op.getY()).size()) order.push_back(static_cast<int64_t>(order.size()));
      return normal_order(order, shape(op.getY()));
    });
  }

  // ---- contractions: where orders come from ----

  void visit(tsr::ContractOp op) {
    std::optional<Convolution> found;
    if (is_of_halves(op)) found = read_convolution(op);
    if (!found) return;
    const Convolution& conv = *found;
    auto channels = [&](size_t picture) {
      const char letter = picture == conv.over ? conv.over_channel : conv.places_channel;
      return tsr::shape_of(tensor_of(op, picture))[conv.word[picture].find(letter)];
    };
    const bool is_gradient = conv.filter == 2;
    const bool keeps_order = !is_gradient && is_returned(op.getY());
    std::optional<LinesOfTaps> lines;
    if (channels(conv.places) % channel_unit == 0 &&
        !(keeps_order && !normal_order(conv.order(2), tsr::shape_of(op.getY())).empty()))
      lines = lines_of_taps(op, conv);
    const bool is_served = lines || (channels(conv.over) % channel_unit == 0 &&
                                     channels(conv.places) % channel_unit == 0 && conv.largest_stride <= most_stride);
    if (!is_served && channels(conv.places) % channel_unit == 0 && visit_patches(op, conv)) return;
    mlir::OpBuilder b(op);
    std::array<MemoryOrder, 3> order;
    SmallVector<Value, 2> operands;
    for (size_t t = 0; t < 2; ++t) {
      const Value x = op->getOperand(t);
      if (lines && t != conv.places) {
        order[t] = conv.order(t);
        if (t == conv.over) operands.push_back(rewritten(b, op, x, order[t], lines->around_picture));
        else
          operands.push_back(first_elements(b, rewritten(b, op, x, order[t], lines->around_filter),
                                            with_few_channels(type(x, order[t])).getShape()));
        continue;
      }
      const MemoryOrder wanted = normal_order(conv.order(t), tsr::shape_of(x)), given = order_.lookup(x);
      const bool is_fit =
          wanted.empty() || given == wanted || (conv.is_picture(t) && !given.empty() && given.back() == wanted.back());
      order[t] = is_fit || !is_served ? given : wanted;
      operands.push_back(order[t] == given ? in_order(b, x, given) : rewritten(b, op, x, wanted));
    }
    if (is_gradient && lines) order[2] = conv.order(2);  // the channels come last also where there is one
    else if (is_gradient ? is_served : channels(2) % channel_unit == 0 && !keeps_order)
      order[2] = normal_order(conv.order(2), tsr::shape_of(op.getY()));
    if (llvm::all_of(order, [](const MemoryOrder& o) { return o.empty(); })) return;

    Einsum words;
    for (auto [t, word] : llvm::enumerate(std::array{&words.a, &words.b, &words.out})) {
      *word = conv.word[t];
      for (auto [i, d] : llvm::enumerate(order[t])) (*word)[i] = conv.word[t][static_cast<size_t>(d)];
      if (planted(Fault::layout_taps_turned) && t == conv.filter && !order[t].empty())
        std::reverse(word->begin() + 1, word->end() - 1);
    }
    mlir::Type made = type(op.getY(), order[2]);
    if (lines && is_gradient) made = with_few_channels(made);
    Operation* moved = tsr::ContractOp::create(b, op.getLoc(), made, b.getStringAttr(words.str()), operands[0],
                                               operands[1], lines ? lines->windows : op.getWindows());
    moved->setDiscardableAttrs(op->getDiscardableAttrDictionary());
    if (is_served) report(op);
    if (!is_gradient) return replace(op, moved, order[2]);
    // A kernel of its own writes the gradient, and whoever goes on from it reads it in the filter's own order.
    Value gradient = moved->getResult(0);
    if (!order[2].empty()) {
      gradient = tsr::BarrierOp::create(b, op.getLoc(), gradient);
      gradient = first_elements(b, gradient, permuted(shape(op.getY()), order[2]));
      gradient = tsr::TransposeOp::create(b, op.getLoc(), op.getY().getType(), gradient, inverse(order[2]));
    }
    op.getY().replaceAllUsesWith(gradient);
    op.erase();
  }

  // Rows of patches in place of the picture, and a product without windows.
  bool visit_patches(tsr::ContractOp op, const Convolution& conv) {
    std::array<MemoryOrder, 3> order;
    auto word = [&](size_t tensor) {
      std::string letters = conv.word[tensor];
      for (auto [i, d] : llvm::enumerate(order[tensor])) letters[i] = conv.word[tensor][static_cast<size_t>(d)];
      return letters;
    };
    if (conv.filter != 2) order[conv.filter] = order_.lookup(op->getOperand(conv.filter));
    const std::optional<Patches> patches = read_patches(op, conv, word(conv.filter));
    const Value picture = tensor_of(op, conv.over), places = tensor_of(op, conv.places);
    if (!patches || patches->elements % channel_unit != 0 || is_read_as_it_lies(picture, conv, *patches)) return false;
    mlir::OpBuilder b(op);
    SmallVector<Value, 2> operands(op->getOperands());
    operands[conv.over] = rows_of(b, op, picture, *patches);
    const MemoryOrder wanted = normal_order(conv.order(conv.places), shape(places));
    if (conv.places == 2) {
      if (!is_returned(places)) order[2] = wanted;
    } else {
      const MemoryOrder lies = order_in_memory(places);
      const bool is_fit = wanted.empty() || (!lies.empty() && lies.back() == wanted.back());
      order[conv.places] = is_fit ? lies : wanted;
      operands[conv.places] = is_fit ? in_order(b, places, lies) : rewritten(b, op, places, wanted);
    }
    if (conv.filter != 2) operands[conv.filter] = in_order(b, operands[conv.filter], order[conv.filter]);

    std::array<std::string, 3> words = {word(0), word(1), word(2)};
    words[conv.over] = patches->word;
    const Einsum einsum{words[0], words[1], words[2]};
    Operation* moved = tsr::ContractOp::create(b, op.getLoc(), type(op.getY(), order[2]), b.getStringAttr(einsum.str()),
                                               operands[0], operands[1], b.getArrayAttr({}));
    moved->setDiscardableAttrs(op->getDiscardableAttrDictionary());
    mlir::remark::passed(op.getLoc(), mlir::remark::RemarkOpts::name("patches").category("layout"))
        << mlir::remark::add("windows that lie side by side are rows of a matrix");
    replace(op, moved, order[2]);
    return true;
  }

  // Through windows of the copy engine: its elements will have 16 bits, and each line of a window is one stretch of memory.
  // An argument of f32 is written again in any case.
  bool is_read_as_it_lies(Value picture, const Convolution& conv, const Patches& patches) const {
    const Value base = base_of(picture);
    if (mlir::isa<mlir::BlockArgument>(base) && tsr::element_of(base).isF32()) return false;
    const MemoryOrder wanted = normal_order(conv.order(conv.over), shape(picture)), lies = order_in_memory(picture);
    return patches.line % channel_unit == 0 && (wanted.empty() || (!lies.empty() && lies.back() == wanted.back()));
  }

  // Of a view too, where what it looks at lies as it is named.
  MemoryOrder order_in_memory(Value x) const {
    if (const auto known = order_.find(x); known != order_.end()) return known->second;
    Operation* op = x.getDefiningOp();
    if (!llvm::isa_and_nonnull<tsr::TransposeOp, tsr::ReshapeOp, tsr::SliceOp>(op)) return {};
    MemoryOrder order = order_in_memory(op->getOperand(0));
    if (auto view = llvm::dyn_cast<tsr::TransposeOp>(op)) {
      while (order.size() < view.getDims().size()) order.push_back(static_cast<int64_t>(order.size()));
      return transposed_order(order, view.getDims(), shape(x));
    }
    if (order.empty()) return {};
    return llvm::isa<tsr::SliceOp>(op) ? normal_order(order, shape(x))
                                       : reshaped_order(order, shape(op->getOperand(0)), shape(x));
  }

  // Zeros before and behind a tensor's elements, for each dim of the order that it is written in.
  struct Room {
    SmallVector<int64_t, 6> low, high;
  };
  struct LinesOfTaps {
    Room around_picture, around_filter;
    mlir::ArrayAttr windows;  // which never leave the picture then
  };

  // Of a convolution, or the gradient of its filter, whose windows overlap.
  static std::optional<LinesOfTaps> lines_of_taps(tsr::ContractOp op, const Convolution& conv) {
    if (conv.over == 2 || conv.largest_stride > most_stride) return std::nullopt;
    auto extent = [&](size_t tensor, char letter) {
      return shape(tensor_of(op, tensor))[conv.word[tensor].find(letter)];
    };
    const std::string &picture = conv.wanted[conv.over], &filter = conv.wanted[conv.filter];
    const int64_t channels = extent(conv.over, conv.over_channel);
    if (channels > few_channels) return std::nullopt;
    LinesOfTaps made;
    for (auto [room, word] : {std::pair{&made.around_picture, &picture}, {&made.around_filter, &filter}}) {
      room->low.assign(word->size(), 0), room->high.assign(word->size(), 0);
      room->high.back() = few_channels - channels;
    }
    SmallVector<mlir::Attribute, 2> windows;
    for (WindowRelation w : tsr::relations_of(op.getWindows())) {
      const size_t in = picture.find(w.in), tap = filter.find(w.tap);
      const int64_t size = extent(conv.over, w.in), taps = extent(conv.filter, w.tap);
      const int64_t last = w.stride * (extent(conv.places, w.out) - 1) + w.dilation * (taps - 1) - w.pad;
      if (w.pad < 0) return std::nullopt;
      made.around_picture.low[in] = w.pad, made.around_picture.high[in] = std::max<int64_t>(last - (size - 1), 0);
      if (in + 2 == picture.size()) {
        if (w.dilation != 1 || w.stride % 2 != 0 || w.stride >= taps || taps * few_channels > most_of_line ||
            tap + 2 != filter.size())
          return std::nullopt;
        // Lines begin at multiples of 16 bytes.
        made.around_picture.high[in] += (size + w.pad + made.around_picture.high[in]) % 2;
        made.around_filter.high[tap] = taps % 2;
      }
      w.pad = 0;
      windows.push_back(mlir::StringAttr::get(op.getContext(), tsr::print_relation(w)));
    }
    made.windows = mlir::ArrayAttr::get(op.getContext(), windows);
    return made;
  }
  static mlir::RankedTensorType with_few_channels(mlir::Type as_named) {
    auto type = mlir::cast<mlir::RankedTensorType>(as_named);
    SmallVector<int64_t, 6> extents(type.getShape());
    extents.back() = few_channels;
    return type.clone(extents);
  }
  // Of each dim so many.
  static Value first_elements(mlir::OpBuilder& b, Value x, ArrayRef<int64_t> extents) {
    if (shape(x) == extents) return x;
    const SmallVector<int64_t, 6> zeros(extents.size(), 0), ones(extents.size(), 1);
    return tsr::SliceOp::create(b, x.getLoc(), tsr::type_of(x).clone(extents), x, b.getDenseI64ArrayAttr(zeros),
                                b.getDenseI64ArrayAttr(extents), b.getDenseI64ArrayAttr(ones));
  }
  static Value padded(mlir::OpBuilder& b, Value x, const Room& room) {
    if (llvm::all_of(room.low, [](int64_t n) { return n == 0; }) &&
        llvm::all_of(room.high, [](int64_t n) { return n == 0; }))
      return x;
    SmallVector<int64_t, 6> extents(shape(x)), zeros(extents.size(), 0);
    for (auto [extent, low, high] : llvm::zip(extents, room.low, room.high)) extent += low + high;
    return tsr::PadOp::create(b, x.getLoc(), tsr::type_of(x).clone(extents), x, b.getDenseI64ArrayAttr(room.low),
                              b.getDenseI64ArrayAttr(room.high), b.getDenseI64ArrayAttr(zeros), b.getF64FloatAttr(0));
  }

  // Read as 16-bit elements by its kernel.
  bool is_of_halves(tsr::ContractOp op) const {
    mlir::Type element = tsr::element_of(op.getY());
    return element.isBF16() || element.isF16() || (element.isF32() && narrow_ && !reads_another_format(op, narrow_));
  }

  // One kernel writes `x` in another order, once for all that read it.
  Value rewritten(mlir::OpBuilder& b, tsr::ContractOp reader, Value x, const MemoryOrder& order,
                  const Room& room = {}) {
    SmallVector<int64_t, 18> how(order.begin(), order.end());
    how.append(room.low), how.append(room.high);
    return written(b, reader, x, how, "with channels innermost",
                   [&](Value from) { return padded(b, in_order(b, from, order), room); });
  }
  Value rows_of(mlir::OpBuilder& b, tsr::ContractOp reader, Value picture, const Patches& patches) {
    SmallVector<int64_t, 18> how(patches.apart.begin(), patches.apart.end());
    how.append(patches.order);
    return written(b, reader, picture, how, "as rows of patches", [&](Value from) -> Value {
      auto apart = tsr::ReshapeOp::create(b, from.getLoc(), tsr::type_of(from).clone(patches.apart), from);
      return tsr::TransposeOp::create(b, from.getLoc(), type(apart, patches.order), apart, patches.order);
    });
  }

  // What `arrange` makes of `x`, by a kernel of its own: a cast if it has to be rounded for contractions anyway. `how` tells
  // it from other arrangements.
  Value written(mlir::OpBuilder& b, tsr::ContractOp reader, Value x, ArrayRef<int64_t> how, const char* as,
                llvm::function_ref<Value(Value)> arrange) {
    auto widening = x.getDefiningOp<tsr::CastOp>();
    const bool is_mixed = narrow_ && tsr::element_of(x).isF32();
    const bool is_rounded = is_mixed && widening && tsr::element_of(widening.getX()) == narrow_;
    const Value from = is_rounded ? widening.getX() : x;
    Value& known = rewritten_[{from, tsr::element_of(x), mlir::DenseI64ArrayAttr::get(b.getContext(), how)}];
    if (!known) {
      const mlir::Location at = from.getLoc();
      known = arrange(from);
      if (is_mixed && !is_rounded) known = tsr::CastOp::create(b, at, tsr::type_of(known).clone(narrow_), known);
      else known = tsr::BarrierOp::create(b, at, known);
      mlir::remark::passed(at, mlir::remark::RemarkOpts::name("rewritten").category("layout"))
          << mlir::remark::add("a kernel of its own writes it {0}", as)
          << mlir::remark::reason("{0}", reader.getEinsum().str() + " reads it so");
      if (is_mixed) {
        known = tsr::CastOp::create(b, at, tsr::type_of(known).clone(b.getF32Type()), known);
        known.getDefiningOp()->setAttr(of_policy, b.getUnitAttr());
      }
    }
    return known;
  }

  static void report(tsr::ContractOp op) {
    mlir::remark::passed(op.getLoc(), mlir::remark::RemarkOpts::name("channels-innermost").category("layout"))
        << mlir::remark::add("pictures have their channels innermost in memory");
  }

  // ---- values in another order ----

  static ArrayRef<int64_t> shape(Value x) { return tsr::shape_of(x); }
  static SmallVector<int64_t, 6> permuted(ArrayRef<int64_t> numbers, ArrayRef<int64_t> order) {
    SmallVector<int64_t, 6> made;
    for (int64_t d : order) made.push_back(numbers[static_cast<size_t>(d)]);
    return made;
  }
  static mlir::Type type(Value x, ArrayRef<int64_t> order) {
    return order.empty() ? x.getType() : tsr::type_of(x).clone(permuted(shape(x), order));
  }

  // `x` with dim order[i] as its i-th.
  Value in_order(mlir::OpBuilder& b, Value x, const MemoryOrder& order) {
    if (order.empty()) return x;
    if (Value known = moved_.lookup(x); known && order_.lookup(x) == order) return known;
    return tsr::TransposeOp::create(b, x.getLoc(), type(x, order), x, order);
  }

  // `op` with operands and result in other orders, its attributes as they were.
  Operation* cloned(mlir::OpBuilder& b, Operation* op, const MemoryOrder& from, const MemoryOrder& to) {
    SmallVector<Value, 3> operands;
    for (Value x : op->getOperands()) operands.push_back(in_order(b, x, from));
    Operation* moved = b.clone(*op);
    moved->setOperands(operands);
    moved->getResult(0).setType(type(op->getResult(0), to));
    return moved;
  }

  void replace(Operation* op, Operation* by, const MemoryOrder& order) {
    Value moved = by->getResult(0), as_named = moved;
    const Value was = op->getResult(0);
    mlir::OpBuilder b(op);
    if (!llvm::is_sorted(order))
      as_named = tsr::TransposeOp::create(b, op->getLoc(), was.getType(), moved, inverse(order));
    if (const MemoryOrder normal = normal_order(order, shape(was)); !normal.empty()) {
      order_[as_named] = normal;
      if (normal == order) moved_[as_named] = moved;
    }
    op->getResult(0).replaceAllUsesWith(as_named);
    op->erase();
  }

  mlir::Block& block_;
  mlir::FloatType narrow_;  // of a mixed precision; null: none
  llvm::DenseMap<Value, MemoryOrder> order_;
  llvm::DenseMap<Value, Value> moved_;  // of values that are transposed for who reads them by name: what lies in memory
  llvm::DenseSet<Value> open_;          // in no memory: constants, draws, broadcasts and what follows from them alone
  // By what is written, the dtype that it is read as, and the order.
  llvm::DenseMap<std::tuple<Value, mlir::Type, mlir::Attribute>, Value> rewritten_;
};

class LayoutPass : public impl::LayoutBase<LayoutPass> {
  void runOnOperation() override {
    if (!getOperation()->hasAttr("tsr.strict")) Layout(getOperation()).run();
  }
};

}  // namespace
}  // namespace tessera::ir
