#include <tessera/core/reference.h>

#include <tessera/core/convert.h>
#include <tessera/core/error.h>
#include <tessera/core/reference_ops.h>

namespace tessera {
namespace {

// clang-format off: one line per family
void run_op(const reference::Call& call) {
  switch (call.instruction.op) {
    case Op::Input: break;
    case Op::Constant: return reference::constant(call);
    case Op::Iota: return reference::iota(call);
    case Op::Random: return reference::random(call);

    case Op::Neg: case Op::Abs: case Op::Exp: case Op::Exp2: case Op::Log: case Op::Log1p: case Op::Expm1:
    case Op::Tanh: case Op::Erf: case Op::Sigmoid: case Op::Sqrt: case Op::Rsqrt: case Op::Recip: case Op::Sin:
    case Op::Cos: case Op::Floor: case Op::Ceil: case Op::Round: case Op::Sign: case Op::Not: case Op::IsFinite:
    case Op::Add: case Op::Sub: case Op::Mul: case Op::Div: case Op::FloorDiv: case Op::Rem: case Op::Pow:
    case Op::Min: case Op::Max: case Op::And: case Op::Or: case Op::Xor:
    case Op::Equal: case Op::NotEqual: case Op::Less: case Op::LessEqual: case Op::Greater: case Op::GreaterEqual:
      return reference::elementwise(call);
    case Op::Select: return reference::select(call);

    // The same elements in the same order.
    case Op::Cast: case Op::StopGradient: case Op::Barrier: case Op::Reshape: return reference::cast(call);

    case Op::Broadcast: return reference::broadcast(call);
    case Op::Transpose: return reference::transpose(call);
    case Op::Slice: return reference::slice(call);
    case Op::Pad: return reference::pad(call);
    case Op::Concat: return reference::concat(call);
    case Op::Reverse: return reference::reverse(call);

    case Op::Gather: return reference::gather(call);
    case Op::Scatter: return reference::scatter(call);
    case Op::DynamicSlice: return reference::dynamic_slice(call);
    case Op::DynamicUpdateSlice: return reference::dynamic_update_slice(call);

    case Op::Reduce: return reference::reduce(call);
    case Op::ArgMax: case Op::ArgMin: return reference::arg_extreme(call);
    case Op::Scan: return reference::scan(call);
    case Op::ArgSort: return reference::argsort(call);

    case Op::Contract: return reference::contract(call);
    case Op::Window: return reference::window(call);
    case Op::Fold: return reference::fold(call);

    case Op::Softmax: return reference::softmax(call);
    case Op::LogSumExp: return reference::logsumexp(call);
    case Op::Variance: return reference::variance(call);
  }
  throw InternalError("an input is given, not computed");
}
// clang-format on

// What a contraction reads under bf16_mixed.
BufferPtr rounded_to_bf16(const Buffer& wide) {
  const auto count = static_cast<int64_t>(wide.bytes() / size_of(DType::f32));
  std::vector<uint16_t> narrow(static_cast<size_t>(count));
  convert(wide.data(), DType::f32, narrow.data(), DType::bf16, count);
  auto rounded = std::make_shared<Buffer>(wide.bytes());
  convert(narrow.data(), DType::bf16, rounded->data(), DType::f32, count);
  return rounded;
}

class ReferenceExecutable : public Executable {
 public:
  explicit ReferenceExecutable(const Program& program) : last_use_(program.instructions.size()) {
    const int count = static_cast<int>(program.instructions.size());
    for (int i = 0; i < count; ++i) {
      last_use_[static_cast<size_t>(i)] = i;
      for (const int input : program.instructions[static_cast<size_t>(i)].inputs)
        last_use_[static_cast<size_t>(input)] = i;
    }
    for (const int output : program.outputs) last_use_[static_cast<size_t>(output)] = count;
  }

  std::vector<BufferPtr> run(const Program& program, std::vector<BufferPtr>& arguments) override {
    check_internal(arguments.size() == program.inputs.size(), "one buffer per input of the program");
    std::vector<BufferPtr> values(program.instructions.size());
    for (size_t k = 0; k < arguments.size(); ++k) values[static_cast<size_t>(program.inputs[k])] = arguments[k];

    std::vector<const Instruction*> types;
    std::vector<BufferPtr> operands;
    for (size_t i = 0; i < values.size(); ++i) {
      const Instruction& instruction = program.instructions[i];
      if (instruction.op == Op::Input) continue;
      types.clear();
      operands.clear();
      for (const int input : instruction.inputs) {
        types.push_back(&program.instructions[static_cast<size_t>(input)]);
        operands.push_back(values[static_cast<size_t>(input)]);
      }
      if (program.precision.is_mixed() && instruction.op == Op::Contract && instruction.dtype == DType::f32)
        for (BufferPtr& operand : operands) operand = rounded_to_bf16(*operand);
      values[i] = run_reference(instruction, types, operands);
      for (const int input : instruction.inputs)
        if (last_use_[static_cast<size_t>(input)] == static_cast<int>(i)) values[static_cast<size_t>(input)].reset();
    }

    std::vector<BufferPtr> results;
    results.reserve(program.outputs.size());
    for (const int output : program.outputs) results.push_back(values[static_cast<size_t>(output)]);
    return results;
  }

  std::string text(const Program& program, std::string_view stage) const override {
    return stage == "tsr" ? program.str() : std::string();
  }

 private:
  std::vector<int> last_use_;  // of each value: the instruction after which it is freed
};

class ReferenceExecutor : public Executor {
 public:
  std::string_view name() const override { return "reference"; }
  std::shared_ptr<Executable> compile(const Program& program) override {
    return std::make_shared<ReferenceExecutable>(program);
  }
};

}  // namespace

std::unique_ptr<Executor> make_reference_executor() { return std::make_unique<ReferenceExecutor>(); }

BufferPtr run_reference(const Instruction& instruction, const std::vector<const Instruction*>& operand_types,
                        const std::vector<BufferPtr>& operands) {
  const auto bytes = [](const Instruction& type) {
    return static_cast<size_t>(type.shape.numel()) * size_of(type.dtype);
  };
  check_internal(operands.size() == operand_types.size(), "one type per operand");
  std::vector<reference::Value> values;
  for (size_t i = 0; i < operands.size(); ++i) {
    check_internal(operands[i] && operands[i]->bytes() >= bytes(*operand_types[i]), "a buffer holds its value");
    values.push_back({operand_types[i]->dtype, operand_types[i]->shape, operands[i]->read()});
  }
  auto result = std::make_shared<Buffer>(bytes(instruction));
  run_op({instruction, std::move(values), result->data()});
  return result;
}

}  // namespace tessera
