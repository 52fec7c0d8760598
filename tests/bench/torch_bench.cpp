// Training steps and f32 products beside PyTorch's (torch_peer.py), on the cores that the program was started with. A shared
// machine changes its rate within seconds, so both sides take turns, a step or 40 ms each, and a ratio is the median over
// turns, with its quartiles. A turn of a product has three tries of each side and of the FMA loop, one after the other, and
// the best of each counts. What the library has once allocated it keeps, so peak memory is that of a step only where it is
// the only one: torch_bench unet.
//
//   TESSERA_THREADS=2 taskset -c 0,1 torch_bench [gpt vit unet context products] [--turns 10]

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <fmt/format.h>

#include <tessera/core/compile.h>
#include <tessera/core/error.h>
#include <tessera/core/random.h>

#include "tests/bench/example_steps.h"
#include "tests/bench/fma_peak.h"
#include "tests/bench/peak_memory.h"
#include "tests/bench/peer_process.h"
#include "tests/bench/products.h"
#include "tests/bench/threads.h"

namespace tessera::bench {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

double quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(q * static_cast<double>(values.size() - 1) + 0.5)];
}
double median(const std::vector<double>& values) { return quantile(values, 0.5); }

std::vector<double> ratios(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> out;
  for (size_t k = 0; k < a.size(); ++k) out.push_back(a[k] / b[k]);
  return out;
}

// As torch_peer.py does it.
double seconds_of(const std::function<void()>& call) {
  constexpr double slice = 0.04;
  auto start = Clock::now();
  call();
  const double once = seconds_since(start);
  if (once > slice) return once;
  const int repetitions = std::max(1, static_cast<int>(slice / once + 0.5));
  start = Clock::now();
  for (int k = 0; k < repetitions; ++k) call();
  return seconds_since(start) / repetitions;
}

class Peer {
 public:
  Peer() : process_(TESSERA_TORCH_PEER) {}

  std::string prepare(const std::string& command) {
    const std::string answer = process_.ask(command);
    if (answer.rfind("ready ", 0) != 0) throw std::runtime_error("PyTorch ended at '" + command + "'");
    return answer.substr(6);
  }
  double seconds() { return number("time"); }
  double megabytes() { return number("memory"); }

 private:
  double number(const std::string& command) {
    const std::string answer = process_.ask(command);
    if (answer.empty()) throw std::runtime_error("PyTorch ended at '" + command + "'");
    return std::stod(answer);
  }
  PeerProcess process_;
};

struct StepCase {
  const char* name;
  std::function<TrainStep()> make;
};
const StepCase steps[] = {
    {"gpt", [] { return gpt_step(); }},
    {"vit", vit_step},
    {"unet", unet_step},
    {"context", [] { return gpt_step(4, 1024); }},
};
constexpr const char* modes[] = {"eager", "compiled"};

void bench_step(const StepCase& wanted, Peer* peers, int turns) {
  reset_peak_rss();
  const TrainStep step = wanted.make();
  auto start = Clock::now();
  step.run();
  const double first = seconds_since(start);
  step.run();
  std::vector<double> ours, theirs[2];
  for (int turn = 0; turn < turns; ++turn) {
    ours.push_back(seconds_of(step.run));
    for (int mode = 0; mode < 2; ++mode) theirs[mode].push_back(peers[mode].seconds());
  }
  const int better = median(theirs[1]) < median(theirs[0]);
  const std::vector<double> ratio = ratios(ours, theirs[better]);
  fmt::print("{:8} {:8.0f} {:8.0f} {:8.0f}   {:.2f} ({:.2f}-{:.2f})  {:6.0f} {:6.0f}   {:.2f}\n", wanted.name,
             median(ours) * 1e3, median(theirs[0]) * 1e3, median(theirs[1]) * 1e3, median(ratio), quantile(ratio, 0.25),
             quantile(ratio, 0.75), peak_rss_megabytes(), peers[0].megabytes(), first);
  std::fflush(stdout);
}

void bench_product(const Product& p, Peer& peer, int turns) {
  Tensor a = uniform(p.a_transposed ? Shape{p.k, p.m} : Shape{p.m, p.k}, -1, 1).eval();
  Tensor b = uniform(p.b_transposed ? Shape{p.n, p.k} : Shape{p.k, p.n}, -1, 1).eval();
  auto product = compile([&](Tensor x, Tensor y) { return p.of(x, y); });
  auto call = [&] { product(a, b).eval(); };
  call(), call();
  peer.prepare(
      fmt::format("product {} {} {} {:d} {:d} {}", p.m, p.n, p.k, p.a_transposed, p.b_transposed, thread_count()));
  const double gigaflops = 2e-9 * static_cast<double>(p.m * p.n * p.k);
  std::vector<double> ours, theirs, peak;
  for (int turn = 0; turn < turns; ++turn) {
    double our_best = 0, their_best = 0, peak_best = 0;
    for (int attempt = 0; attempt < 3; ++attempt) {  // of each alike: a neighbour that disturbs one try disturbs any
      our_best = std::max(our_best, gigaflops / seconds_of(call));
      their_best = std::max(their_best, gigaflops / peer.seconds());
      peak_best = std::max(peak_best, fma_gflops(thread_count()));
    }
    ours.push_back(our_best), theirs.push_back(their_best), peak.push_back(peak_best);
  }
  const std::vector<double> ratio = ratios(ours, theirs);
  fmt::print("{:18} {:6.0f} {:6.0f}   {:.2f} ({:.2f}-{:.2f})   {:.2f} {:.2f}   {:.0f}\n", p.name, median(ours),
             median(theirs), median(ratio), quantile(ratio, 0.25), quantile(ratio, 0.75), median(ratios(ours, peak)),
             median(ratios(theirs, peak)), median(peak));
  std::fflush(stdout);
}

int run(const std::vector<std::string>& words) {
  int turns = 10;
  std::vector<std::string> wanted;
  for (size_t k = 0; k < words.size(); ++k) {
    if (words[k] == "--turns" && k + 1 < words.size()) turns = std::atoi(words[++k].c_str());
    else wanted.push_back(words[k]);
  }
  for (const std::string& word : wanted)
    if (word != "products" && std::none_of(std::begin(steps), std::end(steps), [&](auto& c) { return word == c.name; }))
      throw std::runtime_error("wants gpt, vit, unet, context, products or --turns N, not '" + word + "'");
  auto is_wanted = [&](const std::string& name) {
    return wanted.empty() || std::find(wanted.begin(), wanted.end(), name) != wanted.end();
  };
  if (std::system("python3 -c 'import torch' 2>/dev/null") != 0) {
    fmt::print("skipped: this python3 has no PyTorch\n");
    return 0;
  }

  // Compiling takes minutes, so all peers of steps begin at once.
  std::vector<StepCase> cases;
  for (const StepCase& c : steps)
    if (is_wanted(c.name)) cases.push_back(c);
  std::vector<Peer> peers(2 * cases.size());
  std::vector<std::future<std::string>> ready;
  for (size_t k = 0; k < peers.size(); ++k)
    ready.push_back(std::async(std::launch::async, [&, k] {
      return peers[k].prepare(fmt::format("step {} {} {}", cases[k / 2].name, modes[k % 2], thread_count()));
    }));
  for (size_t k = 0; k < peers.size(); ++k)
    fmt::print("PyTorch {} {}: parameters, first step in s: {}\n", cases[k / 2].name, modes[k % 2], ready[k].get());

  fmt::print("{} threads, {} turns, medians\n", thread_count(), turns);
  if (!cases.empty())
    fmt::print(
        "step      ours, ms    eager compiled   ours/better (quartiles)  peak MB ours, eager   our first step, s\n");
  for (size_t k = 0; k < cases.size(); ++k) bench_step(cases[k], &peers[2 * k], turns);

  if (is_wanted("products")) {
    fmt::print("product, GFLOP/s     ours PyTorch  ratio (quartiles)   of the FMA peak: ours, PyTorch   peak\n");
    Peer peer;
    for (const Product& p : products) bench_product(p, peer, turns);
  }
  return 0;
}

}  // namespace
}  // namespace tessera::bench

int main(int argc, char** argv) {
  try {
    return tessera::bench::run({argv + 1, argv + argc});
  } catch (const std::exception& e) {
    std::fprintf(stderr, "torch_bench: %s\n", e.what());
    return 1;
  }
}
