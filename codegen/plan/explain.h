#pragma once
// What a plan does, told in the user's terms: modules and lines come from the recording that is run, since equal
// recordings share a plan.

#include <string>
#include <vector>

#include <tessera/codegen/plan/plan.h>
#include <tessera/core/program.h>

namespace tessera::codegen {

// "gpt.blocks.3.attn" and "train.cpp:84" of an instruction; empty where there is none.
std::string module_of(const Program& recorded, int op);
std::string line_of(const Program& recorded, int op);
// The instruction that a person would name a launch after: its contraction, else what it writes; −1: none.
int chief_op(const Program& recorded, const PlanLaunch& launch);

// Kernels under the modules that they compute, with equal layers on one line, then what became of planes, and what was not
// fused and why.
std::string explain(const Plan& plan, const Program& recorded);
// Every launch in the order of the run, each with its own module.
std::string kernel_table(const Plan& plan, const Program& recorded);
// Kernels by the time they took, given the seconds of each launch, with what bytes and flops come to per second.
std::string time_table(const Plan& plan, const Program& recorded, const std::vector<double>& seconds);

}  // namespace tessera::codegen
