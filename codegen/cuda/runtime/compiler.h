#pragma once
// CUDA C++ text to a cubin, by NVRTC. No device is needed, and no file: the device header comes from memory.

#include <string>

#include <tessera/codegen/cuda/runtime/compile_log.h>

namespace tessera::cuda {

struct Cubin {
  std::string image, log;
  CompileLog facts;
  double milliseconds = 0;
};

// `architecture` is sm_90a and the like. Throws DeviceError where there is no NVRTC, CompileError with NVRTC's messages
// where the text is wrong, and also where `facts.refused` is not empty unless that is asked for: of everything, or of
// spills alone.
enum class OnRefusal { fail, report, report_spills };
// Texts of tiles may round a product and a sum once, and keep nothing in memory. Texts of rows round them apart, since two
// passes that compute a value and compare it must agree in every bit; and the device's own sine keeps a small stack for
// arguments that are large, which is no spill.
enum class TextOf { tiles, rows };
Cubin compile_kernel(const std::string& file_name, const std::string& text, const std::string& architecture,
                     OnRefusal on_refusal = OnRefusal::fail, TextOf kind = TextOf::tiles);

// Puts `compile` in the place of NVRTC, before the first use: its images are for the driver of tests (driver.h).
using CompileText = Cubin (*)(const std::string& file_name, const std::string& text);
void use_compiler(CompileText compile);

std::string compiler_version();  // "NVRTC 13.0"; throws as above

}  // namespace tessera::cuda
