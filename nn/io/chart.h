#pragma once
// A line chart: what a loss curve needs and no more.
//   io::write_png("loss.png", io::line_chart({.title = "loss", .x_label = "step", .series = {{"train", steps, losses}}}));

#include <string>
#include <vector>

#include <tessera/nn/io/image.h>

namespace tessera::io {

struct Series {
  std::string name;
  std::vector<double> x, y;  // a point that is not finite breaks the line
};
struct Chart {
  std::string title, x_label, y_label;  // ASCII
  std::vector<Series> series;
  int width = 960, height = 540;
};
Image line_chart(const Chart&, Loc at = Loc::here());  // ValueError when no series has a finite point

// Round numbers that divide [low, high] into about `count` parts: 1, 2 or 5 times a power of ten apart.
// With `whole`, at least 1.
std::vector<double> ticks(double low, double high, int count, bool whole = false);

}  // namespace tessera::io
