#pragma once
// Convolutions, all through the one contraction (D17). Weights are [out, in / groups, taps…] (transposed: [in,
// out / groups, taps…]), bias [out]. Sizes, p = pad, d = dilation, s = stride, k = taps:
//   out = ⌊(in + 2p − d(k − 1) − 1) / s⌋ + 1        transposed: out = (in − 1)s − 2p + d(k − 1) + 1 + output_pad

#include <optional>

#include <tessera/nn/module.h>

namespace tessera::nn {

// One number for both spatial dims, or {height, width}.
struct Size2 {
  int64_t h, w;
  constexpr Size2(int64_t both) : h(both), w(both) {}
  constexpr Size2(int64_t height, int64_t width) : h(height), w(width) {}
};

struct Conv1d;
struct Conv1dOptions {
  using Layer = Conv1d;
  int64_t in, out, kernel, stride = 1, pad = 0, dilation = 1, groups = 1;
  bool bias = true;
};
struct Conv1d : Module<Conv1d> {  // [N, in, W]
  Conv1dOptions options;
  Param weight;
  std::optional<Param> bias;

  Conv1d(ModuleBase* parent, MemberName name, Conv1dOptions);
  Tensor forward(Tensor x);
  std::string details() const override;
};

struct Conv2d;
struct Conv2dOptions {
  using Layer = Conv2d;
  int64_t in, out;
  Size2 kernel, stride = 1, pad = 0, dilation = 1;
  int64_t groups = 1;
  bool bias = true;
};
struct Conv2d : Module<Conv2d> {  // [N, in, H, W]
  Conv2dOptions options;
  Param weight;
  std::optional<Param> bias;

  Conv2d(ModuleBase* parent, MemberName name, Conv2dOptions);
  Tensor forward(Tensor x);
  std::string details() const override;
};

struct ConvTranspose2d;
struct ConvTranspose2dOptions {
  using Layer = ConvTranspose2d;
  int64_t in, out;
  Size2 kernel, stride = 1, pad = 0, output_pad = 0, dilation = 1;
  int64_t groups = 1;
  bool bias = true;
};
struct ConvTranspose2d : Module<ConvTranspose2d> {  // [N, in, H, W]
  ConvTranspose2dOptions options;
  Param weight;
  std::optional<Param> bias;

  ConvTranspose2d(ModuleBase* parent, MemberName name, ConvTranspose2dOptions);
  Tensor forward(Tensor x);
  std::string details() const override;
};

}  // namespace tessera::nn
