#include "tests/codegen/cuda_contract/programs.h"

#include <map>

#include <tessera/autograd/grad.h>
#include <tessera/core/ops.h>
#include <tessera/nn/functional.h>

namespace tessera::testing {
namespace {

struct Inputs {
  Size size;
  DType dtype;
  const MakeInput& make;

  int64_t of(int64_t in_a_model, int64_t ragged) const { return size == Size::of_a_model ? in_a_model : ragged; }
  Tensor operator()(const std::string& name, const Shape& shape) const { return make(name, dtype, shape); }
};

using Record = std::vector<Tensor> (*)(const Inputs&);

Tensor conv(const Tensor& x, const Tensor& w, int64_t stride, int64_t dilation) {
  const int64_t pad = dilation * (w.size(2) - 1) / 2;
  return contract(x, w, "nchw,kcrs->nkpq",
                  {{'h', 'p', 'r', stride, dilation, pad}, {'w', 'q', 's', stride, dilation, pad}});
}

const std::map<std::string, Record>& records() {
  static const std::map<std::string, Record> all = {
      {"linear_gelu",
       [](const Inputs& in) {
         const int64_t m = in.of(4096, 70), n = in.of(3072, 93), k = in.of(768, 45);
         Tensor x = in("x", {m, k}), w = in("weight", {n, k}), b = in("bias", {n});
         return std::vector{gelu(einsum("mk,nk->mn", x, w) + b)};
       }},
      // K is long, and in parts; two results leave the epilogue.
      {"weight_gradient",
       [](const Inputs& in) {
         const int64_t m = in.of(768, 70), n = in.of(768, 37), k = in.of(16384, 1100);
         Tensor x = in("x", {k, m}), dy = in("dy", {k, n}), w = in("weight", {n, m}), v = in("moment", {n, m});
         Tensor moment = 0.9 * v + einsum("km,kn->nm", x, dy);
         return std::vector{w - 0.01 * moment, moment};
       }},
      {"scores",
       [](const Inputs& in) {
         const int64_t batch = in.of(16, 2), heads = in.of(12, 3), t = in.of(1024, 33), d = in.of(64, 20);
         Tensor q = in("q", {batch, t, heads, d}), k = in("k", {batch, t, heads, d});
         return std::vector{einsum("bthd,bshd->bhts", q, k) * 0.125};
       }},
      {"vector_matrix",
       [](const Inputs& in) {
         const int64_t n = in.of(50304, 130), k = in.of(768, 301);
         Tensor x = in("x", {1, k}), w = in("weight", {k, n});
         return std::vector{matmul(x, w)};
       }},
      {"outer_product",
       [](const Inputs& in) {
         Tensor x = in("x", {in.of(2048, 50)}), y = in("y", {in.of(4096, 71)});
         return std::vector{einsum("m,n->mn", x, y)};
       }},
      {"tiny_ones",
       [](const Inputs& in) {
         const int64_t batch = in.of(1000, 7);
         Tensor x = in("x", {batch, 12, 9}), y = in("y", {batch, 9, 10});
         return std::vector{matmul(x, y)};
       }},
      {"conv",
       [](const Inputs& in) {
         const int64_t batch = in.of(64, 2), c = in.of(64, 5), f = in.of(128, 7), side = in.of(28, 9);
         Tensor x = in("x", {batch, c, side, side}), w = in("weight", {f, c, 3, 3}), b = in("bias", {f, 1, 1});
         return std::vector{maximum(conv(x, w, 1, 1) + b, 0)};
       }},
      {"conv_gradients",
       [](const Inputs& in) {
         const int64_t batch = in.of(64, 2), c = in.of(64, 5), f = in.of(128, 6), side = in.of(28, 9);
         Tensor x = in("x", {batch, c, side, side}), w = in("weight", {f, c, 3, 3});
         Tensor y = conv(x, w, in.of(1, 2), in.of(1, 2));
         return grad(sum(y * in("dy", y.shape())), {x, w});
       }},
      {"grouped_conv",
       [](const Inputs& in) {
         const int64_t batch = in.of(32, 2), c = in.of(8, 3), f = in.of(8, 5), length = in.of(256, 17);
         Tensor x = in("x", {batch, 4, c, length}), w = in("weight", {4, f, c, 3});
         return std::vector{contract(x, w, "ngcl,gfcr->ngfp", {{'l', 'p', 'r', 2, 1, 1}})};
       }},
  };
  return all;
}

}  // namespace

const std::vector<std::string>& contract_program_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const auto& [name, record] : records()) all.push_back(name);
    return all;
  }();
  return names;
}

RowProgram contract_program(const std::string& name, Size size, DType dtype, const MakeInput& make) {
  return recorded_program(name, make, [&](const MakeInput& keep) { return records().at(name)({size, dtype, keep}); });
}

RowProgram product_program(const ProductShape& p, const MakeInput& make) {
  return recorded_program("product", make, [&](const MakeInput& in) {
    Tensor a = in("a", p.dtype, p.a_along_k ? Shape{p.batch, p.m, p.k} : Shape{p.batch, p.k, p.m});
    Tensor b = in("b", p.dtype, p.b_along_k ? Shape{p.batch, p.n, p.k} : Shape{p.batch, p.k, p.n});
    Tensor d = einsum(std::string(p.a_along_k ? "zmk" : "zkm") + (p.b_along_k ? ",znk" : ",zkn") + "->zmn", a, b);
    if (!p.has_gelu) return std::vector{d};
    Tensor h = d + in("bias", p.dtype, Shape{p.n});
    return std::vector{h, nn::gelu(h)};
  });
}

Tensor gelu_data_gradient(int64_t m, int64_t n, int64_t k, DType dtype, const MakeInput& make) {
  Tensor h = cast(make("h", dtype, {m, n}), f32);
  Tensor sums = einsum("mk,kn->mn", make("dy", dtype, {m, k}), make("weight", dtype, {k, n}));
  return cast(grad(sum(nn::gelu(h) * cast(sums, f32)), h), dtype);
}

RowProgram conv_program(const ConvShape& v, const MakeInput& make) {
  return recorded_program("conv", make, [&](const MakeInput& in) {
    const std::vector<WindowRelation> windows{{'h', 'p', 'r', v.stride, v.dilation, v.pad},
                                              {'w', 'q', 's', v.stride, v.dilation, v.pad}};
    const bool is_data = v.what == ConvShape::What::data_gradient;
    Tensor first = is_data ? in("y", bf16, {v.n, v.p(), v.q(), v.k}) : in("x", bf16, {v.n, v.h, v.w, v.c});
    if (v.what == ConvShape::What::filter_gradient)
      return std::vector{contract(first, in("y", bf16, {v.n, v.p(), v.q(), v.k}), "nhwc,npqk->krsc", windows,
                                  {{'r', v.r}, {'s', v.s}})};
    Tensor weight = in("weight", bf16, {v.k, v.r, v.s, v.c});
    return std::vector{is_data ? contract(first, weight, "npqk,krsc->nhwc", windows, {{'h', v.h}, {'w', v.w}})
                               : contract(first, weight, "nhwc,krsc->npqk", windows)};
  });
}

}  // namespace tessera::testing
