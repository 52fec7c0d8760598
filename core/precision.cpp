#include <tessera/core/precision.h>

#include <tessera/core/error.h>

namespace tessera {

Precision::Precision(std::string_view name, Loc at) {
  if (name == "bf16_mixed") policy = Policy::bf16_mixed;
  else if (name == "tf32") policy = Policy::tf32;
  else if (name != "f32")
    throw ValueError({.code = "T-V145",
                      .fault = "there is no precision '" + std::string(name) + "'",
                      .at = at,
                      .hint = "f32, tf32 or bf16_mixed"});
}

std::string Precision::str() const {
  if (!is_mixed()) return policy == Policy::tf32 ? "tf32" : "f32";
  return residual == DType::f32 ? "bf16_mixed" : "bf16_mixed(residual = " + std::string(name(residual)) + ")";
}

Precision precision::bf16_mixed(Bf16Mixed options, Loc at) {
  if (options.residual != DType::f32 && options.residual != DType::bf16)
    throw ValueError({.code = "T-V146",
                      .fault = "bf16_mixed cannot keep residuals as " + std::string(name(options.residual)),
                      .at = at,
                      .hint = "f32 or bf16"});
  return {Precision::Policy::bf16_mixed, options.residual};
}

}  // namespace tessera
