#pragma once
// The texts that a run left behind: program/ of a trainer's directory, or a program's folder in TESSERA_DUMP.

#include <string>

namespace tessera::tools {

// Print to stdout. std::runtime_error with one sentence when the folder or the text is not there.
void show_explain(const std::string& run, const std::string& module);
void show_ir(const std::string& run, const std::string& stage);
void show_kernels(const std::string& run, const std::string& name);

}  // namespace tessera::tools
