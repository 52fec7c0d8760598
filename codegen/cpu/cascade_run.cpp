#include <tessera/codegen/cpu/cascade_run.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include <tessera/codegen/cpu/cascade_table.h>
#include <tessera/core/fault.h>

namespace tessera::codegen {
namespace {

constexpr int64_t most_dims = 16, depth_block = 256;
// Columns at the ends of a tile are dropped by so many: whole panels of a score, and whole steps of the row kernels'
// sums, whose bits depend on where each lane adds.
constexpr int64_t trim_step = 64;

// Panels of one operand, from its tables.
class Panels {
 public:
  // `staged`: the row of the plane, or the column, that comes first in what a prologue left.
  Panels(const CascadeSide& side, void* const* arguments, const int64_t* table, void* const* code, char* scratch,
         int64_t sum_bytes, int64_t staged)
      : side_(side),
        data_(side.argument >= 0 ? static_cast<const char*>(arguments[side.argument])
                                 : scratch + side.stage - staged * side.stage_line),
        table_(table),
        code_(*reinterpret_cast<const PackCode*>(code + side.code)),
        panels_(scratch + side.panels),
        sum_bytes_(sum_bytes) {}

  // Rows [first, first + rows) and k of [k0, k0 + kc), panel after panel.
  void pack(int64_t batch, int64_t outer, int64_t first, int64_t rows, int64_t k0, int64_t kc) const {
    const int64_t base = table_[side_.batch + batch] + table_[side_.outer + outer];
    for (int64_t i = 0; i < rows; i += side_.r) {
      pack_one(panel(i, kc), base, first + i, std::min(side_.r, rows - i), k0, kc);
    }
  }
  char* panel(int64_t row, int64_t kc) const { return panels_ + row * kc * sum_bytes_; }

  // What is not packed: where it begins, and the offsets of its rows and k.
  const char* begin(int64_t batch, int64_t outer) const {
    return data_ + (table_[side_.batch + batch] + table_[side_.outer + outer]) * side_.bytes;
  }
  const int64_t* rows() const { return table_ + side_.row; }
  const int64_t* k() const { return table_ + side_.k; }

 private:
  void pack_one(char* to, int64_t base, int64_t first, int64_t rows, int64_t k0, int64_t kc) const {
    const int64_t *row = table_ + side_.row + first, *k = table_ + side_.k + k0;
    const char* from = data_ + base * side_.bytes;
    if (side_.mode == static_cast<int64_t>(PackMode::copy)) {
      const int64_t* run = table_ + side_.row_run + first;
      if (rows < side_.r) std::memset(to, 0, static_cast<size_t>(side_.r * kc * sum_bytes_));
      for (int64_t i = 0; i < rows;) {
        const int64_t length = std::min(rows - i, run[i]);
        code_.copy(to, from + row[i] * side_.bytes, k, kc, i, length);
        i += length;
      }
    } else if (side_.mode == static_cast<int64_t>(PackMode::transpose)) {
      const int64_t* run = table_ + side_.k_run + k0;
      for (int64_t i = 0; i < kc;) {
        const int64_t length = std::min(kc - i, run[i]);
        code_.transpose(to + i * side_.r * sum_bytes_, from + k[i] * side_.bytes, row, rows, length);
        i += length;
      }
    } else {
      code_.gather(to, from, row, rows, k, kc);
    }
  }

  const CascadeSide& side_;
  const char* data_;
  const int64_t* table_;
  const PackCode& code_;
  char* panels_;
  int64_t sum_bytes_;
};

class Task {
 public:
  Task(void* const* arguments, const int64_t* params, void* scratch, void* const* code)
      : h_(*reinterpret_cast<const CascadeHead*>(params)),
        arguments_(arguments),
        params_(params),
        table_(static_cast<const int64_t*>(arguments[h_.table_argument])),
        scratch_(static_cast<char*>(scratch)),
        code_(code) {}

  void run(int64_t task) {
    if (h_.merges) return run_again(task);
    const int64_t owner = task / h_.parts;
    choose_rows(owner);
    for (int64_t k = 0; k < h_.table_count; ++k) sums_of(table(k)).clear();
    const int64_t first = owner / h_.groups * h_.batches;
    for (batch_ = first; batch_ < first + h_.batches; ++batch_) {
      begin();
      stream(task - owner * h_.parts);
      if (h_.parts == 1) finish();
      else std::memcpy(state_of_part(task), scratch_ + h_.state, bytes(h_.state_bytes));
    }
    for (int64_t k = 0; k < h_.table_count; ++k) sums_of(table(k)).sum_copies(kept_entries(task, table(k)));
  }

 private:
  static size_t bytes(int64_t count) { return static_cast<size_t>(count); }
  char* state_of_part(int64_t number) const {
    return static_cast<char*>(arguments_[h_.workspace_argument]) + number * h_.state_bytes;
  }

  void choose_rows(int64_t owner) {
    group_ = owner % h_.groups * h_.group;
    group_rows_ = std::min(h_.group, h_.rows - group_);
    statistics_.clear();
    for (int64_t k = 0; k < h_.statistic_count; ++k) {
      const auto& one = words<CascadeStatisticWords>(h_.statistics, k);
      statistics_.push_back(scratch_ + one.offset - group_ * one.bytes);
    }
  }

  // Of the second launch: a group of rows where the stream is split, and the tables that its first group belongs to.
  void run_again(int64_t task) {
    if (h_.parts == 1) return add_tables(task);
    choose_rows(task);
    batch_ = task / h_.groups;
    begin();
    merge(task);
    if (group_ == 0) add_tables(batch_);
  }

  EntrySums sums_of(const CascadeTableWords& t) const {
    return {reinterpret_cast<double*>(scratch_ + t.copies), t.entries + 1};
  }
  double* kept_entries(int64_t task, const CascadeTableWords& t) const {
    char* all = static_cast<char*>(arguments_[h_.workspace_argument]) + h_.partial_tables;
    return reinterpret_cast<double*>(all) + task * h_.entries + t.first;
  }

  // Those of one owner, task after task.
  void add_tables(int64_t owner) {
    const int64_t first = owner * h_.tasks_of_table, last = first + h_.tasks_of_table;
    batch_ = first / (h_.groups * h_.parts) * h_.batches;
    begin();
    move_to(group_, 0);
    for (int64_t k = 0; k < h_.table_count; ++k) {
      const CascadeTableWords& t = table(k);
      double* sums = sums_of(t).copies;
      std::fill_n(sums, t.entries, 0.0);
      for (int64_t task = first; task < last - planted(Fault::partial_table_lost); ++task) {
        const double* part = kept_entries(task, t);
        for (int64_t e = 0; e < t.entries; ++e) sums[e] += part[e];
      }
      run_piece(h_.table_pieces + k, 1, 0);
    }
  }

  void add_to_table(const CascadeTableWords& t, int64_t rows, int64_t columns) const {
    const AddendTile tile{scratch_ + t.addends, reinterpret_cast<const int32_t*>(scratch_ + t.slots), h_.line, rows,
                          columns};
    if (t.bytes == sizeof(double)) sums_of(t).add<double>(tile);
    else sums_of(t).add<float>(tile);
  }

  // A part of the blocks of all outer stream points, in their order.
  void stream(int64_t part) {
    const int64_t each = (h_.columns + h_.block - 1) / h_.block;
    const int64_t first = part * h_.part_blocks, last = std::min(first + h_.part_blocks, h_.outer * each);
    for (int64_t outer = first / each; outer * each < last; ++outer) {
      locate(outer, h_.outer_dims, params_ + h_.extents + h_.batch_dims, origin_ + h_.batch_dims + 1);
      blocks(outer, std::max(first - outer * each, int64_t{0}), std::min(last - outer * each, each));
    }
  }

  void merge(int64_t owner) {
    move_to(group_, 0);
    for (int64_t part = 0; part < h_.parts - planted(Fault::stream_part_lost); ++part) {
      const int64_t to = part == 0 ? h_.state : h_.other_state;
      std::memcpy(scratch_ + to, state_of_part(owner * h_.parts + part), bytes(h_.state_bytes));
      for (int64_t k = h_.merge_pieces; part > 0 && k < h_.table_pieces; ++k) run_piece(k, group_rows_, 0);
    }
    finish();
  }

  void finish() {
    move_to(group_, 0);
    for (int64_t k = h_.tile_pieces; k < h_.merge_pieces; ++k) run_piece(k, group_rows_, 0);
  }

  template <class Words> const Words& words(int64_t place, int64_t number) const {
    return reinterpret_cast<const Words*>(params_ + place)[number];
  }
  const CascadeScoreWords& score(int64_t k) const { return words<CascadeScoreWords>(h_.scores, k); }
  const CascadeSumsWords& sums(int64_t k) const { return words<CascadeSumsWords>(h_.sums, k); }
  const CascadeTableWords& table(int64_t k) const { return words<CascadeTableWords>(h_.tables, k); }
  const CascadePieceWords& piece(int64_t k) const { return words<CascadePieceWords>(h_.pieces, k); }
  Panels panels(const CascadeSide& side, int64_t sum_bytes, int64_t staged = 0) const {
    return {side, arguments_, table_, code_, scratch_, sum_bytes, staged};
  }
  CascadeProductCode product(int64_t number) const { return reinterpret_cast<CascadeProductCode>(code_[number]); }

  static void locate(int64_t point, int64_t dims, const int64_t* extents, int64_t* index) {
    for (int64_t d = dims; d-- > 0;) {
      index[d] = point % extents[d];
      point /= extents[d];
    }
  }

  // The origin of what the next piece works on.
  void move_to(int64_t row, int64_t column) {
    origin_[h_.batch_dims] = row;
    origin_[h_.batch_dims + 1 + h_.outer_dims] = column;
    origin_[h_.batch_dims + 2 + h_.outer_dims] = row - group_;
  }

  void begin() {
    locate(batch_, h_.batch_dims, params_ + h_.extents, origin_);
    for (int64_t k = 0; k < h_.sums_count; ++k) {
      std::memset(scratch_ + sums(k).sums, 0, static_cast<size_t>(group_rows_ * sums(k).line * sums(k).bytes));
    }
    for (int64_t k = 0; k < h_.statistic_count; ++k) {
      const auto& one = words<CascadeStatisticWords>(h_.statistics, k);
      for (int64_t i = 0; i < group_rows_; ++i) {
        std::memcpy(scratch_ + one.offset + i * one.bytes, &one.neutral, static_cast<size_t>(one.bytes));
      }
    }
    for (int64_t k = 0; k < h_.piece_count; ++k) {
      const CascadePieceWords& one = piece(k);
      std::memcpy(scratch_ + one.copy, params_ + one.parameters, static_cast<size_t>(one.words) * sizeof(int64_t));
      auto* list = reinterpret_cast<void**>(scratch_ + one.pointers);
      for (int64_t i = 0; i < one.operand_count; ++i) {
        const auto& operand = words<CascadeOperandWords>(one.operands, i);
        list[i] = operand.in_scratch ? scratch_ + operand.at : arguments_[operand.at];
      }
      auto* errors = static_cast<int64_t*>(arguments_[h_.errors_argument]);
      list[one.operand_count] = errors ? errors + one.errors : nullptr;
    }
    if (!h_.merges) pack_rows();
  }

  // What prologues compute of the rows of the task, or of the columns of a block.
  void run_prologues(bool of_stream, int64_t first, int64_t count) {
    move_to(of_stream ? group_ : first, of_stream ? first : 0);
    for (int64_t k = 0; k < h_.prologue_count; ++k) {
      const auto& one = words<CascadePrologueWords>(h_.prologues, k);
      if ((one.of_stream != 0) != of_stream) continue;
      for (int64_t i = 0; i < one.piece_count; ++i) run_piece(h_.prologue_pieces + one.first + i, count, 0);
    }
  }

  void pack_rows() {
    run_prologues(false, group_, group_rows_);
    for (int64_t k = 0; k < h_.score_count; ++k) {
      panels(score(k).a, score(k).bytes, group_).pack(batch_, 0, group_, group_rows_, 0, score(k).depth);
    }
  }

  // A sum over batches begins with what its first one writes, be it all zeros.
  bool begins_sums() const {
    const int64_t* end = origin_ + h_.batch_dims;
    return std::find(end - h_.grown_dims, end, 0) != end;
  }

  ir::BlockState state_of(int64_t row, int64_t rows, int64_t column, int64_t columns) const {
    const ir::BlockState state = state_by_mask(row, rows, column, columns);
    return state == ir::BlockState::empty && begins_sums() ? ir::BlockState::partial : state;
  }

  ir::BlockState state_by_mask(int64_t row, int64_t rows, int64_t column, int64_t columns) const {
    if (h_.empty < 0 && h_.full < 0) return ir::BlockState::partial;
    const auto dims = static_cast<size_t>(h_.batch_dims + 2 + h_.outer_dims);
    ir::Interval block[ir::Liveness::max_dims];
    for (size_t d = 0; d < dims; ++d) block[d] = {origin_[d], origin_[d]};
    block[h_.batch_dims] = {row, row + rows - 1};
    block[dims - 1] = {column, column + columns - 1};
    return ir::state_of({&words<ir::Liveness::Node>(h_.nodes, 0), static_cast<size_t>(h_.node_count)},
                        {&words<ir::Liveness::Load>(h_.loads, 0), static_cast<size_t>(h_.load_count)}, h_.empty,
                        h_.full, {block, dims}, {arguments_, statistics_.data()});
  }

  // Columns [first, last) of a block that masks leave to a tile; none if first = last.
  struct Live {
    int64_t first, last;
    ir::BlockState state;
  };
  Live live_part(int64_t row, int64_t rows, int64_t column, int64_t columns) const {
    Live live{0, columns, state_of(row, rows, column, columns)};
    if (live.state == ir::BlockState::partial && planted(Fault::live_range_short)) live.state = ir::BlockState::empty;
    if (live.state == ir::BlockState::empty) live.last = 0;
    if (live.state != ir::BlockState::partial || h_.empty < 0) return live;
    auto is_empty = [&](int64_t first, int64_t last) {
      return state_of(row, rows, column + first, last - first) == ir::BlockState::empty;
    };
    while (live.first + trim_step < live.last && is_empty(live.first, live.first + trim_step)) live.first += trim_step;
    while (live.first + trim_step < live.last) {
      const int64_t end = (live.last - 1) / trim_step * trim_step;
      if (!is_empty(end, live.last)) break;
      live.last = end;
    }
    return live;
  }

  void pack_block(int64_t outer, int64_t column, int64_t columns) {
    run_prologues(true, column, columns);
    for (int64_t k = 0; k < h_.score_count; ++k) {
      panels(score(k).b, score(k).bytes, column).pack(batch_, outer, column, columns, 0, score(k).depth);
    }
    for (int64_t k = 0; k < h_.sums_count; ++k) {
      panels(sums(k).b, sums(k).bytes, column).pack(batch_, outer, 0, sums(k).columns, column, columns);
    }
  }

  // Blocks [first, last), in order: of many that a mask hides from all rows together few are asked about.
  void blocks(int64_t outer, int64_t first, int64_t last) {
    const int64_t column = first * h_.block, columns = std::min(last * h_.block, h_.columns) - column;
    if (h_.asks_together && state_of(group_, group_rows_, column, columns) == ir::BlockState::empty) return;
    if (last - first == 1) return one_block(outer, column);
    const int64_t middle = (first + last) / 2;
    blocks(outer, first, middle);
    blocks(outer, middle, last);
  }

  void one_block(int64_t outer, int64_t column) {
    int64_t columns = std::min(h_.block, h_.columns - column);
    if (columns < h_.block && planted(Fault::cascade_edge_lost)) --columns;
    bool packed = false;
    for (int64_t row = 0; row < group_rows_; row += h_.tile) {
      const int64_t rows = std::min(h_.tile, group_rows_ - row);
      const Live live = live_part(group_ + row, rows, column, columns);
      if (live.first == live.last) continue;
      if (!packed && h_.direct_lanes == 0) pack_block(outer, column, columns);
      packed = true;
      for (int64_t k = 0; k < h_.score_count; ++k) {
        if (h_.direct_lanes > 0) dot_score(score(k), outer, column, row, rows, live);
        else multiply_score(score(k), row, rows, live);
      }
      move_to(group_ + row, column + live.first);
      run_piece(live.state == ir::BlockState::full ? h_.tile_pieces - 1 : 0, rows, live.last - live.first);
      for (int64_t k = 0; k < h_.sums_count; ++k) {
        if (h_.direct_lanes > 0) accumulate_rows(sums(k), outer, column, row, rows, live);
        else accumulate(sums(k), row, rows, columns, live);
      }
      for (int64_t k = 0; k < h_.table_count; ++k) add_to_table(table(k), rows, live.last - live.first);
    }
  }

  // Rows and columns past the end are multiplied too: tiles have room for whole strips. The first live column stands
  // first in a tile.
  void multiply_score(const CascadeScoreWords& s, int64_t row, int64_t rows, Live live) const {
    const Panels a = panels(s.a, s.bytes), b = panels(s.b, s.bytes);
    for (int64_t k0 = 0; k0 < s.depth; k0 += depth_block) {
      const int64_t kc = std::min(depth_block, s.depth - k0);
      const ProductInto into = k0 == 0 ? ProductInto::nothing : ProductInto::sums;
      for (int64_t n = live.first; n < live.last; n += s.b.r) {
        for (int64_t m = 0; m < rows; m += s.a.r) {
          product(s.code)(kc, a.panel(row + m, s.depth) + k0 * s.a.r * s.bytes, 0,
                          b.panel(n, s.depth) + k0 * s.b.r * s.bytes,
                          scratch_ + s.tile + (m * h_.line + n - live.first) * s.bytes, h_.line,
                          static_cast<int64_t>(into), nullptr);
        }
      }
    }
  }

  void accumulate(const CascadeSumsWords& s, int64_t row, int64_t rows, int64_t columns, Live live) const {
    const Panels b = panels(s.b, s.bytes);
    const bool scaled = s.factors >= 0 && !planted(Fault::repair_skipped);
    for (int64_t n = 0; n < s.columns; n += s.b.r) {
      for (int64_t m = 0; m < rows; m += s.mr) {
        product(s.code)(live.last - live.first, scratch_ + s.plane + m * h_.line * s.bytes, h_.line,
                        b.panel(n, columns) + live.first * s.b.r * s.bytes,
                        scratch_ + s.sums + ((row + m) * s.line + n) * s.bytes, s.line,
                        static_cast<int64_t>(scaled ? ProductInto::scaled_sums : ProductInto::sums),
                        scaled ? scratch_ + s.factors + m * s.bytes : nullptr);
      }
    }
  }

  void dot_score(const CascadeScoreWords& s, int64_t outer, int64_t column, int64_t row, int64_t rows,
                 Live live) const {
    const Panels a = panels(s.a, s.bytes), b = panels(s.b, s.bytes);
    const auto dots = reinterpret_cast<CascadeDotsCode>(code_[s.code]);
    for (int64_t n = live.first; n < live.last; n += h_.direct_lanes) {
      for (int64_t m = 0; m < rows; ++m) {
        dots(s.depth, a.panel(row + m, s.depth), b.begin(batch_, outer), b.rows() + column + n,
             std::min(h_.direct_lanes, live.last - n) - 1,
             scratch_ + s.tile + (m * h_.line + n - live.first) * s.bytes);
      }
    }
  }

  void accumulate_rows(const CascadeSumsWords& s, int64_t outer, int64_t column, int64_t row, int64_t rows,
                       Live live) const {
    const Panels b = panels(s.b, s.bytes);
    const auto sums = reinterpret_cast<CascadeRowSumsCode>(code_[s.code]);
    const bool scaled = s.factors >= 0 && !planted(Fault::repair_skipped);
    const int64_t* at = b.k() + column + live.first;
    for (int64_t m = 0; m < rows; ++m) {
      sums(live.last - live.first, scratch_ + s.plane + m * h_.line * s.bytes,
           b.begin(batch_, outer) + (b.rows()[0] + at[0]) * s.b.bytes, s.k_step, s.columns,
           scratch_ + s.sums + (row + m) * s.line * s.bytes,
           static_cast<int64_t>(scaled ? ProductInto::scaled_sums : ProductInto::sums),
           scaled ? scratch_ + s.factors + m * s.bytes : nullptr);
    }
  }

  void run_piece(int64_t number, int64_t rows, int64_t columns) const {
    const CascadePieceWords& one = piece(number);
    auto* p = reinterpret_cast<int64_t*>(scratch_ + one.copy);
    p[0] = p[1] = p[one.row_extent] = rows;
    if (one.column_extent >= 0) p[one.column_extent] = columns;
    const int64_t numbers = h_.batch_dims + 3 + h_.outer_dims;
    const int64_t* access = params_ + one.accesses;
    for (int64_t k = 0; k < one.access_count; ++k, access += 1 + numbers) {
      int64_t base = params_[one.parameters + access[0]];
      for (int64_t d = 0; d < numbers; ++d) base += access[1 + d] * origin_[d];
      p[access[0]] = base;
    }
    reinterpret_cast<CascadePieceCode>(code_[one.code])(reinterpret_cast<void* const*>(scratch_ + one.pointers), p, 0,
                                                        scratch_ + one.scratch);
  }

  const CascadeHead& h_;
  void* const* arguments_;
  const int64_t* params_;
  const int64_t* table_;
  char* scratch_;
  void* const* code_;
  int64_t batch_ = 0, group_ = 0, group_rows_ = 0;
  int64_t origin_[most_dims + 1] = {};
  std::vector<void*> statistics_;  // by the index of a row
};

}  // namespace
}  // namespace tessera::codegen

extern "C" void tessera_cascade_task(void* const* arguments, const int64_t* params, int64_t task, void* scratch,
                                     void* const* code) {
  tessera::codegen::Task(arguments, params, scratch, code).run(task);
}
