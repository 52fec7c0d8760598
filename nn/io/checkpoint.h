#pragma once
// A checkpoint is a folder from which a run goes on bit for bit:
//   RUN/step-2000/model.safetensors   parameters and buffers, Hugging Face style names
//                 optim.safetensors   moments, step count and whatever other States the run has
//                 state.json          step, random counters, position in the data
//                 config.json         the run's own settings, as given
//   RUN/latest                        "step-2000"
// It is written under another name, synced and renamed; `latest` moves last. Loading never executes anything.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <tessera/nn/data/loader.h>
#include <tessera/nn/module.h>
#include <tessera/nn/optim/optimizer.h>

namespace tessera::io {

// What a run consists of. Null and empty parts are neither written nor read.
struct Run {
  nn::ModuleBase* model = nullptr;
  optim::Optimizer* optimizer = nullptr;
  std::vector<State*> states = {};  // others by name: an average of the weights, a loss scale
  std::string config = {};          // a JSON text
};

struct CheckpointOptions {
  int64_t keep = 3;  // older checkpoints of the run are removed; 0 keeps all
};

struct Resumed {
  int64_t step = 0;
  data::LoaderState data;
  std::string config;
};

void save_checkpoint(const std::string& folder, int64_t step, const Run&, const data::LoaderState& = {},
                     CheckpointOptions = {}, Loc at = Loc::here());
// Assigns the States of the latest checkpoint of `folder`, or of `folder` itself when it is one. Empty when there is
// none; FileError when there is one that is damaged or of another model: then nothing was assigned.
std::optional<Resumed> load_checkpoint(const std::string& folder, const Run&, Loc at = Loc::here());

}  // namespace tessera::io
