#pragma once
// Runs a repaired cascade as it is meant to run: part by part. Random cuts and random trees test that repairs are right
// wherever a machine cuts.

#include <vector>

#include "tests/ir/fuse_body.h"
#include "tests/support/host_data.h"

namespace tessera::testing {

std::vector<Tensor> run_by_definition(fuse::CascadeOp cascade, const std::vector<Tensor>& inputs);
// One running state that meets consecutive parts of the stream, each evaluated under the statistics so far.
std::vector<Tensor> run_rolling(fuse::CascadeOp cascade, const std::vector<Tensor>& inputs, Draw& draw);
// Parts with statistics of their own, scattered over the stream and joined two by two.
std::vector<Tensor> run_merged(fuse::CascadeOp cascade, const std::vector<Tensor>& inputs, Draw& draw);

}  // namespace tessera::testing
