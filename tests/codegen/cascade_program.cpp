#include "tests/codegen/cascade_program.h"

#include <cstring>
#include <stdexcept>

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"

#include <tessera/codegen/cpu/kernels.h>
#include <tessera/codegen/cpu/runtime/thread_pool.h>
#include <tessera/codegen/executor/compile_fuse.h>
#include <tessera/codegen/plan/build_plan.h>

namespace tessera::test {
namespace {

std::string number(int64_t n) { return std::to_string(n); }

std::string type_of(const CascadeOperand& operand) {
  return "tensor<" + number(operand.size) + "x" + operand.element + ">";
}

// Block arguments see unsigned integers without a sign.
std::string scalar_of(const CascadeOperand& operand) {
  return operand.element[0] == 'u' ? "i" + operand.element.substr(2) : operand.element;
}

std::string map_of(const CascadeOperand& operand, size_t dims) {
  std::string head = "affine_map<(", sum = operand.map;
  for (size_t d = 0; d < dims; ++d) {
    head += (d ? ", d" : "d") + number(static_cast<int64_t>(d));
    if (!operand.map.empty() || operand.strides[d] == 0) continue;
    sum += (sum.empty() ? "d" : " + d") + number(static_cast<int64_t>(d)) + " * " + number(operand.strides[d]);
  }
  return head + ") -> (" + (sum.empty() ? "0" : sum) + ")>";
}

template <class Part> std::string list(const std::vector<CascadeOperand>& operands, const Part& part) {
  std::string text;
  for (size_t k = 0; k < operands.size(); ++k) text += (k ? ", " : "") + part(operands[k], k);
  return text;
}

}  // namespace

std::string CascadeSpec::text() const {
  auto types = [](const CascadeOperand& one, size_t) { return type_of(one); };
  auto maps = [&](const CascadeOperand& one, size_t) { return map_of(one, dims.size()); };
  auto name = [](const CascadeOperand&, size_t k) { return "%a" + number(static_cast<int64_t>(k)); };
  auto named = [](const CascadeOperand& one, size_t k) {
    return "%a" + number(static_cast<int64_t>(k)) + ": " + type_of(one);
  };
  auto scalars = [](const CascadeOperand& one, size_t k) {
    return "%x" + number(static_cast<int64_t>(k)) + ": " + scalar_of(one);
  };
  std::string extents;
  for (size_t d = 0; d < dims.size(); ++d) extents += (d ? ", " : "") + number(dims[d]);
  std::string results, count = outs.size() > 1 ? ":" + number(static_cast<int64_t>(outs.size())) : "";
  for (size_t k = 0; k < outs.size(); ++k) {
    results += (k ? ", %r" : "%r") + (count.empty() ? "" : "#" + number(static_cast<int64_t>(k)));
  }
  return "func.func @program(" + list(ins, named) + ") -> (" + list(outs, types) + ") {\n%r" + count +
         " = fuse.cascade \"test\" dims [" + extents + "] batch " + number(batch) + " stream " + number(stream) +
         "\n ins(" + list(ins, name) + " : " + list(ins, types) + ") at [" + list(ins, maps) + "]\n outs at [" +
         list(outs, maps) + "] {\n^bb0(" + list(ins, scalars) + "):\n" + body + "} -> " + list(outs, types) +
         "\nreturn " + results + " : " + list(outs, types) + "\n}";
}

std::string repair_by_max(const std::string& accumulated, const std::string& by) {
  return "fuse.repair " + accumulated + " by " + by + R"( : f32, f32 {
^bb0(%old: f32, %new: f32):
  %step = arith.subf %old, %new : f32
  %factor = math.exp %step : f32
  fuse.yield %factor : f32
}
)";
}

CascadeSpec attention(const AttentionShape& s, const std::string& element, bool lse, const std::string& mask) {
  const bool narrow = element != "f32";
  CascadeSpec spec;
  spec.dims = {s.batch, s.rows, s.columns, s.depth, s.values};
  spec.batch = 1;
  spec.ins = {{element, s.batch * s.rows * s.depth, {s.rows * s.depth, s.depth, 0, 1, 0}, ""},
              {element, s.batch * s.columns * s.depth, {s.columns * s.depth, 0, s.depth, 1, 0}, ""},
              {element, s.batch * s.columns * s.values, {s.columns * s.values, 0, s.values, 0, 1}, ""}};
  spec.outs = {{element, s.batch * s.rows * s.values, {s.rows * s.values, s.values, 0, 0, 1}, ""}};
  if (lse) spec.outs.push_back({"f32", s.batch * s.rows, {s.rows, 1, 0, 0, 0}, ""});
  auto narrowed = [&](const std::string& to, const std::string& from) {
    return narrow ? to + " = arith.truncf " + from + " : f32 to " + element + "\n" : "";
  };
  spec.body = "%s = fuse.contract %x0, %x1 over [3] : " + element + " -> f32\n" +
              (mask.empty() ? "%zero = arith.constant 0.0 : f32\n%x = arith.addf %s, %zero : f32\n" : mask) +
              R"(%max = fuse.reduce max %x over [2] : f32
%d = arith.subf %x, %max : f32
%p = math.exp %d : f32
%sum = fuse.reduce sum %p over [2] : f32
)" + repair_by_max("%sum", "%max") +
              narrowed("%pn", "%p") + "%acc = fuse.contract " + (narrow ? "%pn" : "%p") +
              ", %x2 over [2] : " + element + " -> f32\n" + repair_by_max("%acc", "%max") +
              "%o = arith.divf %acc, %sum : f32\n" + narrowed("%on", "%o") +
              "%l = math.log %sum : f32\n%lse = arith.addf %max, %l : f32\nfuse.yield " + (narrow ? "%on" : "%o") +
              (lse ? ", %lse : " : " : ") + element + (lse ? ", f32\n" : "\n");
  return spec;
}

namespace {

// Of a row-major operand of batch × [extent, columns] at dim `row` of the plane and dim `along` beside it.
CascadeOperand matrix(int64_t batch, int64_t extent, int64_t columns, size_t row, size_t along) {
  CascadeOperand operand{"f32", batch * extent * columns, std::vector<int64_t>(5, 0), ""};
  operand.strides[0] = extent * columns;
  operand.strides[row] = columns;
  operand.strides[along] = 1;
  return operand;
}

CascadeOperand vector(int64_t batch, int64_t extent, size_t row) {
  CascadeOperand operand{"f32", batch * extent, std::vector<int64_t>(5, 0), ""};
  operand.strides[0] = extent;
  operand.strides[row] = 1;
  return operand;
}

const char* gradient_of_scores = R"(%t = arith.subf %x, %x4 : f32
%p = math.exp %t : f32
%u = arith.subf %dp, %x5 : f32
%ds = arith.mulf %p, %u : f32
)";

std::string or_plain(const std::string& mask) {
  return mask.empty() ? "%zero = arith.constant 0.0 : f32\n%x = arith.addf %s, %zero : f32\n" : mask;
}

}  // namespace

// Inputs: q, k, v, dy, lse, delta.
CascadeSpec attention_dq(const AttentionShape& s, const std::string& mask) {
  CascadeSpec spec;
  spec.dims = {s.batch, s.rows, s.columns, s.depth, s.values};
  spec.batch = 1;
  spec.ins = {matrix(s.batch, s.rows, s.depth, 1, 3),
              matrix(s.batch, s.columns, s.depth, 2, 3),
              matrix(s.batch, s.columns, s.values, 2, 4),
              matrix(s.batch, s.rows, s.values, 1, 4),
              vector(s.batch, s.rows, 1),
              vector(s.batch, s.rows, 1)};
  spec.outs = {matrix(s.batch, s.rows, s.depth, 1, 3)};
  spec.body = "%s = fuse.contract %x0, %x1 over [3] : f32 -> f32\n" + or_plain(mask) +
              "%dp = fuse.contract %x3, %x2 over [4] : f32 -> f32\n" + gradient_of_scores +
              "%dq = fuse.contract %ds, %x1 over [2] : f32 -> f32\nfuse.yield %dq : f32\n";
  return spec;
}

CascadeSpec attention_dkv(const AttentionShape& s, const std::string& mask) {
  CascadeSpec spec;  // the row of this plane is the key
  spec.dims = {s.batch, s.columns, s.rows, s.depth, s.values};
  spec.batch = 1;
  spec.ins = {matrix(s.batch, s.rows, s.depth, 2, 3),
              matrix(s.batch, s.columns, s.depth, 1, 3),
              matrix(s.batch, s.columns, s.values, 1, 4),
              matrix(s.batch, s.rows, s.values, 2, 4),
              vector(s.batch, s.rows, 2),
              vector(s.batch, s.rows, 2)};
  spec.outs = {matrix(s.batch, s.columns, s.depth, 1, 3), matrix(s.batch, s.columns, s.values, 1, 4)};
  spec.body = "%s = fuse.contract %x0, %x1 over [3] : f32 -> f32\n" + or_plain(mask) +
              "%dp = fuse.contract %x3, %x2 over [4] : f32 -> f32\n" + gradient_of_scores +
              "%dk = fuse.contract %ds, %x0 over [2] : f32 -> f32\n%dv = fuse.contract %p, %x3 over [2] : f32 -> f32\n"
              "fuse.yield %dk, %dv : f32, f32\n";
  return spec;
}

// ---- runs ----

struct CascadeProgram::State {
  mlir::MLIRContext context{mlir::MLIRContext::Threading::DISABLED};
  mlir::OwningOpRef<mlir::ModuleOp> module;
  codegen::Plan plan;
  std::vector<codegen::KernelFunction> functions;

  std::unique_ptr<codegen::ThreadPool> pool;
  std::vector<BufferPtr> kept;
  std::vector<std::vector<void*>> lists;  // per launch
  std::unique_ptr<Buffer> scratch;
  int64_t scratch_bytes = 0;
};

CascadeProgram::CascadeProgram(const std::string& text) : state_(std::make_unique<State>()) {
  codegen::load_fuse_dialects(state_->context);
  state_->module = mlir::parseSourceString<mlir::ModuleOp>(text, &state_->context);
  if (!state_->module) throw std::runtime_error("does not parse:\n" + text);
  codegen::Planned planned = codegen::build_plan(*state_->module);
  state_->functions = codegen::get_kernels(state_->context, planned.kernels, nullptr);
  state_->plan = std::move(planned.plan);
}

CascadeProgram::~CascadeProgram() = default;

void CascadeProgram::prepare(const std::vector<BufferPtr>& arguments, int threads) {
  State& s = *state_;
  if (!s.pool || s.pool->threads() != threads) s.pool = std::make_unique<codegen::ThreadPool>(threads);
  s.scratch_bytes = (s.plan.scratch_bytes + 127) / 128 * 128;
  s.scratch = std::make_unique<Buffer>(static_cast<size_t>(s.scratch_bytes * threads));
  std::memset(s.scratch->data(), 0xff, s.scratch->bytes());
  s.kept.assign(s.plan.results.size(), nullptr);
  std::vector<void*> address;  // per value
  for (const codegen::PlanValue& value : s.plan.values) {
    const auto place = static_cast<size_t>(value.number);
    if (value.place == codegen::Place::argument) {
      address.push_back(arguments[place]->data());
    } else if (value.place == codegen::Place::constant) {
      address.push_back(s.plan.constants.data() + value.offset);
    } else {
      auto fresh = std::make_shared<Buffer>(static_cast<size_t>(value.bytes));
      std::memset(fresh->data(), 0xff, fresh->bytes());
      address.push_back(fresh->data());
      if (value.place == codegen::Place::result) s.kept[place] = std::move(fresh);
      else s.kept.push_back(std::move(fresh));
    }
  }
  s.lists.clear();
  for (const codegen::PlanLaunch& launch : s.plan.launches) {
    auto& list = s.lists.emplace_back();
    for (int id : launch.values) list.push_back(id < 0 ? nullptr : address[static_cast<size_t>(id)]);
  }
}

void CascadeProgram::run_prepared() {
  State& s = *state_;
  char* scratch = static_cast<char*>(s.scratch->data());
  for (size_t k = 0; k < s.plan.launches.size(); ++k) {
    const codegen::PlanLaunch& launch = s.plan.launches[k];
    codegen::KernelFunction function = s.functions[static_cast<size_t>(launch.kernel)];
    s.pool->run(launch.tasks, [&](int64_t task, int thread) {
      function(s.lists[k].data(), launch.parameters.data(), task, scratch + thread * s.scratch_bytes);
    });
  }
}

int64_t CascadeProgram::launches() const { return static_cast<int64_t>(state_->plan.launches.size()); }

std::vector<BufferPtr> CascadeProgram::run(const std::vector<BufferPtr>& arguments, int threads) {
  prepare(arguments, threads);
  run_prepared();
  return {state_->kept.begin(), state_->kept.begin() + static_cast<std::ptrdiff_t>(state_->plan.results.size())};
}

std::string CascadeProgram::plan_text() const { return state_->plan.str(); }
double CascadeProgram::flops() const { return static_cast<double>(state_->plan.launches[0].flops); }

}  // namespace tessera::test
