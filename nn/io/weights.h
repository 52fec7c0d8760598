#pragma once
// A module's Params and saved Buffers to and from a safetensors file, under their dotted names.

#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

#include <tessera/nn/module.h>

namespace tessera::io {

struct LoadOptions {
  // From a name in the file to one of ours; an empty result skips the tensor.
  std::function<std::string(const std::string&)> rename = {};
  bool strict = true;  // FileError when something is missing or unexpected
};

struct LoadReport {
  int64_t loaded = 0;
  std::vector<std::string> cast, missing, unexpected;
};
std::string str(const LoadReport&);  // "loaded 147, cast 146, missing 0, unexpected 1 (…)"
inline std::ostream& operator<<(std::ostream& out, const LoadReport& report) { return out << str(report); }

void save(const nn::ModuleBase& model, const std::string& path, Loc at = Loc::here());
// Values are cast to the dtype of the State they enter. Nothing is assigned unless everything fits: a tensor of
// another shape is a ShapeError.
LoadReport load(nn::ModuleBase& model, const std::string& path, const LoadOptions& = {}, Loc at = Loc::here());

// The same for States by name, for instance an optimizer's.
using NamedStates = std::vector<std::pair<std::string, State*>>;
NamedStates saved_states(const nn::ModuleBase& model);
void save(const NamedStates&, const std::string& path, Loc at = Loc::here());

// A load in two halves, so that several files can be checked before any of them changes a State.
struct PendingLoad {
  LoadReport report;
  std::vector<std::pair<State*, Tensor>> values;
  void assign() const;
};
PendingLoad prepare_load(const NamedStates&, const std::string& path, const LoadOptions& = {}, Loc at = Loc::here());

}  // namespace tessera::io
