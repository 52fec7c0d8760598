#pragma once
// Precision: what a compiled program rounds beside the casts that it was written with (D8). A policy, not a dtype: every
// tensor keeps the dtype that the user sees, and a cast that the user wrote is never moved.
//
//   auto step = compile(train, {.precision = "bf16_mixed"});

#include <cstdint>
#include <string>
#include <string_view>

#include <tessera/core/dtype.h>
#include <tessera/core/location.h>

namespace tessera {

struct Precision {
  enum class Policy : uint8_t {
    as_written,  // "f32": every op in the dtypes that the user sees
    // Contractions of f32 may read of their operands what tf32 holds, rounded to 10 bits behind the point, and sum in f32;
    // all else is as written. It allows and does not demand: a GPU's tensor cores do so, the CPU and the reference multiply
    // f32.
    tf32,
    // Contractions of f32 read their operands rounded to bf16 and sum in f32; what one kernel leaves for others lies in
    // memory as bf16. States, results, statistics, sums and the gradients of parameters stay f32.
    bf16_mixed,
  };
  Policy policy = Policy::as_written;
  // Under bf16_mixed, how sums lie in memory that go on from layer to layer, as a residual stream does: f32 or bf16.
  DType residual = DType::f32;

  Precision() = default;
  // "f32", "tf32" or "bf16_mixed"; ValueError otherwise, with the line where the name stands.
  Precision(std::string_view name, Loc at = Loc::here());
  Precision(const char* name, Loc at = Loc::here()) : Precision(std::string_view(name), at) {}
  Precision(Policy p, DType of_residual) : policy(p), residual(of_residual) {}

  bool is_mixed() const { return policy == Policy::bf16_mixed; }
  std::string str() const;  // "tf32", "bf16_mixed", "bf16_mixed(residual = bf16)"
  bool operator==(const Precision&) const = default;
};

namespace precision {

struct Bf16Mixed {
  DType residual = DType::f32;
};
// ValueError for a residual that is neither f32 nor bf16.
Precision bf16_mixed(Bf16Mixed options, Loc at = Loc::here());

}  // namespace precision
}  // namespace tessera
