#pragma once
// The most memory that the process held since the last reset; code and libraries count.

#include <fstream>
#include <string>

namespace tessera::bench {

inline void reset_peak_rss() { std::ofstream("/proc/self/clear_refs") << 5; }

inline double peak_rss_megabytes() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    double kibibytes = 0;
    if (word == "VmHWM:" && status >> kibibytes) return kibibytes * 1024e-6;
  }
  return 0;
}

}  // namespace tessera::bench
