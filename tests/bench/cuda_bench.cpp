// Hand-written CUDA kernels beside cuBLASLt and cuDNN: TFLOP/s and ratios, taken in turns on one device on random data.
//
//   cuda_bench [--rounds 20] [--peer attention_peer.py] [gemm] [attention] [KERNEL.cu ...]
//
// Further kernels are other schedules of those in tests/codegen/cuda/; the file's name up to the first dot says of which.

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include <tessera/core/error.h>

#include "tests/bench/cublaslt.h"
#include "tests/bench/peer_process.h"
#include "tests/codegen/cuda/launch.h"
#include "tests/codegen/cuda/values.h"

namespace tessera::cuda {
namespace {

int rounds = 20;

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double time_of(const std::function<void()>& run, int launches) {
  static Stopwatch watch;
  watch.start();
  for (int i = 0; i < launches; ++i) run();
  return watch.milliseconds() / launches;
}

// Launches that take about four milliseconds, so that starting and stopping the clock does not show.
int launches_for(const std::function<void()>& run) {
  time_of(run, 2);
  return std::clamp(static_cast<int>(4 / time_of(run, 2)), 2, 200);
}

struct Candidate {
  std::string label;
  std::unique_ptr<Kernel> kernel;
};

std::vector<Candidate> load(const std::vector<std::string>& files, const std::string& name) {
  std::vector<Candidate> loaded;
  for (const std::string& path : files) {
    if (kernel_name(path) != name) continue;
    std::string file = path.substr(path.rfind('/') + 1);
    Cubin cubin = compile_kernel(file, read_text(path), "sm_90a", OnRefusal::report);
    for (const std::string& line : cubin.facts.refused) fmt::print("  {}: {}\n", file, line);
    loaded.push_back({file, std::make_unique<Kernel>(cubin, name)});
  }
  return loaded;
}

Buffer tensor(size_t count, uint64_t seed) {
  Buffer buffer(count * 2);
  buffer.copy_in(normals(count, seed).data());
  return buffer;
}

// ||x - y|| / ||y||. Products round the same sums, so nearly all of their bits agree with cuBLASLt's; attention is compared
// with its first schedule.
double difference(const Buffer& x, const Buffer& y) {
  std::vector<uint16_t> a(x.bytes() / 2), b(y.bytes() / 2);
  x.copy_out(a.data()), y.copy_out(b.data());
  double apart = 0, size = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    double p = widen(a[i]), q = widen(b[i]);
    apart += (p - q) * (p - q), size += q * q;
  }
  return std::sqrt(apart / size);
}

void gemm(const std::vector<std::string>& files) {
  std::vector<Candidate> candidates = load(files, "gemm_bf16");
  CublasLt peer;
  fmt::print("\nbf16 products d[m, n] = a[m, k] b[n, k], TFLOP/s (and ratio to cuBLASLt's best of 8)\n{:>20} {:>9}", "",
             "cuBLASLt");
  for (const Candidate& c : candidates) fmt::print(" {:>28}", c.label);
  fmt::print("  difference\n");
  std::vector<double> logs(candidates.size(), 0);
  const Product sizes[] = {{4096, 4096, 4096}, {8192, 8192, 8192},  {16384, 3072, 768}, {16384, 768, 3072},
                           {16384, 2304, 768}, {16384, 50304, 768}, {8192, 14336, 4096}};
  for (const Product& size : sizes) {
    const auto m = static_cast<size_t>(size.m), n = static_cast<size_t>(size.n), k = static_cast<size_t>(size.k);
    Buffer a = tensor(m * k, 1), b = tensor(n * k, 2), d(m * n * 2), expected(m * n * 2);
    auto algorithms =
        peer.prepare(a.address(), b.address(), expected.address(), {CublasLt::Precision::bf16, size.m, size.n, size.k});
    const int launches = launches_for(algorithms.at(0));
    auto best = *std::min_element(algorithms.begin(), algorithms.end(),
                                  [&](auto& x, auto& y) { return time_of(x, launches) < time_of(y, launches); });
    best();
    std::vector<std::function<void()>> runs;
    double worst = 0;
    for (const Candidate& c : candidates) {
      runs.push_back(prepare_gemm(*c.kernel, a.address(), b.address(), d.address(), size));
      d.fill(0xff);
      runs.back()();
      wait_for_device();
      double apart = difference(d, expected);
      worst = apart <= worst ? worst : apart;
    }
    std::vector<std::vector<double>> times(runs.size() + 1);
    for (int round = 0; round < rounds; ++round) {
      times[0].push_back(time_of(best, launches));
      for (size_t i = 0; i < runs.size(); ++i) times[i + 1].push_back(time_of(runs[i], launches));
    }
    const double flops = 2e-9 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
    const double theirs = median(times[0]);
    fmt::print("{:>20} {:>9.0f}", fmt::format("{}x{}x{}", size.m, size.n, size.k), flops / theirs);
    for (size_t i = 0; i < runs.size(); ++i) {
      const double ours = median(times[i + 1]);
      logs[i] += std::log(theirs / ours);
      fmt::print(" {:>28}", fmt::format("{:.0f} ({:.3f})", flops / ours, theirs / ours));
    }
    fmt::print("  {:.1e}\n", worst);
    std::fflush(stdout);
  }
  fmt::print("{:>20} {:>9}", "geometric mean", "");
  for (double sum : logs) fmt::print(" {:>28}", fmt::format("({:.3f})", std::exp(sum / std::size(sizes))));
  fmt::print("\n");
}

void attention(const std::vector<std::string>& files, const std::string& script) {
  bench::PeerProcess peer(script);
  for (bool causal : {false, true}) {
    std::vector<Candidate> candidates = load(files, causal ? "attention_causal" : "attention_full");
    std::vector<double> logs(candidates.size(), 0);
    fmt::print(
        "\nattention forward, {}, head dim 128, 16 heads, 16384 tokens: TFLOP/s (and ratio to cuDNN)\n{:>20} {:>9}",
        causal ? "causal" : "full", "length", "cuDNN");
    for (const Candidate& c : candidates) fmt::print(" {:>28}", c.label);
    fmt::print("  difference\n");
    for (int length : {1024, 4096, 16384}) {
      const Sequences size{16384 / length * 16, length};
      const size_t count = static_cast<size_t>(size.planes) * static_cast<size_t>(length);
      Buffer q = tensor(count * 128, 3), k = tensor(count * 128, 4), v = tensor(count * 128, 5), o(count * 256),
             lse(count * 4), counter(4);
      counter.fill(0);
      const bool has_peer =
          peer.ask(fmt::format("case {} {} {}", size.planes, length, causal ? 1 : 0)).starts_with("ready");
      std::vector<std::function<void()>> runs;
      double worst = 0;
      Buffer first(count * 256);
      for (const Candidate& c : candidates) {
        Buffer& out = runs.empty() ? first : o;
        runs.push_back(prepare_attention(*c.kernel, q.address(), k.address(), v.address(), out.address(), lse.address(),
                                         counter.address(), size));
        out.fill(0xff);
        runs.back()();
        wait_for_device();
        double apart = difference(out, first);
        worst = apart <= worst ? worst : apart;
      }
      if (runs.empty()) continue;
      const int launches = launches_for(runs[0]);
      if (has_peer) peer.ask(fmt::format("time {}", launches));
      std::vector<std::vector<double>> times(runs.size() + 1);
      for (int round = 0; round < rounds; ++round) {
        if (has_peer) times[0].push_back(std::stod(peer.ask(fmt::format("time {}", launches))));
        for (size_t i = 0; i < runs.size(); ++i) times[i + 1].push_back(time_of(runs[i], launches));
      }
      const double flops = 4e-9 * static_cast<double>(count) * length * 128 * (causal ? 0.5 : 1);
      const double theirs = has_peer ? median(times[0]) : NAN;
      fmt::print("{:>20} {:>9.0f}", length, flops / theirs);
      for (size_t i = 0; i < runs.size(); ++i) {
        const double ours = median(times[i + 1]);
        logs[i] += std::log(theirs / ours);
        fmt::print(" {:>28}", fmt::format("{:.0f} ({:.3f})", flops / ours, theirs / ours));
      }
      fmt::print("  {:.1e}\n", worst);
      std::fflush(stdout);
    }
    fmt::print("{:>20} {:>9}", "geometric mean", "");
    for (double sum : logs) fmt::print(" {:>28}", fmt::format("({:.3f})", std::exp(sum / 3)));
    fmt::print("\n");
  }
}

int run(int count, char** words) {
  std::string peer = TESSERA_ATTENTION_PEER;
  std::vector<std::string> files;
  bool with_gemm = false, with_attention = false;
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    if (word == "--rounds" && i + 1 < count) rounds = std::max(1, std::atoi(words[++i]));
    else if (word == "--peer" && i + 1 < count) peer = words[++i];
    else if (word == "gemm") with_gemm = true;
    else if (word == "attention") with_attention = true;
    else if (word.ends_with(".cu")) files.push_back(word);
    // `./dev bench` hands every program Google Benchmark's options; this one has no use for them.
  }
  if (!with_gemm && !with_attention) with_gemm = with_attention = true;
  if (files.empty())
    for (const char* name : {"gemm_bf16", "attention_causal", "attention_full"})
      files.push_back(fmt::format("{}/{}.cu", TESSERA_CUDA_KERNELS, name));
  try {
    fmt::print("{}, {}\n", use_device().name, compiler_version());
  } catch (const DeviceError& error) {
    fmt::print("skipped: {}\n", error.text().fault);
    return 0;
  }
  if (with_gemm) gemm(files);
  if (with_attention) attention(files, peer);
  return 0;
}

}  // namespace
}  // namespace tessera::cuda

int main(int count, char** words) {
  try {
    return tessera::cuda::run(count, words);
  } catch (const std::exception& error) {
    fmt::print(stderr, "cuda_bench: {}\n", error.what());
    return 1;
  }
}
