#include "tests/codegen/contract_program.h"

#include <algorithm>
#include <chrono>
#include <map>

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Parser/Parser.h"

#include <tessera/codegen/cpu/contract.h>
#include <tessera/codegen/cpu/runtime/thread_pool.h>
#include <tessera/codegen/executor/compile_fuse.h>
#include <tessera/core/buffer.h>
#include <tessera/core/error.h>
#include <tessera/ir/fuse/Fuse.h>

namespace tessera::test {
namespace {

std::string map_text(size_t dims, const Walk& walk) {
  std::string names, sum;
  for (size_t d = 0; d < dims; ++d) {
    names += (d ? ", d" : "d") + std::to_string(d);
    sum += "d" + std::to_string(d) + " * " + std::to_string(walk.stride[d]) + " + ";
  }
  return "affine_map<(" + names + ") -> (" + sum + std::to_string(walk.base) + ")>";
}

std::string list(const std::vector<int64_t>& numbers) {
  std::string text;
  for (int64_t n : numbers) text += (text.empty() ? "" : ", ") + std::to_string(n);
  return text;
}

// The type of a body value: what is summed for it.
std::string sum_type(const std::string& type) {
  if (type == "f64") return "f64";
  return type[0] == 'i' ? type : "f32";
}

double since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

int64_t elements_of(const ContractSpec& spec, const Walk& walk) {
  int64_t highest = walk.base;
  for (size_t d = 0; d < spec.dims.size(); ++d) {
    highest += std::max<int64_t>(0, walk.stride[d]) * std::max<int64_t>(0, spec.dims[d] - 1);
  }
  return highest + 1;
}

std::string kernel_text(const ContractSpec& spec) {
  std::string arguments, names, types, in_maps, out_maps, results, block, body, yields, yield_types;
  auto add = [](std::string& text, const std::string& more) { text += (text.empty() ? "" : ", ") + more; };
  for (size_t k = 0; k < spec.ins.size(); ++k) {
    std::string tensor = "tensor<" + std::to_string(elements_of(spec, spec.ins[k])) + "x" + spec.ins[k].type + ">";
    add(arguments, "%a" + std::to_string(k) + ": " + tensor);
    add(names, "%a" + std::to_string(k));
    add(types, tensor);
    add(in_maps, map_text(spec.dims.size(), spec.ins[k]));
    add(block, "%x" + std::to_string(k) + ": " + spec.ins[k].type);
  }
  for (size_t k = 0; k < spec.outs.size(); ++k) {
    add(results, "tensor<" + std::to_string(elements_of(spec, spec.outs[k])) + "x" + spec.outs[k].type + ">");
    add(out_maps, map_text(spec.dims.size(), spec.outs[k]));
    add(yields, "%y" + std::to_string(k));
    add(yield_types, spec.outs[k].type);
  }
  std::string sum = sum_type(spec.ins[0].type), operands[2];
  for (int k = 0; k < 2; ++k) {
    std::string name = "%x" + std::to_string(k), type = spec.ins[static_cast<size_t>(k)].type;
    operands[k] = type == sum ? name : "%w" + std::to_string(k);
    if (type != sum) body += "  " + operands[k] + " = arith.extf " + name + " : " + type + " to " + sum + "\n";
  }
  std::string accumulator = spec.epilogue.empty() ? "%y0" : "%acc";
  body += "  " + accumulator + " = fuse.contract " + operands[0] + ", " + operands[1] + " over [" + list(spec.over) +
          "] : " + sum + " -> " + sum + "\n" + spec.epilogue;
  for (size_t k = 0; k < spec.sums.size(); ++k) {
    body += "  %y" + std::to_string(spec.outs.size() - spec.sums.size() + k) + " = fuse.reduce sum " +
            operands[spec.sums[k]] + " over [" + list(spec.over) + "] : " + sum + "\n";
  }
  bool several = spec.outs.size() > 1;
  std::string result = several ? "(" + results + ")" : results;
  return "func.func @main(" + arguments + ") -> " + result + " {\n%r" +
         (several ? ":" + std::to_string(spec.outs.size()) : std::string()) + " = fuse.kernel \"product\" dims [" +
         list(spec.dims) + "] outer 0 ins(" + names + " : " + types + ") at [" + in_maps + "] outs at [" + out_maps +
         "] {\n^bb0(" + block + "):\n" + body + "  fuse.yield " + yields + " : " + yield_types + "\n} -> " + results +
         "\nreturn %r" + (several ? "#0" : "") + (several ? [&] {
           std::string more;
           for (size_t k = 1; k < spec.outs.size(); ++k) more += ", %r#" + std::to_string(k);
           return more;
         }() : std::string()) + " : " + results + "\n}\n";
}

struct ContractProgram::State {
  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  fuse::KernelOp kernel;
  std::vector<codegen::ContractLaunch> launches;
  codegen::KernelFunction function = nullptr;
  std::vector<std::unique_ptr<Buffer>> workspaces;
  std::map<int, std::pair<std::unique_ptr<codegen::ThreadPool>, std::unique_ptr<Buffer>>> pools;  // with their scratch
  double compile_ms = 0, shared_ms = 0;
};

ContractProgram::ContractProgram(const ContractSpec& spec) : state_(std::make_unique<State>()) {
  State& s = *state_;
  codegen::load_fuse_dialects(s.context);
  std::string text = kernel_text(spec);
  s.module = mlir::parseSourceString<mlir::ModuleOp>(text, &s.context);
  if (!s.module) throw InternalError("a test writes a kernel that does not parse:\n" + text);
  s.module->walk([&](fuse::KernelOp kernel) { s.kernel = kernel; });
  auto start = std::chrono::steady_clock::now();
  codegen::Target target = codegen::host_target();
  if (spec.lanes > 0) target.lanes = spec.lanes;
  if (spec.threads > 0) target.threads = spec.threads;
  s.launches = codegen::lower_contract(s.kernel, target);
  double lowering = since(start);
  if (s.launches.empty()) return;
  start = std::chrono::steady_clock::now();
  codegen::get_kernels(s.context, s.launches[0].shared, nullptr);
  s.shared_ms = since(start);
  start = std::chrono::steady_clock::now();
  s.function = codegen::get_kernels(s.context, {s.launches[0].kernel}, nullptr)[0];
  s.compile_ms = lowering + since(start);
  for (int64_t bytes : s.launches[0].workspaces) {
    s.workspaces.push_back(std::make_unique<Buffer>(static_cast<size_t>(bytes)));
  }
}

ContractProgram::~ContractProgram() = default;

void ContractProgram::run(std::vector<void*> operands, int threads) {
  State& s = *state_;
  if (s.launches.empty()) return;
  auto& [pool, scratch] = s.pools[threads];
  auto per_thread = static_cast<size_t>(s.launches[0].scratch + 127) / 128 * 128;
  if (!pool) {
    pool = std::make_unique<codegen::ThreadPool>(threads);
    scratch = std::make_unique<Buffer>(per_thread * static_cast<size_t>(threads) + 64);
  }
  for (codegen::ContractLaunch& launch : s.launches) {
    std::vector<void*> arguments = operands;
    for (std::vector<int64_t>& table : launch.tables) arguments.push_back(table.data());
    for (auto& workspace : s.workspaces) arguments.push_back(workspace->data());
    arguments.push_back(nullptr);
    char* bytes = scratch->as<char>();
    pool->run(launch.tasks, [&](int64_t task, int thread) {
      s.function(arguments.data(), launch.parameters.data(), task, bytes + static_cast<size_t>(thread) * per_thread);
    });
  }
}

double ContractProgram::compile_ms() const { return state_->compile_ms; }
double ContractProgram::shared_ms() const { return state_->shared_ms; }

std::vector<int64_t> ContractProgram::tasks() const {
  std::vector<int64_t> all;
  for (const codegen::ContractLaunch& launch : state_->launches) all.push_back(launch.tasks);
  return all;
}

bool ContractProgram::may_share(int in, int out) const { return codegen::contract_may_share(state_->kernel, in, out); }

}  // namespace tessera::test
