// tessera: what this machine has, what a run became, what the cache holds. `tessera --help` lists the verbs.

#include <algorithm>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include <tessera/codegen/tools/cache_verbs.h>
#include <tessera/codegen/tools/doctor.h>
#include <tessera/codegen/tools/run_texts.h>

namespace {

// What no verb asked for, in the order in which it was typed. CLI11 would first miss what is required, and names words from
// the last to the first. A flag is named alone: the word behind it may have been taken for something else.
void refuse_rest(const std::vector<std::string>& rest) {
  if (rest.empty()) return;
  auto flag = std::ranges::find_if(rest, [](const std::string& word) { return word.starts_with('-'); });
  std::string words;
  for (const std::string& word : rest) words += (words.empty() ? "" : " ") + word;
  throw CLI::ParseError(flag != rest.end() ? "there is no flag " + *flag : "not expected: " + words,
                        CLI::ExitCodes::ExtrasError);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace tessera::tools;
  CLI::App app("Looks at this machine, at compiled programs and at the cache.");
  app.set_version_flag("--version", "tessera " TESSERA_VERSION);
  app.require_subcommand(0, 1);
  app.failure_message(CLI::FailureMessage::simple);
  app.allow_extras();  // of every verb too: refuse_rest() says what is too much
  std::string run, stage = "fuse", name, module;
  int status = 0;
  std::function<void()> chosen;  // runs once the whole line is understood
  bool reads_run = false;

  app.add_subcommand("doctor", "what this machine has, and what to install")->callback([&] {
    chosen = [&] { status = doctor(); };
  });

  // Of a verb that reads a run.
  auto of_run = [&](CLI::App* verb, std::function<void()> show) {
    verb->add_option("RUN_DIR", run, "a trainer's --out, or a program's folder in TESSERA_DUMP (required)");
    verb->callback([&, show] { chosen = show, reads_run = true; });
    return verb;
  };
  auto* explain = of_run(app.add_subcommand("explain", "kernels by module: class, bytes, flops, what was not fused"),
                         [&] { show_explain(run, module); });
  explain->add_option("--module", module, "only modules whose path holds this");

  auto* ir = of_run(app.add_subcommand("ir", "the program's text at one stage"), [&] { show_ir(run, stage); });
  ir->add_option("--stage", stage, "tsr (values), fuse (kernels), plan (memory), or a file of TESSERA_DUMP")
      ->capture_default_str();

  auto* kernels = of_run(app.add_subcommand("kernels", "every launch in order, with its module and line"),
                         [&] { show_kernels(run, name); });
  kernels->add_option("NAME", name, "only launches whose kernel or module holds this; then also the kernels' text");

  auto* cache = app.add_subcommand("cache", "compiled programs on disk: size and list");
  cache->require_subcommand(0, 1);
  cache->add_subcommand("path", "the directory")->callback([&] { chosen = cache_path; });
  cache->add_subcommand("clear", "remove everything in it")->callback([&] { chosen = cache_clear; });
  cache->callback([&] {
    if (!chosen) chosen = cache_list;
  });

  try {
    app.parse(argc, argv);
    refuse_rest(app.remaining(true));
    if (app.get_subcommands().empty()) {
      std::fputs(app.help().c_str(), stderr);
      return 2;
    }
    if (reads_run && run.empty()) throw CLI::RequiredError("RUN_DIR");
    chosen();
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "tessera: %s\n", error.what());
    return 1;
  }
  return status;
}
