#include <tessera/nn/io/chart.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include <tessera/core/error.h>
#include <tessera/core/user_call.h>
#include <tessera/nn/io/canvas.h>

namespace tessera::io {
namespace {

constexpr Color ink{40, 40, 40}, faint{228, 228, 228}, grey{110, 110, 110};
// Okabe and Ito's palette: told apart by colour-blind eyes too.
constexpr Color palette[] = {{0, 114, 178},   {213, 94, 0},  {0, 158, 115},
                             {204, 121, 167}, {230, 159, 0}, {86, 180, 233}};

struct Span {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  void include(double v) { low = std::min(low, v), high = std::max(high, v); }
  double at(double v) const { return (v - low) / (high - low); }
};

bool drawable(const Series& s, size_t i) { return std::isfinite(s.x[i]) && std::isfinite(s.y[i]); }

// A span that is a single value gets room around it.
void widen(Span& span, double margin) {
  double room = span.high > span.low ? (span.high - span.low) * margin : std::max(std::fabs(span.low) * 0.1, 0.5);
  if (span.high == span.low || margin > 0) span.low -= room, span.high += room;
}

// All labels of an axis with as many digits as tell neighbours apart.
std::string label(double value, double step) {
  if (std::fabs(value) >= 1e6 || step < 1e-4) return fmt::format("{:g}", value);
  int digits = std::max(0, static_cast<int>(std::ceil(-std::log10(step) - 1e-9)));
  return fmt::format("{:.{}f}", value == 0 ? 0 : value, digits);
}

struct Frame {
  double left, top, right, bottom;
  Span x, y;
  double px(double v) const { return left + x.at(v) * (right - left); }
  double py(double v) const { return bottom - y.at(v) * (bottom - top); }
};

void draw_axes(Canvas& canvas, const Frame& frame, const std::vector<double>& xs, const std::vector<double>& ys) {
  for (double v : ys) {
    double y = frame.py(v);
    canvas.line(frame.left, y, frame.right, y, 1, faint);
    canvas.text(frame.left - 8, y - Canvas::text_height / 2, label(v, ys.size() > 1 ? ys[1] - ys[0] : 1),
                Canvas::Align::right, grey);
  }
  for (double v : xs) {
    double x = frame.px(v);
    canvas.line(x, frame.bottom, x, frame.bottom + 5, 1, ink);
    canvas.text(x, frame.bottom + 10, label(v, xs.size() > 1 ? xs[1] - xs[0] : 1), Canvas::Align::centre, grey);
  }
  canvas.line(frame.left, frame.bottom, frame.right, frame.bottom, 1.5, ink);
  canvas.line(frame.left, frame.top, frame.left, frame.bottom, 1.5, ink);
}

void draw_series(Canvas& canvas, const Frame& frame, const Series& series, Color color) {
  for (size_t i = 0; i < series.x.size(); ++i) {
    if (!drawable(series, i)) continue;
    size_t from = i > 0 && drawable(series, i - 1) ? i - 1 : i;
    canvas.line(frame.px(series.x[from]), frame.py(series.y[from]), frame.px(series.x[i]), frame.py(series.y[i]), 2,
                color);
  }
}

}  // namespace

std::vector<double> ticks(double low, double high, int count, bool whole) {
  const double raw = (high - low) / std::max(count, 1), power = std::pow(10, std::floor(std::log10(raw)));
  const double round = power * (raw / power < 1.5 ? 1 : raw / power < 3.5 ? 2 : raw / power < 7.5 ? 5 : 10);
  const double step = whole ? std::max(round, 1.0) : round;
  std::vector<double> out;
  for (double i = std::ceil(low / step - 1e-9); i * step <= high + step * 1e-9; ++i) out.push_back(i * step);
  return out;
}

Image line_chart(const Chart& chart, Loc at) {
  UserCall call(at);
  Frame frame{0, 56, static_cast<double>(chart.width) - 28, static_cast<double>(chart.height) - 66, {}, {}};
  bool any = false, whole = true;  // steps and epochs: no ticks between them
  for (const Series& series : chart.series) {
    if (series.x.size() != series.y.size())
      throw ValueError({.code = "T-V134", .fault = "series '" + series.name + "' has x and y of different lengths"});
    for (size_t i = 0; i < series.x.size(); ++i) {
      if (!drawable(series, i)) continue;
      any = true;
      whole &= series.x[i] == std::floor(series.x[i]);
      frame.x.include(series.x[i]);
      frame.y.include(series.y[i]);
    }
  }
  if (!any || chart.width < 200 || chart.height < 160)
    throw ValueError({.code = "T-V135", .fault = "a chart needs a finite point and 200 × 160 pixels or more"});
  widen(frame.x, 0);
  widen(frame.y, 0.04);

  const std::vector<double> xs = ticks(frame.x.low, frame.x.high, chart.width / 120, whole);
  const std::vector<double> ys = ticks(frame.y.low, frame.y.high, chart.height / 80);
  double widest = 0;
  for (double v : ys) widest = std::max(widest, Canvas::text_width(label(v, ys.size() > 1 ? ys[1] - ys[0] : 1)));
  frame.left = widest + 24;

  Canvas canvas(chart.width, chart.height);
  canvas.text(chart.width / 2.0, 12, chart.title, Canvas::Align::centre, ink);
  canvas.text(8, 34, chart.y_label, Canvas::Align::left, grey);
  canvas.text((frame.left + frame.right) / 2, frame.bottom + 36, chart.x_label, Canvas::Align::centre, grey);
  draw_axes(canvas, frame, xs, ys);
  for (size_t i = 0; i < chart.series.size(); ++i)
    draw_series(canvas, frame, chart.series[i], palette[i % std::size(palette)]);

  double x = frame.right;  // the legend, from the right, above the frame
  for (size_t i = chart.series.size(); i-- > 0;) {
    if (chart.series[i].name.empty()) continue;
    canvas.text(x, 34, chart.series[i].name, Canvas::Align::right, ink);
    x -= Canvas::text_width(chart.series[i].name) + 8;
    canvas.line(x - 22, 34 + Canvas::text_height / 2, x, 34 + Canvas::text_height / 2, 3,
                palette[i % std::size(palette)]);
    x -= 40;
  }
  return canvas.picture();
}

}  // namespace tessera::io
