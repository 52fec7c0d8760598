#pragma once
// TESSERA_LOG=fusion,recompile,sync,cache,memory,time (comma separated, or "all"; 0 is off) prints those lines to stderr.
// Warnings ("recompile") print unless the variable says 0. The library never writes to stdout.

#include <string>
#include <string_view>

namespace tessera {

bool log_enabled(std::string_view topic);
void log_line(std::string_view topic, const std::string& text);  // prints when the topic is enabled

}  // namespace tessera
