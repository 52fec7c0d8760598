#include <tessera/core/attrs.h>

#include <bit>
#include <charconv>
#include <cmath>

#include <tessera/core/hash.h>

namespace tessera {
namespace {

constexpr const char* random_names[] = {"uniform", "bits"};
constexpr const char* scatter_names[] = {"set", "add", "max"};
constexpr const char* reduce_names[] = {"sum", "max", "min", "prod"};
constexpr const char* scan_names[] = {"sum", "max", "prod"};

// Shortest text that reads back to the same double, as MLIR wants it: a point before the exponent, bits in hex for
// infinities and NaN.
std::string text(double x) {
  char digits[40];
  if (!std::isfinite(x)) {
    auto end = std::to_chars(digits, digits + sizeof digits, std::bit_cast<uint64_t>(x), 16).ptr;
    return "0x" + std::string(digits, end);
  }
  auto end = std::to_chars(digits, digits + sizeof digits, x, std::chars_format::scientific).ptr;
  std::string out(digits, end);
  return out.find('.') == std::string::npos && out.find('e') != std::string::npos ? out.insert(out.find('e'), ".0")
                                                                                  : out;
}

// Writes attributes as MLIR's generic syntax has them.
struct Printer {
  std::string out;
  void begin(const char* name) { out += (out.empty() ? "" : ", ") + std::string(name) + " = "; }
  void operator()(const char* n, int64_t x) {
    begin(n);
    out += std::to_string(x) + " : i64";
  }
  void operator()(const char* n, uint64_t x) { (*this)(n, std::bit_cast<int64_t>(x)); }
  void operator()(const char* n, bool x) {
    begin(n);
    out += x ? "true" : "false";
  }
  void operator()(const char* n, double x) {
    begin(n);
    out += text(x) + " : f64";
  }
  void operator()(const char* n, const Number& x) {
    std::visit([&](auto v) { (*this)(n, v); }, x);
  }
  void operator()(const char* n, const std::string& x) {
    begin(n);
    out += '"' + x + '"';
  }
  void operator()(const char* n, const Dims& x) {
    begin(n);
    out += "array<i64";
    for (size_t i = 0; i < x.size(); ++i) out += (i ? ", " : ": ") + std::to_string(x[i]);
    out += ">";
  }
  void operator()(const char* n, const std::vector<WindowRelation>& x) {
    begin(n);
    out += "[";
    for (size_t i = 0; i < x.size(); ++i) {
      const WindowRelation& w = x[i];
      out += (i ? ", \"" : "\"") + std::string(1, w.in) + " = " + std::to_string(w.stride) + w.out + " + " +
             std::to_string(w.dilation) + w.tap + " - " + std::to_string(w.pad) + "\"";
    }
    out += "]";
  }
  template <class E>
  requires std::is_enum_v<E>
  void operator()(const char* n, E x) {
    begin(n);
    out += std::string("\"") + name(x) + '"';
  }
};

struct Hasher {
  uint64_t h;
  void operator()(const char*, int64_t x) { h = combine(h, static_cast<uint64_t>(x)); }
  void operator()(const char*, uint64_t x) { h = combine(h, x); }
  void operator()(const char*, bool x) { h = combine(h, x); }
  void operator()(const char*, double x) { h = combine(h, std::bit_cast<uint64_t>(x)); }
  void operator()(const char* n, const Number& x) {
    h = combine(h, x.index());
    std::visit([&](auto v) { (*this)(n, v); }, x);
  }
  void operator()(const char*, const std::string& x) { h = combine(h, hash_text(x)); }
  void operator()(const char*, const Dims& x) {
    h = combine(h, x.size());
    for (int64_t d : x) h = combine(h, static_cast<uint64_t>(d));
  }
  void operator()(const char*, const std::vector<WindowRelation>& x) {
    h = combine(h, x.size());
    for (const WindowRelation& w : x) {
      h = combine(h,
                  static_cast<uint64_t>(w.in) << 16 | static_cast<uint64_t>(w.out) << 8 | static_cast<uint64_t>(w.tap));
      for (int64_t d : {w.stride, w.dilation, w.pad}) h = combine(h, static_cast<uint64_t>(d));
    }
  }
  template <class E>
  requires std::is_enum_v<E>
  void operator()(const char*, E x) {
    h = combine(h, static_cast<uint64_t>(x));
  }
};

}  // namespace

double as_double(const Number& x) {
  return std::visit([](auto v) { return static_cast<double>(v); }, x);
}

std::string to_string(const Attrs& attrs) {
  Printer print;
  std::visit([&](const auto& a) { a.fields(print); }, attrs);
  return print.out.empty() ? "" : "{" + print.out + "}";
}

uint64_t hash(const Attrs& attrs) {
  Hasher hasher{attrs.index()};
  std::visit([&](const auto& a) { a.fields(hasher); }, attrs);
  return hasher.h;
}

// Two attributes are equal when they print the same: doubles print exactly, NaN included.
bool equal(const Attrs& a, const Attrs& b) { return a.index() == b.index() && to_string(a) == to_string(b); }

const char* name(RandomKind x) { return random_names[static_cast<int>(x)]; }
const char* name(ScatterMode x) { return scatter_names[static_cast<int>(x)]; }
const char* name(ReduceKind x) { return reduce_names[static_cast<int>(x)]; }
const char* name(ScanKind x) { return scan_names[static_cast<int>(x)]; }

}  // namespace tessera
