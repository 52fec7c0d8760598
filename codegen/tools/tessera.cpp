// tessera: what this machine has, what a run became, what the cache holds. `tessera --help` lists the verbs.

#include <cstdio>

#include <CLI/CLI.hpp>

#include <tessera/codegen/tools/cache_verbs.h>
#include <tessera/codegen/tools/doctor.h>
#include <tessera/codegen/tools/run_texts.h>

int main(int argc, char** argv) {
  using namespace tessera::tools;
  CLI::App app("Looks at this machine, at compiled programs and at the cache.");
  app.set_version_flag("--version", "tessera " TESSERA_VERSION);
  app.require_subcommand(0, 1);
  app.failure_message(CLI::FailureMessage::simple);
  std::string run, stage = "fuse", name, module;
  int status = 0;

  app.add_subcommand("doctor", "what this machine has, and what to install")->callback([&] { status = doctor(); });

  // Of a verb that reads a run.
  auto of_run = [&](CLI::App* verb) {
    verb->add_option("RUN_DIR", run, "a trainer's --out, or a program's folder in TESSERA_DUMP")->required();
    return verb;
  };
  auto* explain = of_run(app.add_subcommand("explain", "kernels by module: class, bytes, flops, what was not fused"));
  explain->add_option("--module", module, "only modules whose path holds this");
  explain->callback([&] { show_explain(run, module); });

  auto* ir = of_run(app.add_subcommand("ir", "the program's text at one stage"));
  ir->add_option("--stage", stage, "tsr (values), fuse (kernels), plan (memory), or a file of TESSERA_DUMP")
      ->capture_default_str();
  ir->callback([&] { show_ir(run, stage); });

  auto* kernels = of_run(app.add_subcommand("kernels", "every launch in order, with its module and line"));
  kernels->add_option("NAME", name, "only launches whose kernel or module holds this; then also the kernels' text");
  kernels->callback([&] { show_kernels(run, name); });

  auto* cache = app.add_subcommand("cache", "compiled programs on disk: size and list");
  cache->require_subcommand(0, 1);
  bool other = false;
  cache->add_subcommand("path", "the directory")->callback([&] { other = true, cache_path(); });
  cache->add_subcommand("clear", "remove everything in it")->callback([&] { other = true, cache_clear(); });
  cache->callback([&] {
    if (!other) cache_list();
  });

  try {
    app.parse(argc, argv);
    if (app.get_subcommands().empty()) {
      std::fputs(app.help().c_str(), stderr);
      return 2;
    }
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "tessera: %s\n", error.what());
    return 1;
  }
  return status;
}
