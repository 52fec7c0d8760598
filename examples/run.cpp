#include "examples/run.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include <fmt/format.h>

#include <tessera/core/device.h>
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

volatile std::sig_atomic_t interrupted = 0;

// The first Ctrl-C asks the loop to end; a second one ends the process at once.
void on_interrupt(int) {
  interrupted = 1;
  std::signal(SIGINT, SIG_DFL);
}

size_t terminal_columns() {
  winsize size{};
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

[[noreturn]] void fail(const std::string& path, const std::string& reason, const std::string& hint = {}) {
  throw FileError({.code = "T-F021", .fault = path + ": " + reason, .hint = hint});
}

}  // namespace

bool stop_wanted() { return interrupted != 0; }

int run_main(const RunFlags& flags, const std::function<void()>& body) {
  try {
    // Before anything is computed: the pool of threads is made once.
    if (flags.threads > 0) setenv("TESSERA_THREADS", std::to_string(flags.threads).c_str(), /*overwrite=*/1);
    // cpu is what TESSERA_EXECUTOR may say more about; whoever gives a flag is told no line of ours.
    if (flags.device != "cpu") set_device(flags.device, {});
    seed(flags.seed);
    std::signal(SIGINT, on_interrupt);
    body();
    return 0;
  } catch (const Stopped&) {
    fmt::print("stopped; the same command with --resume goes on from here\n");
    return 130;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}

void write_text(const std::filesystem::path& path, const std::string& text) {
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  std::ofstream file(path, std::ios::binary);
  file << text << std::flush;
  if (!file) fail(path.string(), "cannot be written");
}

Run::Run(RunFlags flags, int64_t batch, io::Run parts, std::string unit)
    : flags_(std::move(flags)), parts_(std::move(parts)), unit_(std::move(unit)), terminal_(isatty(STDOUT_FILENO)) {
  parts_.config = fmt::format("{{\"seed\": {}, \"batch\": {}}}", flags_.seed, batch);
  std::error_code error;
  std::filesystem::create_directories(flags_.out, error);
  if (error) fail(flags_.out, error.message(), "--out names the directory of the run");
  if (access(flags_.out.c_str(), W_OK) != 0) fail(flags_.out, "may not be written", "--out names another directory");
  if (flags_.resume) {
    if (auto found = io::load_checkpoint(flags_.out, parts_)) resumed_ = *found;
    else fail(flags_.out, "--resume finds no checkpoint here", "without --resume the run begins anew");
    // Earlier checkpoints have no settings.
    if (!resumed_.config.empty() && resumed_.config != parts_.config)
      throw ValueError({.code = "T-V136",
                        .fault = fmt::format("the run in {} was begun with other settings", flags_.out),
                        .operands = {{"begun", resumed_.config}, {"resumed", parts_.config}},
                        .hint = "give it the same --seed and --batch, or begin another one without --resume"});
    fmt::print("resumed at step {}\n", resumed_.step);
    if (resumed_.step >= flags_.steps) fmt::print("all {} steps are done: --steps sets more\n", flags_.steps);
  } else if (std::filesystem::exists(path("latest"))) {
    fmt::print("{} holds an earlier run, which this one replaces; --resume would go on with it\n", flags_.out);
  }
  metrics_ = std::make_unique<io::Metrics>(path("metrics.jsonl").string(), resumed_.step);
  start_ = shown_ = Clock::now();
}

Run::~Run() {
  if (line_is_open_) fmt::print("\n");
}

// On a terminal the line replaces the one before, cut to its width: a longer one would wrap and stay.
void Run::say(const std::string& line, bool last) {
  if (terminal_) fmt::print("\r\033[K{}{}", line.substr(0, terminal_columns() - 1), last ? "\n" : "");
  else fmt::print("{}\n", line);
  line_is_open_ = terminal_ && !last;
  std::fflush(stdout);
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
    throw ValueError({.code = "T-V137",
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
  say(line, last);
}

void Run::finish(int64_t steps, const data::LoaderState& data) {
  write_pending();
  if (line_is_open_) fmt::print("\n");  // the line stays
  line_is_open_ = false;
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
