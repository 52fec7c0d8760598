#include "tests/planes/spellings.h"

#include <cmath>
#include <limits>
#include <numbers>

#include <tessera/core/convert.h>
#include <tessera/core/random.h>

namespace tessera::testing {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr int64_t batch = 2, heads = 4, length = 37, width = 40;
constexpr double keep = 0.75;  // of weights, under dropout

enum Scale { on_scores, divided, on_q, on_k, q_divided, root_on_both, behind_mask };
enum Mask {
  row_ge_column,
  column_le_row,
  fill_where_above,
  not_above,
  difference,
  other_difference,
  below_next,
  from_aranges,
  of_rank_four,
  of_floats,
  tril_of_bool,
  tril_of_numbers,
  add_triangle,
  triangle_first,
  add_written_triangle,
  take_triangle
};
enum Softmax {
  softmax_op,
  by_maximum,
  by_stopped_maximum,
  without_maximum,
  times_reciprocal,
  one_over,
  by_exp2,
  by_scaled_exp2,
  log_softmax_exp,
  logsumexp_op,
  logsumexp_by_hand,
  divided_last,
  of_columns
};
enum Layout { bmhd, bhmd, bhmd_arguments, packed, merged_heads, q_second };
enum Heads { separate, grouped, repeated, gathered, gathered_by_constant, stacked };
enum Bias { bias_second, bias_first, bias_taken };
enum Dropout { dropped, dropped_before_division, dropped_by_product, scaled_last };
enum Casts { no_casts, to_same_type, there_and_back, on_arguments, behind_layout };

struct Scene {
  Family family;
  const Spelling& how;
  DType storage, dtype;
  std::vector<Tensor> data = {};  // arguments, before and while recording
  size_t next = 0;

  int64_t groups() const { return how.heads == separate ? heads : heads / 2; }
  double scale() const { return 1 / std::sqrt(static_cast<double>(width)); }

  // A cast that changes no value.
  Tensor cast_here(Tensor x) const {
    if (how.casts == to_same_type) return cast(x, x.dtype());
    if (how.casts == there_and_back && x.dtype() == f32) return cast(cast(x, f64), f32);
    return x;
  }
};

Tensor row(const Shape& plane) { return iota(plane, 0); }
Tensor column(const Shape& plane) { return iota(plane, 1); }

Tensor constant(DType dtype, double on, double off) {
  std::vector<double> values;
  for (int64_t i = 0; i < length; ++i)
    for (int64_t j = 0; j < length; ++j) values.push_back(j <= i ? on : off);
  return from_doubles(values, dtype, {length, length});
}

// s where row ≥ column, else −∞.
Tensor masked(const Scene& scene, Tensor s, const Tensor& constant_of_mask) {
  const Shape plane{length, length};
  const Tensor i = row(plane), j = column(plane);
  switch (scene.how.mask) {
    case row_ge_column: return where(i >= j, s, -infinity);
    case column_le_row: return where(j <= i, s, -infinity);
    case fill_where_above: return where(j > i, -infinity, s);
    case not_above: return where(!(i < j), s, -infinity);
    case difference: return where(j - i <= 0, s, -infinity);
    case other_difference: return where(i - j >= 0, s, -infinity);
    case below_next: return where(j < i + 1, s, -infinity);
    case from_aranges: return where(unsqueeze(arange(length), 1) >= unsqueeze(arange(length), 0), s, -infinity);
    case of_rank_four: return where(reshape(i >= j, {1, 1, length, length}), s, -infinity);
    case of_floats: return where(cast(i, f32) >= cast(j, f32), s, -infinity);
    case tril_of_bool: return where(constant_of_mask, s, -infinity);
    case tril_of_numbers: return where(constant_of_mask == 0, -infinity, s);
    case add_triangle: return s + constant_of_mask;
    case triangle_first: return constant_of_mask + s;
    case add_written_triangle: return s + where(i >= j, zeros(plane, s.dtype()), -infinity);
    case take_triangle: return s - where(i >= j, zeros(plane, s.dtype()), infinity);
    default: return s;
  }
}

Tensor constant_mask(const Scene& scene) {
  switch (scene.how.mask) {
    case tril_of_bool: return constant(boolean, 1, 0);
    case tril_of_numbers: return constant(scene.dtype, 1, 0);
    case add_triangle:
    case triangle_first: return constant(scene.dtype, 0, -infinity);
    default: return {};
  }
}

// Weights of the scores, and what the output is still to be divided by, if it is divided last.
struct Weights {
  Tensor values, divisor;
};

Tensor drop(const Scene& scene, Tensor x) {
  if (scene.family != Family::dropout) return x;
  const Tensor kept = bernoulli(x.shape(), keep);
  switch (scene.how.dropout) {
    case dropped_by_product: return x * cast(kept, x.dtype()) * (1 / keep);
    case scaled_last: return where(kept, x, 0) * (1 / keep);
    default: return where(kept, x * (1 / keep), 0);
  }
}

Weights weights(const Scene& scene, Tensor s) {
  auto here = [&](Tensor x) { return scene.cast_here(std::move(x)); };
  auto over = [&](Tensor e, bool multiply, bool one) -> Weights {
    const Tensor l = here(sum(e, {-1}, true));
    if (scene.how.softmax == divided_last) return {drop(scene, e), l};
    const bool early = scene.how.dropout == dropped_before_division;
    if (early) e = drop(scene, e);
    Tensor p = multiply ? e * reciprocal(l) : one ? e * (1 / l) : e / l;
    return {early ? p : drop(scene, p), {}};
  };
  const Tensor m = max(s, {-1}, true);
  switch (scene.how.softmax) {
    case by_maximum:
    case divided_last: return over(here(exp(here(s - m))), false, false);
    case by_stopped_maximum: return over(exp(here(s - stop_gradient(m))), false, false);
    case without_maximum: return over(exp(s), false, false);
    case times_reciprocal: return over(exp(s - m), true, false);
    case one_over: return over(exp(s - m), false, true);
    case by_exp2: return over(exp2((s - m) * std::numbers::log2e), false, false);
    case by_scaled_exp2: {
      const Tensor scaled = s * std::numbers::log2e;
      return over(exp2(scaled - max(scaled, {-1}, true)), false, false);
    }
    case log_softmax_exp: return {drop(scene, exp(here(log_softmax(s, -1)))), {}};
    case of_columns: return {drop(scene, transpose(softmax(transpose(s), -2))), {}};
    case logsumexp_op: return {drop(scene, exp(s - unsqueeze(logsumexp(s, -1), -1))), {}};
    case logsumexp_by_hand: return {drop(scene, exp(s - (m + log(sum(exp(s - m), {-1}, true))))), {}};
    default: return {drop(scene, here(softmax(here(s), -1))), {}};
  }
}

// k or v, [batch, length, groups, width], with as many heads as q has.
Tensor repeat_heads(const Scene& scene, Tensor x, const Tensor& group_of_head) {
  const int64_t g = scene.groups(), r = heads / g;
  switch (scene.how.heads) {
    case repeated: {
      x = broadcast_in_dim(x, {batch, length, g, r, width}, {0, 1, 2, 4});
      return reshape(x, {batch, length, heads, width});
    }
    case stacked:
      return reshape(stack(std::vector<Tensor>(static_cast<size_t>(r), x), 3), {batch, length, heads, width});
    case gathered: return gather(x, floor_divide(arange(heads), r), 2);
    case gathered_by_constant: return gather(x, group_of_head, 2);
    default: return x;
  }
}

Tensor attend(Scene& scene, Tensor q, Tensor k, Tensor v, const Tensor& bias, const Tensor& mask_constant,
              const Tensor& group_of_head) {
  const Spelling& how = scene.how;
  const double c = scene.scale();
  auto here = [&](Tensor x) { return scene.cast_here(std::move(x)); };
  q = here(q), k = here(k), v = here(v);
  if (how.scale == on_q) q = q * c;
  if (how.scale == q_divided) q = q / std::sqrt(static_cast<double>(width));
  if (how.scale == on_k) k = c * k;
  if (how.scale == root_on_both) q = q * std::sqrt(c), k = k * std::sqrt(c);
  const bool is_grouped = how.heads == grouped;
  if (is_grouped) q = reshape(q, {batch, length, scene.groups(), heads / scene.groups(), width});
  else k = repeat_heads(scene, k, group_of_head), v = repeat_heads(scene, v, group_of_head);
  const bool heads_first = how.layout == bhmd || how.layout == bhmd_arguments || how.layout == merged_heads;
  if (heads_first) q = permute(q, {0, 2, 1, 3}), k = permute(k, {0, 2, 1, 3}), v = permute(v, {0, 2, 1, 3});
  if (how.casts == behind_layout) q = cast(q, scene.dtype), k = cast(k, scene.dtype), v = cast(v, scene.dtype);

  Tensor s;
  if (how.layout == merged_heads) {
    q = reshape(q, {batch * heads, length, width}), k = reshape(k, q.shape()), v = reshape(v, q.shape());
    s = reshape(matmul(q, transpose(k)), {batch, heads, length, length});
  } else if (how.layout == q_second) {
    s = einsum("bshd,bthd->bhts", k, q);
  } else if (is_grouped) {
    s = reshape(einsum("btgrd,bsgd->bgrts", q, k), {batch, heads, length, length});
  } else {
    s = heads_first ? einsum("bhtd,bhsd->bhts", q, k) : einsum("bthd,bshd->bhts", q, k);
  }
  s = here(s);
  if (scene.family == Family::narrow_scores) s = cast(cast(s, bf16), scene.dtype);
  if (how.scale == on_scores) s = s * c;
  if (how.scale == divided) s = s / std::sqrt(static_cast<double>(width));
  if (scene.family == Family::bias) {
    if (how.bias == bias_first) s = bias + s;
    else if (how.bias == bias_taken) s = s - (-bias);
    else s = s + bias;
  }
  s = here(masked(scene, s, mask_constant));
  if (how.scale == behind_mask) s = s * c;

  auto [p, divisor] = weights(scene, s);
  if (scene.family == Family::narrow_weights) p = cast(cast(p, bf16), scene.dtype);
  Tensor o;
  if (how.layout == merged_heads)
    o = permute(reshape(matmul(reshape(p, {batch * heads, length, length}), v), {batch, heads, length, width}),
                {0, 2, 1, 3});
  else if (how.layout == q_second) o = einsum("bshd,bhts->bthd", v, p);
  else if (is_grouped)
    o = reshape(einsum("bgrts,bsgd->btgrd", reshape(p, {batch, scene.groups(), -1, length, length}), v),
                {batch, length, heads, width});
  else o = heads_first ? permute(einsum("bhts,bhsd->bhtd", p, v), {0, 2, 1, 3}) : einsum("bhts,bshd->bthd", p, v);
  if (divisor.valid()) o = o / permute(divisor, {0, 2, 1, 3});
  return here(o);
}

}  // namespace

const char* name(Family family) {
  switch (family) {
    case Family::causal: return "causal";
    case Family::bias: return "dense bias";
    case Family::dropout: return "dropout";
    case Family::narrow_operands: return "bf16 operands, widened";
    case Family::narrow_scores: return "scores that the user rounds to bf16";
    case Family::narrow_weights: return "weights that the user rounds to bf16";
  }
  return "";
}

const std::vector<Family>& families() {
  static const std::vector<Family> all = {Family::causal,          Family::bias,          Family::dropout,
                                          Family::narrow_operands, Family::narrow_scores, Family::narrow_weights};
  return all;
}

const std::vector<Choice>& choices() {
  static const std::vector<Choice> all = {
      {"scale",
       &Spelling::scale,
       {"on scores", "scores divided", "on q", "on k", "q divided", "its root on q and k", "behind the mask"}},
      {"mask",
       &Spelling::mask,
       {"row >= column", "column <= row", "fill where column > row", "not (row < column)", "column - row <= 0",
        "row - column >= 0", "column < row + 1", "two aranges", "of rank 4", "float iotas", "tril of bool",
        "tril of numbers", "plus a triangle", "a triangle plus", "plus a written triangle", "minus a triangle"}},
      {"softmax",
       &Spelling::softmax,
       {"softmax", "by maximum", "by stopped maximum", "without maximum", "times reciprocal", "times one over", "exp2",
        "exp2 of scaled scores", "exp of log_softmax", "exp(s - logsumexp)", "exp(s - (m + log sum))",
        "divided after the values", "of transposed scores"}},
      {"layout", &Spelling::layout, {"BMHD", "BHMD", "BHMD arguments", "packed qkv", "merged heads", "k times q"}},
      {"heads",
       &Spelling::heads,
       {"separate", "grouped", "repeated by broadcast", "gathered by i / r", "gathered by a constant", "stacked"}},
      {"bias", &Spelling::bias, {"second", "first", "minus its negative"}},
      {"dropout",
       &Spelling::dropout,
       {"after softmax", "before the division", "product with the coin", "scaled after the coin"}},
      {"casts", &Spelling::casts, {"none", "to the same type", "to f64 and back", "on arguments", "behind the layout"}},
  };
  return all;
}

bool is_sayable(Family family, const Spelling& how) {
  if (how.scale == behind_mask && family == Family::bias) return false;  // would scale the bias
  if (how.heads == grouped && how.layout != bmhd && how.layout != packed) return false;
  if (family != Family::bias && how.bias != bias_second) return false;
  if (family != Family::dropout && how.dropout != dropped) return false;
  const bool by_hand = (how.softmax >= by_maximum && how.softmax <= by_scaled_exp2) || how.softmax == divided_last;
  if (how.dropout == dropped_before_division && !by_hand) return false;
  const bool scales_operands =
      how.scale == on_q || how.scale == on_k || how.scale == q_divided || how.scale == root_on_both;
  // These would round other numbers.
  if (family == Family::narrow_weights && how.softmax == divided_last) return false;
  if (family == Family::narrow_scores && scales_operands) return false;
  if (how.casts == behind_layout && scales_operands) return false;  // in bf16
  const bool widens = how.casts == on_arguments || how.casts == behind_layout;
  return (family == Family::narrow_operands) == widens;
}

Spelling draw_spelling(Family family, Draw& draw) {
  for (;;) {
    Spelling one;
    for (const Choice& choice : choices())
      one.*choice.field = static_cast<int>(draw.below(static_cast<int64_t>(choice.ways.size())));
    if (is_sayable(family, one)) return one;
  }
}

std::string describe(const Spelling& how) {
  std::string text;
  for (const Choice& choice : choices()) {
    const int way = how.*choice.field;
    if (way == 0) continue;
    if (!text.empty()) text += ", ";
    text += std::string(choice.name) + " " + choice.ways[static_cast<size_t>(way)];
  }
  return text.empty() ? "as it is" : text;
}

SpelledAttention spelled(Family family, const Spelling& how, DType storage, DType dtype, uint64_t seed) {
  Scene scene{family, how, storage, dtype};
  Draw draw(seed);
  const int64_t g = scene.groups();
  // The values of the narrower dtype, whatever is computed with. Arguments are in `stored`.
  const DType stored = family == Family::narrow_operands && dtype != f64 ? storage : dtype;
  auto data = [&](const Shape& of) { return random_tensor(draw, storage, stored, of, {-1, 1}); };
  std::vector<Tensor> arguments;
  const Shape of_q{batch, length, heads, width}, of_k{batch, length, g, width};
  const bool first = how.layout == bhmd_arguments;
  auto laid = [&](const Shape& s) { return first ? Shape{s[0], s[2], s[1], s[3]} : s; };
  if (how.layout == packed) arguments = {data({batch, length, (heads + 2 * g) * width})};
  else arguments = {data(laid(of_q)), data(laid(of_k)), data(laid(of_k))};
  const Tensor bias = family == Family::bias ? data({heads, length, length}) : Tensor();
  if (bias.valid()) arguments.push_back(bias);
  const Tensor mask = constant_mask(scene);
  const Tensor groups = how.heads == gathered_by_constant ? floor_divide(arange(heads), heads / g).eval() : Tensor();

  auto body = [family, how, storage, dtype, mask, groups, first, g](const std::vector<Tensor>& in) {
    Scene here{family, how, storage, dtype};
    Tensor q, k, v;
    if (how.layout == packed) {
      Tensor all = in[0];
      if (how.casts == on_arguments) all = cast(all, dtype);
      all = reshape(all, {batch, length, heads + 2 * g, width});
      q = slice(all, 2, {0, heads}), k = slice(all, 2, {heads, heads + g}), v = slice(all, 2, {heads + g});
    } else {
      q = in[0], k = in[1], v = in[2];
      if (how.casts == on_arguments) q = cast(q, dtype), k = cast(k, dtype), v = cast(v, dtype);
      if (first) q = permute(q, {0, 2, 1, 3}), k = permute(k, {0, 2, 1, 3}), v = permute(v, {0, 2, 1, 3});
    }
    return attend(here, q, k, v, family == Family::bias ? in.back() : Tensor(), mask, groups);
  };
  return {std::move(arguments), std::move(body)};
}

}  // namespace tessera::testing
