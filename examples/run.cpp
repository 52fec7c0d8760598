#include "examples/run.h"

#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include <fmt/format.h>

#include <tessera/core/error.h>
#include <tessera/core/random.h>
#include <tessera/nn/io/chart.h>

namespace tessera::examples {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point t) { return std::chrono::duration<double>(Clock::now() - t).count(); }

std::string duration(double seconds) {
  auto s = static_cast<int64_t>(seconds);
  return s >= 3600 ? fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
                   : fmt::format("{}:{:02}", s / 60, s % 60);
}

std::string rate(double per_second) {
  return per_second >= 10e3 ? fmt::format("{:.1f}k", per_second / 1e3) : fmt::format("{:.0f}", per_second);
}

}  // namespace

void add_flags(CLI::App& app, RunFlags& flags) {
  app.option_defaults()->always_capture_default();
  app.add_option("--device", flags.device, "cpu");
  app.add_option("--steps", flags.steps, "training steps")->check(CLI::PositiveNumber);
  app.add_option("--seed", flags.seed, "of the first weights, the order of the data and every draw");
  app.add_flag("--resume", flags.resume, "go on from the latest checkpoint in --out");
  app.add_option("--out", flags.out, "directory of the run");
  app.add_option("--threads", flags.threads, "0: all cores")->check(CLI::NonNegativeNumber);
  app.add_option("--save-every", flags.save_every, "steps between checkpoints; 0: only at the end")
      ->check(CLI::NonNegativeNumber);
}

int run_main(CLI::App& app, const RunFlags& flags, int argc, char** argv, const std::function<void()>& body) {
  CLI11_PARSE(app, argc, argv);
  try {
    if (flags.device != "cpu")
      throw DeviceError({.code = "T-X002",
                         .fault = "--device " + flags.device + " is not in this build",
                         .hint = "the CPU is the default and needs no GPU: --device cpu"});
    // Before anything is computed: the pool of threads is made once.
    if (flags.threads > 0) setenv("TESSERA_THREADS", std::to_string(flags.threads).c_str(), /*overwrite=*/1);
    seed(flags.seed);
    body();
    return 0;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}

void write_text(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

Run::Run(RunFlags flags, io::Run parts, std::string unit)
    : flags_(std::move(flags)), parts_(std::move(parts)), unit_(std::move(unit)), terminal_(isatty(STDOUT_FILENO)) {
  std::filesystem::create_directories(flags_.out);
  if (flags_.resume) {
    if (auto found = io::load_checkpoint(flags_.out, parts_)) resumed_ = *found;
    else throw FileError({.code = "T-F020", .fault = "--resume: no checkpoint in " + flags_.out});
    fmt::print("resumed at step {}\n", resumed_.step);
  }
  metrics_ = std::make_unique<io::Metrics>(path("metrics.jsonl").string(), resumed_.step);
  start_ = shown_ = Clock::now();
}

void Run::log(int64_t step, const Tensor& loss, double lr, double units_per_step, const data::LoaderState& data) {
  write_pending();
  pending_ = {step, loss, lr, units_per_step};
  // A checkpoint holds what the steps before it assigned: nothing of it is pending on the loss.
  if (flags_.save_every > 0 && (step + 1) % flags_.save_every == 0) {
    write_pending();
    io::save_checkpoint(flags_.out, step + 1, parts_, data);
  }
}

void Run::write_pending() {
  if (pending_.step < 0) return;
  double loss = pending_.loss.item<double>();
  if (!std::isfinite(loss))
    throw ValueError({.code = "T-V130",
                      .fault = fmt::format("the loss of step {} is not finite", pending_.step),
                      .hint = "a smaller learning rate, or TESSERA_CHECK=nan to find the first kernel"});
  units_ += pending_.units;
  metrics_->write(pending_.step, {{"loss", loss}, {"lr", pending_.lr}, {"seconds", seconds_since(start_)}});
  show(pending_.step, loss, pending_.lr);
  pending_.step = -1;
}

void Run::show(int64_t step, double loss, double lr) {
  smooth_ = smooth_ == 0 ? loss : 0.9 * smooth_ + 0.1 * loss;
  bool last = step + 1 == flags_.steps;
  if (!last && seconds_since(shown_) < (terminal_ ? 0.2 : 10)) return;
  shown_ = Clock::now();
  double elapsed = seconds_since(start_);
  auto done = static_cast<double>(step + 1 - resumed_.step), left = static_cast<double>(flags_.steps - step - 1);
  std::string line = fmt::format("step {}/{} | loss {:.4f} | {} {}/s | lr {:.2g} | eta {}", step + 1, flags_.steps,
                                 smooth_, rate(units_ / elapsed), unit_, lr, duration(elapsed / done * left));
  if (terminal_) fmt::print("\r\033[K{}{}", line, last ? "\n" : "");
  else fmt::print("{}\n", line);
  std::fflush(stdout);
}

void Run::finish(int64_t steps, const data::LoaderState& data) {
  write_pending();
  io::save_checkpoint(flags_.out, steps, parts_, data);
  io::Curve curve = io::read_metric(path("metrics.jsonl").string(), "loss");
  io::write_png(path("loss.png").string(), io::line_chart({.title = "training loss",
                                                           .x_label = "step",
                                                           .y_label = "loss",
                                                           .series = {{"loss", curve.steps, curve.values}}}));
  fmt::print("trained {} steps in {}; {} and checkpoint in {}\n", steps - resumed_.step,
             duration(seconds_since(start_)), path("loss.png").string(), flags_.out);
}

}  // namespace tessera::examples
