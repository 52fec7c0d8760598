#include <tessera/core/compile.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include <tessera/core/error.h>
#include <tessera/core/executor.h>
#include <tessera/core/expect_fused.h>
#include <tessera/core/fault.h>
#include <tessera/core/log.h>
#include <tessera/core/operand_copies.h>
#include <tessera/core/second_recording.h>
#include <tessera/core/state_marks.h>
#include <tessera/core/trace.h>
#include <tessera/core/user_call.h>

namespace tessera {
namespace {

struct Signature {
  const void* types;
  std::vector<size_t> lengths;
  std::vector<std::pair<DType, Shape>> tensors;

  explicit Signature(const CompiledFunction::Arguments& arguments)
      : types(arguments.types), lengths(arguments.lengths) {
    for (const Tensor& t : arguments.tensors) tensors.emplace_back(t.dtype(), t.shape());
  }
  bool is_of(const CompiledFunction::Arguments& arguments) const {
    return types == arguments.types && lengths == arguments.lengths &&
           std::ranges::equal(arguments.tensors, tensors, [](const Tensor& t, const auto& of) {
             return t.dtype() == of.first && t.shape() == of.second;
           });
  }
};

// Hands over the old values of assigned States, so that the program's arguments are their only owners and their memory can
// be reused. If the run throws, the destructor puts them back: an error loses nothing. A step has hundreds of States, so
// values move and no count of owners changes.
class DonatedStates {
 public:
  DonatedStates(std::vector<BufferPtr>& arguments, size_t states) : arguments_(arguments) { held_.reserve(states); }
  ~DonatedStates() {
    if (planted(Fault::state_not_donated_back)) return;
    for (auto& [node, argument] : held_) node->value = std::move(arguments_[argument]);
  }
  // The value of a State as the next argument; anyone else who holds it may still read it.
  void add(const State& state, Loc at) {
    const NodePtr& node = Trace::stored(state).eval(at).node();
    if (node.use_count() > 1) return arguments_.push_back(node->value);
    held_.emplace_back(node.get(), arguments_.size());
    arguments_.push_back(std::move(node->value));
  }
  void spent() { held_.clear(); }

 private:
  std::vector<BufferPtr>& arguments_;
  std::vector<std::pair<Node*, size_t>> held_;  // with the number of its argument
};

constexpr size_t many_signatures = 8;

}  // namespace

struct CompiledFunction::Entry {
  explicit Entry(const Arguments& arguments) : signature(arguments) {}

  Signature signature;
  Trace::Recorded recorded;
  std::shared_ptr<const void> structure;  // of the results
  std::vector<bool> is_assigned;          // of recorded.read: a new value of it may take the memory of the old one
  std::optional<OperandCopies> copies;    // of a mixed precision
  std::optional<StateWatch> states;       // recorded.read
  std::shared_ptr<Executable> executable;
  bool checked = false;  // the second call has recorded again and agreed

  // Since the last run:
  bool holds_states = false;   // nobody else had a State's value, but who left a mark
  std::vector<size_t> moving;  // of recorded.read: the new value lies in another buffer than the old one

  std::vector<Tensor> run(std::vector<BufferPtr> arguments, Loc at);

 private:
  std::optional<std::vector<Tensor>> repeat(const std::vector<BufferPtr>& arguments, Loc at);
  std::vector<Tensor> run_with_states(std::vector<BufferPtr> arguments, Loc at);
  void take(std::vector<Tensor>& results, size_t number, BufferPtr output, Loc at);
  // Results that the function and its States get: behind them are copies of weights.
  size_t returned() const { return recorded.program.outputs.size() - (copies ? copies->results() : 0); }
};

// To States that nobody has touched since the last run, this one does what the last did. Otherwise each is looked at, which
// leaves marks. So a run that repeats the last need leave none: any other program that has looked at a State since is seen,
// and one that looks later finds those of the last run that looked.
std::vector<Tensor> CompiledFunction::Entry::run(std::vector<BufferPtr> arguments, Loc at) {
  const bool may_repeat = std::exchange(holds_states, false) && states->all_are_untouched();
  if (may_repeat)
    if (auto results = repeat(arguments, at)) return std::move(*results);
  return run_with_states(std::move(arguments), at);
}

std::optional<std::vector<Tensor>> CompiledFunction::Entry::repeat(const std::vector<BufferPtr>& arguments, Loc at) {
  std::vector<NumberedBuffer> given;
  given.reserve(arguments.size() + moving.size() + recorded.captured.size());
  for (const BufferPtr& argument : arguments) given.push_back({given.size(), argument});
  const size_t first_state = given.size(), first_captured = first_state + recorded.read.size();
  for (size_t k : moving) given.push_back({first_state + k, Trace::stored(*recorded.read[k]).node()->value});
  for (size_t k = 0; k < recorded.captured.size(); ++k)
    given.push_back({first_captured + k, recorded.captured[k]->value});
  auto outputs = executable->repeat(recorded.program, given);
  if (!outputs) return std::nullopt;
  std::vector<Tensor> results;
  for (auto& [number, buffer] : *outputs) take(results, number, std::move(buffer), at);
  for (size_t k : moving) states->look(k);
  holds_states = true;
  return results;
}

std::vector<Tensor> CompiledFunction::Entry::run_with_states(std::vector<BufferPtr> arguments, Loc at) {
  const size_t first_state = arguments.size();
  arguments.reserve(recorded.program.inputs.size());
  DonatedStates donated(arguments, recorded.read.size());
  for (size_t k = 0; k < recorded.read.size(); ++k)
    if (is_assigned[k]) donated.add(*recorded.read[k], at);
    else arguments.push_back(Trace::stored(*recorded.read[k]).buffer(at));
  for (const NodePtr& node : recorded.captured) arguments.push_back(node->value);
  if (copies) copies->lend(recorded, *states, arguments);
  std::vector<const Buffer*> before;
  before.reserve(arguments.size());
  for (const BufferPtr& argument : arguments) before.push_back(argument.get());
  std::vector<BufferPtr> outputs = executable->run(recorded.program, arguments);
  donated.spent();
  arguments.clear();

  moving.clear();
  std::vector<Tensor> results;
  for (size_t k = 0; k < returned(); ++k) {
    if (const int donor = recorded.program.donor[k]; donor >= 0) {
      const auto number = static_cast<size_t>(donor);
      if (outputs[k].get() != before[number]) moving.push_back(number - first_state);
    }
    take(results, k, std::move(outputs[k]), at);
  }
  if (copies) copies->keep(std::move(outputs));
  states->look();
  holds_states = std::ranges::all_of(recorded.read, [](const State* state) { return Trace::holds_alone(*state); });
  return results;
}

void CompiledFunction::Entry::take(std::vector<Tensor>& results, size_t number, BufferPtr output, Loc at) {
  const size_t first_state = returned() - recorded.written.size();
  if (number >= first_state) return Trace::store(*recorded.written[number - first_state], std::move(output), at);
  const Instruction& from = recorded.program.instructions[static_cast<size_t>(recorded.program.outputs[number])];
  results.push_back(tensor_from(std::move(output), from.dtype, from.shape, at));
}

CompiledFunction::CompiledFunction(CompileOptions options, Loc at) : options_(std::move(options)), compiled_at_(at) {
  if (options_.name.empty())
    options_.name = std::filesystem::path(at.file).filename().string() + ":" + std::to_string(at.line);
}

std::shared_ptr<CompiledFunction::Entry> CompiledFunction::record(const Arguments& given, const Body& body) {
  auto entry = std::make_shared<Entry>(given);
  const std::vector<Tensor>& arguments = given.tensors;
  Trace trace(options_.strict);
  std::vector<Tensor> traced;
  traced.reserve(arguments.size());
  for (size_t i = 0; i < arguments.size(); ++i)
    traced.push_back(trace.argument(arguments[i].dtype(), arguments[i].shape(), "argument " + std::to_string(i)));
  const Results results = body(traced);
  entry->structure = results.structure;
  entry->recorded = trace.finish(results.tensors, options_.name);
  entry->recorded.program.strict = options_.strict;
  entry->recorded.program.precision = options_.precision;
  entry->is_assigned.resize(entry->recorded.read.size());
  for (int argument : entry->recorded.program.donor)
    if (argument >= 0) entry->is_assigned[static_cast<size_t>(argument) - arguments.size()] = true;
  if (options_.precision.is_mixed()) entry->copies.emplace(entry->recorded, arguments.size());
  entry->states.emplace(entry->recorded.read);
  return entry;
}

CompiledFunction::Results CompiledFunction::call(const Arguments& arguments, const Body& body, Loc at) {
  UserCall call(at);
  Trace::check_none(at);
  std::vector<BufferPtr> buffers;  // also computes arguments that are still pending, before anything is recorded
  buffers.reserve(arguments.tensors.size());
  for (const Tensor& t : arguments.tensors) buffers.push_back(t.buffer(at));

  auto found = std::ranges::find_if(entries_, [&](const auto& e) { return e->signature.is_of(arguments); });
  std::shared_ptr<Entry> entry;
  if (found == entries_.end()) {
    entry = record(arguments, body);
    entry->executable = default_executor().get(entry->recorded.program);
    check_expected_fused(entry->recorded.program, *entry->executable);
    entries_.push_back(entry);
    if (entries_.size() == many_signatures + 1)
      log_line("recompile", "'" + options_.name + "' at " + compiled_at_.str() + " was compiled for more than " +
                                std::to_string(many_signatures) + " signatures; pad to fewer shapes");
  } else {
    entry = *found;
    std::rotate(found, found + 1, entries_.end());  // text() speaks of the latest
    if (!entry->checked) {
      check_same_recording(entry->recorded, record(arguments, body)->recorded, compiled_at_);
      entry->checked = true;
    }
  }

  return {entry->run(std::move(buffers), at), entry->structure};
}

void detail::check(const CompileOptions& options, Loc at) {
  if (options.strict && options.precision != Precision())
    throw ValueError({.code = "T-V147",
                      .fault = "a strict program rounds where its ops say, so it cannot be " + options.precision.str(),
                      .at = at,
                      .hint = "drop .strict, or compile it as f32"});
}

int64_t CompiledFunction::programs() const { return static_cast<int64_t>(entries_.size()); }
std::string CompiledFunction::text(std::string_view stage) const {
  if (entries_.empty()) return "";
  const Program& program = entries_.back()->recorded.program;
  return stage == "tsr" ? program.str() : entries_.back()->executable->text(program, stage);
}
const Program* CompiledFunction::program() const {
  return entries_.empty() ? nullptr : &entries_.back()->recorded.program;
}

}  // namespace tessera
