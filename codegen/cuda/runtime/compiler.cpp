#include <tessera/codegen/cuda/runtime/compiler.h>

#include <chrono>
#include <memory>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <tessera/codegen/cuda/runtime/device_header.h>
#include <tessera/codegen/cuda/runtime/library.h>
#include <tessera/core/error.h>

namespace tessera::cuda {
namespace {

struct ProgramHandle;  // only NVRTC knows what it is

struct Nvrtc {
  int (*version)(int* major, int* minor);
  const char* (*error_text)(int);
  int (*create)(ProgramHandle**, const char* text, const char* name, int headers, const char* const* header_texts,
                const char* const* header_names);
  int (*destroy)(ProgramHandle**);
  int (*compile)(ProgramHandle*, int options, const char* const*);
  int (*log_size)(ProgramHandle*, size_t*);
  int (*log)(ProgramHandle*, char*);
  int (*cubin_size)(ProgramHandle*, size_t*);
  int (*cubin)(ProgramHandle*, char*);
};

Nvrtc open_nvrtc() {
  static const Library library("NVRTC", {"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"}, toolkit_folders(),
                               "install the CUDA toolkit's runtime compiler, 12.9 or newer (cuda-nvrtc)");
  Nvrtc n;
  library.bind(n.version, "nvrtcVersion");
  library.bind(n.error_text, "nvrtcGetErrorString");
  library.bind(n.create, "nvrtcCreateProgram");
  library.bind(n.destroy, "nvrtcDestroyProgram");
  library.bind(n.compile, "nvrtcCompileProgram");
  library.bind(n.log_size, "nvrtcGetProgramLogSize");
  library.bind(n.log, "nvrtcGetProgramLog");
  library.bind(n.cubin_size, "nvrtcGetCUBINSize");
  library.bind(n.cubin, "nvrtcGetCUBIN");
  return n;
}

const Nvrtc& nvrtc() {
  static const Nvrtc instance = open_nvrtc();
  return instance;
}

void check_nvrtc(int result, const char* call) {
  if (result != 0) throw InternalError(fmt::format("NVRTC, {}: {}", call, nvrtc().error_text(result)));
}

CompileText replacement = nullptr;

}  // namespace

void use_compiler(CompileText compile) { replacement = compile; }

Cubin compile_kernel(const std::string& file_name, const std::string& text, const std::string& architecture,
                     OnRefusal on_refusal, TextOf kind) {
  if (replacement) return replacement(file_name, text);
  std::vector<const char*> header_texts, header_names;
  for (const DeviceHeaderFile& file : device_header()) {
    header_texts.push_back(file.text);
    header_names.push_back(file.name);
  }
  ProgramHandle* program = nullptr;
  check_nvrtc(nvrtc().create(&program, text.c_str(), file_name.c_str(), static_cast<int>(header_texts.size()),
                             header_texts.data(), header_names.data()),
              "create");
  struct Destroy {
    void operator()(ProgramHandle* p) const { nvrtc().destroy(&p); }
  };
  std::unique_ptr<ProgramHandle, Destroy> owner(program);

  // setmaxnreg is ignored under -G and in relocatable code; lines cost nothing at run time. NVRTC's own cache keeps cubins
  // without what ptxas said of them, and so would hide a spill from whoever compiles a text for the second time.
  const std::string arch = "--gpu-architecture=" + architecture;
  const char* options[] = {arch.c_str(),           "--std=c++17",
                           "--ptxas-options=-v",   "--ptxas-options=--warn-on-spills",
                           "--no-source-include",  "--no-cache",
                           "--generate-line-info", kind == TextOf::tiles ? "--fmad=true" : "--fmad=false"};
  auto start = std::chrono::steady_clock::now();
  int result = nvrtc().compile(program, static_cast<int>(std::size(options)), options);

  Cubin made;
  made.milliseconds = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  size_t size = 0;
  check_nvrtc(nvrtc().log_size(program, &size), "log");
  made.log.resize(size);
  check_nvrtc(nvrtc().log(program, made.log.data()), "log");
  made.log.resize(made.log.find_last_not_of(std::string_view("\0\n ", 3)) + 1);
  if (result != 0)
    throw CompileError({.code = "T-C002", .fault = fmt::format("NVRTC refused {}:\n{}", file_name, made.log)});

  made.facts = read_compile_log(made.log, kind == TextOf::tiles ? Stack::refused : Stack::allowed);
  const bool is_accepted =
      on_refusal == OnRefusal::report || (on_refusal == OnRefusal::report_spills && made.facts.only_spills);
  if (!is_accepted && !made.facts.refused.empty())
    throw CompileError({.code = "T-C003",
                        .fault = fmt::format("{} compiles, but not to its schedule:\n{}", file_name,
                                             fmt::join(made.facts.refused, "\n"))});
  check_nvrtc(nvrtc().cubin_size(program, &size), "cubin");
  made.image.resize(size);
  check_nvrtc(nvrtc().cubin(program, made.image.data()), "cubin");
  return made;
}

std::string compiler_version() {
  if (replacement) return "a compiler of tests";
  int major = 0, minor = 0;
  check_nvrtc(nvrtc().version(&major, &minor), "version");
  return fmt::format("NVRTC {}.{}", major, minor);
}

}  // namespace tessera::cuda
