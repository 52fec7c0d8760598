#include <tessera/codegen/cpu/contract_run.h>

#include <algorithm>
#include <cstring>

#include <tessera/codegen/cpu/contract_ahead.h>
#include <tessera/codegen/cpu/contract_sums.h>
#include <tessera/core/fault.h>

namespace tessera::codegen {
namespace {

constexpr int64_t group_panels = 4, most_rows = 16, transpose_rows = 8;

int64_t up(int64_t value, int64_t step) { return (value + step - 1) / step * step; }
int64_t count(int64_t value, int64_t step) { return (value + step - 1) / step; }

// One operand as its panels are made.
struct Side {
  const char* data;
  const int64_t *batch, *row, *row_run, *k, *k_run;
  int64_t bytes, mode, r, sum_bytes;
  const PackCode& code;

  const char* at(int64_t offset) const { return data + offset * bytes; }

  // Rows [first, first + rows), k of [k0, k0 + kc) from `base`, into one panel.
  void pack(char* panel, int64_t base, int64_t first, int64_t rows, int64_t k0, int64_t kc) const {
    const int64_t *rs = row + first, *ks = k + k0;
    if (mode == static_cast<int64_t>(PackMode::copy)) {
      if (rows < r) std::memset(panel, 0, static_cast<size_t>(r * kc * sum_bytes));
      for (int64_t i = 0; i < rows;) {
        int64_t length = std::min(rows - i, row_run[first + i]);
        code.copy(panel, at(base + rs[i]), ks, kc, i, length);
        i += length;
      }
    } else if (mode == static_cast<int64_t>(PackMode::transpose)) {
      for (int64_t i = 0; i < kc;) {
        int64_t length = std::min(kc - i, k_run[k0 + i]);
        code.transpose(panel + i * r * sum_bytes, at(base + ks[i]), rs, rows, length);
        i += length;
      }
    } else {
      code.gather(panel, at(base), rs, rows, ks, kc);
    }
  }

  // Asks for what packing these will read, where most of it lies in one run along rows or along K.
  Ahead ahead(int64_t base, int64_t first, int64_t rows, int64_t k0, int64_t kc, int64_t shares) const {
    const int64_t row_length = std::min(rows, row_run[first]), k_length = std::min(kc, k_run[k0]);
    if (mode == static_cast<int64_t>(PackMode::copy) && 2 * row_length >= rows) {
      return {at(base + row[first]), k + k0, kc, bytes, row_length, shares};
    }
    if (mode == static_cast<int64_t>(PackMode::transpose) && 2 * k_length >= kc) {
      return {at(base + k[k0]), row + first, rows, bytes, k_length, shares};
    }
    return {};
  }

  // Panels of rows [first, first + rows), at most group_panels of them.
  void pack_group(char* panels, int64_t base, int64_t first, int64_t rows, int64_t k0, int64_t kc) const {
    bool whole = rows == group_panels * r && row_run[first] >= rows;
    if (whole && mode == static_cast<int64_t>(PackMode::copy)) {
      return code.group(panels, at(base + row[first]), k + k0, kc);
    }
    for (int64_t i = 0; i < rows; i += r) {
      pack(panels + i * kc * sum_bytes, base, first + i, std::min(r, rows - i), k0, kc);
    }
  }
};

// Panels one after the other, without a division for each: of one K block of a shared operand, or of a task's own block.
class Panels {
 public:
  Panels(char* first, int64_t bytes) : at_(first), bytes_(bytes), last_bytes_(bytes) {}
  Panels(const SharedPanels& all, char* base, int64_t k0, int64_t kc, int64_t row)
      : at_(base + all.at(k0, kc, row)),
        bytes_(all.r * kc * all.sum_bytes),
        last_bytes_(all.group_bytes() - (group_panels - 1) * bytes_),
        in_group_(row / all.r % group_panels) {}

  char* at() const { return at_; }
  void next() {
    const bool last = ++in_group_ == group_panels;
    at_ += last ? last_bytes_ : bytes_;
    if (last) in_group_ = 0;
  }

 private:
  char* at_;
  int64_t bytes_, last_bytes_;  // to the panel behind, within a group and from its last one
  int64_t in_group_ = 0;
};

class Task {
 public:
  Task(void* const* arguments, const int64_t* params, void* scratch, const ContractCode& code)
      : h_(*reinterpret_cast<const ContractHead*>(params)),
        params_(params),
        arguments_(arguments),
        table_(static_cast<const int64_t*>(arguments[h_.table_argument])),
        code_(code),
        a_{data(h_.a_argument),
           table_ + h_.a_batch,
           table_ + h_.a_row,
           table_ + h_.a_row_run,
           table_ + h_.a_k,
           table_ + h_.a_k_run,
           h_.a_bytes,
           h_.a_mode,
           h_.mr,
           h_.bytes,
           code.a},
        b_{data(h_.b_argument),
           table_ + h_.b_batch,
           table_ + h_.b_row,
           table_ + h_.b_row_run,
           table_ + h_.b_k,
           table_ + h_.b_k_run,
           h_.b_bytes,
           h_.b_mode,
           h_.nr,
           h_.bytes,
           code.b},
        m_panels_(count(h_.m, h_.mr)),
        n_panels_(count(h_.n, h_.nr)),
        a_shared_(h_, h_.m, h_.mr),
        b_shared_(h_, h_.n, h_.nr),
        scratch_(h_),
        tiles_(static_cast<char*>(scratch)),
        a_block_(tiles_ + scratch_.tiles),
        b_panel_(a_block_ + scratch_.a),
        sums_a_(sums(h_.a_sum_argument, h_.a_sum_row, h_.m, h_.mr, b_panel_ + scratch_.b, h_.a_sum_parts), code.sum_a),
        sums_b_(
            sums(h_.b_sum_argument, h_.b_sum_row, h_.n, h_.nr, b_panel_ + scratch_.b + scratch_.sums_a, h_.b_sum_parts),
            code.sum_b) {
    tile_bytes_ = h_.mr * h_.nr * h_.bytes;
  }

  // Some rows of one K block of a shared operand; tasks of A come first.
  void pack(int64_t task) {
    const int64_t of_a = h_.a_shared ? a_shared_.tasks() : 0;
    if (task < of_a) pack(a_, a_shared_, workspace(h_.a_panels), task);
    else pack(b_, b_shared_, workspace(h_.b_panels), task - of_a);
  }

  void product(int64_t task) {
    int64_t n_block = task % h_.n_blocks;
    task /= h_.n_blocks;
    int64_t m_block = task % h_.m_blocks;
    task /= h_.m_blocks;
    int64_t group = task % h_.batch_groups;
    part_ = task / h_.batch_groups;
    m0_ = m_block * h_.m_block, m1_ = std::min(h_.m, m0_ + h_.m_block);
    n0_ = n_block * h_.n_block, n1_ = std::min(h_.n, n0_ + h_.n_block);
    int64_t end = std::min(h_.batch, (group + 1) * h_.batch_group);
    for (batch_ = group * h_.batch_group; batch_ < end; ++batch_) one_batch();
    fence();
  }

  // Tiles of all parts added up in order, then written.
  void combine(int64_t task) {
    int64_t tiles = h_.batch * m_panels_ * n_panels_, first = task * h_.combine_tiles;
    for (int64_t t = first; t < std::min(tiles, first + h_.combine_tiles); ++t) {
      char* tile = workspace_tile(0, t);
      for (int64_t part = 1; part < h_.parts; ++part) code_.tile.sum(tile, workspace_tile(part, t));
      batch_ = t / (m_panels_ * n_panels_);
      const int64_t m = t / n_panels_ % m_panels_ * h_.mr, n = t % n_panels_ * h_.nr;
      write(tile, m, n);
      if (sums_a_ && n == 0) sums_a_.combine(m);
      if (sums_b_ && m == 0) sums_b_.combine(n);
    }
    fence();
  }

 private:
  char* data(int64_t argument) const { return static_cast<char*>(arguments_[argument]); }
  char* workspace(int64_t bytes) const { return data(h_.workspace_argument) + bytes; }

  OperandSums::Place sums(int64_t argument, int64_t row, int64_t rows, int64_t r, char* scratch, int64_t parts) const {
    if (argument < 0) return {};
    return {data(argument), table_ + row, rows, r, h_.bytes, scratch, h_.parts > 1 ? workspace(parts) : nullptr,
            h_.parts};
  }

  char* workspace_tile(int64_t part, int64_t tile) const {
    return workspace(h_.sums) + (part * h_.batch * m_panels_ * n_panels_ + tile) * tile_bytes_;
  }

  void pack(const Side& side, const SharedPanels& panels, char* to, int64_t task) const {
    const int64_t pieces = count(panels.rows, panels.task_rows), k0 = task / pieces * panels.k_block;
    const int64_t kc = std::min(panels.k_block, h_.k - k0), begin = task % pieces * panels.task_rows;
    const int64_t end = std::min(panels.rows, begin + panels.task_rows), group = group_panels * side.r;
    for (int64_t row = begin; row < end; row += group)
      side.pack_group(to + panels.at(k0, kc, row), side.batch[0], row, std::min(group, end - row), k0, kc);
  }

  void one_batch() {
    const int64_t first_panel = m0_ / h_.mr;
    int64_t begin = part_ * h_.k_part, end = std::min(h_.k, begin + h_.k_part);
    bool many = end - begin > h_.k_block;
    for (int64_t k0 = begin; k0 == begin || k0 < end; k0 += h_.k_block) {
      int64_t kc = std::min(h_.k_block, end - k0);
      bool first = k0 == begin, last = k0 + kc >= end;
      // The same rows of A as for the batch before: a weight that all of them share.
      bool packed = !packs_a() || (!many && a_base_ == a_.batch[batch_] && have_a_);
      a_base_ = a_.batch[batch_];
      Ahead next_a;
      if (!last) next_a = ahead_of_a(k0 + kc, end);
      Panels b(b_panel_, 0);
      if (h_.b_shared) b = Panels(b_shared_, workspace(h_.b_panels), k0, kc, n0_);
      int64_t tile_in_block = 0;
      for (int64_t n = n0_, n_panel = n0_ / h_.nr; n < n1_; n += h_.nr, ++n_panel, b.next()) {
        if (!h_.b_shared) b_.pack(b_panel_, b_.batch[batch_], n, std::min(h_.nr, n1_ - n), k0, kc);
        if (sums_b_ && m0_ == 0) sums_b_.add(b.at(), kc, n, n0_, part_, first, last);
        Panels a(a_block_, h_.mr * kc * h_.bytes);
        if (h_.a_shared) a = Panels(a_shared_, workspace(h_.a_panels), k0, kc, m0_);
        Ahead next_b = n + h_.nr < n1_ ? ahead_of_b(n + h_.nr, k0, end) : ahead_of_b(n0_, k0 + kc, end);
        for (int64_t m = m0_, panel = 0; m < m1_; m += h_.mr, ++panel, a.next()) {
          if (!packed && n == n0_ && panel % group_panels == 0)
            a_.pack_group(a.at(), a_base_, m, std::min(group_panels * h_.mr, m1_ - m), k0, kc);
          if (sums_a_ && n == 0) sums_a_.add(a.at(), kc, m, m0_, part_, first, last);
          char* tile = tiles_;
          if (h_.parts > 1)
            tile = workspace_tile(part_, (batch_ * m_panels_ + first_panel + panel) * n_panels_ + n_panel);
          else if (many) tile += tile_in_block++ * tile_bytes_;
          if (last && h_.parts == 1 && !h_.stream) prefetch(m, n);
          next_a.ask(), next_b.ask();
          if (h_.a_mode == static_cast<int64_t>(PackMode::direct)) direct(m, k0, kc, b.at(), tile, first);
          else code_.tile.packed(kc, a.at(), b.at(), tile, first);
          if (last && h_.parts == 1) write(tile, m, n);
        }
      }
      have_a_ = true;
    }
  }

  // Stores past the cache are seen by other threads only after this.
  void fence() const {
#ifdef __x86_64__
    if (h_.stream) __builtin_ia32_sfence();
#endif
  }

  void direct(int64_t m, int64_t k0, int64_t kc, const char* b_panel, char* tile, bool first) const {
    const void* rows[most_rows];
    int64_t last = std::min(h_.mr, h_.m - m) - 1;
    for (int64_t i = 0; i < h_.mr; ++i) rows[i] = a_.at(a_base_ + a_.row[m + std::min(i, last)]);
    const int64_t* ks = a_.k + k0;
    const int64_t stride = kc > 1 ? ks[1] - ks[0] : 0;
    // The panel behind this one, while its sums are made: its lines come from far, and in no order that the machine
    // would guess.
    constexpr int64_t line = 64;
    const char* ahead = static_cast<const char*>(rows[0]) + ks[0] * a_.bytes;
    int64_t pace = 0, spread = a_.row[m + last] - a_.row[m];
    if (ks[kc - 1] - ks[0] != (kc - 1) * stride) {
      // Neighbouring panels read the same lines, or lines that follow each other: the machine sees it.
    } else if (last > 0 && stride == 1 && spread == last * kc) {
      ahead += h_.mr * kc * a_.bytes, pace = h_.mr * a_.bytes;  // one block of consecutive elements
    } else if (last > 0 && spread == last && h_.mr * a_.bytes <= line) {
      // Rows side by side: a line of each k holds several panels, which share the asking.
      int64_t panels = line / (h_.mr * a_.bytes);
      ahead += line + m / h_.mr % panels * stride * a_.bytes, pace = stride * a_.bytes;
    }
    code_.tile.direct(kc, rows, ks, b_panel, tile, first, ahead, pace);
  }

  bool packs_a() const { return h_.a_mode != static_cast<int64_t>(PackMode::direct) && !h_.a_shared; }

  // What comes after the tiles at hand comes from far, in short pieces or at a pace that no prefetcher keeps: it is asked
  // for beside them. The rows of A in the K block from k0 on:
  Ahead ahead_of_a(int64_t k0, int64_t end) const {
    if (!far_) return {};
    const int64_t tiles = count(m1_ - m0_, h_.mr) * count(n1_ - n0_, h_.nr), kc = std::min(h_.k_block, end - k0);
    if (h_.a_shared)
      return {workspace(h_.a_panels) + a_shared_.at(k0, kc, m0_), &whole, 1, h_.bytes, (m1_ - m0_) * kc, tiles};
    return a_.ahead(a_.batch[batch_], m0_, m1_ - m0_, k0, kc, tiles);
  }

  // The panel of B at column n, in the K block from k0 on.
  Ahead ahead_of_b(int64_t n, int64_t k0, int64_t end) const {
    constexpr int64_t enough_tiles = 16;  // with fewer, asking takes longer than it saves
    const int64_t tiles = count(m1_ - m0_, h_.mr), kc = std::min(h_.k_block, end - k0);
    if (!far_ || k0 >= end || tiles < enough_tiles) return {};
    if (!h_.b_shared) return b_.ahead(b_.batch[batch_], n, std::min(h_.nr, n1_ - n), k0, kc, tiles);
    return {workspace(h_.b_panels) + b_shared_.at(k0, kc, n), &whole, 1, h_.bytes, h_.nr * kc, tiles};
  }

  // Rows of the result that will be written after the sums: asks for their lines while the sums are made.
  void prefetch(int64_t m, int64_t n) const {
    const char* base = data(h_.out_argument);
    int64_t column = table_[h_.out_batch + batch_] + table_[h_.out_n + n];
    int64_t rows = std::min(h_.mr, h_.m - m);
    for (int64_t i = 0; i < rows; ++i) {
      const char* row = base + (column + table_[h_.out_m + m + i]) * h_.out_bytes;
      for (int64_t byte = 0; byte < h_.nr * h_.out_bytes; byte += 64) __builtin_prefetch(row + byte, 1);
    }
  }

  void write(const char* tile, int64_t m, int64_t n) const {
    int64_t rows = std::min(h_.mr, h_.m - m), columns = std::min(h_.nr, h_.n - n);
    if (planted(Fault::contract_edge_lost) && rows < h_.mr) return;
    const int64_t* run = table_ + h_.run;
    for (int64_t c = 0; c < columns;) {
      int64_t length = std::min(columns - c, run[n + c]);
      code_.epilogue(arguments_, params_, tile + c * h_.bytes, batch_, m, n + c, rows, length);
      c += length;
    }
  }

  // Operands that the second cache holds are near: asking for them was 5 % of a product of 512³.
  static bool from_far(const ContractHead& h) {
    constexpr int64_t second_cache = 2 << 20;
    return h.batch > 1 || (h.m * h.a_bytes + h.n * h.b_bytes) * h.k > second_cache;
  }

  static constexpr int64_t whole = 0;  // the offset of what lies in one piece

  const ContractHead& h_;
  const int64_t* params_;
  void* const* arguments_;
  const int64_t* table_;
  const ContractCode& code_;
  Side a_, b_;
  const int64_t m_panels_, n_panels_;
  const SharedPanels a_shared_, b_shared_;
  const ContractScratch scratch_;
  char *const tiles_, *const a_block_, *const b_panel_;
  const OperandSums sums_a_, sums_b_;
  const bool far_ = from_far(h_);
  int64_t tile_bytes_;
  int64_t part_ = 0, batch_ = 0, m0_ = 0, m1_ = 0, n0_ = 0, n1_ = 0;
  int64_t a_base_ = 0;
  bool have_a_ = false;
};

}  // namespace

SharedPanels::SharedPanels(const ContractHead& h, int64_t rows_of, int64_t panel_rows)
    : rows(rows_of), r(panel_rows), k_block(h.k_block), blocks(count(h.k, h.k_block)), sum_bytes(h.bytes) {
  constexpr int64_t least_rows = 192;  // enough for a task, in whole groups
  task_rows = up(least_rows, group_panels * r);
}

int64_t SharedPanels::at(int64_t k0, int64_t kc, int64_t row) const {
  const int64_t group = group_panels * r, groups = count(rows, group);
  return (k0 / k_block * groups + row / group) * group_bytes() + row % group * kc * sum_bytes;
}

int64_t SharedPanels::group_bytes() const { return (group_panels * k_block + transpose_rows) * r * sum_bytes; }

int64_t SharedPanels::bytes() const { return up(at(blocks * k_block, 0, 0), 64); }
int64_t SharedPanels::tasks() const { return blocks * count(rows, task_rows); }

ContractScratch::ContractScratch(const ContractHead& h) {
  int64_t m = up(h.m_block, h.mr), n = up(h.n_block, h.nr), spill = transpose_rows * h.nr * h.bytes + 64;
  bool many = std::min(h.k, h.k_part) > h.k_block;
  tiles = h.parts > 1 ? 0 : (many ? m * n : h.mr * h.nr) * h.bytes;
  a = h.a_mode == static_cast<int64_t>(PackMode::direct) || h.a_shared ? 0 : up(m * h.k_block * h.bytes + spill, 64);
  b = h.b_shared ? 0 : up(h.nr * h.k_block * h.bytes + spill, 64);
  tiles = up(tiles, 64);
  sums_a = h.a_sum_argument < 0 ? 0 : up(m * h.bytes, 64);
  sums_b = h.b_sum_argument < 0 ? 0 : up(n * h.bytes, 64);
}

}  // namespace tessera::codegen

extern "C" void tessera_contract_task(void* const* arguments, const int64_t* params, int64_t task, void* scratch,
                                      const tessera::codegen::ContractCode* code) {
  const auto& head = *reinterpret_cast<const tessera::codegen::ContractHead*>(params);
  tessera::codegen::Task run(arguments, params, scratch, *code);
  switch (head.pass) {
    case tessera::codegen::ContractPass::pack: return run.pack(task);
    case tessera::codegen::ContractPass::product: return run.product(task);
    case tessera::codegen::ContractPass::combine: return run.combine(task);
  }
}
