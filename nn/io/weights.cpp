#include <tessera/nn/io/weights.h>

#include <map>

#include <tessera/core/convert.h>
#include <tessera/core/error.h>
#include <tessera/core/user_call.h>
#include <tessera/nn/io/file.h>
#include <tessera/nn/io/safetensors.h>

namespace tessera::io {
namespace {

// On the host: a file holds values, so this is no op of anybody's program.
Tensor converted(const Tensor& value, DType dtype) {
  if (value.dtype() == dtype) return value;
  auto out = std::make_shared<Buffer>(static_cast<size_t>(value.numel()) * size_of(dtype));
  convert(value.buffer()->read(), value.dtype(), out->data(), dtype, value.numel());
  return tensor_from(std::move(out), dtype, value.shape());
}

std::string listed(const std::vector<std::string>& names) {
  std::string out = std::to_string(names.size());
  for (size_t i = 0; i < names.size() && i < 3; ++i) out += (i ? ", " : " (") + names[i];
  return names.empty() ? out : out + (names.size() > 3 ? ", …)" : ")");
}

}  // namespace

std::string str(const LoadReport& report) {
  return "loaded " + std::to_string(report.loaded) + ", cast " + std::to_string(report.cast.size()) + ", missing " +
         listed(report.missing) + ", unexpected " + listed(report.unexpected);
}

NamedStates saved_states(const nn::ModuleBase& model) {
  NamedStates out;
  for (auto& [name, param] : model.named_parameters()) out.emplace_back(name, param);
  for (auto& [name, buffer] : model.named_buffers())
    if (buffer->saved()) out.emplace_back(name, buffer);
  return out;
}

void save(const NamedStates& states, const std::string& path, Loc at) {
  UserCall call(at);
  std::vector<std::pair<std::string, Tensor>> tensors;
  std::vector<Tensor> values;
  for (auto& [name, state] : states) {
    tensors.emplace_back(name, state->value());
    values.push_back(tensors.back().second);
  }
  eval(values);
  save_safetensors(path, tensors, {{"format", "pt"}});  // what Hugging Face's readers ask for
}
void save(const nn::ModuleBase& model, const std::string& path, Loc at) { save(saved_states(model), path, at); }

PendingLoad prepare_load(const NamedStates& states, const std::string& path, const LoadOptions& options, Loc at) {
  UserCall call(at);
  SafetensorsFile file(path);
  std::map<std::string, State*> open(states.begin(), states.end());
  PendingLoad out;
  LoadReport& report = out.report;
  std::vector<std::pair<State*, const SafetensorsEntry*>> pairs;
  for (const SafetensorsEntry& entry : file.entries()) {
    std::string name = options.rename ? options.rename(entry.name) : entry.name;
    if (name.empty()) continue;
    auto found = open.find(name);
    if (found == open.end()) {
      report.unexpected.push_back(entry.name);
      continue;
    }
    State* state = found->second;
    if (entry.shape != state->shape())
      throw ShapeError({.code = "T-S110",
                        .fault = path + " holds " + entry.name + " as " + entry.shape.str() + "; the model has " +
                                 state->shape().str(),
                        .hint = "build the model as the one that was saved, or skip the tensor with .rename"});
    if (entry.dtype != state->dtype()) report.cast.push_back(name);
    pairs.emplace_back(state, &entry);
    open.erase(found);
  }
  for (auto& [name, state] : states)
    if (open.contains(name)) report.missing.push_back(name);
  if (options.strict && !(report.missing.empty() && report.unexpected.empty()))
    fail(path, "does not match: missing " + listed(report.missing) + ", unexpected " + listed(report.unexpected),
         "rename or skip tensors with .rename, or load with .strict = false");

  for (auto& [state, entry] : pairs) out.values.emplace_back(state, converted(file.read(*entry), state->dtype()));
  report.loaded = static_cast<int64_t>(pairs.size());
  return out;
}
void PendingLoad::assign() const {
  for (auto& [state, value] : values) state->assign(value);
}

LoadReport load(nn::ModuleBase& model, const std::string& path, const LoadOptions& options, Loc at) {
  UserCall call(at);
  PendingLoad load = prepare_load(saved_states(model), path, options, at);
  load.assign();
  return std::move(load.report);
}

}  // namespace tessera::io
