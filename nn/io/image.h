#pragma once
// Pictures on the host: eight bits a channel, rows from the top. Written as PNG.

#include <cstdint>
#include <string>
#include <vector>

#include <tessera/core/tensor.h>

namespace tessera::io {

struct Image {
  int width = 0, height = 0, channels = 3;  // 1: grey, 3: RGB
  std::vector<uint8_t> pixels;              // [height, width, channels]
};

struct GridOptions {
  int columns = 0;           // 0: about square
  int gap = 2;               // white pixels between pictures
  int scale = 1;             // each pixel becomes scale × scale
  double low = 0, high = 1;  // values that become black and white; others are cut off
};
// Pictures [N, C, H, W] with C of 1 or 3, left to right and top to bottom.
Image image_grid(const Tensor& pictures, GridOptions = {}, Loc at = Loc::here());

void write_png(const std::string& path, const Image&, Loc at = Loc::here());

}  // namespace tessera::io
