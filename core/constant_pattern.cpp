#include <tessera/core/constant_pattern.h>

#include <cstring>
#include <limits>

#include <tessera/core/convert.h>
#include <tessera/core/ops.h>

namespace tessera {
namespace {

constexpr int64_t least_elements = 256;  // a smaller one costs nothing to read

// Element (i, j) is `inside` where low ≤ j − i ≤ high, else `outside`; both are given by a place that holds one.
struct Band {
  std::optional<int64_t> low, high;
  int64_t inside = 0, outside = 0;
};

class Matrix {
 public:
  Matrix(const Node& data, int64_t rows, int64_t columns)
      : bytes_(static_cast<const char*>(data.value->read())),
        size_(data.value->bytes() / static_cast<size_t>(rows * columns)),
        rows_(rows),
        columns_(columns) {}

  std::optional<Band> band() const {
    Band band;
    // From the lower left corner along the first column and the first row: one element of each diagonal. They are of one
    // value, then perhaps of a second, then perhaps of the first again.
    const int64_t first = place_of(1 - rows_);
    int64_t changes = 0;
    for (int64_t d = 2 - rows_; d < columns_; ++d) {
      if (same(place_of(d), place_of(d - 1))) continue;
      if (++changes == 1) {
        band.high = d - 1;
        band.outside = place_of(d);
      } else if (changes == 2 && same(place_of(d), first)) {  // the second value is the one inside
        band = {*band.high + 1, d - 1, band.outside, first};
      } else {
        return std::nullopt;
      }
    }
    if (changes == 0) return std::nullopt;
    if (changes == 1) band.inside = first;
    for (int64_t i = 0; i < rows_; ++i)
      for (int64_t j = 0; j < columns_; ++j) {
        const bool in = (!band.low || j - i >= *band.low) && (!band.high || j - i <= *band.high);
        if (!same(i * columns_ + j, in ? band.inside : band.outside)) return std::nullopt;
      }
    return band;
  }

 private:
  int64_t place_of(int64_t diagonal) const { return diagonal < 0 ? -diagonal * columns_ : diagonal; }
  bool same(int64_t a, int64_t b) const {
    return std::memcmp(bytes_ + static_cast<size_t>(a) * size_, bytes_ + static_cast<size_t>(b) * size_, size_) == 0;
  }

  const char* bytes_;
  size_t size_;
  int64_t rows_, columns_;
};

// Indices that say each number as often as the first.
std::optional<Tensor> repeats_of(const Node& data) {
  if (data.shape.rank() != 1 || (data.dtype != i32 && data.dtype != i64)) return std::nullopt;
  const void* values = data.value->read();
  auto at = [&](int64_t place) { return static_cast<int64_t>(load_double(values, data.dtype, place)); };
  const int64_t count = data.shape.numel();
  int64_t repeats = 0;
  while (repeats < count && at(repeats) == 0) ++repeats;
  if (repeats < 2 || repeats == count || count % repeats != 0) return std::nullopt;
  for (int64_t i = 0; i < count; ++i)
    if (at(i) != i / repeats) return std::nullopt;
  return floor_divide(Operand(iota(data.shape, 0, data.dtype, data.at), data.at), Operand(repeats, data.at));
}

}  // namespace

std::optional<Tensor> formula_of(const Node& data) {
  if (!data.value) return std::nullopt;
  if (std::optional<Tensor> repeats = repeats_of(data)) return repeats;
  int long_dims[2] = {-1, -1}, count = 0;
  for (int d = 0; d < data.shape.rank(); ++d)
    if (data.shape[d] != 1) {
      if (count == 2) return std::nullopt;
      long_dims[count++] = d;
    }
  if (count != 2 || data.shape.numel() < least_elements) return std::nullopt;
  const std::optional<Band> band = Matrix(data, data.shape[long_dims[0]], data.shape[long_dims[1]]).band();
  if (!band) return std::nullopt;

  const Tensor i = iota(data.shape, long_dims[0], i32, data.at), j = iota(data.shape, long_dims[1], i32, data.at);
  auto at = [&](auto x) { return Operand(x, data.at); };
  Tensor inside;
  if (band->high) inside = at(at(i) + at(*band->high)) >= at(j);
  if (band->low) {
    const Tensor above = at(at(j) - at(*band->low)) >= at(i);
    inside = band->high ? at(inside) && at(above) : above;
  }
  auto value = [&](int64_t place) { return load_double(data.value->read(), data.dtype, place); };
  const double in = value(band->inside), out = value(band->outside);
  if (data.dtype == boolean) return in != 0 ? inside : !at(inside);
  if (!is_float(data.dtype)) return std::nullopt;
  return where(at(inside), at(full(data.shape, in, data.dtype, data.at)),
               at(full(data.shape, out, data.dtype, data.at)));
}

}  // namespace tessera
