#include <map>
#include <numeric>

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <tessera/ir/passes/Passes.h>
#include <tessera/ir/tsr/Einsum.h>
#include <tessera/ir/tsr/Tsr.h>

namespace tessera::ir {

#define GEN_PASS_DEF_LEGALIZECONTRACT
#include <tessera/ir/passes/Passes.h.inc>

namespace {

using llvm::SmallVector;
using mlir::Value;
using Extents = SmallVector<int64_t, 6>;

Extents extents_of(Value x) { return llvm::to_vector<6>(tsr::shape_of(x)); }
bool has(const std::string& word, char letter) { return word.find(letter) != std::string::npos; }

// One contraction on its way to a legal form: each step below changes operands, words and relations together.
class Legalizer {
 public:
  explicit Legalizer(tsr::ContractOp op)
      : b_(op),
        at_(op.getLoc()),
        words_(*parse_einsum(std::string_view(op.getEinsum()))),
        a_(op.getA()),
        b_operand_(op.getB()),
        relations_(tsr::relations_of(op.getWindows())),
        element_(tsr::element_of(op.getY())) {
    for (auto [word, tensor] : {std::pair{&words_.a, a_}, {&words_.b, b_operand_}, {&words_.out, op.getY()}})
      for (auto [letter, n] : llvm::zip(*word, tsr::shape_of(tensor))) extent_[letter] = n;
  }

  // Null when a relation has a form that no step handles.
  Value run() {
    const std::string wanted = words_.out;
    std::erase_if(words_.out, [&](char c) { return !has(words_.a, c) && !has(words_.b, c) && !related(c); });
    sum_lone_letters(words_.a, words_.b, a_);
    sum_lone_letters(words_.b, words_.a, b_operand_);
    Value result = phases(0);
    return result ? broadcast(result, wanted) : result;
  }

 private:
  bool related(char letter) const {
    return llvm::any_of(relations_,
                        [&](const WindowRelation& w) { return w.in == letter || w.out == letter || w.tap == letter; });
  }

  void sum_lone_letters(std::string& word, const std::string& other, Value& tensor) {
    SmallVector<int64_t, 4> dims;
    std::string kept;
    Extents shape;
    for (auto [d, letter] : llvm::enumerate(word)) {
      if (!has(other, letter) && !has(words_.out, letter) && !related(letter)) {
        dims.push_back(static_cast<int64_t>(d));
        continue;
      }
      kept += letter;
      shape.push_back(extent_[letter]);
    }
    if (dims.empty()) return;
    word = kept;
    tensor =
        tsr::ReduceOp::create(b_, at_, type(shape), b_.getStringAttr("sum"), tensor, b_.getDenseI64ArrayAttr(dims));
  }

  Value broadcast(Value result, const std::string& wanted) {
    if (words_.out == wanted) return result;
    SmallVector<int64_t, 4> dims;
    Extents shape;
    for (auto [d, letter] : llvm::enumerate(wanted)) {
      shape.push_back(extent_[letter]);
      if (has(words_.out, letter)) dims.push_back(static_cast<int64_t>(d));
    }
    return tsr::BroadcastOp::create(b_, at_, type(shape), result, b_.getDenseI64ArrayAttr(dims));
  }

  // ---- `in` letters of the result, from relation `first` on ----
  //
  // h = s·p + d·r − pad. Let h = s·i + f. With g = gcd(d, s), the taps that reach phase f are r = r0 + (s/g)·m, and
  //   p = i + c − (d/g)·m   where   c = (f + pad − d·r0) / s,
  // a relation of stride 1 that reads p, its taps reversed so that the dilation is positive.
  Value phases(size_t first) {
    while (first < relations_.size() && !has(words_.out, relations_[first].in)) ++first;
    if (first == relations_.size()) return contraction();
    const WindowRelation w = relations_[first];
    std::string& taps_word = has(words_.a, w.tap) ? words_.a : words_.b;
    const bool splits = has(words_.a + words_.b, w.in) || has(words_.out, w.out) || has(words_.out, w.tap) ||
                        !has(words_.a + words_.b, w.out) || !has(taps_word, w.tap) ||
                        (has(words_.a, w.tap) && has(words_.b, w.tap));
    if (splits) return {};
    if (w.stride > 1 && w.stride == extent_[w.tap] && w.dilation == 1 && w.pad == 0 &&
        extent_[w.in] == w.stride * extent_[w.out])
      return side_by_side(first);
    Value& taps = &taps_word == &words_.a ? a_ : b_operand_;
    const Value all_taps = taps;
    const int64_t whole = extent_[w.in], tap_count = extent_[w.tap];
    const int64_t per_phase = (whole + w.stride - 1) / w.stride, g = std::gcd(w.dilation, w.stride);
    extent_[w.in] = per_phase;
    const int64_t step = w.stride / g, dilation = w.dilation / g;
    struct Phase {
      int64_t r0 = 0, count = 0;
      WindowRelation relation;
    };
    SmallVector<Phase, 4> all;
    for (int64_t f = 0; f < w.stride; ++f) {
      Phase& phase = all.emplace_back();
      while (phase.r0 < tap_count && (w.dilation * phase.r0 - f - w.pad) % w.stride != 0) ++phase.r0;
      if (phase.r0 == tap_count) continue;
      phase.count = (tap_count - phase.r0 + step - 1) / step;
      const int64_t c = (f + w.pad - w.dilation * phase.r0) / w.stride;
      phase.relation = {w.out, w.in, w.tap, 1, dilation, dilation * (phase.count - 1) - c};
      extent_[w.tap] = phase.count;
      room_[w.out] = room_[w.out].and_also(padding_of(phase.relation));
    }
    SmallVector<Value, 4> parts;
    for (const Phase& phase : all) {
      if (phase.count == 0) {
        parts.push_back({});
        continue;
      }
      taps = chosen_taps(all_taps, static_cast<int64_t>(taps_word.find(w.tap)), phase.r0, step, phase.count);
      extent_[w.tap] = phase.count;
      relations_[first] = phase.relation;
      parts.push_back(phases(first + 1));
      if (!parts.back()) return {};
    }
    extent_[w.in] = whole;
    extent_[w.tap] = tap_count;
    relations_[first] = w;
    taps = all_taps;
    room_.erase(w.out);
    return interleaved(parts, w.in, per_phase);
  }

  // Windows that cover the result side by side: h = s·p + r with r < s is the pair (p, r).
  Value side_by_side(size_t first) {
    const WindowRelation w = relations_[first];
    const size_t dim = words_.out.find(w.in);
    words_.out.replace(dim, 1, {w.out, w.tap});
    relations_.erase(relations_.begin() + static_cast<ptrdiff_t>(first));
    const Value pairs = phases(first);
    words_.out.replace(dim, 2, 1, w.in);
    relations_.insert(relations_.begin() + static_cast<ptrdiff_t>(first), w);
    if (!pairs) return {};
    Extents shape;
    for (char c : words_.out) shape.push_back(extent_[c]);
    return tsr::ReshapeOp::create(b_, at_, type(shape), pairs);
  }

  Value chosen_taps(Value taps, int64_t dim, int64_t start, int64_t step, int64_t count) {
    Extents shape = extents_of(taps);
    Extents starts(shape.size(), 0), stops = shape, steps(shape.size(), 1);
    const size_t d = static_cast<size_t>(dim);
    starts[d] = start;
    steps[d] = step;
    stops[d] = start + step * (count - 1) + 1;
    shape[d] = count;
    Value slice = tsr::SliceOp::create(b_, at_, type(shape), taps, b_.getDenseI64ArrayAttr(starts),
                                       b_.getDenseI64ArrayAttr(stops), b_.getDenseI64ArrayAttr(steps));
    return tsr::ReverseOp::create(b_, at_, type(shape), slice, b_.getDenseI64ArrayAttr(dim));
  }

  // Phase f holds the elements f, f + s, …: they become a dim behind that of the phase.
  Value interleaved(SmallVector<Value, 4>& parts, char letter, int64_t per_phase) {
    Extents shape;
    for (char c : words_.out) shape.push_back(c == letter ? per_phase : extent_[c]);
    const size_t d = words_.out.find(letter), phases = parts.size();
    for (Value& part : parts)
      if (!part) part = tsr::ConstantOp::create(b_, at_, type(shape), b_.getF64FloatAttr(0));
    if (phases == 1) return parts[0];
    shape.insert(shape.begin() + static_cast<ptrdiff_t>(d) + 1, 1);
    for (Value& part : parts) part = tsr::ReshapeOp::create(b_, at_, type(shape), part);
    shape[d + 1] = static_cast<int64_t>(phases);
    Value all = tsr::ConcatOp::create(b_, at_, type(shape), parts, static_cast<uint64_t>(d + 1));
    shape.erase(shape.begin() + static_cast<ptrdiff_t>(d) + 1);
    shape[d] = per_phase * static_cast<int64_t>(phases);
    all = tsr::ReshapeOp::create(b_, at_, type(shape), all);
    if (shape[d] == extent_[letter]) return all;
    shape[d] = extent_[letter];
    const Extents zeros(shape.size(), 0), ones(shape.size(), 1);
    return tsr::SliceOp::create(b_, at_, type(shape), all, b_.getDenseI64ArrayAttr(zeros),
                                b_.getDenseI64ArrayAttr(shape), b_.getDenseI64ArrayAttr(ones));
  }

  // ---- `in` letters of operands ----

  // Elements before a tensor's first one, and behind its last.
  struct Padding {
    int64_t low = 0, high = 0;
    Padding and_also(Padding other) const { return {std::max(low, other.low), std::max(high, other.high)}; }
    bool operator==(const Padding&) const = default;
  };

  // What `w` reads beyond its `in` letter.
  Padding padding_of(const WindowRelation& w) {
    const int64_t last = w.stride * (extent_[w.out] - 1) + w.dilation * (extent_[w.tap] - 1) - w.pad;
    return {std::max<int64_t>(w.pad, 0), std::max<int64_t>(last - (extent_[w.in] - 1), 0)};
  }

  // Phases that need a padding take the one that does for all of them: then it is written once.
  Value contraction() {
    Value a = a_, b = b_operand_;
    const bool pads = llvm::any_of(relations_, [&](const WindowRelation& w) { return padding_of(w) != Padding(); });
    SmallVector<mlir::Attribute, 2> windows;
    for (WindowRelation w : relations_) {
      const auto room = room_.find(w.in);
      const Padding padding = pads && room != room_.end() ? room->second.and_also(padding_of(w)) : padding_of(w);
      if (has(words_.a, w.in)) a = padded(a, words_.a.find(w.in), padding);
      if (has(words_.b, w.in)) b = padded(b, words_.b.find(w.in), padding);
      w.pad -= padding.low;
      windows.push_back(b_.getStringAttr(tsr::print_relation(w)));
    }
    Extents shape;
    for (char c : words_.out) shape.push_back(extent_[c]);
    return tsr::ContractOp::create(b_, at_, type(shape), b_.getStringAttr(words_.str()), a, b,
                                   b_.getArrayAttr(windows));
  }

  Value padded(Value x, size_t dim, Padding padding) {
    if (padding == Padding()) return x;
    Extents shape = extents_of(x), lows(shape.size(), 0), highs = lows, interior = lows;
    lows[dim] = padding.low;
    highs[dim] = padding.high;
    shape[dim] += padding.low + padding.high;
    return tsr::PadOp::create(b_, at_, type(shape), x, b_.getDenseI64ArrayAttr(lows), b_.getDenseI64ArrayAttr(highs),
                              b_.getDenseI64ArrayAttr(interior), b_.getF64FloatAttr(0));
  }

  mlir::Type type(llvm::ArrayRef<int64_t> shape) const { return mlir::RankedTensorType::get(shape, element_); }

  mlir::OpBuilder b_;
  mlir::Location at_;
  Einsum words_;
  Value a_, b_operand_;
  std::vector<WindowRelation> relations_;
  mlir::Type element_;
  std::map<char, int64_t> extent_;
  std::map<char, Padding> room_;  // of letters that phases read
};

class LegalizeContractPass : public impl::LegalizeContractBase<LegalizeContractPass> {
  void runOnOperation() override {
    for (mlir::Operation& op : llvm::make_early_inc_range(getOperation().getBody().front())) {
      auto contract = llvm::dyn_cast<tsr::ContractOp>(op);
      if (!contract) continue;
      Value by = Legalizer(contract).run();
      if (!by) {
        contract.emitOpError("relates letters in a way that has no kernel");
        return signalPassFailure();
      }
      contract.getY().replaceAllUsesWith(by);
      contract.erase();
    }
  }
};

}  // namespace
}  // namespace tessera::ir
