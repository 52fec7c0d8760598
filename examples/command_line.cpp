#include "examples/command_line.h"

#include <CLI/CLI.hpp>

namespace tessera::examples {
namespace {

// CLI11's own message names the largest double there is.
std::string at_least(const std::string& text, bool zero_is_fine) {
  double value = 0;
  if (!CLI::detail::lexical_cast(text, value)) return "'" + text + "' is no number";
  if (value > 0 || (zero_is_fine && value == 0)) return "";
  return text + (zero_is_fine ? " is below 0" : " is not above 0");
}

template <class T>
void add_checked(CLI::App& app, const std::string& flag, T& value, const std::string& help,
                 const std::vector<Check>& checks) {
  CLI::Option* option = app.add_option(flag, value, help);
  for (const Check& check : checks)
    option->check(CLI::Validator([fault = check.fault](std::string& text) { return fault(text); }, check.name));
}

// CLI11's own message names the words from the last to the first. A -- alone is no word of them.
void refuse_rest(const CLI::App& app) {
  if (app.remaining_size() == 0) return;
  std::string words;
  for (const std::string& word : app.remaining()) words += " " + word;
  throw CLI::ParseError("not expected:" + words, CLI::ExitCodes::ExtrasError);
}

}  // namespace

const Check positive{"ABOVE 0", [](const std::string& text) { return at_least(text, false); }};
const Check not_negative{"0 OR MORE", [](const std::string& text) { return at_least(text, true); }};

CommandLine::CommandLine(const std::string& about, RunFlags& flags)
    : app_(std::make_unique<CLI::App>(about)), flags_(flags) {
  app_->allow_extras();  // refuse_rest() says what is too much
  app_->option_defaults()->always_capture_default();
  app_->add_option("--device", flags.device, "where to compute")->check(CLI::IsMember({"cpu", "cuda"}));
  app_->add_option("--precision", flags.precision,
                   "of the training step: tf32 and bf16_mixed multiply in those, tf32 on a GPU alone; weights stay f32")
      ->check(CLI::IsMember({"f32", "tf32", "bf16_mixed"}));
  add("--steps", flags.steps, "training steps", {positive});
  app_->add_option("--seed", flags.seed, "of the first weights, the order of the data and every draw");
  app_->add_flag("--resume", flags.resume, "go on from the latest checkpoint in --out");
  add("--out", flags.out, "directory of the run");
  add_checked(*app_, "--threads", flags.threads, "0: all cores", {not_negative});
  add("--save-every", flags.save_every, "steps between checkpoints; 0: only at the end", {not_negative});
}

CommandLine::~CommandLine() = default;

void CommandLine::add(const std::string& flag, std::string& value, const std::string& help) {
  app_->add_option(flag, value, help);
}

void CommandLine::add(const std::string& flag, int64_t& value, const std::string& help,
                      const std::vector<Check>& checks) {
  add_checked(*app_, flag, value, help, checks);
}

void CommandLine::add(const std::string& flag, double& value, const std::string& help,
                      const std::vector<Check>& checks) {
  add_checked(*app_, flag, value, help, checks);
}

int CommandLine::run(int argc, char** argv, const std::function<void()>& body) {
  try {
    app_->parse(argc, argv);
    refuse_rest(*app_);
  } catch (const CLI::ParseError& error) {
    return app_->exit(error) == 0 ? 0 : 2;
  }
  return run_main(flags_, body);
}

}  // namespace tessera::examples
