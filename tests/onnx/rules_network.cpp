#include <algorithm>
#include <cmath>

#include <tessera/core/ops.h>

#include "tests/onnx/rules.h"

namespace tessera::onnx_test {
namespace {

using Results = std::vector<Tensor>;

Results gemm(const Call& c) {
  Tensor a = c.integer("transA", 0) ? transpose(c[0]) : c[0], b = c.integer("transB", 0) ? transpose(c[1]) : c[1];
  Tensor y = matmul(a, b) * c.number("alpha", 1);
  return {c.has(2) ? y + c[2] * c.number("beta", 1) : y};
}

Results einsum_rule(const Call& c) {
  std::string spec = c.text("equation", "");
  std::erase(spec, ' ');
  if (c.count() != 2 || spec.find("...") != std::string::npos || spec.find("->") == std::string::npos)
    throw NotCovered("Einsum " + spec + ": ours takes two operands and names the result");
  return {einsum(spec, c[0], c[1])};
}

struct Windows {
  std::vector<int64_t> kernel, stride, dilation, low, high;
};
Windows windows_of(const Call& c, const Tensor& x, std::vector<int64_t> kernel) {
  size_t n = static_cast<size_t>(x.rank()) - 2;
  Windows w{std::move(kernel),
            c.ints("strides", std::vector<int64_t>(n, 1)),
            c.ints("dilations", std::vector<int64_t>(n, 1)),
            {},
            {}};
  std::vector<int64_t> pads = c.ints("pads", std::vector<int64_t>(2 * n, 0));
  std::string mode = c.text("auto_pad", "NOTSET");
  for (size_t i = 0; i < n; ++i) {
    if (mode == "SAME_UPPER" || mode == "SAME_LOWER") {
      int64_t extent = x.size(static_cast<int>(i) + 2), reach = w.dilation[i] * (w.kernel[i] - 1) + 1;
      int64_t out = (extent + w.stride[i] - 1) / w.stride[i];
      int64_t total = std::max<int64_t>(0, (out - 1) * w.stride[i] + reach - extent);
      int64_t small = total / 2;
      w.low.push_back(mode == "SAME_UPPER" ? small : total - small);
      w.high.push_back(total - w.low.back());
    } else {
      w.low.push_back(mode == "VALID" ? 0 : pads[i]);
      w.high.push_back(mode == "VALID" ? 0 : pads[i + n]);
    }
  }
  return w;
}

Tensor pad_spatial(const Tensor& x, const Windows& w, double value) {
  std::vector<PadDim> pads(static_cast<size_t>(x.rank()));
  for (size_t i = 0; i < w.low.size(); ++i) pads[i + 2] = {w.low[i], w.high[i], 0};
  return pad(x, pads, value);
}

// Letters of the spatial dims: inputs h…, outputs p…, taps r….
constexpr const char *in_letters = "hij", *out_letters = "pqu", *tap_letters = "rst";

std::vector<WindowRelation> relations(const Windows& w) {
  std::vector<WindowRelation> out;
  for (size_t i = 0; i < w.kernel.size(); ++i)
    out.push_back({in_letters[i], out_letters[i], tap_letters[i], w.stride[i], w.dilation[i], 0});
  return out;
}

Tensor channel_bias(const Tensor& y, const Tensor& bias) {
  Dims dims(static_cast<size_t>(y.rank()), 1);
  dims[1] = bias.numel();
  return y + reshape(bias, dims);
}

// [N, C, …] as [N, G, C / G, …], and [K, …] as [G, K / G, …].
Tensor group_channels(const Tensor& x, int dim, int64_t groups) {
  Dims dims = x.shape().dims();
  dims[static_cast<size_t>(dim)] /= groups;
  dims.insert(dims.begin() + dim, groups);
  return reshape(x, dims);
}
Tensor merge_channels(const Tensor& x) {
  Dims dims = x.shape().dims();
  dims[1] *= dims[2];
  dims.erase(dims.begin() + 2);
  return reshape(x, dims);
}

Results conv(const Call& c) {
  const Tensor& weight = c[1];
  size_t n = static_cast<size_t>(c[0].rank()) - 2;
  if (n > 3) throw NotCovered("Conv of more than 3 dims");
  int64_t groups = c.integer("group", 1);
  Windows w = windows_of(c, c[0], Dims(weight.shape().begin() + 2, weight.shape().end()));
  Tensor x = group_channels(pad_spatial(c[0], w, 0), 1, groups), k = group_channels(weight, 0, groups);
  std::string in(in_letters, n), out(out_letters, n), tap(tap_letters, n);
  Tensor y = merge_channels(contract(x, k, "ngc" + in + ",gkc" + tap + "->ngk" + out, relations(w)));
  return {c.has(2) ? channel_bias(y, c[2]) : y};
}

Results conv_transpose(const Call& c) {
  const Tensor& weight = c[1];
  size_t n = static_cast<size_t>(c[0].rank()) - 2;
  if (c.has_attr("output_shape") || c.text("auto_pad", "NOTSET") != "NOTSET")
    throw NotCovered("ConvTranspose with a given output");
  if (n > 3) throw NotCovered("ConvTranspose of more than 3 dims");
  int64_t groups = c.integer("group", 1);
  Windows w = windows_of(c, c[0], Dims(weight.shape().begin() + 2, weight.shape().end()));
  std::vector<int64_t> extra = c.ints("output_padding", std::vector<int64_t>(n, 0));
  std::vector<LetterExtent> extents;
  for (size_t i = 0; i < n; ++i)
    extents.push_back({in_letters[i], (c[0].size(static_cast<int>(i) + 2) - 1) * w.stride[i] +
                                          w.dilation[i] * (w.kernel[i] - 1) + 1 + extra[i]});
  std::string in(in_letters, n), out(out_letters, n), tap(tap_letters, n);
  Tensor x = group_channels(c[0], 1, groups), k = group_channels(weight, 0, groups);
  Tensor y = merge_channels(contract(x, k, "ngk" + out + ",gkc" + tap + "->ngc" + in, relations(w), extents));
  for (size_t i = 0; i < n; ++i) {
    int d = static_cast<int>(i) + 2;
    y = slice(y, d, Range{w.low[i], y.size(d) - w.high[i]});
  }
  return {c.has(2) ? channel_bias(y, c[2]) : y};
}

Tensor pool_windows(const Tensor& padded, const Windows& w) {
  WindowAttrs attrs;
  for (size_t i = 0; i < w.kernel.size(); ++i) attrs.dims.push_back(static_cast<int64_t>(i) + 2);
  attrs.size = w.kernel, attrs.stride = w.stride, attrs.dilation = w.dilation;
  return window(padded, attrs);
}
Dims tap_dims(const Tensor& x) {
  Dims dims;
  for (int d = x.rank(); d < 2 * x.rank() - 2; ++d) dims.push_back(d);
  return dims;
}

Results max_pool(const Call& c) {
  if (c.integer("ceil_mode", 0) || c.wants(1)) throw NotCovered("MaxPool with ceil_mode or indices");
  Windows w = windows_of(c, c[0], c.ints("kernel_shape"));
  if (!is_float(c[0].dtype())) throw NotCovered("MaxPool of integers");
  return {max(pool_windows(pad_spatial(c[0], w, -INFINITY), w), tap_dims(c[0]))};
}
Results average_pool(const Call& c) {
  if (c.integer("ceil_mode", 0)) throw NotCovered("AveragePool with ceil_mode");
  Windows w = windows_of(c, c[0], c.ints("kernel_shape"));
  auto total = [&](const Tensor& x) { return sum(pool_windows(pad_spatial(x, w, 0), w), tap_dims(x)); };
  if (!c.integer("count_include_pad", 0)) return {total(c[0]) / total(ones_like(c[0]))};
  double taps = 1;
  for (int64_t k : w.kernel) taps *= static_cast<double>(k);
  return {total(c[0]) * (1 / taps)};
}

Dims spatial_dims(const Tensor& x) {
  Dims dims;
  for (int d = 2; d < x.rank(); ++d) dims.push_back(d);
  return dims;
}

Tensor per_channel(const Tensor& v, const Tensor& x) {
  Dims dims(static_cast<size_t>(x.rank()), 1);
  dims[1] = v.numel();
  return reshape(v, dims);
}

Results batch_norm(const Call& c) {
  if (c.integer("training_mode", 0)) throw NotCovered("BatchNormalization while training");
  const Tensor& x = c[0];
  Tensor scale = per_channel(c[1], x) * rsqrt(per_channel(c[4], x) + c.number("epsilon", 1e-5));
  return {(x - per_channel(c[3], x)) * scale + per_channel(c[2], x)};
}
Results instance_norm(const Call& c) {
  const Tensor& x = c[0];
  Dims dims = spatial_dims(x);
  Tensor y = (x - mean(x, dims, true)) * rsqrt(variance(x, dims, true) + c.number("epsilon", 1e-5));
  return {y * per_channel(c[1], x) + per_channel(c[2], x)};
}
Results layer_norm(const Call& c) {
  const Tensor& x = c[0];
  Dims dims;
  for (int d = axis_of(c.integer("axis", -1), x); d < x.rank(); ++d) dims.push_back(d);
  Tensor mu = mean(x, dims, true), inverse = rsqrt(variance(x, dims, true) + c.number("epsilon", 1e-5));
  Tensor y = (x - mu) * inverse * c[1];
  return {c.has(2) ? y + c[2] : y, mu, inverse};
}
Results mean_variance_norm(const Call& c) {
  Dims dims = c.ints("axes", {0, 2, 3});
  return {(c[0] - mean(c[0], dims, true)) / (sqrt(variance(c[0], dims, true)) + 1e-9)};
}
Results lrn(const Call& c) {
  int64_t size = c.integer("size", 1), low = (size - 1) / 2, high = size - 1 - low;
  std::vector<PadDim> pads(static_cast<size_t>(c[0].rank()));
  pads[1] = {low, high, 0};
  Tensor total = sum(window(pad(square(c[0]), pads), {{1}, {size}, {1}, {1}}), {c[0].rank()});
  Tensor base = c.number("bias", 1) + total * (c.number("alpha", 1e-4) / static_cast<double>(size));
  return {c[0] / pow(base, c.number("beta", 0.75))};
}

Tensor centred(const Call& c, size_t operand, size_t zero) {
  Tensor x = cast(c[operand], i32);
  return c.has(zero) ? x - cast(c[zero], i32) : x;
}
Results matmul_integer(const Call& c) { return {matmul(centred(c, 0, 2), centred(c, 1, 3))}; }

Results upsample(const Call& c) {
  if (c.text("mode", "nearest") != "nearest") throw NotCovered("Upsample mode " + c.text("mode", ""));
  Tensor x = c[0];
  std::vector<double> scales = c[1].to_vector<double>();
  for (int d = 0; d < x.rank(); ++d) {
    int64_t s = std::lround(scales[static_cast<size_t>(d)]);
    if (s == 1) continue;
    Dims dims = x.shape().dims(), wide = dims;
    wide.insert(wide.begin() + d + 1, s);
    dims[static_cast<size_t>(d)] *= s;
    x = reshape(broadcast_to(unsqueeze(x, d + 1), wide), dims);
  }
  return {x};
}

}  // namespace

void add_network_rules(RuleMap& map) {
  map["Gemm"] = gemm;
  map["MatMul"] = [](const Call& c) -> Results { return {matmul(c[0], c[1])}; };
  map["MatMulInteger"] = matmul_integer;
  map["Einsum"] = einsum_rule;
  map["Conv"] = conv;
  map["ConvTranspose"] = conv_transpose;
  map["MaxPool"] = max_pool;
  map["AveragePool"] = average_pool;
  map["GlobalAveragePool"] = [](const Call& c) -> Results { return {mean(c[0], spatial_dims(c[0]), true)}; };
  map["GlobalMaxPool"] = [](const Call& c) -> Results { return {max(c[0], spatial_dims(c[0]), true)}; };
  map["BatchNormalization"] = batch_norm;
  map["InstanceNormalization"] = instance_norm;
  map["LayerNormalization"] = layer_norm;
  map["MeanVarianceNormalization"] = mean_variance_norm;
  map["LRN"] = lrn;
  map["Upsample"] = upsample;
}

}  // namespace tessera::onnx_test
