// Walking and filling memory, for every family.
#include <algorithm>
#include <cstring>

#include <tessera/core/error.h>
#include <tessera/core/reference_ops.h>

namespace tessera::reference {
namespace {

template <size_t size>
void copy_sized(const Shape& extents, const void* from, const View& source, void* to, const View& target) {
  const char* in = static_cast<const char*>(from);
  char* out = static_cast<char*>(to);
  walk(extents, source, target, [&](int64_t a, int64_t b) {
    std::memcpy(out + b * static_cast<int64_t>(size), in + a * static_cast<int64_t>(size), size);
  });
}

}  // namespace

void copy(size_t size, const Shape& extents, const void* from, const View& source, void* to, const View& target) {
  switch (size) {
    case 1: return copy_sized<1>(extents, from, source, to, target);
    case 2: return copy_sized<2>(extents, from, source, to, target);
    case 4: return copy_sized<4>(extents, from, source, to, target);
    case 8: return copy_sized<8>(extents, from, source, to, target);
    default: throw InternalError("no dtype has elements of this size");
  }
}

void fill(void* to, DType dtype, int64_t count, const Number& value) {
  if (count == 0) return;
  if (const int64_t* integer = std::get_if<int64_t>(&value)) store_int(to, dtype, 0, *integer);
  else store_double(to, dtype, 0, std::get<double>(value));
  // Each copy doubles what is there.
  const size_t total = static_cast<size_t>(count) * size_of(dtype);
  char* bytes = static_cast<char*>(to);
  for (size_t done = size_of(dtype); done < total; done *= 2)
    std::memcpy(bytes + done, bytes, std::min(done, total - done));
}

Split::Split(const Shape& shape, int64_t dim) {
  for (int64_t d = 0; d < shape.rank(); ++d) {
    const int64_t here = shape[static_cast<int>(d)];
    (d < dim ? outer : d == dim ? extent : inner) *= here;
  }
}

}  // namespace tessera::reference
