#include "tests/planes/attention.h"

#include <cmath>
#include <limits>

#include <tessera/autograd/grad.h>

namespace tessera::testing {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

struct Scene {
  const AttentionShape& shape;
  DType storage, dtype;
  Draw draw;
  std::vector<Tensor> learned = {};

  // The values of the narrower dtype, whatever is computed with.
  Tensor data(const Shape& of) { return random_tensor(draw, storage, dtype, of, {-1, 1}); }

  Shape plane() const { return {shape.rows, shape.columns}; }
  Tensor row() const { return iota(plane(), 0) + (shape.columns - shape.rows); }
  Tensor column() const { return iota(plane(), 1); }
  Tensor learn(const Shape& of) {
    learned.push_back(data(of));
    return learned.back();
  }
  Tensor per_head(const Tensor& x) const { return reshape(x, {shape.heads, 1, 1}); }
};

// Two halves of each row of x turned against each other by an angle that grows with its position, which begins at
// `first`.
Tensor rotated(const Tensor& x, int64_t first) {
  const int64_t half = x.size(3) / 2;
  std::vector<double> cosines, sines;
  for (int64_t t = 0; t < x.size(1); ++t)
    for (int64_t d = 0; d < half; ++d) {
      const double step = std::pow(10000.0, -static_cast<double>(d) / static_cast<double>(half));
      cosines.push_back(std::cos(static_cast<double>(first + t) * step));
      sines.push_back(std::sin(static_cast<double>(first + t) * step));
    }
  Tensor cosine = from_doubles(cosines, x.dtype(), {x.size(1), 1, half}),
         sine = from_doubles(sines, x.dtype(), cosine.shape());
  Tensor a = slice(x, 3, {0, half}), b = slice(x, 3, {half, 2 * half});
  return concat({a * cosine - b * sine, a * sine + b * cosine}, 3);
}

// Keys of which the last quarter is rotated, and the same for all heads.
Tensor latent_keys(Scene& scene) {
  const AttentionShape& shape = scene.shape;
  const int64_t quarter = shape.width / 4;
  Tensor own = scene.learn({shape.batch, shape.columns, shape.heads, shape.width - quarter});
  Tensor shared = rotated(scene.learn({shape.batch, shape.columns, 1, quarter}), 0);
  return concat({own, broadcast_to(shared, {shape.batch, shape.columns, shape.heads, quarter})}, 3);
}

Tensor score(Scene& scene, const std::string& variant, Tensor s) {
  const AttentionShape& shape = scene.shape;
  if (variant == "causal") return where(scene.row() >= scene.column(), s, -infinity);
  if (variant == "window") {
    Tensor back = scene.row() - scene.column();
    return where(back >= 0 && back < 16, s, -infinity);
  }
  if (variant == "alibi") {
    std::vector<double> slopes;
    for (int64_t h = 0; h < shape.heads; ++h)
      slopes.push_back(std::exp2(-8.0 * static_cast<double>(h + 1) / static_cast<double>(shape.heads)));
    Tensor slope = scene.per_head(from_doubles(slopes, scene.dtype, {shape.heads}));
    return s + slope * cast(scene.column() - scene.row(), scene.dtype);
  }
  if (variant == "softcap") return 5 * tanh(s / 5);
  if (variant == "table") {
    Tensor table = scene.learn({33, shape.heads});
    Tensor bucket = clamp(scene.column() - scene.row(), -16, 16) + 16;
    return s + permute(gather(table, bucket), {2, 0, 1});
  }
  if (variant == "scale") return s * scene.per_head(scene.learn({shape.heads}));
  if (variant == "pair") return s + scene.learn({shape.heads, shape.rows, shape.columns});
  if (variant == "documents") {
    std::vector<double> rows, columns;
    for (int64_t i = 0; i < shape.rows; ++i) rows.push_back(static_cast<double>(i * 3 / shape.rows));
    for (int64_t i = 0; i < shape.columns; ++i) columns.push_back(static_cast<double>(i * 3 / shape.columns));
    Tensor same = reshape(from_doubles(rows, i32, {shape.rows}), {shape.rows, 1}) ==
                  reshape(from_doubles(columns, i32, {shape.columns}), {1, shape.columns});
    return where(same, s, -infinity);
  }
  if (variant == "prefix")
    return where(scene.row() >= scene.column() || scene.column() < shape.columns / 3, s, -infinity);
  return s;
}

Tensor weights(Scene& scene, const std::string& variant, const Tensor& s) {
  if (variant == "sigmoid") return sigmoid(s - std::log(static_cast<double>(scene.shape.columns)));
  if (variant != "sinks") return softmax(s, -1);
  // One more column that takes weight and gives no value: it stands in the maximum and the sum alone.
  Tensor sink = scene.per_head(scene.learn({scene.shape.heads}));
  Tensor most = maximum(stop_gradient(max(s, {-1}, true)), sink);
  Tensor e = exp(s - most);
  return e / (sum(e, {-1}, true) + exp(sink - most));
}

}  // namespace

const std::vector<std::string>& attention_variants() {
  static const std::vector<std::string> all = {"none",  "causal", "window",  "alibi", "softcap",   "table",
                                               "scale", "pair",   "sigmoid", "sinks", "documents", "prefix"};
  return all;
}

const std::vector<std::string>& matrix_variants() {
  static const std::vector<std::string> all = [] {
    std::vector<std::string> some = attention_variants();
    some.insert(some.end(), {"rotated", "rotated_first", "latent"});
    return some;
  }();
  return all;
}

std::vector<AttentionShape> attention_shapes(int lengths) {
  constexpr int64_t widths[] = {8, 40, 64, 80, 96, 128, 192, 256};
  constexpr std::pair<int64_t, int64_t> ragged[ragged_lengths] = {{61, 67}, {33, 130}, {129, 257}, {70, 71}};
  std::vector<AttentionShape> all;
  for (int64_t width : widths) {
    const auto [rows, columns] = ragged[lengths < 0 ? all.size() % ragged_lengths : static_cast<size_t>(lengths)];
    all.push_back({2, 2, rows, columns, width});
  }
  return all;
}

const std::vector<AttentionPrecision>& attention_precisions() {
  static const std::vector<AttentionPrecision> all = {
      {"f32", f32, f32, f32}, {"bf16", bf16, bf16, bf16}, {"mixed", bf16, bf16, f32}};
  return all;
}

AttentionProgram attention_program(const std::string& variant, const AttentionShape& shape,
                                   const AttentionPrecision& precision, uint64_t seed) {
  Scene scene{shape, precision.storage, precision.dtype, Draw(seed)};
  Tensor q = scene.learn({shape.batch, shape.rows, shape.heads, shape.width});
  Tensor k =
      variant == "latent" ? latent_keys(scene) : scene.learn({shape.batch, shape.columns, shape.heads, shape.width});
  Tensor v = scene.learn({shape.batch, shape.columns, shape.heads, shape.width});
  const int64_t first = shape.columns - shape.rows, quarter = shape.width / 4;
  auto columns = [](const Tensor& x, int64_t from, int64_t to) { return slice(x, 3, {from, to}); };
  if (variant == "rotated") q = rotated(q, first), k = rotated(k, 0);
  if (variant == "rotated_first") {
    q = concat({rotated(columns(q, 0, quarter), first), columns(q, quarter, shape.width)}, 3);
    k = concat({rotated(columns(k, 0, quarter), 0), columns(k, quarter, shape.width)}, 3);
  }
  if (variant == "latent") {
    const int64_t own = shape.width - quarter;
    q = concat({columns(q, 0, own), rotated(columns(q, own, shape.width), first)}, 3);
  }
  Tensor s = einsum("bthd,bshd->bhts", q, k) * (1 / std::sqrt(static_cast<double>(shape.width)));
  Tensor p = weights(scene, variant, score(scene, variant, cast(s, precision.plane)));
  Tensor out = einsum("bhts,bshd->bthd", cast(p, precision.dtype), v);
  Tensor direction = scene.data(out.shape());
  // A loss that needs the output, as every loss does: its gradient is no constant.
  Tensor loss = sum(out * out * 0.5 + out * direction);
  return {out, grad(loss, scene.learned)};
}

}  // namespace tessera::testing
