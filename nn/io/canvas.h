#pragma once
// A drawing surface for charts, four times as fine as the picture that comes out of it, which is what smooths the lines.

#include <array>
#include <string>
#include <vector>

#include <tessera/nn/io/image.h>

namespace tessera::io {

using Color = std::array<uint8_t, 3>;

// Coordinates are pixels of the finished picture, from the top left.
class Canvas {
 public:
  Canvas(int width, int height);
  void rectangle(double left, double top, double right, double bottom, Color);
  void line(double x0, double y0, double x1, double y1, double thickness, Color);  // round ends
  enum class Align { left, centre, right };
  void text(double x, double y, const std::string& text, Align, Color, double size = 1);  // y is the top
  static double text_width(const std::string& text, double size = 1);
  static constexpr double text_height = 14;
  Image picture() const;

 private:
  int width_, height_;
  std::vector<Color> fine_;
};

}  // namespace tessera::io
