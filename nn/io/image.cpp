#include <tessera/nn/io/image.h>

#include <algorithm>
#include <cmath>

#include <tessera/core/error.h>
#include <tessera/core/user_call.h>

namespace tessera::io {

Image image_grid(const Tensor& pictures, GridOptions o, Loc at) {
  UserCall call(at);
  const bool fits = pictures.rank() == 4 && pictures.numel() > 0 && (pictures.size(1) == 1 || pictures.size(1) == 3);
  if (!fits || o.columns < 0 || o.gap < 0 || o.scale < 1 || !(o.low < o.high))
    throw ValueError({.code = "T-V132",
                      .fault = "a grid needs pictures [N, 1 or 3, H, W], scale ≥ 1 and low < high",
                      .operands = {{"pictures", describe(*pictures.node())}}});
  const int n = static_cast<int>(pictures.size(0)), c = static_cast<int>(pictures.size(1));
  const int h = static_cast<int>(pictures.size(2)), w = static_cast<int>(pictures.size(3));
  const int columns = std::min(n, o.columns ? o.columns : static_cast<int>(std::ceil(std::sqrt(n))));
  const int rows = (n + columns - 1) / columns;
  const int cell_w = w * o.scale + o.gap, cell_h = h * o.scale + o.gap;
  Image out{columns * cell_w + o.gap, rows * cell_h + o.gap, c, {}};
  out.pixels.assign(static_cast<size_t>(out.width) * static_cast<size_t>(out.height) * static_cast<size_t>(c), 255);

  const std::vector<float> values = pictures.to_vector<float>();
  auto byte = [&](float v) {
    double unit = (static_cast<double>(v) - o.low) / (o.high - o.low);
    return static_cast<uint8_t>(std::lround(255 * (unit > 0 ? std::min(unit, 1.0) : 0.0)));  // NaN is black
  };
  for (int i = 0; i < n; ++i)
    for (int y = 0; y < h * o.scale; ++y)
      for (int x = 0; x < w * o.scale; ++x)
        for (int channel = 0; channel < c; ++channel) {
          int row = i / columns * cell_h + o.gap + y, column = i % columns * cell_w + o.gap + x;
          out.pixels[static_cast<size_t>((row * out.width + column) * c + channel)] =
              byte(values[static_cast<size_t>(((i * c + channel) * h + y / o.scale) * w + x / o.scale)]);
        }
  return out;
}

}  // namespace tessera::io
