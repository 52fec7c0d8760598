#pragma once
// metrics.jsonl: one JSON object a line, {"step":20,"loss":2.31}. Each line reaches the file when it is written.

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tessera/core/location.h>

namespace tessera::io {

class Metrics {
 public:
  // Begins the file anew, or with resume_at > 0 goes on with it: lines of later steps are dropped first.
  explicit Metrics(std::string path, int64_t resume_at = 0, Loc at = Loc::here());
  // Numbers that are not finite are written as null.
  void write(int64_t step, const std::vector<std::pair<std::string_view, double>>& values);

 private:
  std::string path_;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;  // C's: a C++ stream may not cross the library's border
};

// The column `key` of such a file: steps and values, without the nulls. FileError on a line that is no JSON object.
struct Curve {
  std::vector<double> steps, values;
};
Curve read_metric(const std::string& path, const std::string& key, Loc at = Loc::here());

}  // namespace tessera::io
