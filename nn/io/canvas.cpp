#include <tessera/nn/io/canvas.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include <stb/stb_easy_font.h>

namespace tessera::io {
namespace {
constexpr int fine = 4;
constexpr double glyph = 2;  // the font is 7 units high: drawn at twice that
}  // namespace

Canvas::Canvas(int width, int height)
    : width_(width),
      height_(height),
      fine_(static_cast<size_t>(width) * static_cast<size_t>(height) * fine * fine, Color{255, 255, 255}) {}

void Canvas::rectangle(double left, double top, double right, double bottom, Color color) {
  auto clipped = [](double v, int limit) {
    return std::clamp(static_cast<int>(std::lround(v * fine)), 0, limit * fine);
  };
  const int x0 = clipped(left, width_), x1 = clipped(right, width_), y1 = clipped(bottom, height_);
  for (int y = clipped(top, height_); y < y1; ++y)
    for (int x = x0; x < x1; ++x)
      fine_[static_cast<size_t>(y) * static_cast<size_t>(width_ * fine) + static_cast<size_t>(x)] = color;
}

// Colours what lies within half the thickness of the segment.
void Canvas::line(double x0, double y0, double x1, double y1, double thickness, Color color) {
  const double radius = thickness / 2, dx = x1 - x0, dy = y1 - y0, length2 = dx * dx + dy * dy;
  auto first = [](double v) { return std::max(0, static_cast<int>(std::floor(v * fine))); };
  auto last = [](double v, int limit) { return std::min(limit * fine - 1, static_cast<int>(std::ceil(v * fine))); };
  for (int y = first(std::min(y0, y1) - radius); y <= last(std::max(y0, y1) + radius, height_); ++y)
    for (int x = first(std::min(x0, x1) - radius); x <= last(std::max(x0, x1) + radius, width_); ++x) {
      const double px = (x + 0.5) / fine - x0, py = (y + 0.5) / fine - y0;
      const double along = length2 > 0 ? std::clamp((px * dx + py * dy) / length2, 0.0, 1.0) : 0;
      if (std::hypot(px - along * dx, py - along * dy) <= radius)
        fine_[static_cast<size_t>(y) * static_cast<size_t>(width_ * fine) + static_cast<size_t>(x)] = color;
    }
}

// The font comes as quads: four vertices of x, y, z and a colour each.
void Canvas::text(double x, double y, const std::string& text, Align align, Color color, double size) {
  struct Vertex {
    float x, y, z;
    uint32_t color;
  };
  std::vector<Vertex> vertices(4 * 64 * (text.size() + 1));
  std::string mutable_text = text;
  const int quads = stb_easy_font_print(0, 0, mutable_text.data(), nullptr, vertices.data(),
                                        static_cast<int>(vertices.size() * sizeof(Vertex)));
  const double width = text_width(text, size), unit = glyph * size;
  const double left = align == Align::left ? x : align == Align::right ? x - width : x - width / 2;
  const double at = std::round(left), top = std::round(y);  // whole pixels: sharp letters
  for (int q = 0; q < quads; ++q) {
    const Vertex &a = vertices[static_cast<size_t>(4 * q)], &b = vertices[static_cast<size_t>(4 * q + 2)];
    rectangle(at + unit * static_cast<double>(a.x), top + unit * static_cast<double>(a.y),
              at + unit * static_cast<double>(b.x), top + unit * static_cast<double>(b.y), color);
  }
}
double Canvas::text_width(const std::string& text, double size) {
  std::string mutable_text = text;
  return glyph * size * stb_easy_font_width(mutable_text.data());
}

Image Canvas::picture() const {
  Image out{width_, height_, 3, {}};
  out.pixels.reserve(static_cast<size_t>(width_) * static_cast<size_t>(height_) * 3);
  for (int y = 0; y < height_; ++y)
    for (int x = 0; x < width_; ++x)
      for (size_t channel = 0; channel < 3; ++channel) {
        int sum = 0;
        for (int i = 0; i < fine; ++i)
          for (int j = 0; j < fine; ++j)
            sum += fine_[static_cast<size_t>(y * fine + i) * static_cast<size_t>(width_ * fine) +
                         static_cast<size_t>(x * fine + j)][channel];
        out.pixels.push_back(static_cast<uint8_t>(sum / (fine * fine)));
      }
  return out;
}

}  // namespace tessera::io
