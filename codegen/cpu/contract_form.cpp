#include <tessera/codegen/cpu/contract_form.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <set>

#include "llvm/ADT/DenseSet.h"
#include "mlir/IR/AffineMap.h"

#include <tessera/codegen/cpu/code.h>
#include <tessera/codegen/cpu/contract.h>
#include <tessera/codegen/cpu/form.h>
#include <tessera/core/error.h>
#include <tessera/ir/fuse/Fuse.h>

namespace tessera::codegen {
namespace {

struct Linear {
  int64_t base = 0;
  std::vector<int64_t> stride;  // per dim; empty: a whole tensor
};

bool add_linear(mlir::AffineExpr expr, int64_t factor, Linear& linear) {
  if (auto constant = mlir::dyn_cast<mlir::AffineConstantExpr>(expr)) {
    linear.base += factor * constant.getValue();
    return true;
  }
  if (auto dim = mlir::dyn_cast<mlir::AffineDimExpr>(expr)) {
    linear.stride[dim.getPosition()] += factor;
    return true;
  }
  auto binary = mlir::dyn_cast<mlir::AffineBinaryOpExpr>(expr);
  if (!binary) return false;
  if (binary.getKind() == mlir::AffineExprKind::Add) {
    return add_linear(binary.getLHS(), factor, linear) && add_linear(binary.getRHS(), factor, linear);
  }
  auto by = mlir::dyn_cast<mlir::AffineConstantExpr>(binary.getRHS());
  return by && binary.getKind() == mlir::AffineExprKind::Mul &&
         add_linear(binary.getLHS(), factor * by.getValue(), linear);
}

Linear read(mlir::AffineMap map, llvm::ArrayRef<int64_t> extent) {
  Linear linear;
  if (map.getNumResults() == 0) return linear;
  linear.stride.assign(map.getNumDims(), 0);
  if (!add_linear(map.getResult(0), 1, linear)) {
    std::string text;
    llvm::raw_string_ostream(text) << map;
    throw InternalError("an operand of a contraction is not addressed linearly: " + text);
  }
  for (size_t d = 0; d < extent.size(); ++d) {
    if (extent[d] == 1) linear.stride[d] = 0;
  }
  return linear;
}

DimSet dims_of(const Linear& linear) {
  DimSet set = 0;
  for (size_t d = 0; d < linear.stride.size(); ++d) set |= linear.stride[d] != 0 ? bit(static_cast<int>(d)) : 0;
  return set;
}

// Dims of one composite index, outermost first.
using Dims = std::vector<size_t>;

// Descending strides: the innermost dim takes the smallest steps.
void sort_by(Dims& dims, const std::vector<const Linear*>& keys) {
  std::stable_sort(dims.begin(), dims.end(), [&](size_t x, size_t y) {
    for (const Linear* key : keys) {
      int64_t at_x = std::abs(key->stride[x]), at_y = std::abs(key->stride[y]);
      if (at_x != at_y) return at_x > at_y;
    }
    return false;
  });
}

Table tabulate(const Linear& linear, const Dims& dims, llvm::ArrayRef<int64_t> extent, int64_t start) {
  Table table{start};
  for (size_t d : dims) {
    Table next;
    next.reserve(table.size() * static_cast<size_t>(extent[d]));
    for (int64_t offset : table) {
      for (int64_t i = 0; i < extent[d]; ++i) next.push_back(offset + i * linear.stride[d]);
    }
    table = std::move(next);
  }
  return table;
}

struct Sorted {
  Dims batch, m, n, k;
};

int64_t volume(const Dims& dims, llvm::ArrayRef<int64_t> extent) {
  int64_t count = 1;
  for (size_t d : dims) count *= extent[d];
  return count;
}

class Reader {
 public:
  Reader(fuse::KernelOp kernel, const std::vector<RegisterTile>& tiles)
      : kernel_(kernel), extent_(kernel.getDims()), tiles_(tiles) {
    form_.body = &kernel.getBody().front();
  }

  ContractForm read_all() {
    find_contract();
    find_epilogue();
    read_accesses();
    sort_dims();
    fill();
    return std::move(form_);
  }

  // See contract_may_share; without tables, which a plan would make for every State of a program.
  bool may_share(int in, int out) {
    find_contract();
    find_epilogue();
    read_accesses();
    if (in == form_.a.argument || in == form_.b.argument || is_sum_[static_cast<size_t>(out)]) return false;
    const mlir::BlockArgument argument = form_.body->getArgument(static_cast<unsigned>(in));
    if (!needed_.contains(argument) || mlir::isa<mlir::RankedTensorType>(argument.getType())) return false;
    const Linear &read = in_[static_cast<size_t>(in)], &written = out_[static_cast<size_t>(out)];
    if (read.base != written.base) return false;
    for (size_t d = 0; d < extent_.size(); ++d) {
      if (extent_[d] == 1 || has(over_, static_cast<int>(d))) continue;
      // A point that shares its element with another would read what that one wrote.
      if (read.stride[d] != written.stride[d] || written.stride[d] == 0) return false;
    }
    return true;
  }

 private:
  void find_contract() {
    for (mlir::Operation& op : *form_.body) {
      if (mlir::isa<fuse::ContractOp>(op)) form_.contract = &op;
    }
    auto contract = mlir::cast<fuse::ContractOp>(form_.contract);
    form_.a = operand(contract.getLhs());
    form_.b = operand(contract.getRhs());
    for (int64_t d : contract.getOver()) over_ |= bit(static_cast<int>(d));
    for (mlir::Value value : form_.body->getTerminator()->getOperands()) {
      auto sum = value.getDefiningOp<fuse::ReduceOp>();
      is_sum_.push_back(static_cast<bool>(sum));
      if (sum) summed_.insert(operand(sum.getValue()).argument);
    }
  }

  ContractOperand operand(mlir::Value value) {
    ContractOperand result;
    while (mlir::Operation* op = value.getDefiningOp()) {
      if (op->getNumOperands() != 1) {
        throw InternalError("an operand of a contraction is computed by " + op->getName().getStringRef().str());
      }
      result.widening.insert(result.widening.begin(), op);
      value = op->getOperand(0);
    }
    result.argument = static_cast<int>(mlir::cast<mlir::BlockArgument>(value).getArgNumber());
    result.storage = value.getType();
    return result;
  }

  // Values that the results need behind the contract.
  void find_epilogue() {
    std::vector<mlir::Value> waiting;
    for (auto [k, value] : llvm::enumerate(form_.body->getTerminator()->getOperands())) {
      if (!is_sum_[k]) waiting.push_back(value);
    }
    while (!waiting.empty()) {
      mlir::Value value = waiting.back();
      waiting.pop_back();
      if (!needed_.insert(value).second) continue;
      mlir::Operation* op = value.getDefiningOp();
      if (!op || op == form_.contract) continue;
      waiting.insert(waiting.end(), op->operand_begin(), op->operand_end());
    }
  }

  void read_accesses() {
    for (mlir::AffineMap map : kernel_.getInMaps().getAsValueRange<mlir::AffineMapAttr>()) {
      in_.push_back(read(map, extent_));
    }
    for (mlir::AffineMap map : kernel_.getOutMaps().getAsValueRange<mlir::AffineMapAttr>()) {
      out_.push_back(read(map, extent_));
    }
    for (mlir::Operation& op : *form_.body) {
      if (auto index = mlir::dyn_cast<fuse::IndexOp>(op)) index_.push_back(read(index.getMap(), extent_));
    }
  }

  const Linear& of(const ContractOperand& operand) const { return in_[static_cast<size_t>(operand.argument)]; }

  void sort_dims() {
    const Linear& result = out_.front();
    DimSet in_a = dims_of(of(form_.a)), in_b = dims_of(of(form_.b));
    for (size_t d = 0; d < extent_.size(); ++d) {
      int dim = static_cast<int>(d);
      if (has(over_, dim)) dims_.k.push_back(d);
      else if (has(in_a, dim) && has(in_b, dim)) dims_.batch.push_back(d);
      else if (has(in_a, dim)) dims_.m.push_back(d);
      else dims_.n.push_back(d);  // also what neither has: the product repeats along it
    }
    sort_by(dims_.m, {&result, &of(form_.a)});
    sort_by(dims_.n, {&result, &of(form_.b)});
    choose_tile();
    sort_by(dims_.batch, {&result});
    // Runs along K serve the operand that has them; B is packed most often.
    Linear nearest = of(form_.b);
    for (size_t d : dims_.k) {
      int64_t at_a = std::abs(of(form_.a).stride[d]), at_b = std::abs(nearest.stride[d]);
      nearest.stride[d] = at_a == 0 ? at_b : at_b == 0 ? at_a : std::min(at_a, at_b);
    }
    sort_by(dims_.k, {&nearest, &of(form_.b)});
  }

  void choose_tile() {
    bool turn = false;
    double least = std::numeric_limits<double>::infinity();
    for (const RegisterTile& tile : tiles_) {
      for (bool turned : {false, true}) {
        double cycles =
            turned ? cost(dims_.n, form_.b, dims_.m, form_.a, tile) : cost(dims_.m, form_.a, dims_.n, form_.b, tile);
        if (cycles < least) least = cycles, turn = turned, form_.tile = tile;
      }
    }
    if (turn) std::swap(dims_.m, dims_.n), std::swap(form_.a, form_.b);
  }

  // Half-cycles when `m` of `a` and `n` of `b` play these parts, roughly: panels, sums, then what the epilogue moves.
  // Loads run beside sums, but not for nothing: where another thread shares the core they are what a tile waits for.
  double cost(const Dims& m, const ContractOperand& a, const Dims& n, const ContractOperand& b,
              const RegisterTile& tile) const {
    auto tiles = [](int64_t size, int64_t step) { return static_cast<double>((size + step - 1) / step); };
    double vectors = static_cast<double>(tile.nr) / tile.lanes, sums = tile.mr * vectors;
    double each = (sums + 0.5 * (tile.mr + vectors)) * static_cast<double>(volume(dims_.k, extent_));
    auto add = [&](const Linear& access) {
      Along along = walk(tabulate(access, n, extent_, 0));
      each += sums * (along == Along::other ? 22 : 3);
    };
    for (size_t k = 0; k < out_.size(); ++k) {
      if (!is_sum_[k]) add(out_[k]);
    }
    for (mlir::BlockArgument argument : form_.body->getArguments()) {
      const Linear& access = in_[argument.getArgNumber()];
      if (needed_.contains(argument) && !access.stride.empty()) add(access);
    }
    const double panels = (lies(a, m, n, tile) ? 0 : packing(of(a), m, tile.mr)) + packing(of(b), n, tile.nr);
    return panels + tiles(volume(m, extent_), tile.mr) * tiles(volume(n, extent_), tile.nr) * each;
  }

  enum class Lying { along_rows, along_k, scattered };
  Lying lying(const Linear& operand, const Dims& rows) const {
    auto run = [&](const Dims& dims) {
      int64_t longest = 1;
      for (size_t d : dims) {
        if (operand.stride[d] == 1) longest = std::max(longest, extent_[d]);
      }
      return longest;
    };
    return run(rows) >= 6 ? Lying::along_rows : run(dims_.k) >= 3 ? Lying::along_k : Lying::scattered;
  }

  // Whether A is read where it is, and well: B is narrow (contract_launch.cpp), and panels share no line by halves.
  bool lies(const ContractOperand& a, const Dims& m, const Dims& n, const RegisterTile& tile) const {
    if (summed_.contains(a.argument)) return false;  // sums are made of panels
    constexpr int line = 64;
    const int64_t width = volume(n, extent_);
    const bool steady = std::ranges::count_if(dims_.k, [&](size_t d) { return extent_[d] > 1; }) <= 1;
    switch (lying(of(a), m)) {
      case Lying::along_k: return width <= 2 * tile.nr;
      case Lying::along_rows: return steady && width <= tile.nr && line % (tile.mr * bytes_of(a.storage)) == 0;
      case Lying::scattered: return steady && width <= tile.nr;
    }
    return false;
  }

  // Of packing an operand once into panels of `r`, which is all that large products do.
  double packing(const Linear& operand, const Dims& rows, int r) const {
    constexpr double by_vectors = 0.25, by_pieces = 1, turned = 1, by_elements = 6;
    double each = by_elements;
    switch (lying(operand, rows)) {
      case Lying::along_rows: each = r >= 16 ? by_vectors : by_pieces; break;
      case Lying::along_k: each = turned; break;
      case Lying::scattered: break;
    }
    return each * static_cast<double>(volume(rows, extent_)) * static_cast<double>(volume(dims_.k, extent_));
  }

  static Along walk(const Table& table) {
    if (std::all_of(table.begin(), table.end(), [&](int64_t x) { return x == table.front(); })) return Along::same;
    Table runs = runs_of(table);
    int64_t pieces = 0;
    for (size_t i = 0; i < table.size(); i += static_cast<size_t>(runs[i])) ++pieces;
    constexpr int64_t shortest = 7;  // on average; shorter ones are cheaper element by element
    return static_cast<int64_t>(table.size()) >= shortest * pieces || pieces == 1 ? Along::unit : Along::other;
  }

  void fill() {
    form_.batch = volume(dims_.batch, extent_), form_.m = volume(dims_.m, extent_);
    form_.n = volume(dims_.n, extent_), form_.k = volume(dims_.k, extent_);
    for (auto [operand, rows] : {std::pair(&form_.a, &dims_.m), std::pair(&form_.b, &dims_.n)}) {
      const Linear& linear = of(*operand);
      operand->batch = tabulate(linear, dims_.batch, extent_, linear.base);
      operand->rows = tabulate(linear, *rows, extent_, 0);
      operand->k = tabulate(linear, dims_.k, extent_, 0);
    }
    for (mlir::BlockArgument argument : form_.body->getArguments()) {
      const Linear& linear = in_[argument.getArgNumber()];
      bool used = needed_.contains(argument), whole = mlir::isa<mlir::RankedTensorType>(argument.getType());
      form_.whole.push_back(used && whole);
      form_.in.push_back(used && !whole ? access(linear) : ContractAccess());
    }
    if (!summed_.empty() && form_.batch > 1) throw InternalError("an operand of a batch of products is summed");
    for (size_t k = 0; k < out_.size(); ++k) {
      form_.out.push_back(access(out_[k]));
      form_.out.back().used = !is_sum_[k];
    }
    for (const Linear& linear : index_) form_.index.push_back(access(linear));
    find_runs();
  }

  ContractAccess access(const Linear& linear) const {
    if (dims_of(linear) & over_) throw InternalError("the epilogue of a contraction depends on a dim that is summed");
    ContractAccess result;
    result.used = true;
    result.batch = tabulate(linear, dims_.batch, extent_, linear.base);
    result.m = tabulate(linear, dims_.m, extent_, 0);
    result.n = tabulate(linear, dims_.n, extent_, 0);
    result.along = walk(result.n);
    result.by_m = std::any_of(result.m.begin(), result.m.end(), [](int64_t x) { return x != 0; });
    return result;
  }

  void find_runs() {
    form_.run.resize(static_cast<size_t>(form_.n));
    for (size_t i = 0; i < form_.run.size(); ++i) form_.run[i] = form_.n - static_cast<int64_t>(i);
    auto limit = [&](const std::vector<ContractAccess>& list) {
      for (const ContractAccess& access : list) {
        if (!access.used || access.along != Along::unit) continue;
        Table runs = runs_of(access.n);
        for (size_t i = 0; i < runs.size(); ++i) form_.run[i] = std::min(form_.run[i], runs[i]);
      }
    };
    limit(form_.in);
    limit(form_.out);
    limit(form_.index);
  }

  fuse::KernelOp kernel_;
  llvm::ArrayRef<int64_t> extent_;
  const std::vector<RegisterTile>& tiles_;
  ContractForm form_;
  DimSet over_ = 0;
  llvm::DenseSet<mlir::Value> needed_;
  std::vector<Linear> in_, out_, index_;
  std::vector<bool> is_sum_;  // per result: an operand summed, which the epilogue has no part in
  std::set<int> summed_;      // arguments
  Sorted dims_;
};

}  // namespace

Table runs_of(const Table& table) {
  Table runs(table.size(), 1);
  for (size_t i = table.size(); i-- > 1;) {
    if (table[i] == table[i - 1] + 1) runs[i - 1] = runs[i] + 1;
  }
  return runs;
}

std::string ContractForm::classes() const {
  std::string text;
  auto add = [&](const char* kind, const std::vector<ContractAccess>& list) {
    text += kind;
    for (const ContractAccess& access : list) {
      if (!access.used) text += " -";
      else text += std::string(" ") + "us*"[static_cast<int>(access.along)] + (access.by_m ? "m" : "");
    }
  };
  add("in", in);
  add(" out", out);
  add(" index", index);
  return text;
}

ContractForm make_contract_form(fuse::KernelOp kernel, const std::vector<RegisterTile>& tiles) {
  return Reader(kernel, tiles).read_all();
}

bool contract_may_share(fuse::KernelOp kernel, int in, int out) { return Reader(kernel, {}).may_share(in, out); }

}  // namespace tessera::codegen
