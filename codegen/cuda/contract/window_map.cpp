#include <tessera/codegen/cuda/contract/window_map.h>

#include <algorithm>
#include <array>

#include "llvm/Support/MathExtras.h"

#include <tessera/codegen/cuda/contract/bounds.h>

namespace tessera::cuda {

using codegen::Access;

namespace {

constexpr int64_t line_unit = 64;  // elements of a line that a box brings

// What the hardware keeps of a window over one, two or three dims: corners are within ±corner, taps reach so far.
struct Limits {
  int64_t corner, tap;
};
constexpr std::array<Limits, 4> limits = {{{0, 0}, {32768, 65535}, {128, 255}, {16, 31}}};
constexpr int64_t largest_step = 8;

// A dim of the contraction, or several next to each other that an access walks as one.
struct Dim {
  int64_t extent = 1, stride = 0;
};

// Of `side`, outermost first.
std::vector<Dim> dims_of(const Contraction& c, const Access& access, Side side) {
  std::vector<Dim> dims;
  for (int d = side.begin; d < side.end; ++d)
    dims.push_back({c.extent[static_cast<size_t>(d)], access.stride[static_cast<size_t>(d)]});
  return dims;
}

std::vector<Dim> joined(std::vector<Dim> dims) {
  for (size_t i = dims.size(); i-- > 1;)
    if (dims[i - 1].stride == dims[i].stride * dims[i].extent) {
      dims[i].extent *= dims[i - 1].extent;
      dims.erase(dims.begin() + static_cast<std::ptrdiff_t>(i) - 1);
    }
  return dims;
}

// A dim of the picture: what walks it, and from which coordinate on.
struct Axis {
  BoundedDim dim;
  int64_t pixels = 1, step = 1, pixels_inner = 0;  // inner 0: no pixels along it
  int64_t taps = 1, dilation = 0, taps_inner = 0;
};

class WindowReader {
 public:
  WindowReader(const Contraction& c, const ContractOperand& operand, Side pixels, Side channels)
      : c_(c), operand_(operand), pixels_(pixels), channels_(channels) {}

  // The picture is what the tensor's dims say, or else each dim of the contraction is one of its own.
  std::optional<MappedOperand> read() {
    if (!operand_.access.linear() || pixels_.count() == 0 || channels_.count() == 0) return std::nullopt;
    const std::vector<Dim> pixels = dims_of(c_, operand_.access, pixels_),
                           channels = dims_of(c_, operand_.access, channels_);
    if (auto bounds = bounds_of(c_.kernel(), operand_.argument)) return read_in(*bounds, pixels, channels, true);
    auto type = mlir::cast<mlir::RankedTensorType>(c_.kernel().getInputs()[operand_.argument].getType());
    if (operand_.access.base >= 0)
      if (auto found = read_in(bounds_of_shape(type.getShape(), operand_.access.base), pixels, channels, false))
        return found;
    return read_in(own_dims(joined(pixels), joined(channels)), joined(pixels), joined(channels), false);
  }

 private:
  Bounds own_dims(const std::vector<Dim>& pixels, const std::vector<Dim>& channels) const {
    Bounds made{operand_.access.base, {}};
    for (const std::vector<Dim>* dims : {&pixels, &channels})
      for (const Dim& dim : *dims) made.dims.push_back({dim.extent, dim.stride, 0});
    std::ranges::stable_sort(made.dims, std::greater(), &BoundedDim::stride);
    return made;
  }

  std::optional<MappedOperand> read_in(const Bounds& bounds, const std::vector<Dim>& pixels,
                                       const std::vector<Dim>& channels, bool leaves) {
    axes_.clear(), is_outside_ = false;
    for (const BoundedDim& dim : bounds.dims) axes_.push_back({.dim = dim});
    if (channels.back().stride != 1 || axes_.empty() || axes_.back().dim.stride != 1) return std::nullopt;
    const Axis line = axes_.back();
    axes_.pop_back();
    if (line.dim.first < 0 || line.dim.first + channels.back().extent > line.dim.extent) return std::nullopt;
    int64_t inner = 1;
    for (const Dim& dim : llvm::reverse(pixels)) {
      Axis* axis = find(dim);
      if (!axis || axis->pixels_inner) return std::nullopt;
      axis->pixels = dim.extent, axis->step = dim.stride / axis->dim.stride, axis->pixels_inner = inner;
      inner *= dim.extent;
    }
    inner = 1;
    for (const Dim& dim : llvm::reverse(llvm::ArrayRef(channels).drop_back())) {
      Axis* axis = find(dim);
      if (!axis || axis->taps_inner) return std::nullopt;
      axis->taps = dim.extent, axis->dilation = dim.stride / axis->dim.stride, axis->taps_inner = inner;
      inner *= dim.extent;
    }
    for (const Axis& axis : axes_) {  // what goes on in the next line is walked by no window
      const int64_t last = axis.dim.first + (axis.pixels - 1) * axis.step + (axis.taps - 1) * axis.dilation;
      if (!leaves && last >= axis.dim.extent) return std::nullopt;
    }
    return mapped(bounds.origin + line.dim.first, channels.back().extent);
  }

  Axis* find(const Dim& dim) {
    for (Axis& axis : axes_)
      if (dim.stride >= axis.dim.stride && dim.stride % axis.dim.stride == 0) return &axis;
    return nullptr;
  }

  std::optional<MappedOperand> mapped(int64_t first, int64_t line) {
    std::erase_if(axes_, [&](const Axis& axis) {
      if (axis.pixels_inner || axis.taps_inner) return false;
      first += axis.dim.first * axis.dim.stride;
      is_outside_ |= axis.dim.first < 0;
      return true;
    });
    // The last dim has no corners: boxes go on in it to its end.
    std::ranges::stable_sort(axes_, {}, &Axis::pixels_inner);
    if (axes_.empty() || is_outside_) return std::nullopt;
    Axis last = axes_.back();
    const bool is_plain = last.pixels_inner && !last.taps_inner && last.step == 1 && last.dim.first >= 0;
    if (is_plain) axes_.pop_back(), first += last.dim.first * last.dim.stride;
    else last = {.dim = {1, last.dim.stride, 0}, .pixels = 1, .pixels_inner = c_.size(pixels_)};
    if (axes_.empty() || axes_.size() >= limits.size()) return std::nullopt;
    std::ranges::stable_partition(axes_, [](const Axis& axis) { return axis.pixels_inner != 0; });

    MappedOperand made;
    Mapped& tensor = made.tensor;
    tensor.first = first;
    tensor.extents = {line}, tensor.strides = {1};
    made.line = line;
    const Limits& limit = limits[axes_.size()];
    for (const Axis& axis : axes_) {
      const int64_t upper = axis.dim.first + (axis.pixels - 1) * axis.step - (axis.dim.extent - 1);
      tensor.extents.push_back(axis.dim.extent), tensor.strides.push_back(axis.dim.stride);
      tensor.lower.push_back(axis.dim.first), tensor.upper.push_back(upper), tensor.steps.push_back(axis.step);
      if (axis.step > largest_step || (axis.taps - 1) * axis.dilation > limit.tap) return std::nullopt;
      for (int64_t corner : {axis.dim.first, upper})
        if (corner < -limit.corner || corner >= limit.corner) return std::nullopt;
      made.pixels.push_back({std::max<int64_t>(axis.pixels_inner, 1), axis.pixels, axis.step, axis.dim.first});
      made.taps.push_back({std::max<int64_t>(axis.taps_inner, 1), axis.taps, axis.dilation, 0});
    }
    tensor.extents.push_back(last.pixels), tensor.strides.push_back(last.dim.stride);
    made.pixels.push_back({last.pixels_inner, last.pixels, 1, 0, true});
    return has_map(tensor) ? std::optional(std::move(made)) : std::nullopt;
  }

  const Contraction& c_;
  const ContractOperand& operand_;
  const Side pixels_, channels_;
  std::vector<Axis> axes_;
  bool is_outside_ = false;
};

// The other operand: lines of K as the window has them, and its taps, which may go backwards.
std::optional<MappedOperand> map_taps(const Contraction& c, const ContractOperand& operand, Side rows, int64_t line) {
  if (!operand.access.linear() || bounds_of(c.kernel(), operand.argument)) return std::nullopt;
  const std::optional<int64_t> row = stride_along(c, operand.access, rows);
  std::vector<Dim> k = dims_of(c, operand.access, c.k);
  Dim inner{1, k.back().stride};
  while (!k.empty() && inner.extent < line && k.back().stride == inner.stride * inner.extent)
    inner.extent *= k.back().extent, k.pop_back();
  if (!row || inner.extent != line) return std::nullopt;
  MappedOperand made{.tensor = {}, .along_k = inner.stride == 1, .line = line};
  Mapped& tensor = made.tensor;
  tensor.first = operand.access.base;
  tensor.extents = {line, c.size(rows)}, tensor.strides = {inner.stride, *row};
  if (!made.along_k) std::swap(tensor.extents[0], tensor.extents[1]), std::swap(tensor.strides[0], tensor.strides[1]);
  int64_t points = 1;
  const std::vector<Dim> taps = joined(std::move(k));
  for (const Dim& dim : llvm::reverse(taps)) {
    const bool is_turned = dim.stride < 0;
    tensor.extents.push_back(dim.extent), tensor.strides.push_back(std::abs(dim.stride));
    if (is_turned) tensor.first += (dim.extent - 1) * dim.stride;
    made.taps.push_back({points, dim.extent, is_turned ? -1 : 1, is_turned ? dim.extent - 1 : 0});
    points *= dim.extent;
  }
  if (!made.taps.empty()) made.taps.back().is_last = true;
  constexpr int most_dims = 4;  // lines, rows, and two dims of taps
  return tensor.rank() <= most_dims && has_map(tensor) ? std::optional(std::move(made)) : std::nullopt;
}

// The other operand where K are pixels: one line of them.
std::optional<MappedOperand> map_pixels(const Contraction& c, const ContractOperand& operand, Side rows) {
  if (!operand.access.linear() || bounds_of(c.kernel(), operand.argument)) return std::nullopt;
  const std::optional<int64_t> row = stride_along(c, operand.access, rows), k = stride_along(c, operand.access, c.k);
  if (!row || !k) return std::nullopt;
  MappedOperand made{.tensor = {}, .along_k = k == 1};
  made.tensor.first = operand.access.base;
  made.tensor.extents = {c.size(c.k), c.size(rows)}, made.tensor.strides = {*k, *row};
  if (!made.along_k) {
    std::swap(made.tensor.extents[0], made.tensor.extents[1]);
    std::swap(made.tensor.strides[0], made.tensor.strides[1]);
  }
  return has_map(made.tensor) ? std::optional(std::move(made)) : std::nullopt;
}

}  // namespace

std::optional<MappedWindow> map_window(const Contraction& apart, const ContractOperand& window, Side rows,
                                       const ContractOperand& other, Side other_rows) {
  if (apart.batch.count() > 0) return std::nullopt;
  MappedWindow made;
  if (auto of_rows = WindowReader(apart, window, rows, apart.k).read()) {
    auto found = map_taps(apart, other, other_rows, of_rows->line);
    if (!found) return std::nullopt;
    const int64_t line = of_rows->line, filled = llvm::divideCeilSigned(line, line_unit) * line_unit;
    made.k = apart.size(apart.k) / line * filled, made.channels = line;
    of_rows->line = found->line = filled;
    made.window = std::move(*of_rows), made.other = std::move(*found);
    return made;
  }
  // Columns of a tile are channels of one tap after the other, filled up to whole lines where they are columns of the result.
  if (auto of_k = WindowReader(apart, window, apart.k, rows).read()) {
    auto found = map_pixels(apart, other, other_rows);
    const int64_t line = of_k->line, filled = llvm::divideCeilSigned(line, line_unit) * line_unit;
    const bool fits = line == filled || (rows.begin == apart.n.begin && line % 4 == 0);
    if (!found || !fits) return std::nullopt;
    of_k->along_k = false, of_k->line = filled;
    made.k = apart.size(apart.k), made.columns = line == filled ? 0 : line;
    made.window = std::move(*of_k), made.other = std::move(*found);
    return made;
  }
  return std::nullopt;
}

}  // namespace tessera::cuda
