#include <tessera/core/shape_rules_argument.h>

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace tessera::rules {

// ---- contraction ----

namespace {

// What a contraction knows of each letter: its extent, and where it stands.
class Letters {
 public:
  static constexpr int64_t unknown = -1;
  Letters() { extent_.fill(unknown); }
  int64_t& operator[](char c) { return extent_[static_cast<size_t>(static_cast<unsigned char>(c))]; }

 private:
  std::array<int64_t, 256> extent_;
};

void read_operand(const Call& call, const std::string& word, const Node& x, Letters& letters,
                  const Operands& operands) {
  if (static_cast<int>(word.size()) != x.shape.rank())  // contract_c4
    throw ShapeError(text(
        call, "T-S028", fmt::format("names {} dims in '{}' for a tensor of {} dims", word.size(), word, x.shape.rank()),
        operands, "write one letter per dim"));
  for (size_t i = 0; i < word.size(); ++i) {
    const int64_t have = x.shape[static_cast<int>(i)];
    if (int64_t& known = letters[word[i]]; known == Letters::unknown) known = have;
    else if (known != have)  // contract_c5
      throw ShapeError(text(call, "T-S029", fmt::format("letter '{}' is {} in lhs and {} in rhs", word[i], known, have),
                            operands, fmt::format("a letter has one extent: dim {} of rhs must be {}", i, known)));
  }
}

// The places that a forward convolution visits: the largest `out` whose last tap still lies in the padded input.
int64_t window_count(int64_t in, int64_t taps, int64_t stride, int64_t dilation, int64_t pad) {
  const int64_t room = in + 2 * pad - dilation * (taps - 1) - 1;
  return taps < 1 || room < 0 ? 0 : room / stride + 1;
}

void read_window(const Call& call, const Einsum& words, const WindowRelation& w, Letters& letters, std::string& taken,
                 const Operands& operands) {
  const std::string all = words.a + words.b + words.out;
  for (char c : {w.in, w.out, w.tap}) {
    if (all.find(c) == std::string::npos)  // contract_c7
      throw ValueError(text(call, "T-V024",
                            fmt::format("relates the letter '{}', which '{}' does not have", c, words.str()), operands,
                            "in, out and tap are letters of the einsum string"));
    if (taken.find(c) != std::string::npos)  // contract_c8
      throw ValueError(text(call, "T-V024", fmt::format("relates the letter '{}' twice", c), operands,
                            "each letter is in, out or tap of one window"));
    taken += c;
  }
  if (w.stride < 1 || w.dilation < 1)  // contract_c9
    throw ValueError(text(call, "T-V025", fmt::format("has stride {} and dilation {}", w.stride, w.dilation), operands,
                          "both are 1 or more"));
  if (letters[w.out] != Letters::unknown || letters[w.in] == Letters::unknown || letters[w.tap] == Letters::unknown)
    return;
  letters[w.out] = window_count(letters[w.in], letters[w.tap], w.stride, w.dilation, w.pad);
  if (letters[w.out] == 0)  // contract_c10
    throw ShapeError(text(call, "T-S031",
                          fmt::format("window '{}' of {} taps does not fit into '{}' of {} with padding {}", w.tap,
                                      letters[w.tap], w.in, letters[w.in], w.pad),
                          operands, "pad more, or use a smaller kernel or dilation"));
}

std::string missing_extent_hint(char c, const std::vector<WindowRelation>& windows, Letters& letters) {
  for (const WindowRelation& w : windows)
    if (c == w.in && letters[w.out] > 0 && letters[w.tap] > 0)
      return fmt::format("give its extent: {{{{'{}', {}}}}} is the smallest that every tap reaches", c,
                         w.stride * (letters[w.out] - 1) + w.dilation * (letters[w.tap] - 1) + 1 - 2 * w.pad);
  return fmt::format("no operand has '{}': correct the letter, or give its extent as {{{{'{}', n}}}}", c, c);
}

}  // namespace

Contraction contract(const Call& call, const Node& a, const Node& b, std::string_view einsum,
                     std::vector<WindowRelation> windows, const std::vector<LetterExtent>& extents) {
  const Operands operands(a, b);
  not_storage_only(call, a.dtype, operands);
  not_storage_only(call, b.dtype, operands);
  const DType dtype = promote(a.dtype, b.dtype);
  if (dtype == boolean)  // contract_c1
    throw DTypeError(text(call, "T-D018", "does not multiply bool", operands, "cast to i32 or f32 first"));

  std::optional<Einsum> words = parse_einsum(einsum);
  if (!words)  // contract_c2
    throw ValueError(text(call, "T-V022", fmt::format("cannot read the einsum string '{}'", einsum), operands,
                          "write two operands and the result, a letter per dim: \"ij,jk->ik\""));
  for (const std::string* word : {&words->a, &words->b, &words->out})
    for (char c : *word)
      if (std::count(word->begin(), word->end(), c) > 1)  // contract_c3
        throw ValueError(text(call, "T-V023", fmt::format("has the letter '{}' twice in '{}'", c, *word), operands,
                              "a letter stands once per tensor; for a diagonal multiply by eye() and sum"));

  Letters letters;
  read_operand(call, words->a, a, letters, operands);
  read_operand(call, words->b, b, letters, operands);
  for (const LetterExtent& e : extents) {
    int64_t& known = letters[e.letter];
    const bool used = words->str().find(e.letter) != std::string::npos;
    if (!used || e.extent < 0 || (known != Letters::unknown && known != e.extent))  // contract_c6
      throw ShapeError(text(call, "T-S029",
                            used && e.extent >= 0 ? fmt::format("letter '{}' is {}, not {}", e.letter, known, e.extent)
                                                  : fmt::format("has no use for extent {} of '{}'", e.extent, e.letter),
                            operands, "extents are for letters that stand only in the result"));
    known = e.extent;
  }
  std::string taken;
  for (const WindowRelation& w : windows) read_window(call, *words, w, letters, taken, operands);

  Dims out;
  for (char c : words->out) {
    if (letters[c] == Letters::unknown)  // contract_c11
      throw ShapeError(text(call, "T-S030", fmt::format("result letter '{}' has no extent", c), operands,
                            missing_extent_hint(c, windows, letters)));
    out.push_back(letters[c]);
  }
  return {dtype, {words->str(), std::move(windows)}, std::move(out)};
}

Shape matmul(const Call& call, const Node& a, const Node& b) {
  const Operands operands(a, b);
  const int ranks[] = {a.shape.rank(), b.shape.rank()};
  if (ranks[0] == 0 || ranks[1] == 0)  // matmul_c1
    throw ShapeError(text(call, "T-S026", "needs at least one dim on each side", operands, "scale by a scalar with *"));
  const int64_t inner = a.shape[-1], other = b.shape[ranks[1] == 1 ? -1 : -2];
  if (inner != other) {  // matmul_c2
    std::string hint = "the last dim of lhs meets the last but one of rhs";
    if (ranks[1] > 1 && b.shape[-1] == inner) hint = "rhs lies the other way round: matmul(a, transpose(b))";
    else if (ranks[0] > 1 && a.shape[-2] == other) hint = "lhs lies the other way round: matmul(transpose(a), b)";
    throw ShapeError(
        text(call, "T-S012", fmt::format("inner dimensions differ: {} vs {}", inner, other), operands, hint));
  }
  const auto leading = [](const Shape& s) { return Shape(Dims(s.begin(), s.end() - std::min(2, s.rank()))); };
  std::optional<Shape> met = broadcast(leading(a.shape), leading(b.shape));
  if (!met)  // matmul_c3
    throw ShapeError(
        text(call, "T-S027",
             fmt::format("leading dims {} and {} do not broadcast", leading(a.shape).str(), leading(b.shape).str()),
             operands, "all dims but the last two align at the right; an extent of 1 stretches"));
  return *met;
}

// ---- windows ----

Windowed window(const Call& call, const char* label, const Node& x, const Shape& whole, WindowAttrs attrs) {
  const Operands operands(label, x);
  const size_t count = attrs.dims.size();
  if (attrs.stride.empty()) attrs.stride.assign(count, 1);
  if (attrs.dilation.empty()) attrs.dilation.assign(count, 1);
  if (attrs.size.size() != count || attrs.stride.size() != count || attrs.dilation.size() != count)  // window_c1
    throw ValueError(text(call, "T-V013",
                          fmt::format("got {} sizes, {} strides and {} dilations for {} dims", attrs.size.size(),
                                      attrs.stride.size(), attrs.dilation.size(), count),
                          operands, "give one of each per windowed dim; no strides or no dilations means 1"));
  attrs.dims = checked_dims(call, attrs.dims, whole.rank(), operands);
  Shape shape = whole;
  for (size_t i = 0; i < count; ++i) {
    if (attrs.size[i] < 1 || attrs.stride[i] < 1 || attrs.dilation[i] < 1)  // window_c2
      throw ValueError(
          text(call, "T-V025",
               fmt::format("has size {}, stride {} and dilation {}", attrs.size[i], attrs.stride[i], attrs.dilation[i]),
               operands, "all are 1 or more"));
    int64_t& extent = shape[static_cast<int>(attrs.dims[i])];
    const int64_t windows = window_count(extent, attrs.size[i], attrs.stride[i], attrs.dilation[i], 0);
    if (windows == 0)  // window_c3
      throw ShapeError(text(call, "T-S032",
                            fmt::format("of {} taps with dilation {} does not fit into dim {} of {}", attrs.size[i],
                                        attrs.dilation[i], attrs.dims[i], whole.str()),
                            operands, "pad() the tensor first, or use a smaller window"));
    extent = windows;
  }
  Dims out = shape.dims();
  out.insert(out.end(), attrs.size.begin(), attrs.size.end());
  return {std::move(attrs), std::move(out)};
}

void fold(const Call& call, const Node& windows, const Shape& whole, const Shape& wanted) {
  not_storage_only(call, windows.dtype, Operands("windows", windows));
  if (windows.dtype == boolean)  // fold_c1
    throw DTypeError(text(call, "T-D011", "does not add bool", Operands("windows", windows), "cast to i32 first"));
  if (windows.shape != wanted)  // fold_c2
    throw ShapeError(
        text(call, "T-S033",
             fmt::format("to {} needs windows of shape {}, not {}", whole.str(), wanted.str(), windows.shape.str()),
             Operands("windows", windows), "fold() undoes window() with the same attributes"));
}

}  // namespace tessera::rules
