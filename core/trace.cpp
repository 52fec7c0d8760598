#include <tessera/core/trace.h>

#include <algorithm>
#include <atomic>
#include <unordered_set>

#include <tessera/core/error.h>
#include <tessera/core/evaluate.h>
#include <tessera/core/fault.h>
#include <tessera/core/ops.h>
#include <tessera/core/raise.h>

namespace tessera {
namespace {

thread_local Trace* trace_of_thread = nullptr;

uint64_t next_number() {
  static std::atomic<uint64_t> last{0};
  return ++last;
}

// A tensor from outside, a member of a model above all, to which an earlier recording assigned a result of its own.
[[noreturn]] void throw_kept(const Node& kept, const Node& reader) {
  throw TraceError({.code = "T-T007",
                    .fault = "the function reads a tensor that an earlier recording of it has left behind",
                    .at = user_location(reader.at, reader.scope),
                    .path = reader.scope ? reader.scope->path() : "",
                    .operands = {{"kept", describe(kept)}},
                    .hint = "what a compiled function changes and reads again belongs into a State: assign() it"});
}

// What the recording closed over and nobody has computed yet: it must be data before the program can run.
void evaluate_captured(const std::vector<NodePtr>& outputs, uint64_t recording) {
  std::vector<NodePtr> todo = outputs, outside;
  std::unordered_set<const Node*> seen;
  auto check = [&](const Node& node, const Node& reader) {
    const bool ended = node.recording && node.recording != recording && node.op != Op::Constant;
    if (!node.value && ended) throw_kept(node, reader);
  };
  for (const NodePtr& output : outputs) check(*output, *output);
  while (!todo.empty()) {
    NodePtr node = std::move(todo.back());
    todo.pop_back();
    if (node->value || !seen.insert(node.get()).second) continue;
    if (node->recording != recording && node->op != Op::Constant) {
      outside.push_back(node);
      continue;
    }
    for (const NodePtr& input : node->inputs) check(*input, *node);
    todo.insert(todo.end(), node->inputs.begin(), node->inputs.end());
  }
  evaluate(outside, Loc{});
}

}  // namespace

Trace::Trace(bool as_written)
    : as_written_(as_written), number_(next_number()), outer_(trace_of_thread), outer_calls_(RandomPoint::capture()) {
  check_none({});
  generator();  // its States begin outside of any recording
  trace_of_thread = this;
  restart_random_calls();
}

Trace::~Trace() {
  trace_of_thread = outer_;
  outer_calls_.restore();
}

Trace* Trace::current() { return trace_of_thread; }
uint64_t Trace::current_number() { return trace_of_thread ? trace_of_thread->number_ : 0; }
bool Trace::is_as_written() { return trace_of_thread && trace_of_thread->as_written_; }

void Trace::check_none(Loc at) {
  if (!trace_of_thread) return;
  throw TraceError({.code = "T-T003",
                    .fault = "a compiled function is called while another one records",
                    .at = at,
                    .hint = "call the plain function inside; compile only the outermost step"});
}

Tensor Trace::argument(DType dtype, Shape shape, std::string name) {
  NodePtr node = record(Op::Input, NoAttrs{}, {}, dtype, std::move(shape), Loc{});
  node->label = std::move(name);
  arguments_.push_back(node);
  return Tensor(node);
}

Tensor Trace::read(const State& state) {
  if (auto found = value_of_.find(&state); found != value_of_.end()) return found->second;
  NodePtr node = record(Op::Input, NoAttrs{}, {}, state.dtype(), state.shape(), Loc{});
  node->label = state.name();
  Tensor value(node);
  read_.push_back(const_cast<State*>(&state));
  input_of_.emplace(&state, value);
  value_of_.emplace(&state, value);
  return value;
}

void Trace::write(State& state, Tensor value) {
  if (std::find(written_.begin(), written_.end(), &state) == written_.end()) written_.push_back(&state);
  value_of_.insert_or_assign(&state, std::move(value));
}

Trace::Recorded Trace::finish(const std::vector<Tensor>& results, std::string name) {
  // A step that drew random numbers advances the generator, so that the next run draws others.
  State& step = generator().step;
  if (!planted(Fault::random_step_stuck) && input_of_.contains(&step) &&
      std::find(written_.begin(), written_.end(), &step) == written_.end())
    write(step, read(step) + int64_t{1});

  std::vector<NodePtr> inputs = arguments_, outputs;
  for (State* state : read_) inputs.push_back(input_of_.at(state).node());
  for (const Tensor& t : results) outputs.push_back(t.node());
  for (State* state : written_) outputs.push_back(value_of_.at(state).node());
  if (!as_written_) raise_all(outputs);
  trace_of_thread = nullptr;  // evaluate() below is not part of the recording
  evaluate_captured(outputs, number_);

  Recorded recorded;
  recorded.program = flatten(inputs, outputs, /*lift_constants=*/false, &recorded.captured);
  recorded.program.name = std::move(name);
  recorded.program.donor.assign(outputs.size(), -1);
  for (size_t k = 0; k < written_.size(); ++k) {
    auto found = std::find(read_.begin(), read_.end(), written_[k]);
    if (found != read_.end())
      recorded.program.donor[results.size() + k] =
          static_cast<int>(arguments_.size() + static_cast<size_t>(found - read_.begin()));
  }
  recorded.read = read_;
  recorded.written = written_;
  return recorded;
}

const Tensor& Trace::stored(const State& state) {
  state.marks_->hand_out();
  return state.value_;
}

bool Trace::holds_alone(const State& state) {
  const NodePtr& node = state.value_.node();
  return node.use_count() == 1 && node->value.use_count() == 1;
}

const StateMarks& Trace::marks(const State& state) { return *state.marks_; }

// The node that held the old value serves for the new one if nobody else has it: a step replaces hundreds of them.
void Trace::store(State& state, BufferPtr value, Loc at) {
  state.marks_->assign();
  const NodePtr& node = state.value_.node();
  if (node.use_count() == 1 && node->op == Op::Input && node->label.empty()) {
    node->value = std::move(value);
    node->at = at;
  } else {
    state.value_ = tensor_from(std::move(value), node->dtype, node->shape, at);
  }
}

}  // namespace tessera
