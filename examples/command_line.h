#pragma once
// The command line of an example trainer: the flags that all of them share, and its own. CLI11 stays inside: its headers
// are most of what a source that includes them takes to compile.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "examples/run.h"

namespace CLI {
class App;
}

namespace tessera::examples {

// What the text of a flag must be: `fault` says what is wrong with it, or nothing.
struct Check {
  std::string name;  // in --help
  std::function<std::string(const std::string& text)> fault;
};
extern const Check positive, not_negative;

class CommandLine {
 public:
  // `about` heads --help; `flags` holds the defaults of the shared flags and takes what is given.
  CommandLine(const std::string& about, RunFlags& flags);
  ~CommandLine();

  // A flag of its own: `value` holds the default.
  void add(const std::string& flag, std::string& value, const std::string& help);
  void add(const std::string& flag, int64_t& value, const std::string& help, const std::vector<Check>& checks);
  void add(const std::string& flag, double& value, const std::string& help, const std::vector<Check>& checks);

  // Parses, then run_main(). Returns the exit code: 2 for a flag that is wrong.
  int run(int argc, char** argv, const std::function<void()>& body);

 private:
  std::unique_ptr<CLI::App> app_;
  const RunFlags& flags_;
};

}  // namespace tessera::examples
