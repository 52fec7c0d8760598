#pragma once
// Attributes: what an op needs beside its operands. Each is a plain struct whose fields() names its members once;
// printing, hashing, comparing and the import into MLIR are all written against fields().

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include <tessera/core/shape.h>

namespace tessera {

// A number as a user wrote it, before it took a tensor's dtype.
using Number = std::variant<double, int64_t>;
double as_double(const Number&);

// One window relation of a contraction (D17): the extent letter `in` is visited at
//   in = stride * out + dilation * tap − pad
// and positions outside [0, extent) contribute nothing.
struct WindowRelation {
  char in, out, tap;
  int64_t stride = 1, dilation = 1, pad = 0;
  bool operator==(const WindowRelation&) const = default;
};

enum class RandomKind : int64_t { uniform, bits };
enum class ScatterMode : int64_t { set, add, max };
enum class ReduceKind : int64_t { sum, max, min, prod };
enum class ScanKind : int64_t { sum, max, prod };

struct NoAttrs {
  template <class V> void fields(V&&) const {}
};
struct ConstantAttrs {  // every element has this value
  Number value;
  template <class V> void fields(V&& v) const { v("value", value); }
};
struct DimAttrs {  // iota, concat, softmax, logsumexp, argmax, argmin
  int64_t dim = 0;
  template <class V> void fields(V&& v) const { v("dim", dim); }
};
struct DimsAttrs {  // broadcast (operand dim i becomes result dim dims[i]; dims ascend, an extent of 1 stretches),
  Dims dims;        // transpose (result dim i is operand dim dims[i]), reverse, variance
  template <class V> void fields(V&& v) const { v("dims", dims); }
};
struct RandomAttrs {  // operands: seed, step (i64 scalars). Bits are Philox4x32-10, see random.h
  RandomKind kind = RandomKind::uniform;
  uint64_t stream = 0;  // hash of module path and call index
  template <class V> void fields(V&& v) const {
    v("kind", kind);
    v("stream", stream);
  }
};
struct SliceAttrs {  // [start, stop) by step > 0, one entry per dim
  Dims start, stop, step;
  template <class V> void fields(V&& v) const {
    v("start", start);
    v("stop", stop);
    v("step", step);
  }
};
struct PadAttrs {  // low and high may not be negative; interior puts that many between neighbours
  Dims low, high, interior;
  double value = 0;
  template <class V> void fields(V&& v) const {
    v("low", low);
    v("high", high);
    v("interior", interior);
    v("value", value);
  }
};
struct ScatterAttrs {
  int64_t dim = 0;
  ScatterMode mode = ScatterMode::add;
  template <class V> void fields(V&& v) const {
    v("dim", dim);
    v("mode", mode);
  }
};
struct ReduceAttrs {  // the reduced dims leave the shape
  ReduceKind kind = ReduceKind::sum;
  Dims dims;  // sorted
  template <class V> void fields(V&& v) const {
    v("kind", kind);
    v("dims", dims);
  }
};
struct ScanAttrs {  // inclusive
  ScanKind kind = ScanKind::sum;
  int64_t dim = 0;
  bool reverse = false;
  template <class V> void fields(V&& v) const {
    v("kind", kind);
    v("dim", dim);
    v("reverse", reverse);
  }
};
struct ArgSortAttrs {  // stable
  int64_t dim = 0;
  bool descending = false;
  template <class V> void fields(V&& v) const {
    v("dim", dim);
    v("descending", descending);
  }
};
struct ContractAttrs {  // "bhqd,bhkd->bhqk"; letters absent from the result are summed
  std::string einsum;
  std::vector<WindowRelation> windows;
  template <class V> void fields(V&& v) const {
    v("einsum", einsum);
    v("windows", windows);
  }
};
struct WindowAttrs {  // dims[i] is cut into windows of size[i]; the taps become trailing result dims, in order
  Dims dims, size, stride, dilation;
  template <class V> void fields(V&& v) const {
    v("dims", dims);
    v("size", size);
    v("stride", stride);
    v("dilation", dilation);
  }
};

using Attrs = std::variant<NoAttrs, ConstantAttrs, DimAttrs, DimsAttrs, RandomAttrs, SliceAttrs, PadAttrs, ScatterAttrs,
                           ReduceAttrs, ScanAttrs, ArgSortAttrs, ContractAttrs, WindowAttrs>;

std::string to_string(const Attrs&);  // "{dim = 1, descending = false}", empty for NoAttrs
uint64_t hash(const Attrs&);
bool equal(const Attrs&, const Attrs&);

const char* name(RandomKind);
const char* name(ScatterMode);
const char* name(ReduceKind);
const char* name(ScanKind);

}  // namespace tessera
