#include <tessera/codegen/tools/doctor.h>

#include <unistd.h>

#include <chrono>
#include <exception>
#include <filesystem>
#include <functional>

#include <fmt/color.h>
#include <fmt/format.h>

#include <tessera/codegen/cpu/key.h>
#include <tessera/codegen/cpu/object_cache.h>
#include <tessera/codegen/cpu/runtime/thread_pool.h>
#include <tessera/codegen/cpu/target.h>
#include <tessera/codegen/cuda/runtime/compiler.h>
#include <tessera/codegen/cuda/runtime/device.h>
#include <tessera/codegen/tools/units.h>
#include <tessera/core/compile.h>
#include <tessera/core/error.h>
#include <tessera/core/executor.h>

namespace tessera::tools {
namespace {

using namespace codegen;

enum class Verdict { ok, missing, fault };

void line(Verdict verdict, const char* what, const std::string& text) {
  const char* word = verdict == Verdict::ok ? "ok" : verdict == Verdict::missing ? "missing" : "FAULT";
  auto color = verdict == Verdict::ok        ? fmt::terminal_color::green
               : verdict == Verdict::missing ? fmt::terminal_color::yellow
                                             : fmt::terminal_color::red;
  std::string shown = fmt::format("{:<8}", word);
  if (isatty(STDOUT_FILENO)) shown = fmt::format(fmt::fg(color), "{}", shown);
  fmt::print("  {}{:<11}{}\n", shown, what, text);
}

std::string memory_text() {
  auto pages = static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)), size = static_cast<int64_t>(sysconf(_SC_PAGE_SIZE));
  return size_text(pages * size);
}

// A product, a softmax and a sum on an executor, against the reference.
bool try_executor(const char* executor, const char* what) {
  auto program = [](Tensor x) { return sum(softmax(matmul(x, x) * 0.125, 1) * x); };
  Tensor x = (iota({48, 48}, 0, f32) * 0.01 - iota({48, 48}, 1, f32) * 0.02).eval();
  double expected = 0;
  {
    UseExecutor reference(reference_executor());
    expected = program(x).item<double>();
  }
  auto start = std::chrono::steady_clock::now();
  double got = 0;
  try {
    UseExecutor tried(*find_executor(executor));
    got = compile(program, {.name = "doctor"})(x).item<double>();
  } catch (const std::exception& error) {
    line(Verdict::fault, what, error.what());
    return false;
  }
  auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start).count();
  if (std::abs(got - expected) > 1e-3 * (1 + std::abs(expected))) {
    line(Verdict::fault, what, fmt::format("a compiled program gave {} instead of {}", got, expected));
    return false;
  }
  line(Verdict::ok, what, fmt::format("a program compiled, ran and agreed with the reference in {} ms", took));
  return true;
}

bool look_at_cache() {
  std::string refusal = cache_refusal(), where = cache_directory();
  if (where.empty()) {
    line(Verdict::missing, "cache", refusal);
    return true;
  }
  if (!refusal.empty()) {
    line(Verdict::fault, "cache", refusal);
    return false;
  }
  int64_t bytes = 0;
  for (const CachedFile& file : cached_files()) bytes += file.bytes;
  const std::string key = blake3_hex("doctor");
  write_cached(key, "probe", "doctor");
  if (!read_cached(key, "probe")) {
    line(Verdict::fault, "cache", where + " cannot be written: every start compiles anew; set TESSERA_CACHE_DIR");
    return false;
  }
  line(Verdict::ok, "cache", fmt::format("{}, {} of {}", where, size_text(bytes), size_text(cache_limit)));
  return true;
}

void look_for(const char* what, const std::filesystem::path& file, const char* packages, const char* use) {
  if (std::filesystem::exists(file)) line(Verdict::ok, what, fmt::format("{} ({})", file.string(), use));
  else line(Verdict::missing, what, fmt::format("apt-get install {} ({})", packages, use));
}

// What `find` returns, or in one line what is missing. Neither is a fault: programs run on the processor.
bool look_for_cuda(const char* what, const std::function<std::string()>& find) {
  try {
    line(Verdict::ok, what, find());
    return true;
  } catch (const DeviceError& error) {
    line(Verdict::missing, what, error.text().fault + (error.text().hint.empty() ? "" : "; " + error.text().hint));
    return false;
  }
}

}  // namespace

int doctor() {
  const Target& target = host_target();
  fmt::print("tessera {}\n", TESSERA_VERSION);
  line(Verdict::ok, "processor",
       fmt::format("{}, vectors of {} floats{}", target.cpu, target.lanes, target.lanes == 16 ? " (AVX-512)" : ""));
  line(Verdict::ok, "threads", fmt::format("{} (TESSERA_THREADS sets it)", ThreadPool::instance().threads()));
  line(Verdict::ok, "memory", memory_text());
  line(Verdict::ok, "compiler", fmt::format("LLVM {}, library {}", llvm_version(), library_build_id().substr(0, 12)));
  bool good = try_executor("jit", "self-test");
  good &= look_at_cache();
  look_for("text", "/usr/bin/bible", "bible-kjv bible-kjv-text", "train_gpt without --text");
  look_for("pictures", "/usr/share/datasets/fashion-mnist", "dataset-fashion-mnist", "train_vit, train_ddpm");
  look_for("xz", "/usr/bin/xz", "xz-utils", "what train_gpt compares itself with");
  const bool has_gpu = look_for_cuda("gpu", [] {
    const cuda::Device& device = cuda::use_device();
    return fmt::format("{}, {}, {}", device.name, device.architecture, size_text(device.memory_bytes));
  });
  const bool has_nvrtc =
      look_for_cuda("nvrtc", [] { return cuda::compiler_version() + " (compiles kernels for the GPU)"; });
  if (has_gpu && has_nvrtc) good &= try_executor("cuda", "gpu test");
  return good ? 0 : 1;
}

}  // namespace tessera::tools
