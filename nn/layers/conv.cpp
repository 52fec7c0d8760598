#include <tessera/nn/layers/conv.h>

#include <tessera/core/error.h>
#include <tessera/core/ops.h>
#include <tessera/nn/layers/check.h>

namespace tessera::nn {
namespace {

// One spatial dim: extents, and how it moves.
struct Axis {
  int64_t in, taps, stride, pad, dilation;
  int64_t out() const { return (in + 2 * pad - dilation * (taps - 1) - 1) / stride + 1; }
  bool fits() const { return in + 2 * pad >= dilation * (taps - 1) + 1; }
};

constexpr char positions[] = "hw", results[] = "pq", taps[] = "rs";

// Letters: n batch, g group, c channels in, k channels out; per axis h,w positions, p,q windows, r,s taps. The group
// letter appears only where there are groups, so that a plain convolution has no reshapes.
Tensor convolve(const ModuleBase& layer, const Tensor& x, const State& weight, const std::vector<Axis>& axes,
                int64_t groups) {
  const size_t spatial = axes.size();
  const std::string hw(positions, spatial), pq(results, spatial), rs(taps, spatial), g = groups > 1 ? "g" : "";
  std::vector<WindowRelation> windows;
  std::vector<LetterExtent> extents;
  Dims result{x.size(0), weight.shape()[0]};
  for (size_t i = 0; i < spatial; ++i) {
    const Axis& a = axes[i];
    if (!a.fits())
      throw ShapeError({.code = "T-S105",
                        .fault = "the kernel is larger than the padded input",
                        .operands = {{"x", describe(*x.node())}},
                        .hint = layer.type() + " '" + layer.name() + "' was built as " + layer.details()});
    windows.push_back(
        {.in = hw[i], .out = pq[i], .tap = rs[i], .stride = a.stride, .dilation = a.dilation, .pad = a.pad});
    extents.push_back({pq[i], a.out()});
    result.push_back(a.out());
  }
  const std::string spec = "n" + g + "c" + hw + "," + g + "kc" + rs + "->n" + g + "k" + pq;
  if (groups == 1) return contract(x, weight, spec, windows, extents);

  Dims data = x.shape().dims(), kernel = weight.shape().dims();
  data[1] /= groups;
  data.insert(data.begin() + 1, groups);
  kernel[0] /= groups;
  kernel.insert(kernel.begin(), groups);
  return reshape(contract(reshape(x, data), reshape(weight, kernel), spec, windows, extents), result);
}

Tensor add_bias(const Tensor& y, const std::optional<Param>& bias) {
  if (!bias) return y;
  Dims shape(static_cast<size_t>(y.rank() - 1), 1);
  shape[0] = bias->shape()[0];
  return y + reshape(*bias, shape);
}

std::string size_text(const Size2& size) {
  return size.h == size.w ? std::to_string(size.h) : std::to_string(size.h) + "×" + std::to_string(size.w);
}
std::string describe_conv(int64_t in, int64_t out, const Size2& kernel, const Size2& stride, const Size2& pad,
                          const Size2& dilation, int64_t groups, bool bias) {
  std::string text = sizes(in, out) + ", kernel " + size_text(kernel);
  if (stride.h != 1 || stride.w != 1) text += ", stride " + size_text(stride);
  if (pad.h != 0 || pad.w != 0) text += ", pad " + size_text(pad);
  if (dilation.h != 1 || dilation.w != 1) text += ", dilation " + size_text(dilation);
  if (groups != 1) text += ", groups " + std::to_string(groups);
  return bias ? text : text + ", no bias";
}

}  // namespace

Conv1d::Conv1d(ModuleBase* parent, MemberName name, Conv1dOptions o)
    : Module(parent, std::move(name)),
      options(o),
      weight{this, "weight", init::default_weight({o.out, divided(*this, "in", o.in, o.groups), o.kernel})} {
  divided(*this, "out", o.out, o.groups);
  if (o.bias) bias.emplace(this, "bias", init::default_bias(o.out, fans(weight.shape()).in));
}
Tensor Conv1d::forward(Tensor x) {
  check_rank(*this, x, 3, "[N, C, W]");
  check_extent(*this, x, 1, options.in);
  const Conv1dOptions& o = options;
  return add_bias(convolve(*this, x, weight, {{x.size(2), o.kernel, o.stride, o.pad, o.dilation}}, o.groups), bias);
}
std::string Conv1d::details() const {
  const Conv1dOptions& o = options;
  return describe_conv(o.in, o.out, o.kernel, o.stride, o.pad, o.dilation, o.groups, o.bias);
}

Conv2d::Conv2d(ModuleBase* parent, MemberName name, Conv2dOptions o)
    : Module(parent, std::move(name)),
      options(o),
      weight{this, "weight",
             init::default_weight({o.out, divided(*this, "in", o.in, o.groups), o.kernel.h, o.kernel.w})} {
  divided(*this, "out", o.out, o.groups);
  if (o.bias) bias.emplace(this, "bias", init::default_bias(o.out, fans(weight.shape()).in));
}
Tensor Conv2d::forward(Tensor x) {
  check_rank(*this, x, 4, "[N, C, H, W]");
  check_extent(*this, x, 1, options.in);
  const Conv2dOptions& o = options;
  return add_bias(convolve(*this, x, weight,
                           {{x.size(2), o.kernel.h, o.stride.h, o.pad.h, o.dilation.h},
                            {x.size(3), o.kernel.w, o.stride.w, o.pad.w, o.dilation.w}},
                           o.groups),
                  bias);
}
std::string Conv2d::details() const {
  const Conv2dOptions& o = options;
  return describe_conv(o.in, o.out, o.kernel, o.stride, o.pad, o.dilation, o.groups, o.bias);
}

ConvTranspose2d::ConvTranspose2d(ModuleBase* parent, MemberName name, ConvTranspose2dOptions o)
    : Module(parent, std::move(name)),
      options(o),
      weight{this, "weight",
             init::default_weight({o.in, divided(*this, "out", o.out, o.groups), o.kernel.h, o.kernel.w})} {
  divided(*this, "in", o.in, o.groups);
  if (o.bias) bias.emplace(this, "bias", init::default_bias(o.out, fans(weight.shape()).in));
}
// The relation of Conv2d read the other way: its result is our input, so h and w are letters of the result alone.
Tensor ConvTranspose2d::forward(Tensor x) {
  check_rank(*this, x, 4, "[N, C, H, W]");
  check_extent(*this, x, 1, options.in);
  const ConvTranspose2dOptions& o = options;
  auto extent = [](int64_t in, int64_t stride, int64_t pad, int64_t dilation, int64_t kernel, int64_t output_pad) {
    return (in - 1) * stride - 2 * pad + dilation * (kernel - 1) + 1 + output_pad;
  };
  const int64_t h = extent(x.size(2), o.stride.h, o.pad.h, o.dilation.h, o.kernel.h, o.output_pad.h);
  const int64_t w = extent(x.size(3), o.stride.w, o.pad.w, o.dilation.w, o.kernel.w, o.output_pad.w);
  std::vector<WindowRelation> windows{
      {.in = 'h', .out = 'p', .tap = 'r', .stride = o.stride.h, .dilation = o.dilation.h, .pad = o.pad.h},
      {.in = 'w', .out = 'q', .tap = 's', .stride = o.stride.w, .dilation = o.dilation.w, .pad = o.pad.w}};
  std::vector<LetterExtent> extents{{'h', h}, {'w', w}};
  if (o.groups == 1) return add_bias(contract(x, weight, "ncpq,ckrs->nkhw", windows, extents), bias);

  const int64_t in = o.in / o.groups, out = o.out / o.groups;
  Tensor data = reshape(x, {x.size(0), o.groups, in, x.size(2), x.size(3)});
  Tensor kernel = reshape(weight, {o.groups, in, out, o.kernel.h, o.kernel.w});
  Tensor y = contract(data, kernel, "ngcpq,gckrs->ngkhw", windows, extents);
  return add_bias(reshape(y, {x.size(0), o.out, h, w}), bias);
}
std::string ConvTranspose2d::details() const {
  const ConvTranspose2dOptions& o = options;
  return describe_conv(o.in, o.out, o.kernel, o.stride, o.pad, o.dilation, o.groups, o.bias);
}

}  // namespace tessera::nn
