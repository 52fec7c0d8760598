#include <tessera/nn/models/unet.h>

#include <tessera/nn/functional.h>
#include <tessera/nn/models/time_features.h>

namespace tessera::nn {
namespace {

Conv2dOptions conv3x3(int64_t in, int64_t out, int64_t stride = 1) {
  return {.in = in, .out = out, .kernel = 3, .stride = stride, .pad = 1};
}
Conv2dOptions conv1x1(int64_t in, int64_t out) { return {.in = in, .out = out, .kernel = 1}; }

}  // namespace

ResidualBlock::ResidualBlock(int64_t in, int64_t out, int64_t embedding, int64_t groups)
    : norm1{this, "norm1", {groups, in}},
      conv1{this, "conv1", conv3x3(in, out)},
      time{this, "time", {embedding, out}},
      norm2{this, "norm2", {groups, out}},
      conv2{this, "conv2", conv3x3(out, out)} {
  if (in != out) skip.emplace(this, "skip", conv1x1(in, out));
}
Tensor ResidualBlock::forward(Tensor x, Tensor embedding) {
  Tensor e = time(silu(embedding));
  Tensor h = conv1(silu(norm1(x))) + reshape(e, {e.size(0), e.size(1), 1, 1});
  return (skip ? (*skip)(x) : x) + conv2(silu(norm2(h)));
}

PixelAttention::PixelAttention(int64_t channels, int64_t groups)
    : norm{this, "norm", {groups, channels}},
      qkv{this, "qkv", conv1x1(channels, 3 * channels)},
      out{this, "out", conv1x1(channels, channels)} {}
Tensor PixelAttention::forward(Tensor x) {
  const int64_t n = x.size(0), c = x.size(1), pixels = x.size(2) * x.size(3);
  Tensor packed = reshape(qkv(norm(x)), {n, 3, c, pixels});
  auto part = [&](int64_t i) { return reshape(transpose(select(packed, 1, i), 1, 2), {n, pixels, 1, c}); };
  Tensor y = nn::attention(part(0), part(1), part(2));
  return x + out(reshape(transpose(reshape(y, {n, pixels, c}), 1, 2), x.shape()));
}

Unet::Unet(UnetOptions o)
    : options(o),
      time1{this, "time1", {o.time_features, o.embedding}},
      time2{this, "time2", {o.embedding, o.embedding}},
      input{this, "input", conv3x3(o.channels, o.widths.front())},
      down{this, "down"},
      downsample{this, "downsample"},
      middle1{this, "middle1", o.widths.back(), o.widths.back(), o.embedding, o.groups},
      attention{this, "attention", o.widths.back(), o.groups},
      middle2{this, "middle2", o.widths.back(), o.widths.back(), o.embedding, o.groups},
      up{this, "up"},
      upsample{this, "upsample"},
      norm{this, "norm", {o.groups, o.widths.front()}},
      output{this, "output", conv3x3(o.widths.front(), o.channels)} {
  const size_t levels = o.widths.size();
  int64_t channels = o.widths.front();
  std::vector<int64_t> skips{channels};
  for (size_t level = 0; level < levels; ++level) {
    for (int64_t i = 0; i < o.blocks; ++i) {
      down.add(channels, o.widths[level], o.embedding, o.groups);
      skips.push_back(channels = o.widths[level]);
    }
    if (level + 1 == levels) break;
    downsample.add(conv3x3(channels, channels, 2));
    skips.push_back(channels);
  }
  for (size_t level = levels; level-- > 0;) {
    for (int64_t i = 0; i <= o.blocks; ++i) {
      up.add(channels + skips.back(), o.widths[level], o.embedding, o.groups);
      skips.pop_back();
      channels = o.widths[level];
    }
    if (level > 0) upsample.add(conv3x3(channels, channels));
  }
}

Tensor Unet::forward(Tensor x, Tensor t) {
  Tensor e = time2(silu(time1(time_features(t, options.time_features))));
  const size_t levels = options.widths.size();
  int64_t next = 0;
  Tensor h = input(x);
  std::vector<Tensor> skips{h};
  for (size_t level = 0; level < levels; ++level) {
    for (int64_t i = 0; i < options.blocks; ++i) skips.push_back(h = down[next++](h, e));
    if (level + 1 < levels) skips.push_back(h = downsample[static_cast<int64_t>(level)](h));
  }
  h = middle2(attention(middle1(h, e)), e);
  next = 0;
  for (size_t level = levels; level-- > 0;) {
    for (int64_t i = 0; i <= options.blocks; ++i) {
      h = up[next++](concat({h, skips.back()}, 1), e);
      skips.pop_back();
    }
    if (level > 0) h = upsample[static_cast<int64_t>(levels - 1 - level)](upsample_nearest(h, 2));
  }
  return output(silu(norm(h)));
}

}  // namespace tessera::nn
