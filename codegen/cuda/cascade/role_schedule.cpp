#include <tessera/codegen/cuda/cascade/role_schedule.h>

#include <algorithm>
#include <optional>

#include "mlir/Dialect/Arith/IR/Arith.h"

namespace tessera::cuda {
namespace {

constexpr int64_t line = 64;                    // elements of 128 bytes, which a tile of a map has in each of its lines
constexpr int64_t most_shared = 227 * 1024;     // of all blocks of a multiprocessor
constexpr int64_t kept_shared = 2 * 1024;       // of it the system has 1 kB for each block; barriers and alignment
constexpr int64_t all_registers = 64 * 1024;    // of a multiprocessor
constexpr int64_t fewest_beside = 16;           // registers of a thread beside fragments
constexpr int most_residents = 4;               // five have too few registers for any fragments of 64 columns
constexpr int64_t widest = 256;                 // columns of a product
constexpr size_t most_dims = 5, most_maps = 8;  // that the device header has

int64_t round_up(int64_t x, int64_t to) { return (x + to - 1) / to * to; }

// Depth is what lies next to each other, then the operand's rows, which are those of `dim`, then the dims it has beside.
std::optional<Mapped> map_of(const Cascade& c, const PlaneOperand& operand, int dim) {
  if (operand.element.isF32() || operand.along.size() != 1) return std::nullopt;
  Mapped made;
  made.first = operand.base;
  made.extents = {operand.depth(), c.extent[static_cast<size_t>(dim)]};
  made.strides = {operand.along.front().second, operand.stride[static_cast<size_t>(dim)]};
  for (int d = c.first_rest; d-- > 0;) {
    const int64_t extent = c.extent[static_cast<size_t>(d)], stride = operand.stride[static_cast<size_t>(d)];
    if (d == dim || extent == 1 || stride == 0) continue;
    made.extents.push_back(extent), made.strides.push_back(stride);
    made.batch.push_back(d);
  }
  return made.extents.size() <= most_dims && has_map(made) ? std::optional(std::move(made)) : std::nullopt;
}

// Does nothing but products read it? A parameter that is a map is no address.
bool is_for_products(mlir::Value value) {
  return llvm::all_of(value.getUsers(), [](mlir::Operation* user) {
    return mlir::isa<fuse::ContractOp>(user) ||
           (mlir::isa<mlir::arith::ExtFOp>(user) && is_for_products(user->getResult(0)));
  });
}

// A parameter has one map.
bool have_own_parameters(const Cascade& c) {
  std::vector<unsigned> arguments;
  for (const std::vector<PlaneOperand>* operands : {&c.row_operands, &c.stream_operands})
    for (const PlaneOperand& one : *operands) {
      if (llvm::is_contained(arguments, one.argument) || !is_for_products(c.body().getArgument(one.argument)))
        return false;
      arguments.push_back(one.argument);
    }
  return true;
}

bool find_maps(const Cascade& c, CascadeSchedule& s) {
  auto find = [&](const std::vector<PlaneOperand>& operands, int dim, std::vector<PlaneStaging>& staging,
                  std::vector<Mapped>& maps) {
    for (const PlaneOperand& one : operands) {
      std::optional<Mapped> map = map_of(c, one, dim);
      if (!map) return false;
      PlaneStaging lies;
      lies.width = mapped_unit;
      lies.depth = round_up(one.depth(), 16);
      lies.line_depth = round_up(one.depth(), line);
      staging.push_back(lies);
      maps.push_back(std::move(*map));
    }
    return true;
  };
  return c.row_operands.size() + c.stream_operands.size() <= most_maps &&
         find(c.row_operands, c.row_dim, s.rows, s.row_maps) &&
         find(c.stream_operands, c.column_dim, s.columns, s.column_maps);
}

int64_t shared_bytes(const Cascade& c, const CascadeSchedule& s) {
  int64_t bytes = kept_shared;
  for (const PlaneStaging& one : s.rows) bytes += 2 * one.line_depth * s.group();
  for (const PlaneStaging& one : s.columns) bytes += role_stages * 2 * one.line_depth * s.block;
  for (mlir::BlockArgument argument : c.body().getArguments())
    if (c.is_column_vector(argument)) bytes += role_stages * 8 * s.block;
  return bytes;
}

// Registers of a thread for fragments: scores, sums, and what is multiplied of the plane.
int64_t values(const Cascade& c, const CascadeSchedule& s) {
  int64_t all = static_cast<int64_t>(c.scores.size()) * s.block / 2 + s.block / 4;
  for (const PlaneAccumulation& one : c.accumulations) all += s.columns[one.right].depth / 2;
  return all;
}

// Registers are given to four warps at once.
int64_t registers_of_thread(const CascadeSchedule& s) {
  return std::min(all_registers / (32 * round_up(int64_t{s.residents} * s.launched_threads() / 32, 4)) / 8 * 8,
                  int64_t{255});
}

bool fits(const Cascade& c, const CascadeSchedule& s) {
  return s.residents * shared_bytes(c, s) <= most_shared && values(c, s) + fewest_beside <= registers_of_thread(s);
}

}  // namespace

std::vector<CascadeSchedule> role_schedules(const Cascade& c) {
  CascadeSchedule s;
  if (c.scores.empty() || !have_own_parameters(c) || !find_maps(c, s)) return {};
  if (llvm::any_of(s.columns, [](const PlaneStaging& one) { return one.depth > widest; })) return {};
  s.in_registers.assign(s.rows.size(), false);
  s.groups = (c.rows + s.group() - 1) / s.group();
  // Of two sums, wide blocks take so much that a last one which is mostly empty is not made up for.
  const bool is_wasteful = 10 * round_up(c.columns, 32) <= 9 * round_up(c.columns, 64);
  const bool is_narrow = is_wasteful && c.accumulations.size() > 1;
  std::vector<CascadeSchedule> all;
  for (int64_t block : {is_narrow ? 32 : 64, is_narrow ? 64 : 32}) {
    s.block = block;
    s.residents = most_residents;
    while (s.residents > 0 && !fits(c, s)) --s.residents;
    if (s.residents == 0) continue;
    s.last_first = last_has_most(c, s);
    all.push_back(s);
  }
  return all;
}

}  // namespace tessera::cuda
