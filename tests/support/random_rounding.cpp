#include "tests/support/random_rounding.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <tessera/core/convert.h>
#include <tessera/core/reference.h>

#include "tests/support/compare_executors.h"
#include "tests/support/host_data.h"

namespace tessera::testing {
namespace {

bool is_narrow(DType dtype) { return dtype == DType::f16 || dtype == DType::bf16; }

double nearest(double x, DType dtype) {
  uint16_t there = 0;
  store_double(&there, dtype, 0, x);
  return load_double(&there, dtype, 0);
}
// The number of this dtype that has x between it and the nearest; x itself if the dtype has it.
double other_side(double x, DType dtype) {
  uint16_t there = 0;
  store_double(&there, dtype, 0, x);
  const double value = load_double(&there, dtype, 0);
  if (value == x || std::isnan(x)) return value;
  const bool is_up = x > value;
  constexpr uint16_t sign = 0x8000;
  if ((there & ~sign) == 0) there = is_up ? 1 : sign | 1;
  else there = static_cast<uint16_t>(is_up == ((there & sign) == 0) ? there + 1 : there - 1);
  return load_double(&there, dtype, 0);
}

// Does it compute with what it reads? All else passes elements on, or decides by them.
bool computes(const Instruction& instruction) {
  switch (instruction.op) {
    case Op::Neg:
    case Op::Abs:
    case Op::Sign:
    case Op::Floor:
    case Op::Ceil:
    case Op::Round:
    case Op::IsFinite:
    case Op::Min:
    case Op::Max: return false;
    case Op::Constant: return true;
    case Op::Scatter: return std::get<ScatterAttrs>(instruction.attrs).mode == ScatterMode::add;
    case Op::Reduce: {
      const ReduceKind kind = std::get<ReduceAttrs>(instruction.attrs).kind;
      return kind != ReduceKind::max && kind != ReduceKind::min;
    }
    default: break;
  }
  switch (row(instruction.op).family) {
    case Family::Unary:
    case Family::Binary:
    case Family::Scan:
    case Family::Contract:
    case Family::Window:
    case Family::Raised: return true;
    default: return false;
  }
}

// A program under way, its values of 16 bits held in f64. Each value is computed twice, since two kernels may compute it from
// what they have each. Who computes with one takes this or that, and throws for each number of 16 bits whether he reads it
// rounded to the nearest, to the other side, or not at all, since a kernel may go on with what it has and the next read what is
// stored. Who passes numbers on passes on both. Who decides by them reads what is stored, as all who decide do: a maximum is
// found where it was taken from.
class Run {
 public:
  // `keeps_finite`: what f16 would make infinite is read as it is, since a kernel that keeps it has no trouble.
  Run(const Program& program, const std::vector<BufferPtr>& arguments, Draw& coins, bool keeps_finite)
      : program_(program),
        types_(program.instructions),
        computed_(types_.size()),
        stored_(types_.size()),
        coins_(coins),
        keeps_finite_(keeps_finite) {
    for (Instruction& type : types_)
      if (is_narrow(type.dtype)) type.dtype = DType::f64;
    for (size_t k = 0; k < arguments.size(); ++k) {
      const auto input = static_cast<size_t>(program.inputs[k]);
      const int64_t count = types_[input].shape.numel();
      auto held = std::make_shared<Buffer>(static_cast<size_t>(count) * size_of(types_[input].dtype));
      convert(arguments[k]->read(), dtype_of(input), held->data(), types_[input].dtype, count);
      stored_[input] = held;
      computed_[input] = {held, held};
    }
    for (size_t i = 0; i < types_.size(); ++i)
      if (types_[i].op != Op::Input) run(i);
  }

  // In double.
  std::vector<double> output(size_t number) const {
    const auto i = static_cast<size_t>(program_.outputs[number]);
    std::vector<double> all(static_cast<size_t>(types_[i].shape.numel()));
    convert(stored_[i]->read(), types_[i].dtype, all.data(), DType::f64, types_[i].shape.numel());
    return all;
  }

 private:
  DType dtype_of(size_t value) const { return program_.instructions[value].dtype; }

  void run(size_t i) {
    const bool reads_by_coins = computes(types_[i]);
    if (!reads_by_coins) stored_[i] = run_reading(i, [&](size_t k) { return stored_[k]; });
    for (size_t time : {0, 1})
      if (reads_by_coins) computed_[i][time] = run_reading(i, [&](size_t k) { return read_by_coins(k); });
      else computed_[i][time] = run_reading(i, [&](size_t k) { return computed_[k][time]; });
    if (reads_by_coins) stored_[i] = is_narrow(dtype_of(i)) ? thrown(computed_[i][0], i, 2) : computed_[i][0];
  }

  template <class F> BufferPtr run_reading(size_t i, F operand) {
    std::vector<const Instruction*> types;
    std::vector<BufferPtr> operands;
    for (const int input : types_[i].inputs) {
      types.push_back(&types_[static_cast<size_t>(input)]);
      operands.push_back(operand(static_cast<size_t>(input)));
    }
    return run_reference(types_[i], types, operands);
  }

  BufferPtr read_by_coins(size_t value) {
    const BufferPtr& computed = computed_[value][static_cast<size_t>(coins_.below(2))];
    return is_narrow(dtype_of(value)) ? thrown(computed, value, 3) : computed;
  }

  // Each number as the first two or all of: the nearest, the other side, as it is.
  BufferPtr thrown(const BufferPtr& computed, size_t value, int64_t sides) {
    const DType dtype = dtype_of(value);
    auto made = std::make_shared<Buffer>(computed->bytes());
    const auto* from = static_cast<const double*>(computed->read());
    auto* to = static_cast<double*>(made->data());
    for (int64_t k = 0; k < types_[value].shape.numel(); ++k) {
      const int64_t side = coins_.below(sides);
      to[k] = side == 0 ? nearest(from[k], dtype) : side == 1 ? other_side(from[k], dtype) : from[k];
      if (sides == 3 && keeps_finite_ && std::isinf(to[k])) to[k] = from[k];
    }
    return made;
  }

  const Program& program_;
  std::vector<Instruction> types_;  // as values are held here
  std::vector<std::array<BufferPtr, 2>> computed_;
  std::vector<BufferPtr> stored_;
  Draw& coins_;
  const bool keeps_finite_;
};

}  // namespace

std::vector<std::vector<double>> moved_by_rounding(const Program& program, const std::vector<BufferPtr>& arguments,
                                                   const std::vector<BufferPtr>& reference, int runs) {
  constexpr double spreads = 4, beyond = 1.5;
  std::vector<std::vector<double>> squares, farthest, expected;
  for (size_t k = 0; k < reference.size(); ++k) {
    const Instruction& type = program.instructions[static_cast<size_t>(program.outputs[k])];
    expected.emplace_back(static_cast<size_t>(type.shape.numel()));
    convert(reference[k]->read(), type.dtype, expected[k].data(), DType::f64, type.shape.numel());
    squares.emplace_back(expected[k].size());
    farthest.emplace_back(expected[k].size());
  }
  const bool has_narrow =
      std::ranges::any_of(program.instructions, [](const Instruction& i) { return is_narrow(i.dtype); });
  Draw coins(program.hash());
  for (int run = 0; run < runs && has_narrow; ++run) {
    const Run one(program, arguments, coins, run % 2 == 0);
    for (size_t k = 0; k < expected.size(); ++k) {
      const std::vector<double> found = one.output(k);
      for (size_t i = 0; i < found.size(); ++i) {
        const double apart = found[i] - expected[k][i];
        const bool is_same = found[i] == expected[k][i] || (std::isnan(found[i]) && std::isnan(expected[k][i]));
        if (std::isfinite(apart)) {
          squares[k][i] += apart * apart / runs;
          farthest[k][i] = std::max(farthest[k][i], std::fabs(apart));
        } else if (!is_same) {
          farthest[k][i] = HUGE_VAL;  // rounding decides whether it overflows
        }
      }
    }
  }
  std::vector<std::vector<double>> apart = squares;
  for (size_t k = 0; k < apart.size(); ++k) {
    const DType dtype = program.instructions[static_cast<size_t>(program.outputs[k])].dtype;
    const double last_place = is_narrow(dtype) ? epsilon(dtype) : 0;  // that a number near 1 has
    for (size_t i = 0; i < apart[k].size(); ++i) {
      apart[k][i] = std::max(spreads * std::sqrt(squares[k][i]), beyond * farthest[k][i]);
      if (std::isfinite(expected[k][i])) apart[k][i] += last_place * std::fabs(expected[k][i]);
    }
  }
  return apart;
}

}  // namespace tessera::testing
