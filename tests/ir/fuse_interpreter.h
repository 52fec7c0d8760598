#pragma once
// Runs what ir/ makes of a program by the definition of its kernels, one array per SSA value: the oracle for lowering,
// and with it every pass, without code generation.

#include <memory>

#include <tessera/core/executor.h>

namespace tessera::testing {

std::unique_ptr<Executor> make_fuse_interpreter();

}  // namespace tessera::testing
