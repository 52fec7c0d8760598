// Printing a Tensor's values: nested brackets, long dims shortened in the middle as NumPy does.

#include <iomanip>
#include <sstream>

#include <tessera/core/convert.h>
#include <tessera/core/state.h>
#include <tessera/core/tensor.h>

namespace tessera {
namespace {

constexpr int64_t edge = 3;          // elements shown at each end of a shortened dim
constexpr int64_t full_limit = 200;  // tensors up to this size are shown whole

struct Writer {
  std::ostream& out;
  const Tensor& tensor;
  const void* data;
  bool shorten;
  Dims strides;

  void element(int64_t index) {
    if (is_float(tensor.dtype())) out << std::setprecision(6) << load_double(data, tensor.dtype(), index);
    else if (tensor.dtype() == boolean) out << (load_int(data, boolean, index) ? "true" : "false");
    else out << load_int(data, tensor.dtype(), index);
  }

  void dim(int d, int64_t offset) {
    if (d == tensor.rank()) return element(offset);
    int64_t extent = tensor.size(d);
    bool cut = shorten && extent > 2 * edge;
    out << '[';
    for (int64_t i = 0; i < extent; ++i) {
      if (i) out << (d + 1 == tensor.rank() ? std::string(", ") : ",\n" + std::string(static_cast<size_t>(d) + 1, ' '));
      if (cut && i == edge) {
        out << "…";
        i = extent - edge - 1;
        continue;
      }
      dim(d + 1, offset + i * strides[static_cast<size_t>(d)]);
    }
    out << ']';
  }
};

}  // namespace

std::string str(const Tensor& tensor, Loc at) {
  if (!tensor.valid()) return "Tensor()";
  BufferPtr buffer = tensor.buffer(at);
  std::ostringstream text;
  Writer{text, tensor, buffer->read(), tensor.numel() > full_limit, row_major_strides(tensor.shape())}.dim(0, 0);
  if (tensor.rank() > 0) text << " " << name(tensor.dtype()) << tensor.shape().str();
  return text.str();
}

Printed::Printed(const State& state, Loc at) : Printed(state.value(), at) {}

}  // namespace tessera
