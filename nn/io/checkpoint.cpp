#include <tessera/nn/io/checkpoint.h>

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include <nlohmann/json.hpp>

#include <tessera/core/error.h>
#include <tessera/core/random.h>
#include <tessera/core/user_call.h>
#include <tessera/nn/io/file.h>
#include <tessera/nn/io/json.h>
#include <tessera/nn/io/weights.h>

namespace tessera::io {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
constexpr int format = 1;
constexpr std::string_view prefix = "step-";

// The step of a folder called "step-2000"; empty for any other name.
std::optional<int64_t> step_of(const std::string& name) {
  if (!name.starts_with(prefix)) return {};
  int64_t step = 0;
  auto [end, error] = std::from_chars(name.data() + prefix.size(), name.data() + name.size(), step);
  bool whole = error == std::errc() && end == name.data() + name.size() && step >= 0;
  return whole ? std::optional(step) : std::nullopt;
}

NamedStates other_states(const Run& run) {
  NamedStates out;
  if (run.optimizer)
    for (State* state : run.optimizer->states()) out.emplace_back(state->name(), state);
  for (State* state : run.states) out.emplace_back(state->name(), state);
  return out;
}

int64_t number(const State& state) { return state.value().item<int64_t>(); }

// Keeps the one just written and the `keep` − 1 latest of the others.
void remove_old(const std::string& folder, int64_t written, int64_t keep) {
  std::vector<int64_t> steps;
  for (const auto& entry : fs::directory_iterator(folder))
    if (auto step = step_of(entry.path().filename().string()); step && *step != written) steps.push_back(*step);
  std::ranges::sort(steps, std::greater());
  for (size_t i = static_cast<size_t>(keep - 1); i < steps.size(); ++i)
    fs::remove_all(fs::path(folder) / (std::string(prefix) + std::to_string(steps[i])));
}

// A run that was resumed comes by the same step again: the two folders change names in one go.
void put_in_place(const std::string& temporary, const std::string& target) {
  if (!fs::exists(target)) return fs::rename(temporary, target);
  if (renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, target.c_str(), RENAME_EXCHANGE) != 0)
    fail(target, std::strerror(errno));
  fs::remove_all(temporary);
}

// Where nothing is named: a run may end after its first checkpoint was put in place and before `latest` names it.
std::string newest_in(const std::string& folder) {
  std::optional<int64_t> newest;
  if (fs::is_directory(folder))
    for (const auto& entry : fs::directory_iterator(folder))
      newest = std::max(newest, step_of(entry.path().filename().string()));
  return newest ? folder + "/" + std::string(prefix) + std::to_string(*newest) : std::string();
}

std::string latest_in(const std::string& folder) {
  if (fs::exists(folder + "/state.json")) return folder;
  if (!fs::exists(folder + "/latest")) return newest_in(folder);
  std::string name = read_file(folder + "/latest");
  if (name.ends_with('\n')) name.pop_back();
  if (!step_of(name)) fail(folder + "/latest", "does not name a checkpoint");
  return folder + "/" + name;
}

void write_parts(const std::string& folder, int64_t step, const Run& run, const data::LoaderState& data) {
  if (run.model) save(*run.model, folder + "/model.safetensors");
  if (NamedStates others = other_states(run); !others.empty()) save(others, folder + "/optim.safetensors");
  if (!run.config.empty()) write_file(folder + "/config.json", run.config);
  const Json state = {
      {"format", format},
      {"step", static_cast<uint64_t>(step)},
      {"rng", {{"seed", number(generator().seed)}, {"step", number(generator().step)}}},
      {"data", {{"epoch", static_cast<uint64_t>(data.epoch)}, {"batch", static_cast<uint64_t>(data.batch)}}}};
  write_file(folder + "/state.json", state.dump(2) + "\n");
}

}  // namespace

void save_checkpoint(const std::string& folder, int64_t step, const Run& run, const data::LoaderState& data,
                     CheckpointOptions options, Loc at) {
  UserCall call(at);
  if (step < 0 || options.keep < 0)
    throw ValueError({.code = "T-V131",
                      .fault = "a checkpoint needs a step and a keep count of 0 or more",
                      .hint = "step is " + std::to_string(step) + ", keep is " + std::to_string(options.keep)});
  if (!run.config.empty()) parse_json<Json>("config", run.config);
  const std::string name = std::string(prefix) + std::to_string(step), target = folder + "/" + name;
  const std::string temporary = folder + "/.writing-" + name;
  try {
    fs::create_directories(folder);
    fs::remove_all(temporary);
    fs::create_directory(temporary);
    write_parts(temporary, step, run, data);
    sync_folder(temporary);
    put_in_place(temporary, target);
    sync_folder(folder);
    write_file(folder + "/latest", name + "\n");
    if (options.keep > 0) remove_old(folder, step, options.keep);
  } catch (const fs::filesystem_error& error) {
    fail(target, error.code().message());
  }
}

std::optional<Resumed> load_checkpoint(const std::string& folder, const Run& run, Loc at) {
  UserCall call(at);
  const std::string found = latest_in(folder);
  if (found.empty()) return {};
  const std::string path = found + "/state.json";
  const Json state = parse_json<Json>(path, read_file(path));
  if (unsigned_member(path, state, "format") != format) fail(path, "was written in another format");
  const Json& rng = object_member(path, state, "rng");
  const Json& data = object_member(path, state, "data");
  Resumed out;
  out.step = static_cast<int64_t>(unsigned_member(path, state, "step"));
  out.data = {static_cast<int64_t>(unsigned_member(path, data, "epoch")),
              static_cast<int64_t>(unsigned_member(path, data, "batch"))};
  const int64_t seed = signed_member(path, rng, "seed"), draws = signed_member(path, rng, "step");
  if (fs::exists(found + "/config.json")) out.config = read_file(found + "/config.json");

  // Everything is read and checked before anything is assigned.
  std::vector<PendingLoad> parts;
  if (run.model) parts.push_back(prepare_load(saved_states(*run.model), found + "/model.safetensors"));
  if (NamedStates others = other_states(run); !others.empty())
    parts.push_back(prepare_load(others, found + "/optim.safetensors"));
  for (PendingLoad& part : parts) part.assign();
  generator().seed.assign(scalar(seed, i64));
  generator().step.assign(scalar(draws, i64));
  return out;
}

}  // namespace tessera::io
