#include <tessera/core/operand_copies.h>

#include <tessera/core/executor.h>

namespace tessera {
namespace {

bool is_view(Op op) {
  switch (op) {
    case Op::Reshape:
    case Op::Transpose:
    case Op::Broadcast:
    case Op::Slice:
    case Op::Reverse:
    case Op::Window:
    case Op::StopGradient: return true;
    default: return false;
  }
}

// Rewrites a program so that contractions read the copies of its inputs from `first` on, widened again and behind the
// same views; everything else reads what it has read.
class Rewriter {
 public:
  Rewriter(const Program& from, size_t first)
      : from_(from), now_(count()), rounded_(count(), -1), number_(count(), -1) {
    for (size_t k = first; k < from.inputs.size(); ++k)
      if (at(from.inputs[k]).dtype == DType::f32) number_[index(from.inputs[k])] = static_cast<int>(k);
    std::vector<char> is_wanted(from.inputs.size(), 0);
    for (const Instruction& i : from.instructions)
      for (int operand : rounds(i) ? i.inputs : std::vector<int>())
        if (int input = number_[index(base(operand))]; input >= 0) is_wanted[static_cast<size_t>(input)] = 1;
    for (int& number : number_)
      if (number >= 0 && !is_wanted[static_cast<size_t>(number)]) number = -1;
  }

  // `of` receives the number of the argument that each new one is the copy of.
  Program run(std::vector<size_t>& of) {
    to_ = from_;
    to_.instructions.clear();
    std::vector<int> copies;
    for (size_t v = 0; v < count(); ++v) {
      Instruction i = from_.instructions[v];
      for (int& operand : i.inputs) operand = rounds(from_.instructions[v]) ? rounded(operand) : now_[index(operand)];
      now_[v] = append(i);
      if (number_[v] < 0) continue;
      of.push_back(static_cast<size_t>(number_[v]));
      i.dtype = DType::bf16;
      i.label += " (bf16)";
      copies.push_back(append(i));
      rounded_[v] = append({.op = Op::Cast,
                            .dtype = DType::f32,
                            .shape = i.shape,
                            .inputs = {copies.back()},
                            .at = i.at,
                            .scope = i.scope});
    }
    for (std::vector<int>* list : {&to_.inputs, &to_.outputs})
      for (int& value : *list) value = now_[index(value)];
    to_.inputs.insert(to_.inputs.end(), copies.begin(), copies.end());
    return std::move(to_);
  }

 private:
  static size_t index(int value) { return static_cast<size_t>(value); }
  size_t count() const { return from_.instructions.size(); }
  const Instruction& at(int value) const { return from_.instructions[index(value)]; }
  static bool rounds(const Instruction& i) { return i.op == Op::Contract && i.dtype == DType::f32; }
  int base(int value) const {
    while (is_view(at(value).op)) value = at(value).inputs[0];
    return value;
  }
  int append(Instruction i) {
    to_.instructions.push_back(std::move(i));
    return static_cast<int>(to_.instructions.size()) - 1;
  }

  int rounded(int value) {
    if (number_[index(base(value))] < 0) return now_[index(value)];
    int& known = rounded_[index(value)];
    if (known < 0) {
      Instruction view = at(value);
      const int operand = rounded(view.inputs[0]);
      view.inputs = {operand};
      known = append(std::move(view));
    }
    return known;
  }

  const Program& from_;
  Program to_;
  std::vector<int> now_, rounded_;  // of each value: in the new program, and what contractions read for it
  std::vector<int> number_;         // of each value: which argument it is, if that has a copy
};

// All of `arguments` rounded to bf16.
std::vector<BufferPtr> round_all(const Program& types, const std::vector<int>& values,
                                 std::vector<BufferPtr>& arguments) {
  Program program;
  program.name = "operand copies of " + types.name;
  for (int value : values) {
    const Instruction& type = types.instructions[static_cast<size_t>(value)];
    const auto first = static_cast<int>(program.instructions.size());
    program.instructions.push_back({.dtype = type.dtype, .shape = type.shape, .at = type.at, .label = type.label});
    program.instructions.push_back(
        {.op = Op::Cast, .dtype = DType::bf16, .shape = type.shape, .inputs = {first}, .at = type.at});
    program.inputs.push_back(first);
    program.outputs.push_back(first + 1);
  }
  program.donor.assign(program.outputs.size(), -1);
  return default_executor().get(program)->run(program, arguments);
}

}  // namespace

OperandCopies::OperandCopies(Trace::Recorded& recorded, size_t arguments) {
  std::vector<size_t> of;
  Program& program = recorded.program;
  program = Rewriter(program, arguments).run(of);
  const size_t had = program.outputs.size();
  for (size_t argument : of) {
    const size_t slot = argument - arguments;
    Copy copy{.of = argument, .state = {}};
    if (slot < recorded.read.size()) copy.state = slot;
    for (size_t k = 0; k < had; ++k) {
      if (program.donor[k] != static_cast<int>(argument)) continue;
      const Instruction assigned = program.instructions[static_cast<size_t>(program.outputs[k])];
      copy.output = static_cast<int>(program.outputs.size());
      program.instructions.push_back({.op = Op::Cast,
                                      .dtype = DType::bf16,
                                      .shape = assigned.shape,
                                      .inputs = {program.outputs[k]},
                                      .at = assigned.at,
                                      .scope = assigned.scope});
      program.outputs.push_back(static_cast<int>(program.instructions.size()) - 1);
      program.donor.push_back(static_cast<int>(program.inputs.size() - of.size() + copies_.size()));
      break;
    }
    copies_.push_back(std::move(copy));
  }
  results_ = program.outputs.size() - had;
}

void OperandCopies::lend(const Trace::Recorded& recorded, const StateWatch& states, std::vector<BufferPtr>& arguments) {
  std::vector<Copy*> stale;
  std::vector<int> values;
  std::vector<BufferPtr> wide;
  for (Copy& copy : copies_) {
    if (copy.value && !(copy.state && states.was_assigned(*copy.state))) continue;
    stale.push_back(&copy);
    values.push_back(recorded.program.inputs[copy.of]);
    wide.push_back(arguments[copy.of]);
  }
  if (!stale.empty()) {
    std::vector<BufferPtr> rounded = round_all(recorded.program, values, wide);
    for (size_t k = 0; k < stale.size(); ++k) stale[k]->value = std::move(rounded[k]);
  }
  // What the program assigns it may write into: nobody else holds it then.
  for (Copy& copy : copies_) arguments.push_back(copy.output < 0 ? copy.value : std::move(copy.value));
}

void OperandCopies::keep(std::vector<BufferPtr> outputs) {
  for (Copy& copy : copies_)
    if (copy.output >= 0) copy.value = std::move(outputs[static_cast<size_t>(copy.output)]);
}

}  // namespace tessera
