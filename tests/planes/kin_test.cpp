// The kin of attention, in ordinary ops: losses over a vocabulary or over pairs, routers, linear attention, heads that
// share a latent, rotated and normed operands. Nothing as large as their plane lies in memory, forward and backward, and
// each has the kernels and the numbers that it should.

#include <cctype>
#include <cmath>
#include <cstdio>
#include <functional>
#include <limits>

#include <gtest/gtest.h>

#include <tessera/autograd/grad.h>
#include <tessera/core/compile.h>
#include <tessera/core/executor.h>
#include <tessera/core/ops.h>
#include <tessera/nn/losses.h>

#include "tests/planes/difference.h"
#include "tests/support/host_data.h"

namespace tessera::testing {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
using Tensors = std::vector<Tensor>;

struct Kin {
  std::string name;
  std::vector<Shape> shapes;  // of what gets gradients
  std::function<Tensors(const Tensors&)> results;
  int64_t plane;                          // elements
  int forward, training;                  // cascades
  int beside = -1, beside_training = -1;  // other kernels, if they are counted
};

constexpr int64_t tokens = 256, classes = 1024, width = 32;

Tensor targets() {
  std::vector<double> of;
  for (int64_t i = 0; i < tokens; ++i) of.push_back(static_cast<double>(i * 37 % classes));
  return from_doubles(of, i32, {tokens});
}
// Row i belongs to column i.
Tensor diagonal(const Tensor& s) { return iota(s.shape(), 0) == iota(s.shape(), 1); }

Tensor normed(const Tensor& x, const Tensor& gain) { return x * rsqrt(mean(square(x), {-1}, true) + 1e-6) * gain; }

// Rotates pairs of columns, half a row apart, by an angle that grows with the position. x: [batch, length, heads, width].
Tensor rotated(const Tensor& x) {
  const int64_t half = x.size(3) / 2;
  const Shape angles{x.size(1), 1, half};
  Tensor angle =
      cast(iota(angles, 0), x.dtype()) * exp(cast(iota(angles, 2), x.dtype()) * (-8.0 / static_cast<double>(half)));
  Tensor a = slice(x, 3, {0, half}), b = slice(x, 3, {half, 2 * half});
  return concat({a * cos(angle) - b * sin(angle), a * sin(angle) + b * cos(angle)}, 3);
}

// The same with angles that a model keeps as constants, and x turned by a quarter as a value of its own: [−b, a].
Tensor turned_halves(const Tensor& x) {
  const int64_t half = x.size(3) / 2;
  std::vector<double> cosines, sines;
  for (int64_t t = 0; t < x.size(1); ++t)
    for (int64_t d = 0; d < 2 * half; ++d) {
      const double angle =
          static_cast<double>(t) * std::pow(10000.0, -static_cast<double>(d % half) / static_cast<double>(half));
      cosines.push_back(std::cos(angle)), sines.push_back(std::sin(angle));
    }
  const Shape of{x.size(1), 1, 2 * half};
  Tensor turned = concat({-slice(x, 3, {half, 2 * half}), slice(x, 3, {0, half})}, 3);
  return x * from_doubles(cosines, x.dtype(), of) + turned * from_doubles(sines, x.dtype(), of);
}
// The same of neighbours instead of halves.
Tensor turned_pairs(const Tensor& x) {
  const int64_t half = x.size(3) / 2;
  std::vector<double> cosines, sines;
  for (int64_t t = 0; t < x.size(1); ++t)
    for (int64_t d = 0; d < half; ++d) {
      const double angle =
          static_cast<double>(t) * std::pow(10000.0, -static_cast<double>(d) / static_cast<double>(half));
      cosines.push_back(std::cos(angle)), sines.push_back(std::sin(angle));
    }
  Tensor cosine = from_doubles(cosines, x.dtype(), {x.size(1), 1, half, 1}),
         sine = from_doubles(sines, x.dtype(), cosine.shape());
  Tensor pairs = reshape(x, {x.size(0), x.size(1), x.size(2), half, 2});
  Tensor a = slice(pairs, 4, {0, 1}), b = slice(pairs, 4, {1, 2});
  return reshape(concat({a * cosine - b * sine, a * sine + b * cosine}, 4), x.shape());
}

// The first columns of each row rotated, the others as they are.
Tensor first_turned(const Tensor& x, int64_t columns, Tensor (*turned)(const Tensor&)) {
  return concat({turned(slice(x, 3, {0, columns})), slice(x, 3, {columns, x.size(3)})}, 3);
}

Tensor causal(const Tensor& s) {
  const Shape plane{s.size(-2), s.size(-1)};
  return where(iota(plane, 0) >= iota(plane, 1), s, -infinity);
}
Tensor attended(const Tensor& q, const Tensor& k, const Tensor& v) {
  return einsum("bhts,bshd->bthd", softmax(causal(einsum("bthd,bshd->bhts", q, k) * 0.25), -1), v);
}

// Queries and keys of a latent part and a rotated one, which all heads of keys share.
Tensor latent_attended(const Tensor& q, const Tensor& turned_q, const Tensor& k, const Tensor& turned_k,
                       const Tensor& v) {
  const Shape shared{k.size(0), k.size(1), k.size(2), turned_k.size(3)};
  Tensor all = broadcast_to(turned_halves(turned_k), shared);
  return attended(concat({q, turned_halves(turned_q)}, 3), concat({k, all}, 3), v);
}

// q, k and v of one projection, in three spellings: two of them [batch, length, heads, width], the last with heads first.
Tensors thirds(const Tensor& x, const Tensor& weight) {
  Tensor all = reshape(einsum("btc,fc->btf", x, weight), {x.size(0), x.size(1), 3, 4, 32});
  Tensors qkv;
  for (int64_t i = 0; i < 3; ++i) qkv.push_back(reshape(slice(all, 2, {i, i + 1}), {x.size(0), x.size(1), 4, 32}));
  return qkv;
}
Tensors chunks(const Tensor& x, const Tensor& weight) {
  Tensors qkv = split(einsum("btc,fc->btf", x, weight), 3, 2);
  for (Tensor& one : qkv) one = reshape(one, {x.size(0), x.size(1), 4, 32});
  return qkv;
}
Tensor heads_first(const Tensor& x, const Tensor& weight) {
  Tensor all = reshape(einsum("btc,fc->btf", x, weight), {x.size(0), x.size(1), 3, 4, 32});
  all = permute(all, {2, 0, 3, 1, 4});
  Tensors qkv;
  for (Tensor& one : split(all, 3, 0)) qkv.push_back(reshape(one, {x.size(0), 4, x.size(1), 32}));
  Tensor p = softmax(causal(matmul(qkv[0] * 0.25, permute(qkv[1], {0, 1, 3, 2}))), -1);
  return permute(matmul(p, qkv[2]), {0, 2, 1, 3});
}

std::vector<Kin> kin() {
  const std::vector<Shape> of_classes = {{tokens, width}, {classes, width}};
  const std::vector<Shape> of_heads(3, {2, 96, 4, 32});
  const std::vector<Shape> of_wide_heads(3, {1, 320, 2, 128});
  const std::vector<Shape> of_packed = {{2, 256, 128}, {384, 128}};
  auto logits = [](const Tensors& in) { return einsum("td,vd->tv", in[0], in[1]); };
  auto loss = [=](nn::CrossEntropyOptions options) {
    return [=](const Tensors& in) { return Tensors{nn::cross_entropy(logits(in), targets(), options)}; };
  };
  return {
      {"cross_entropy", of_classes, loss({}), tokens * classes, 1, 3},
      {"cross_entropy_smoothed", of_classes, loss({.label_smoothing = 0.1}), tokens * classes, 1, 3},
      {"cross_entropy_with_a_bias",
       {{tokens, width}, {classes, width}, {classes}},
       [=](const Tensors& in) { return Tensors{nn::cross_entropy(logits(in) + in[2], targets())}; },
       tokens * classes,
       1,
       3},
      {"contrastive_both_ways",
       {{512, width}, {512, width}, {}},
       [](const Tensors& in) {
         Tensor s = einsum("nd,md->nm", in[0], in[1]) * exp(in[2]);
         Tensor hit = sum(where(diagonal(s), s, 0), {1});
         return Tensors{mean(logsumexp(s, 1) - hit) + mean(logsumexp(s, 0) - hit)};
       },
       512 * 512,
       2,
       4},
      {"contrastive_of_one_set",
       {{512, width}},
       [](const Tensors& in) {
         Tensor s = einsum("nd,md->nm", in[0], in[0]) * 2;
         Tensor others = where(diagonal(s), -infinity, s);
         Tensor mate = remainder(iota(s.shape(), 0) + 256, 512) == iota(s.shape(), 1);
         return Tensors{mean(logsumexp(others, 1) - sum(where(mate, s, 0), {1}))};
       },
       512 * 512,
       1,
       3},
      {"router",
       {{1024, width}, {256, width}},
       [](const Tensors& in) {
         Tensor s = einsum("td,ed->te", in[0], in[1]);
         Tensor load = mean(softmax(s, -1), {0});
         return Tensors{sum(square(load)) * 256 + 0.1 * mean(square(logsumexp(s, -1)))};
       },
       1024 * 256,
       2,
       4},
      {"mixture",
       {{1024, width}, {1024, width}, {1024, width}},
       [](const Tensors& in) {
         return Tensors{einsum("te,ed->td", softmax(einsum("td,ed->te", in[0], in[1]), -1), in[2])};
       },
       1024 * 1024,
       1,
       3},
      // Gradients of weights need none of them: the plane of keys ends with dV, another one gives dQ and dK.
      {"linear_attention", of_heads,
       [](const Tensors& in) {
         auto positive = [](const Tensor& x) { return where(x > 0, x + 1, exp(minimum(x, 0))); };
         Tensor s = einsum("bthd,bshd->bhts", positive(in[0]), positive(in[1]));
         s = where(iota({96, 96}, 0) >= iota({96, 96}, 1), s, 0);
         return Tensors{einsum("bhts,bshd->bthd", s / (sum(s, {-1}, true) + 1e-3), in[2])};
       },
       2 * 4 * 96 * 96, 1, 4},
      // q of each head meets one latent of all heads, which is key and value at once, and one rotated key.
      {"latent_heads",
       {{2, 96, 4, 32}, {2, 96, 32}, {2, 96, 4, 16}, {2, 96, 1, 16}},
       [](const Tensors& in) {
         Tensor s = einsum("bthr,bsr->bhts", in[0], in[1]) +
                    einsum("bthp,bsp->bhts", rotated(in[2]), reshape(rotated(in[3]), {2, 96, 16}));
         return Tensors{einsum("bhts,bsr->bthr", softmax(causal(s * 0.2), -1), in[1])};
       },
       2 * 4 * 96 * 96,
       1,
       3},
      // The same with what each head makes of its queries and results. The latter is taken for a plane too, and
      // computed again by both of its gradients.
      {"latent_products",
       {{2, 96, 4, 32}, {2, 96, 24}, {4, 24, 32}, {4, 24, 32}},
       [](const Tensors& in) {
         Tensor q = einsum("bthd,hrd->bthr", in[0], in[2]);
         Tensor p = softmax(causal(einsum("bthr,bsr->bhts", q, in[1]) * 0.2), -1);
         return Tensors{einsum("bthr,hre->bthe", einsum("bhts,bsr->bthr", p, in[1]), in[3])};
       },
       2 * 4 * 96 * 96,
       1,
       5},
      {"rotated", of_heads, [](const Tensors& in) { return Tensors{attended(rotated(in[0]), rotated(in[1]), in[2])}; },
       2 * 4 * 96 * 96, 1, 3},
      {"turned_halves", of_heads,
       [](const Tensors& in) { return Tensors{attended(turned_halves(in[0]), turned_halves(in[1]), in[2])}; },
       2 * 4 * 96 * 96, 1, 3, 0, 1},
      // Gradients that are handed out in another shape are copied.
      {"turned_pairs", of_heads,
       [](const Tensors& in) { return Tensors{attended(turned_pairs(in[0]), turned_pairs(in[1]), in[2])}; },
       2 * 4 * 96 * 96, 1, 3, 0, 3},
      // Two heads of queries for each of keys and values.
      {"turned_groups",
       {{2, 96, 4, 32}, {2, 96, 2, 32}, {2, 96, 2, 32}},
       [](const Tensors& in) {
         Tensor q = reshape(turned_halves(in[0]), {2, 96, 2, 2, 32});
         Tensor p = softmax(causal(einsum("btgrd,bsgd->bgrts", q, turned_halves(in[1])) * 0.25), -1);
         return Tensors{einsum("bgrts,bsgd->btgrd", p, in[2])};
       },
       2 * 4 * 96 * 96,
       1,
       3,
       0,
       1},
      // Forward the projection is a kernel and the rest another; the gradients of q, k and v become that of what packs
      // them where they are made, so beside the loss there are two products.
      {"packed_thirds", of_packed,
       [](const Tensors& in) {
         const Tensors qkv = thirds(in[0], in[1]);
         return Tensors{attended(qkv[0], qkv[1], qkv[2])};
       },
       2 * 4 * 256 * 256, 1, 3, 1, 4},
      {"packed_chunks", of_packed,
       [](const Tensors& in) {
         const Tensors qkv = chunks(in[0], in[1]);
         return Tensors{attended(qkv[0], qkv[1], qkv[2])};
       },
       2 * 4 * 256 * 256, 1, 3, 1, 4},
      {"packed_heads_first", of_packed, [](const Tensors& in) { return Tensors{heads_first(in[0], in[1])}; },
       2 * 4 * 256 * 256, 1, 3, 1, 4},
      {"packed_and_turned", of_packed,
       [](const Tensors& in) {
         const Tensors qkv = thirds(in[0], in[1]);
         return Tensors{attended(turned_halves(qkv[0]), turned_halves(qkv[1]), qkv[2])};
       },
       2 * 4 * 256 * 256, 1, 3, 1, 4},
      // A quarter of each row is rotated, by halves and by pairs.
      {"turned_first_halves", of_wide_heads,
       [](const Tensors& in) {
         return Tensors{
             attended(first_turned(in[0], 32, turned_halves), first_turned(in[1], 32, turned_halves), in[2])};
       },
       2 * 320 * 320, 1, 3, 0, 1},
      {"turned_first_pairs", of_wide_heads,
       [](const Tensors& in) {
         return Tensors{attended(first_turned(in[0], 32, turned_pairs), first_turned(in[1], 32, turned_pairs), in[2])};
       },
       2 * 320 * 320, 1, 3, 0, 1},
      // Beside the loss, what all heads share gets the sum of their gradients, turned back.
      {"latent_and_turned",
       {{2, 96, 4, 32}, {2, 96, 4, 16}, {2, 96, 4, 32}, {2, 96, 1, 16}, {2, 96, 4, 32}},
       [](const Tensors& in) { return Tensors{latent_attended(in[0], in[1], in[2], in[3], in[4])}; },
       2 * 4 * 96 * 96,
       1,
       3,
       0,
       5},
      // As a model projects them: queries of both parts, and keys of the first with values.
      {"latent_and_turned_packed",
       {{1, 384, 2, 160}, {1, 384, 2, 128}, {1, 384, 1, 64}},
       [](const Tensors& in) {
         return Tensors{latent_attended(slice(in[0], 3, {0, 96}), slice(in[0], 3, {96, 160}), slice(in[1], 3, {0, 96}),
                                        in[2], slice(in[1], 3, {96, 128}))};
       },
       2 * 384 * 384,
       1,
       3,
       0,
       5},
      {"normed",
       {{2, 96, 4, 32}, {2, 96, 4, 32}, {2, 96, 4, 32}, {32}, {32}},
       [](const Tensors& in) { return Tensors{attended(normed(in[0], in[3]), normed(in[1], in[4]), in[2])}; },
       2 * 4 * 96 * 96,
       1,
       3},
      {"one_key_for_all_heads",
       {{2, 96, 4, 32}, {2, 96, 32}, {2, 96, 32}},
       [](const Tensors& in) {
         Tensor p = softmax(causal(einsum("bthd,bsd->bhts", in[0], in[1])), -1);
         return Tensors{einsum("bhts,bsd->bthd", p, in[2])};
       },
       2 * 4 * 96 * 96,
       1,
       3},
      {"difference_of_two",
       {{2, 96, 4, 32}, {2, 96, 4, 32}, {2, 96, 4, 32}, {2, 96, 4, 32}, {2, 96, 4, 32}, {4}},
       [](const Tensors& in) {
         auto weights = [](const Tensor& q, const Tensor& k) {
           return softmax(causal(einsum("bthd,bshd->bhts", q, k) * 0.2), -1);
         };
         Tensor p = weights(in[0], in[1]) - weights(in[2], in[3]) * reshape(in[5], {4, 1, 1});
         return Tensors{einsum("bhts,bshd->bthd", p, in[4])};
       },
       2 * 4 * 96 * 96,
       1,
       3},
      {"entropy_beside", of_heads,
       [](const Tensors& in) {
         Tensor s = einsum("bthd,bshd->bhts", in[0], in[1]) * 0.2, p = softmax(s, -1);
         return Tensors{einsum("bhts,bshd->bthd", p, in[2]), logsumexp(s, -1) - sum(p * s, {-1})};
       },
       2 * 4 * 96 * 96, 1, 3},
      {"squared_loss_of_pairs",
       {{512, width}, {512, width}},
       [](const Tensors& in) {
         Tensor s = einsum("nd,md->nm", in[0], in[1]);
         return Tensors{mean(square(s - cast(diagonal(s), s.dtype())))};
       },
       512 * 512,
       1,
       3},
  };
}

int count(const std::string& fuse, const std::string& op) {
  int n = 0;
  for (size_t at = fuse.find(op); at != std::string::npos; at = fuse.find(op, at + 1)) ++n;
  return n;
}

// Elements of the largest tensor that a kernel reads or writes.
int64_t largest(const std::string& fuse) {
  const std::string word = "tensor<";
  int64_t most = 0;
  for (size_t at = fuse.find(word); at != std::string::npos; at = fuse.find(word, at)) {
    int64_t count = 1;
    for (at += word.size(); std::isdigit(static_cast<unsigned char>(fuse[at])); ++at) {
      int64_t extent = 0;
      for (; std::isdigit(static_cast<unsigned char>(fuse[at])); ++at) extent = extent * 10 + (fuse[at] - '0');
      count *= extent;
    }
    most = std::max(most, count);
  }
  return most;
}

class AttentionKin : public ::testing::TestWithParam<Kin> {};

TEST_P(AttentionKin, KeepsNoPlane) {
  const Kin& kin = GetParam();
  Draw draw(9);
  Tensors in, exact;
  for (const Shape& shape : kin.shapes) {
    in.push_back(random_tensor(draw, f32, shape, {-1, 1}));
    exact.push_back(from_doubles(in.back().to_vector<double>(), f64, shape));
  }
  for (bool trains : {false, true}) {
    SCOPED_TRACE(trains ? "training" : "inference");
    auto body = [&](Tensors of) {
      Tensors all = kin.results(of);
      if (!trains) return all;
      Tensor total = zeros({}, of[0].dtype());
      for (const Tensor& x : all) total = total + sum(x * x * 0.5 + x);
      for (Tensor& g : grad(total, of)) all.push_back(g);
      return all;
    };
    auto fused = compile(body);
    auto plain = compile(body, {.strict = true});
    const Tensors mine = fused(in), theirs = plain(in);
    UseExecutor reference(reference_executor());
    const Tensors truth = compile(body)(exact);
    const std::string fuse = fused.text("fuse");
    EXPECT_EQ(count(fuse, "fuse.cascade"), trains ? kin.training : kin.forward) << fuse;
    if (const int beside = trains ? kin.beside_training : kin.beside; beside >= 0) {
      EXPECT_EQ(count(fuse, "fuse.kernel"), beside) << fuse;
    }
    EXPECT_LE(largest(fuse), kin.plane / 2) << fuse;
    EXPECT_GE(largest(plain.text("fuse")), kin.plane);
    for (size_t k = 0; k < truth.size(); ++k) {
      const double off = difference(mine[k], truth[k]), off_plain = difference(theirs[k], truth[k]);
      std::printf("%s, result %zu: %.1e, without planes %.1e\n", kin.name.c_str(), k, off, off_plain);
      // A loss is one number, and luck decides whether it is off by less than one ulp or by more, with planes and without.
      const double ulp = 0x1p-23, rounding = truth[k].numel() == 1 ? 2 * ulp : 1.2e-7;
      EXPECT_LE(off, std::max(2 * off_plain, rounding)) << k;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kin, AttentionKin, ::testing::ValuesIn(kin()), [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace tessera::testing
