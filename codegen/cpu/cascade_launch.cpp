#include <tessera/codegen/cpu/cascade_launch.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "llvm/ADT/APFloat.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

#include <tessera/codegen/cpu/cascade_run.h>
#include <tessera/codegen/cpu/cascade_table.h>
#include <tessera/codegen/cpu/code.h>
#include <tessera/codegen/cpu/contract_launch.h>
#include <tessera/codegen/cpu/launch.h>
#include <tessera/ir/fuse/Fuse.h>

namespace tessera::codegen {
namespace {

using Where = PieceOperand::Where;

int64_t count(int64_t value, int64_t step) { return (value + step - 1) / step; }
int64_t up(int64_t value, int64_t step) { return count(value, step) * step; }
// The length of equal pieces, multiples of `step`, of which none is longer than `most`.
int64_t balanced(int64_t size, int64_t most, int64_t step) {
  return std::max(step, up(count(size, count(size, most)), step));
}

mlir::Type sum_of(mlir::Operation* contract) { return contract->getResult(0).getType(); }

bool has_step(const Table& offsets, int64_t step) {
  for (size_t i = 1; i < offsets.size(); ++i) {
    if (offsets[i] - offsets[i - 1] != step) return false;
  }
  return true;
}

int64_t bytes_of_value(mlir::Type type) { return type.isIndex() ? 8 : bytes_of(type); }

// The bits of the neutral element of a statistic, in the low bytes.
int64_t neutral_bits(mlir::Operation* op) {
  auto kind = mlir::cast<fuse::ReduceOp>(op).getKind();
  mlir::Type type = op->getResult(0).getType();
  if (auto real = mlir::dyn_cast<mlir::FloatType>(type)) {
    const auto& semantics = real.getFloatSemantics();
    llvm::APFloat value = llvm::APFloat::getZero(semantics);
    if (kind == fuse::ReduceKind::prod) value = llvm::APFloat::getOne(semantics);
    if (kind == fuse::ReduceKind::max) value = llvm::APFloat::getInf(semantics, /*Negative=*/true);
    if (kind == fuse::ReduceKind::min) value = llvm::APFloat::getInf(semantics);
    return static_cast<int64_t>(value.bitcastToAPInt().getZExtValue());
  }
  const unsigned width = type.getIntOrFloatBitWidth();
  if (kind == fuse::ReduceKind::sum) return 0;
  if (kind == fuse::ReduceKind::prod || width == 1) return kind == fuse::ReduceKind::max ? 0 : 1;
  const auto value =
      kind == fuse::ReduceKind::max ? llvm::APInt::getSignedMinValue(width) : llvm::APInt::getSignedMaxValue(width);
  return static_cast<int64_t>(value.getZExtValue());
}

// Parameters, table and scratch as they are laid out.
class Numbers {
 public:
  Numbers(const CascadeForm& form, const CascadePieces& pieces, const CascadeSizes& sizes, const Target& target)
      : form_(form), pieces_(pieces), sizes_(sizes), target_(target), code_(form) {}

  CascadeNumbers make() {
    CascadeHead h{};
    h.batch = form_.batch, h.rows = form_.rows, h.outer = form_.outer, h.columns = form_.columns;
    h.group = sizes_.group, h.groups = count(form_.rows, sizes_.group);
    h.tile = sizes_.tile, h.block = sizes_.block, h.line = sizes_.line;
    words_.resize(static_cast<size_t>(cascade_head_words));
    h.batch_dims = static_cast<int64_t>(form_.batch_extents().size());
    h.outer_dims = static_cast<int64_t>(form_.outer_extents().size());
    h.batches = sizes_.batches, h.grown_dims = form_.batch_sums.empty() ? 0 : form_.summed_dims;
    h.extents = add(form_.batch_extents());
    add(form_.outer_extents());
    h.direct_lanes = is_direct(form_) ? cascade_tile(form_, target_, sum_of(form_.scores.front().contract)).lanes : 0;
    h.parts = sizes_.parts;
    h.part_blocks = sizes_.parts > 1 ? sizes_.part_blocks : h.outer * count(h.columns, h.block);
    place_tiles();
    place_state(h);
    place_tables(h);
    for (const CascadePrologue& one : form_.prologues) {
      const int64_t rows = one.along == form_.row_dim ? sizes_.group : sizes_.block;
      stages_.push_back(reserve(rows * one.depth * bytes_of(one.sum)));
    }
    h.score_count = static_cast<int64_t>(form_.scores.size()), h.scores = place_scores();
    h.sums_count = static_cast<int64_t>(form_.accumulations.size()), h.sums = place_sums();
    h.statistic_count = static_cast<int64_t>(form_.statistics.size()), h.statistics = place_statistics();
    h.tile_pieces = static_cast<int64_t>(pieces_.tile.size());
    h.merge_pieces = h.tile_pieces + static_cast<int64_t>(pieces_.finish.size());
    h.table_pieces = h.merge_pieces + static_cast<int64_t>(pieces_.merge.size());
    h.prologue_pieces = h.table_pieces + static_cast<int64_t>(pieces_.table.size());
    h.piece_count = h.prologue_pieces + static_cast<int64_t>(pieces_.prologue.size()), h.pieces = place_pieces();
    h.prologue_count = static_cast<int64_t>(form_.prologues.size()), h.prologues = place_prologues();
    const ir::Liveness& blocks = form_.liveness.blocks;
    h.node_count = static_cast<int64_t>(blocks.nodes.size()), h.nodes = add_all(blocks.nodes);
    h.load_count = static_cast<int64_t>(blocks.loads.size()), h.loads = add_all(blocks.loads);
    h.empty = blocks.empty, h.full = blocks.full;
    h.asks_together =
        blocks.empty >= 0 && std::none_of(blocks.loads.begin(), blocks.loads.end(), [&](const auto& load) {
          return load.strides[static_cast<size_t>(form_.row_dim)] != 0 &&
                 load.strides[static_cast<size_t>(form_.column_dim)] != 0;
        });
    h.table_argument = static_cast<int64_t>(form_.in_maps.size() + form_.out_maps.size());
    h.workspace_argument = h.table_argument + 1;
    const bool is_split = h.parts > 1, again = is_split || !form_.tables.empty();
    h.errors_argument = h.table_argument + (again ? 2 : 1);
    CascadeNumbers made;
    made.tasks = form_.batch / h.batches * h.groups * h.parts;
    made.scratch = scratch_;
    const int64_t states = is_split ? made.tasks * h.state_bytes : 0;
    h.partial_tables = states, h.tasks_of_table = made.tasks / form_.owners();
    std::memcpy(words_.data(), &h, sizeof h);
    made.parameters = words_;
    if (again) {
      h.merges = 1;
      std::memcpy(words_.data(), &h, sizeof h);
      made.merging = words_;
      made.merging_tasks = form_.owners() * (is_split ? h.groups : 1);
      made.workspace = states + made.tasks * h.entries * static_cast<int64_t>(sizeof(double));
    }
    made.table = std::move(table_);
    return made;
  }

 private:
  int64_t add(const std::vector<int64_t>& list) {
    const auto place = static_cast<int64_t>(words_.size());
    words_.insert(words_.end(), list.begin(), list.end());
    return place;
  }
  template <class Words> int64_t add_all(const std::vector<Words>& list) {
    const auto place = static_cast<int64_t>(words_.size());
    words_.resize(words_.size() + list.size() * sizeof(Words) / sizeof(int64_t));
    if (!list.empty()) std::memcpy(words_.data() + place, list.data(), list.size() * sizeof(Words));
    return place;
  }
  int64_t reserve(int64_t bytes) {
    const int64_t offset = scratch_;
    scratch_ += up(bytes, 64);
    return offset;
  }
  int64_t table(const Table& values) {
    auto [found, fresh] = known_.try_emplace(values, static_cast<int64_t>(table_.size()));
    if (fresh) table_.insert(table_.end(), values.begin(), values.end());
    return found->second;
  }

  // Tiles of scores; a plane, or what goes into a table, takes the place of a score where its piece lets it.
  void place_tiles() {
    const CascadePiece& tile = pieces_.tile[0];
    const int64_t rows = sizes_.tile;
    for (const CascadeScore& score : form_.scores) {
      scores_.push_back(reserve(rows * sizes_.line * bytes_of_value(score.contract->getResult(0).getType())));
    }
    std::vector<bool> taken(scores_.size(), false);
    for (size_t k = 0; k < tile.out.size(); ++k) {
      if (tile.out[k].where != Where::plane && tile.out[k].where != Where::addend) continue;
      int64_t place = -1;
      for (size_t i = 0; i < tile.in.size() && place < 0; ++i) {
        if (tile.in[i].where != Where::score || taken[static_cast<size_t>(tile.in[i].number)]) continue;
        if (type_in(tile, i) != type_out(tile, k)) continue;
        if (!may_share(tile.in[i], tile.out[k])) continue;
        taken[static_cast<size_t>(tile.in[i].number)] = true;
        place = scores_[static_cast<size_t>(tile.in[i].number)];
      }
      std::vector<int64_t>& places = tile.out[k].where == Where::plane ? planes_ : addends_;
      places.push_back(place >= 0 ? place : reserve(rows * sizes_.line * bytes_of_value(type_out(tile, k))));
    }
    for (size_t k = 0; k < tile.out.size(); ++k) {
      const int64_t bytes = bytes_of_value(type_out(tile, k));
      if (tile.out[k].where == Where::factor) factors_.push_back(reserve(rows * bytes));
      if (tile.out[k].where == Where::entry) entries_.push_back(reserve(rows * sizes_.line * bytes));
    }
  }

  // Statistics and sums, one behind the other; the same again for another part; factors of both.
  void place_state(CascadeHead& h) {
    auto place = [&](std::vector<int64_t>& statistics, std::vector<int64_t>& sums) {
      const int64_t begin = scratch_;
      for (const CascadeStatistic& statistic : form_.statistics) {
        statistics.push_back(reserve(sizes_.group * bytes_of_value(statistic.reduce->getResult(0).getType())));
      }
      for (size_t k = 0; k < form_.accumulations.size(); ++k) {
        mlir::Type sum = form_.accumulations[k].contract->getResult(0).getType();
        const int64_t rows = up(sizes_.group, cascade_tile(form_, target_, sum).mr);
        sums.push_back(reserve(rows * sizes_.sums_lines[k] * bytes_of(sum)));
      }
      return begin;
    };
    h.state = place(statistics_, sums_);
    h.state_bytes = scratch_ - h.state;
    if (sizes_.parts == 1) return;
    h.other_state = place(other_statistics_, other_sums_);
    for (size_t k = 0; k < form_.accumulations.size(); ++k) {
      if (pieces_.factor_of[k] < 0) continue;
      const int64_t bytes = sizes_.group * bytes_of(form_.accumulations[k].contract->getResult(0).getType());
      for (auto* factors : {&group_factors_, &other_factors_}) factors->push_back(reserve(bytes));
    }
  }

  void place_tables(CascadeHead& h) {
    std::vector<CascadeTableWords> all;
    for (const CascadeTable& table : form_.tables) {
      const size_t k = all.size();
      CascadeTableWords one{};
      one.addends = addends_[k], one.slots = entries_[k];
      one.bytes = bytes_of_value(table.scatter->getResult(0).getType());
      one.entries = table.entries, one.first = h.entries;
      one.copies = reserve(table_copies * (table.entries + 1) * static_cast<int64_t>(sizeof(double)));
      tables_.push_back(one.copies);
      h.entries += table.entries;
      all.push_back(one);
    }
    h.table_count = static_cast<int64_t>(all.size()), h.tables = add_all(all);
  }

  // In each tile piece.
  bool may_share(const PieceOperand& in, const PieceOperand& out) const {
    auto number = [](const std::vector<PieceOperand>& all, const PieceOperand& of) {
      return static_cast<int>(std::find(all.begin(), all.end(), of) - all.begin());
    };
    return std::all_of(pieces_.tile.begin(), pieces_.tile.end(), [&](const CascadePiece& piece) {
      const int i = number(piece.in, in), k = number(piece.out, out);
      return i == static_cast<int>(piece.in.size()) || codegen::may_share(piece.form, piece.stages, i, k);
    });
  }

  static mlir::Type type_in(const CascadePiece& piece, size_t k) {
    return piece.form.body->getArgument(static_cast<unsigned>(k)).getType();
  }
  static mlir::Type type_out(const CascadePiece& piece, size_t k) {
    return piece.form.body->getTerminator()->getOperand(static_cast<unsigned>(k)).getType();
  }

  // `rows`: of its panels at a time, `depth`: of each.
  CascadeSide side(const CascadeOperand& operand, int64_t r, int64_t rows, int64_t depth, int64_t sum_bytes,
                   int64_t code) {
    CascadeSide side{};
    side.argument = operand.argument, side.bytes = bytes_of(operand.storage);
    if (operand.prologue >= 0) {
      const auto number = static_cast<size_t>(operand.prologue);
      side.stage = stages_[number], side.stage_line = form_.prologues[number].depth * side.bytes;
    }
    side.mode = static_cast<int64_t>(pack_mode(operand, static_cast<int>(r)));
    side.batch = table(operand.batch), side.outer = table(operand.outer);
    side.row = table(operand.rows), side.row_run = table(runs_of(operand.rows));
    side.k = table(operand.k), side.k_run = table(runs_of(operand.k));
    const int64_t slack = 8 * r * sum_bytes + 64;
    side.panels = reserve(up(rows, r) * depth * sum_bytes + slack);
    side.r = r, side.code = code;
    return side;
  }

  int64_t place_scores() {
    std::vector<CascadeScoreWords> all;
    int64_t code = 0;
    for (const CascadeScore& score : form_.scores) {
      mlir::Type sum = score.contract->getResult(0).getType();
      const RegisterTile tile = cascade_tile(form_, target_, sum);
      CascadeScoreWords one{};
      one.depth = score.depth, one.bytes = bytes_of(sum);
      one.a = side(score.row, tile.mr, sizes_.group, score.depth, one.bytes, code);
      one.b = side(score.stream, tile.nr, sizes_.block, score.depth, one.bytes, code + 4);
      one.tile = scores_[all.size()];
      one.code = code + 8;
      code += 9;
      all.push_back(one);
    }
    return add_all(all);
  }

  int64_t place_sums() {
    std::vector<CascadeSumsWords> all;
    int64_t code = code_.sums;
    for (const CascadeAccumulation& sums : form_.accumulations) {
      const size_t k = all.size();
      mlir::Type sum = sums.contract->getResult(0).getType();
      const RegisterTile tile = cascade_tile(form_, target_, sum);
      CascadeSumsWords one{};
      one.columns = sums.columns, one.line = sizes_.sums_lines[k], one.bytes = bytes_of(sum);
      one.b = side(sums.stream, tile.nr, sums.columns, sizes_.block, one.bytes, code);
      one.plane = planes_[static_cast<size_t>(pieces_.plane_of[k])];
      one.sums = sums_[k];
      one.factors = pieces_.factor_of[k] < 0 ? -1 : factors_[static_cast<size_t>(pieces_.factor_of[k])];
      one.mr = tile.mr, one.code = code + 4;
      one.k_step = sums.stream.k.size() > 1 ? sums.stream.k[1] - sums.stream.k[0] : 0;
      code += 5;
      all.push_back(one);
    }
    return add_all(all);
  }

  int64_t place_statistics() {
    std::vector<CascadeStatisticWords> all;
    for (const CascadeStatistic& statistic : form_.statistics) {
      const int64_t bytes = bytes_of_value(statistic.reduce->getResult(0).getType());
      all.push_back({statistics_[all.size()], bytes, neutral_bits(statistic.reduce)});
    }
    return add_all(all);
  }

  int64_t place_prologues() {
    std::vector<CascadePrologueWords> all;
    int64_t piece = 0;
    for (size_t k = 0; k < form_.prologues.size(); ++k) {
      all.push_back({form_.prologues[k].along == form_.column_dim, piece, pieces_.cases[k]});
      piece += pieces_.cases[k];
    }
    return add_all(all);
  }

  // `merges`: of a merge piece, whose factors are those of all rows of a group.
  CascadeOperandWords operand(const PieceOperand& of, bool merges) const {
    const auto k = static_cast<size_t>(of.number);
    switch (of.where) {
      case Where::argument: return {0, of.number};
      case Where::score: return {1, scores_[k]};
      case Where::plane: return {1, planes_[k]};
      case Where::addend: return {1, addends_[k]};
      case Where::entry: return {1, entries_[k]};
      case Where::table: return {1, tables_[k]};
      case Where::prologue: return {1, stages_[k]};
      case Where::statistic: return {1, statistics_[k]};
      case Where::factor: return {1, merges ? group_factors_[k] : factors_[k]};
      case Where::sums: return {1, sums_[k]};
      case Where::other_statistic: return {1, other_statistics_[k]};
      case Where::other_factor: return {1, other_factors_[k]};
      case Where::other_sums: return {1, other_sums_[k]};
    }
    return {};
  }

  int64_t place_pieces() {
    std::vector<CascadePieceWords> all;
    for (const auto* pieces : {&pieces_.tile, &pieces_.finish, &pieces_.merge, &pieces_.table, &pieces_.prologue}) {
      for (const CascadePiece& piece : *pieces) {
        all.push_back(
            place_piece(piece, pieces == &pieces_.tile, pieces == &pieces_.merge, static_cast<int64_t>(all.size())));
      }
    }
    return add_all(all);
  }

  CascadePieceWords place_piece(const CascadePiece& piece, bool is_tile, bool merges, int64_t number) {
    const Layout layout(piece.form, piece.stages);
    const Cut cut = make_cut(piece.form, piece.stages);
    CascadePieceWords one{};
    std::vector<int64_t> parameters = make_parameters(piece.form, piece.stages, cut);
    one.words = static_cast<int64_t>(parameters.size());
    one.parameters = add(parameters);
    one.copy = reserve(one.words * 8), one.pointers = reserve(layout.arguments * 8);
    one.scratch = reserve(cut.scratch_bytes);
    one.row_extent = layout.extent, one.column_extent = is_tile ? layout.extent + 1 : -1;
    std::vector<CascadeOperandWords> operands;
    for (const PieceOperand& of : piece.in) operands.push_back(operand(of, merges));
    for (const PieceOperand& of : piece.out) operands.push_back(operand(of, merges));
    one.operand_count = static_cast<int64_t>(operands.size()), one.operands = add_all(operands);
    one.access_count = static_cast<int64_t>(piece.origin.size());
    std::vector<int64_t> accesses;
    int64_t k = 0;
    auto group = [&](size_t size, int first) {
      for (size_t i = 0; i < size; ++i, ++k) {
        accesses.push_back(first + static_cast<int64_t>(i) * layout.access);
        const auto& strides = piece.origin[static_cast<size_t>(k)];
        accesses.insert(accesses.end(), strides.begin(), strides.end());
      }
    };
    group(piece.in.size(), layout.in);
    group(piece.out.size(), layout.out);
    group(piece.form.index.size(), layout.index);
    one.accesses = add(accesses);
    one.errors = errors_;
    for (const ErrorSite& site : error_sites(*piece.form.body)) {
      errors_ += 2 * (static_cast<int64_t>(site.op->getNumOperands()) - 1);
    }
    one.code = code_.pieces + number;
    return one;
  }

  const CascadeForm& form_;
  const CascadePieces& pieces_;
  const CascadeSizes& sizes_;
  const Target& target_;
  const CascadeCodeOrder code_;
  std::vector<int64_t> words_;
  Table table_;
  std::map<Table, int64_t> known_;
  int64_t scratch_ = 0, errors_ = 0;
  std::vector<int64_t> scores_, planes_, factors_, sums_, statistics_;                  // offsets
  std::vector<int64_t> addends_, entries_, tables_;                                     // of each table
  std::vector<int64_t> stages_;                                                         // of prologues
  std::vector<int64_t> other_sums_, other_statistics_, group_factors_, other_factors_;  // where parts are merged
};

}  // namespace

bool is_direct(const CascadeForm& form) {
  constexpr int64_t most_rows = 4;
  if (form.rows > most_rows || form.scores.empty()) return false;
  mlir::Type sum = sum_of(form.scores.front().contract);
  auto plain = [&](mlir::Operation* contract, const CascadeOperand& operand) {
    return operand.prologue < 0 && mlir::isa<mlir::FloatType>(sum) && sum_of(contract) == sum &&
           mlir::isa<mlir::FloatType>(operand.storage) &&
           std::all_of(
               operand.widening.begin(), operand.widening.end(),
               [](mlir::Operation* op) { return mlir::isa<mlir::arith::ExtFOp>(op); });
  };
  return std::all_of(
             form.scores.begin(), form.scores.end(),
             [&](const CascadeScore& one) { return plain(one.contract, one.stream) && has_step(one.stream.k, 1); }) &&
         std::all_of(form.accumulations.begin(), form.accumulations.end(), [&](const CascadeAccumulation& one) {
           const Table& k = one.stream.k;
           return plain(one.contract, one.stream) && has_step(one.stream.rows, 1) &&
                  (k.size() < 2 || has_step(k, k[1] - k[0]));
         });
}

RegisterTile cascade_tile(const CascadeForm& form, const Target& target, mlir::Type sum) {
  RegisterTile tile = register_tile(target, sum);
  if (is_direct(form)) {
    tile.mr = 1;  // rows lie one by one
    return tile;
  }
  const int sums = tile.mr * tile.nr / tile.lanes;  // that fit in registers
  tile.mr = static_cast<int>(std::min<int64_t>(tile.mr, form.rows));
  if (tile.mr * 4 <= sums) tile.nr = 4 * tile.lanes;
  return tile;
}

namespace {

// Of the batches that are summed into one table: all, but for enough tasks.
int64_t batches_of_task(const CascadeForm& form, const CascadeSizes& sizes) {
  constexpr int64_t enough_tables = 64;  // tasks; the table of each lies in memory
  for (int64_t tasks = form.owners() * count(form.rows, sizes.group), apart = 1; apart < form.summed; ++apart) {
    if (form.summed % apart == 0 && tasks * apart >= enough_tables) return form.summed / apart;
  }
  return 1;
}

}  // namespace

CascadeSizes cut_cascade(const CascadeForm& form, const Target& target) {
  constexpr int64_t block = 128, tile_rows = 64, group_rows = 256, cache = 512 << 10, enough_tasks = 16;
  constexpr int64_t direct_block = 512;  // where nothing is packed, and the stream is read once
  constexpr int64_t least_part = 512;    // columns: each part costs a state to write and to merge
  CascadeSizes sizes;
  int64_t mr = 1, nr = 1, row_bytes = 1;
  auto use = [&](mlir::Type sum, int64_t along) {
    const RegisterTile tile = cascade_tile(form, target, sum);
    mr = tile.mr, nr = std::max<int64_t>(nr, tile.nr), row_bytes += along * bytes_of(sum);
  };
  for (const CascadeScore& score : form.scores) use(score.contract->getResult(0).getType(), score.depth);
  for (const CascadeAccumulation& sums : form.accumulations) {
    use(sums.contract->getResult(0).getType(), sums.columns);
    const int64_t width = cascade_tile(form, target, sum_of(sums.contract)).nr;
    sizes.sums_lines.push_back(up(sums.columns, width));
  }
  sizes.block = std::min(form.columns, balanced(form.columns, is_direct(form) ? direct_block : block, nr));
  sizes.line = up(sizes.block, nr) + 16;  // rows of a power of two bytes would meet in one set of the cache
  sizes.tile = balanced(form.rows, tile_rows, mr);
  // Rows of a task share packed panels of the stream; what a task keeps of them must stay near.
  int64_t most = std::max(sizes.tile, std::min(group_rows, cache / row_bytes));
  // Sums over batches grow block by block: each has one task. Tables are of each task.
  const int64_t apart = form.batch_sums.empty() ? form.batch : form.owners();
  while (most > sizes.tile && apart * count(form.rows, most) < enough_tasks) most /= 2;
  sizes.group = balanced(form.rows, std::max(most, sizes.tile), sizes.tile);
  sizes.batches = form.batch_sums.empty() ? batches_of_task(form, sizes) : form.summed;
  if (form.summed > 1) return sizes;
  const int64_t tasks = form.batch * count(form.rows, sizes.group);
  const int64_t blocks = form.outer * count(form.columns, sizes.block);
  const int64_t parts = std::min(count(enough_tasks, tasks), blocks * sizes.block / least_part);
  if (parts > 1) sizes.part_blocks = count(blocks, parts), sizes.parts = count(blocks, sizes.part_blocks);
  return sizes;
}

CascadeNumbers number_cascade(const CascadeForm& form, const CascadePieces& pieces, const CascadeSizes& sizes,
                              const Target& target) {
  return Numbers(form, pieces, sizes, target).make();
}

}  // namespace tessera::codegen
