#include <tessera/nn/io/metrics.h>

#include <cmath>
#include <filesystem>
#include <sstream>

#include <nlohmann/json.hpp>

#include <tessera/core/user_call.h>
#include <tessera/nn/io/file.h>
#include <tessera/nn/io/json.h>

namespace tessera::io {
namespace {

using Json = nlohmann::json;

// Calls visit(line, object) for every complete line.
template <class F> void each_line(const std::string& path, const F& visit) {
  std::istringstream lines(read_file(path));
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || lines.eof()) continue;  // a run that was killed may leave half a line
    Json json = parse_json<Json>(path, line);
    if (!json.is_object() || !json.contains("step") || !json["step"].is_number()) fail(path, "a line has no step");
    visit(line, json);
  }
}

}  // namespace

Metrics::Metrics(std::string path, int64_t resume_at, Loc at) : path_(std::move(path)), file_(nullptr, std::fclose) {
  UserCall call(at);
  std::string kept;
  if (resume_at > 0 && std::filesystem::exists(path_))
    each_line(path_, [&](const std::string& line, const Json& json) {
      if (json["step"].get<double>() <= static_cast<double>(resume_at)) kept += line + "\n";
    });
  if (auto folder = std::filesystem::path(path_).parent_path(); !folder.empty())
    std::filesystem::create_directories(folder);
  write_file(path_, kept);
  file_.reset(std::fopen(path_.c_str(), "a"));
  if (!file_) fail(path_, "cannot be written");
}

void Metrics::write(int64_t step, const std::vector<std::pair<std::string_view, double>>& values) {
  nlohmann::ordered_json json{{"step", step}};
  for (auto& [name, value] : values) {
    if (std::isfinite(value)) json[std::string(name)] = value;
    else json[std::string(name)] = nullptr;
  }
  const std::string line = json.dump() + '\n';
  if (std::fwrite(line.data(), 1, line.size(), file_.get()) != line.size() || std::fflush(file_.get()) != 0)
    fail(path_, "could not be written: is the disk full?");
}

Curve read_metric(const std::string& path, const std::string& key, Loc at) {
  UserCall call(at);
  Curve out;
  each_line(path, [&](const std::string&, const Json& json) {
    if (!json.contains(key) || !json[key].is_number()) return;
    out.steps.push_back(json["step"].get<double>());
    out.values.push_back(json[key].get<double>());
  });
  return out;
}

}  // namespace tessera::io
