#include <tessera/core/dtype.h>

#include <iomanip>
#include <sstream>

#include <tessera/core/error.h>

namespace tessera {
namespace {

enum class Class : uint8_t { Float, Signed, Unsigned, Bool };

struct DTypeRow {
  DType type;
  std::string_view name;
  uint8_t bytes;
  Class kind;
};

constexpr DTypeRow table[] = {
    {f64, "f64", 8, Class::Float},     {f32, "f32", 4, Class::Float},       {f16, "f16", 2, Class::Float},
    {bf16, "bf16", 2, Class::Float},   {f8e4m3, "f8e4m3", 1, Class::Float}, {f8e5m2, "f8e5m2", 1, Class::Float},
    {i64, "i64", 8, Class::Signed},    {i32, "i32", 4, Class::Signed},      {i16, "i16", 2, Class::Signed},
    {i8, "i8", 1, Class::Signed},      {u32, "u32", 4, Class::Unsigned},    {u8, "u8", 1, Class::Unsigned},
    {boolean, "bool", 1, Class::Bool},
};

constexpr const DTypeRow& row_of(DType t) { return table[static_cast<int>(t)]; }

consteval bool in_order() {
  for (int i = 0; i < static_cast<int>(std::size(table)); ++i)
    if (static_cast<int>(table[i].type) != i) return false;
  return true;
}
static_assert(in_order(), "rows stand in the order of the enum");

DType signed_of_bytes(int bytes) { return bytes <= 1 ? i8 : bytes == 2 ? i16 : bytes == 4 ? i32 : i64; }

DType promote_integers(DType a, DType b) {
  const auto &x = row_of(a), &y = row_of(b);
  if (x.kind == y.kind) return x.bytes >= y.bytes ? a : b;
  const auto& s = x.kind == Class::Signed ? x : y;
  const auto& u = x.kind == Class::Signed ? y : x;
  // The signed result must hold every value of the unsigned side.
  return s.bytes > u.bytes ? s.type : signed_of_bytes(2 * u.bytes);
}

}  // namespace

size_t size_of(DType t) { return row_of(t).bytes; }
std::string_view name(DType t) { return row_of(t).name; }
bool is_float(DType t) { return row_of(t).kind == Class::Float; }
bool is_integer(DType t) { return row_of(t).kind == Class::Signed || row_of(t).kind == Class::Unsigned; }
bool is_unsigned(DType t) { return row_of(t).kind == Class::Unsigned; }
bool is_storage_only(DType t) { return t == f8e4m3 || t == f8e5m2; }

DType dtype_from_name(std::string_view wanted) {
  for (const auto& r : table)
    if (r.name == wanted) return r.type;
  std::string known;
  for (const auto& r : table) known += (known.empty() ? "" : ", ") + std::string(r.name);
  throw ValueError(
      {.code = "T-V001", .fault = "unknown dtype '" + std::string(wanted) + "'", .hint = "one of " + known});
}

DType promote(DType a, DType b) {
  if (a == b) return a;
  if (a == boolean) return b;
  if (b == boolean) return a;
  if (is_storage_only(a) || is_storage_only(b))
    throw DTypeError({.code = "T-D001",
                      .fault = "no common dtype of " + std::string(name(a)) + " and " + std::string(name(b)),
                      .hint = "f8 types only store: cast() to f32 or bf16 first"});
  if (is_float(a) != is_float(b)) return is_float(a) ? a : b;
  if (is_float(a)) {
    if (size_of(a) == size_of(b)) return f32;  // f16 with bf16
    return size_of(a) > size_of(b) ? a : b;
  }
  return promote_integers(a, b);
}

std::string promotion_table() {
  std::ostringstream out;
  out << std::left << std::setw(8) << "";
  for (const auto& r : table) out << std::setw(8) << r.name;
  for (const auto& a : table) {
    out << '\n' << std::setw(8) << a.name;
    for (const auto& b : table) {
      bool none = a.type != b.type && a.type != boolean && b.type != boolean &&
                  (is_storage_only(a.type) || is_storage_only(b.type));
      out << std::setw(8) << (none ? "—  " : name(promote(a.type, b.type)));
    }
  }
  out << '\n';
  return out.str();
}

}  // namespace tessera
