#include <tessera/codegen/plan/in_memory.h>

#include <algorithm>
#include <map>
#include <tuple>

namespace tessera::codegen {
namespace {

constexpr const char* read_explain = R"(text("explain") lists every decision)";

const Instruction& at(const Program& recorded, int op) { return recorded.instructions[static_cast<size_t>(op)]; }

// What a view looks at. A broadcast makes more of what it reads, so it is a value of its own.
int viewed(const Program& recorded, int op) {
  for (;;) switch (at(recorded, op).op) {
      case Op::Reshape:
      case Op::Transpose:
      case Op::Slice:
      case Op::Reverse:
      case Op::StopGradient: op = at(recorded, op).inputs[0]; break;
      default: return op;
    }
}

// Equal expressions are computed once, under the number of one of them.
std::vector<int> equal_values(const Program& recorded) {
  std::map<std::tuple<Op, DType, Dims, std::string, std::vector<int>>, int> known;
  std::vector<int> first(recorded.instructions.size());
  for (size_t v = 0; v < first.size(); ++v) {
    const Instruction& i = recorded.instructions[v];
    std::vector<int> inputs;
    for (int input : i.inputs) inputs.push_back(first[static_cast<size_t>(input)]);
    const int self = static_cast<int>(v);
    first[v] = i.op == Op::Input
                   ? self
                   : known.try_emplace({i.op, i.dtype, i.shape.dims(), to_string(i.attrs), inputs}, self).first->second;
  }
  return first;
}

class Finder {
 public:
  Finder(const Plan& plan, const Program& recorded, int instruction)
      : plan_(plan), recorded_(recorded), first_(equal_values(recorded)), value_(viewed(recorded, instruction)) {}

  std::optional<InMemory> find() const {
    const Instruction& value = at(recorded_, value_);
    if (value.op == Op::Input)
      return InMemory{"it is data that the program gets", "expect it of a value that the compiled function computes"};
    if (place() < 0) {
      if (is_known() || value.op == Op::Broadcast || value.op == Op::Constant || value.op == Op::Iota) return {};
      return InMemory{"the compiler found an equal value and computes that one",
                      "expect it of a value that this one is computed from"};
    }
    return why();
  }

 private:
  bool same(int op) const { return op >= 0 && first_[static_cast<size_t>(op)] == first_[static_cast<size_t>(value_)]; }
  bool among(const std::vector<int>& ops) const {
    return std::any_of(ops.begin(), ops.end(), [&](int op) { return same(op); });
  }

  // Where it lies, among the values of the plan; −1: nowhere.
  int place() const {
    // Statistics of a softmax carry its number and have fewer elements.
    const int64_t elements = at(recorded_, value_).shape.numel();
    for (const PlanLaunch& launch : plan_.launches)
      for (const PlanWrite& write : launch.writes)
        if (same(write.op) && write.elements >= elements) return write.value;
    return -1;
  }

  int reader() const {
    for (const PlanLaunch& launch : plan_.launches)
      if (std::find(launch.values.begin(), launch.values.begin() + launch.reads, place()) !=
          launch.values.begin() + launch.reads)
        return launch.writes.empty() ? -1 : launch.writes.front().op;
    return -1;
  }

  // Some kernel computes it, if only on its way: algebra inside of a plane may leave no op of its number behind.
  bool is_known() const {
    return std::any_of(plan_.launches.begin(), plan_.launches.end(),
                       [&](const PlanLaunch& launch) { return among(launch.ops); }) ||
           std::any_of(plan_.remarks.begin(), plan_.remarks.end(), [&](const ir::Remark& remark) {
             return remark.category == "plane" && !remark.missed && among(remark.ops);
           });
  }

  InMemory why() const {
    for (int output : recorded_.outputs)
      if (same(viewed(recorded_, output)))
        return {"it is a result of the program", "return what is computed from it, such as a reduction of it"};
    if (recorded_.strict)
      return {"the program is strict, so its sums keep the order in which they were written",
              "compile without .strict"};
    for (size_t v = 0; v < recorded_.instructions.size(); ++v)
      if (const Instruction& i = recorded_.instructions[v]; i.op == Op::Barrier && same(viewed(recorded_, i.inputs[0])))
        return {"a barrier asks for it", "take the barrier away", static_cast<int>(v)};
    // A plane's own reasons first: why its kernels read each other follows from them.
    for (const ir::Remark& remark : plan_.remarks)
      if (remark.category == "plane" && remark.missed && among(remark.ops))
        return {remark.reason, remark.hint.empty() ? read_explain : remark.hint, remark.other};
    for (const ir::Remark& remark : plan_.remarks)
      if (remark.category == "fusion" && same(remark.other) && !remark.ops.empty())
        return {remark.reason, "let what reads it read a reduction of it, or drop expect_fused", remark.ops.front()};
    return {"another kernel reads it", read_explain, reader()};
  }

  const Plan& plan_;
  const Program& recorded_;
  std::vector<int> first_;
  int value_;
};

}  // namespace

std::optional<InMemory> find_in_memory(const Plan& plan, const Program& recorded, int instruction) {
  return Finder(plan, recorded, instruction).find();
}

}  // namespace tessera::codegen
