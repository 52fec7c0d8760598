#include "tests/ir/fuse_rolling.h"

#include <cmath>
#include <limits>

#include <tessera/core/error.h>
#include <tessera/ir/fuse/Scatter.h>

namespace tessera::testing {
namespace {

using mlir::Operation;
using mlir::Value;

// What is known of a part of the stream: its statistics and accumulations.
using State = llvm::DenseMap<Operation*, Values>;

fuse::ReduceKind kind_of(Operation* op) {
  auto reduce = llvm::dyn_cast<fuse::ReduceOp>(op);
  return reduce ? reduce.getKind() : fuse::ReduceKind::sum;
}

bool is_neutral(Operation* statistic, double x) {
  const double sign = kind_of(statistic) == fuse::ReduceKind::min ? 1 : -1;
  return kind_of(statistic) != fuse::ReduceKind::sum && x == sign * std::numeric_limits<double>::infinity();
}

double factor(fuse::RepairOp repair, double old, double fresh) {
  mlir::Block& region = repair.getFactor().front();
  llvm::DenseMap<Value, double> reals{{region.getArgument(0), old}, {region.getArgument(1), fresh}};
  llvm::DenseMap<Value, int64_t> wholes;
  for (Operation& op : region.without_terminator()) {
    double x[3];
    int64_t n[3];
    for (auto [i, operand] : llvm::enumerate(op.getOperands())) {
      check_internal(reals.contains(operand) || wholes.contains(operand), "a repair reads outside its region");
      if (reals.contains(operand)) x[i] = reals.lookup(operand);
      else n[i] = wholes.lookup(operand);
    }
    if (llvm::isa<mlir::FloatType>(op.getResult(0).getType())) reals[op.getResult(0)] = real_result(&op, x, n);
    else wholes[op.getResult(0)] = whole_result(&op, x, n);
  }
  return reals.find(region.getTerminator()->getOperand(0))->second;
}

class Streamed {
 public:
  Streamed(fuse::CascadeOp cascade, const std::vector<Tensor>& inputs, Draw& draw)
      : cascade_(cascade), inputs_(inputs), draw_(draw), dims_(cascade.getDims().vec()) {
    for (int64_t d = cascade.first_stream_dim(); d < cascade.first_rest_dim(); ++d)
      length_ *= dims_[static_cast<size_t>(d)];
  }

  std::vector<Tensor> rolling() {
    State state;
    int64_t part = 0;
    std::vector<int64_t> parts;
    for (int64_t i = 0; i < length_; ++i) parts.push_back(i > 0 && draw_.below(3) == 0 ? ++part : part);
    for (int64_t p = 0; p <= part; ++p) {
      State old = std::exchange(state, State());
      evaluate(parts, p, [&](Operation* op, Values local) {
        if (old.contains(op)) local = combine(op, moved(op, old, state), local);
        return state[op] = std::move(local);
      });
    }
    return finish(state);
  }

  std::vector<Tensor> merged() {
    std::vector<State> states;
    std::vector<int64_t> parts;
    for (int64_t i = 0; i < length_; ++i) parts.push_back(draw_.below(5));
    for (int64_t p = 0; p < 5; ++p) {
      if (!llvm::is_contained(parts, p)) continue;
      State& state = states.emplace_back();
      evaluate(parts, p, [&](Operation* op, Values local) { return state[op] = std::move(local); });
    }
    while (states.size() > 1) {
      const size_t i = static_cast<size_t>(draw_.below(static_cast<int64_t>(states.size()) - 1));
      states[i] = join(states[i], states[i + 1]);
      states.erase(states.begin() + static_cast<ptrdiff_t>(i) + 1);
      std::swap(states[i], states[static_cast<size_t>(draw_.below(static_cast<int64_t>(states.size())))]);
    }
    return finish(states.front());
  }

 private:
  bool accumulates(Operation* op) const {
    if (llvm::isa<fuse::ReduceOp, fuse::ScatterAddOp>(op)) return true;
    auto contract = llvm::dyn_cast<fuse::ContractOp>(op);
    return contract && contract.getOver().front() == cascade_.first_stream_dim();
  }

  // The body with part `part` of the stream alone, `found` being told what each accumulation makes of it.
  void evaluate(const std::vector<int64_t>& parts, int64_t part,
                const std::function<Values(Operation*, Values)>& found) {
    BodyRun body(cascade_, inputs_);
    body.counts = [&](Operation* op, const Point& at) {
      if (!accumulates(op)) return true;
      int64_t i = 0;
      for (int64_t d = cascade_.first_stream_dim(); d < cascade_.first_rest_dim(); ++d)
        i = i * dims_[static_cast<size_t>(d)] + at[static_cast<size_t>(d)];
      return parts[static_cast<size_t>(i)] == part;
    };
    body.found = [&](Operation* op, Values local) {
      return accumulates(op) ? found(op, std::move(local)) : std::move(local);
    };
    body.run();
  }

  // What `op` is in `old`, under the statistics of `fresh`, which has those before `op` already.
  Values moved(Operation* op, const State& old, const State& fresh) const {
    Values values = old.find(op)->second;
    for (auto repair : cascade_.getBody().front().getOps<fuse::RepairOp>()) {
      if (repair.getAccumulated().getDefiningOp() != op) continue;
      Operation* statistic = repair.getStatistic().getDefiningOp();
      const Values &before = old.find(statistic)->second, &after = fresh.find(statistic)->second;
      each_point(dims_, values.depends, [&](const Point& at, int64_t i) {
        const double from = before.real[position(before, at)], to = after.real[position(after, at)];
        if (is_neutral(statistic, from)) return;
        double& x = values.real[static_cast<size_t>(i)];
        x = kind_of(op) == fuse::ReduceKind::sum ? x * factor(repair, from, to) : x + factor(repair, from, to);
      });
    }
    return values;
  }

  static Values combine(Operation* op, Values a, const Values& b) {
    for (size_t i = 0; i < a.real.size(); ++i) a.real[i] = combined(kind_of(op), a.real[i], b.real[i]);
    for (size_t i = 0; i < a.whole.size(); ++i) a.whole[i] = combined(kind_of(op), a.whole[i], b.whole[i]);
    return a;
  }

  State join(const State& a, const State& b) const {
    State fresh;
    for (Operation& op : cascade_.getBody().front())
      if (a.contains(&op)) fresh[&op] = combine(&op, moved(&op, a, fresh), moved(&op, b, fresh));
    return fresh;
  }

  std::vector<Tensor> finish(const State& state) {
    BodyRun body(cascade_, inputs_);
    body.found = [&](Operation* op, Values local) {
      return accumulates(op) ? state.find(op)->second : std::move(local);
    };
    body.run();
    return body.results(cascade_.getOutMaps(), cascade_->getResultTypes());
  }

  mutable fuse::CascadeOp cascade_;  // whose accessors are not const
  const std::vector<Tensor>& inputs_;
  Draw& draw_;
  std::vector<int64_t> dims_;
  int64_t length_ = 1;
};

}  // namespace

std::vector<Tensor> run_by_definition(fuse::CascadeOp cascade, const std::vector<Tensor>& inputs) {
  BodyRun body(cascade, inputs);
  body.run();
  return body.results(cascade.getOutMaps(), cascade->getResultTypes());
}
std::vector<Tensor> run_rolling(fuse::CascadeOp cascade, const std::vector<Tensor>& inputs, Draw& draw) {
  return Streamed(cascade, inputs, draw).rolling();
}
std::vector<Tensor> run_merged(fuse::CascadeOp cascade, const std::vector<Tensor>& inputs, Draw& draw) {
  return Streamed(cascade, inputs, draw).merged();
}

}  // namespace tessera::testing
