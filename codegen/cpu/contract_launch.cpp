#include <tessera/codegen/cpu/contract_launch.h>

#include <algorithm>
#include <cstring>
#include <map>

#include <tessera/codegen/cpu/code.h>
#include <tessera/codegen/cpu/contract_epilogue.h>
#include <tessera/codegen/cpu/contract_panel_sum.h>
#include <tessera/codegen/cpu/contract_run.h>
#include <tessera/ir/fuse/Fuse.h>

namespace tessera::codegen {
namespace {

int64_t count(int64_t value, int64_t step) { return (value + step - 1) / step; }
int64_t up(int64_t value, int64_t step) { return count(value, step) * step; }
// The length of equal pieces, multiples of `step`, of which none is longer than `most`.
int64_t balanced(int64_t size, int64_t most, int64_t step) {
  return std::max(step, up(count(size, count(size, most)), step));
}

double average_run(const Table& table, int64_t longest) {
  Table runs = runs_of(table);
  int64_t pieces = 0;
  for (size_t i = 0; i < table.size(); i += static_cast<size_t>(std::min(runs[i], longest))) ++pieces;
  return static_cast<double>(table.size()) / static_cast<double>(std::max<int64_t>(1, pieces));
}

bool steady(const Table& k) {
  for (size_t i = 2; i < k.size(); ++i) {
    if (k[i] - k[i - 1] != k[1] - k[0]) return false;
  }
  return true;
}

constexpr double task_flops = 4e6;  // what a task should at least do

// Blocks: large enough that packing is cheap beside the sums, small enough for the cache and for all threads.
class Cutter {
 public:
  Cutter(ContractHead& head, int thread_count)
      : h(head),
        threads(thread_count),
        flops(2.0 * static_cast<double>(h.m) * static_cast<double>(h.n) *
              static_cast<double>(std::max<int64_t>(1, h.k))) {
    // A panel of B stays in the first cache, beside what streams past it; a little more is better than a second block.
    constexpr int64_t panel_bytes = 32 << 10;
    int64_t k_block = std::min<int64_t>(256, panel_bytes / (h.nr * h.bytes)), whole_k = k_block + k_block / 4;
    h.k_block = h.k <= whole_k ? std::max<int64_t>(1, h.k) : balanced(h.k, k_block, 8);
    h.batch_group = std::clamp(static_cast<int64_t>(task_flops / flops), int64_t{1}, std::max<int64_t>(1, h.batch));
  }

  // Every task packs what it reads. Small blocks pack the same rows again and again; parts of a long K cost one more
  // addition.
  void cut_alone() {
    start(512);
    cut_k();
    shrink(256, 256);
    if (h.parts == 1) shrink(64, 4 * h.nr);
    finish();
  }

  // B is packed before, so that low blocks cost no more of it; wide ones pack A once.
  void cut_for_shared_b() {
    start(1024);
    take_turns(16, 128, 512);
    shrink(96, 2 * h.nr);
    finish();
  }

  bool large() const { return flops >= 5e8; }  // else a pass over memory and its wait cost more than they save

 private:
  void start(int64_t n_block) {
    constexpr int64_t m_block = 256;
    h.m_block = balanced(h.m, m_block, h.mr);
    h.n_block = balanced(h.n, n_block, h.nr);
    h.parts = 1, h.k_part = std::max<int64_t>(1, h.k);
  }
  // A result of few blocks and a long K. The sums depend on it: not on threads.
  void cut_k() {
    constexpr int64_t k_part = 1024, few_blocks = 4, enough_tasks = 16, block = 256;
    const int64_t blocks = count(h.batch, h.batch_group) * count(h.m, block) * count(h.n, block);
    if (blocks > few_blocks || h.k < 2 * k_part) return;
    int64_t parts = std::min({count(enough_tasks, blocks), h.k / k_part,
                              static_cast<int64_t>(flops * static_cast<double>(h.batch) / task_flops)});
    if (parts > 1) h.k_part = up(count(h.k, parts), h.k_block), h.parts = count(h.k, h.k_part);
  }
  // Several tasks for each thread: where other machines share the cores, one thread is slower than the next, and the slow
  // one should take fewer.
  void take_turns(int64_t turns, int64_t least_m, int64_t least_n) {
    if (threads > 1) shrink(least_m, least_n, [&] { return tasks() * h.parts >= turns * threads; });
  }
  // Every thread has a task, and hardly one has none in the last turn. More tasks would pack more.
  void shrink(int64_t least_m, int64_t least_n) {
    shrink(least_m, least_n, [&] {
      const int64_t all = tasks() * h.parts, places = up(all, threads);
      return (places - all) * 10 <= places;
    });
  }
  template <class Enough> void shrink(int64_t least_m, int64_t least_n, Enough enough) {
    least_m = up(least_m, h.mr), least_n = up(least_n, h.nr);  // what `balanced` can reach
    while (!enough() && work() > 2 * task_flops) {
      bool wide = h.n_block >= 2 * h.m_block || h.m_block <= least_m;
      if (wide && h.n_block > least_n) h.n_block = balanced(h.n, std::max(least_n, h.n_block / 2), h.nr);
      else if (h.m_block > least_m) h.m_block = balanced(h.m, std::max(least_m, h.m_block / 2), h.mr);
      else break;
    }
  }
  void finish() {
    h.m_blocks = count(h.m, h.m_block), h.n_blocks = count(h.n, h.n_block);
    h.batch_groups = count(h.batch, h.batch_group);
    h.product_tasks = tasks() * h.parts;
  }
  int64_t tasks() const { return count(h.batch, h.batch_group) * count(h.m, h.m_block) * count(h.n, h.n_block); }
  double work() const {
    return flops / static_cast<double>(h.m * h.n * h.parts) *
           static_cast<double>(h.m_block * h.n_block * h.batch_group);
  }

  ContractHead& h;
  const int64_t threads;
  const double flops;
};

bool one_value(const Table& table) {
  return std::all_of(table.begin(), table.end(), [&](int64_t x) { return x == table.front(); });
}

void cut(ContractHead& h, const ContractForm& form, int threads) {
  constexpr int64_t several = 3, most_bytes = 64 << 20;
  Cutter cutter(h, threads);
  cutter.cut_alone();
  if (!cutter.large() || !one_value(form.a.batch) || !one_value(form.b.batch)) return;
  if (h.parts == 1 && h.m_blocks >= several && SharedPanels(h, h.n, h.nr).bytes() <= most_bytes) {
    h.b_shared = 1;
    cutter.cut_for_shared_b();
  }
  h.a_shared = h.n_blocks >= several && SharedPanels(h, h.m, h.mr).bytes() <= most_bytes;
}

// All tables in one; equal ones are stored once.
class Pool {
 public:
  int64_t place(const Table& table) {
    auto [found, fresh] = known_.try_emplace(table, static_cast<int64_t>(all.size()));
    if (fresh) all.insert(all.end(), table.begin(), table.end());
    return found->second;
  }
  Table all;

 private:
  std::map<Table, int64_t> known_;
};

void fill_epilogue(std::vector<int64_t>& params, Pool& pool, const ContractForm& form, const EpilogueLayout& layout) {
  auto set = [&](int at, int64_t value) { params[static_cast<size_t>(at)] = value; };
  auto fill = [&](const std::vector<ContractAccess>& list, const std::vector<int>& places) {
    for (size_t k = 0; k < list.size(); ++k) {
      if (places[k] < 0) continue;
      set(places[k], pool.place(list[k].batch));
      set(places[k] + 1, pool.place(list[k].m));
      set(places[k] + 2, pool.place(list[k].n));
    }
  };
  fill(form.in, layout.in);
  fill(form.out, layout.out);
  fill(form.index, layout.index);
  for (size_t k = 0; k < form.whole.size(); ++k) {
    if (!form.whole[k]) continue;
    int at = layout.shape[k];
    auto type = mlir::cast<mlir::RankedTensorType>(form.body->getArgument(static_cast<unsigned>(k)).getType());
    for (int64_t extent : type.getShape()) set(at++, extent);
  }
  int at = layout.stream;
  for (mlir::Operation& op : *form.body) {
    if (auto random = mlir::dyn_cast<fuse::RandomOp>(op)) set(at++, static_cast<int64_t>(random.getStream()));
  }
}

// Results that no cache will keep until they are read again are written past it: their lines need not be fetched first.
// For whole aligned lines only.
bool streams(const ContractForm& form) {
  constexpr int64_t line = 64, large = 16 << 20;
  double bytes = 0;
  for (size_t k = 0; k < form.out.size(); ++k) {
    const ContractAccess& out = form.out[k];
    if (!out.used) continue;
    int64_t element = bytes_of(form.body->getTerminator()->getOperand(static_cast<unsigned>(k)).getType());
    if (out.along != Along::unit || form.tile.lanes * element != line) return false;
    auto aligned = [&](const Table& table) {
      return std::all_of(table.begin(), table.end(), [&](int64_t at) { return at * element % line == 0; });
    };
    if (!aligned(out.batch) || !aligned(out.m)) return false;
    bytes += static_cast<double>(form.batch * form.m * form.n * element);
  }
  return bytes >= static_cast<double>(large);
}

// Of the sums of an operand whose rows are `rows`: the element for each.
Table places_of_sums(const ContractForm& form, int result, Table ContractAccess::* rows) {
  const ContractAccess& sums = form.out[static_cast<size_t>(result)];
  Table places = sums.*rows;
  for (int64_t& place : places) place += sums.batch.front();
  return places;
}

}  // namespace

PackMode pack_mode(const ContractOperand& operand, int r) {
  double along_rows = average_run(operand.rows, r >= 16 ? 16 : 8), along_k = average_run(operand.k, 8);
  if (along_rows >= std::min(r, 6) || (along_rows >= along_k && along_rows >= 4)) return PackMode::copy;
  if (along_k >= 3) return PackMode::transpose;
  return along_rows >= 3 ? PackMode::copy : PackMode::gather;
}

ContractPasses make_contract_passes(const ContractForm& form, int threads) {
  ContractPasses passes;
  if (form.batch * form.m * form.n == 0) return passes;
  mlir::Type sum = form.contract->getResult(0).getType();
  EpilogueLayout layout(form);
  Pool pool;
  ContractHead h{};
  h.batch = form.batch, h.m = form.m, h.n = form.n, h.k = form.k;
  const RegisterTile& tile = form.tile;
  h.mr = tile.mr, h.nr = tile.nr, h.bytes = bytes_of(sum);
  cut(h, form, threads);
  h.combine_tiles = 64;
  const int sum_a = result_of_sum(form, form.a), sum_b = result_of_sum(form, form.b);
  h.a_argument = form.a.argument, h.a_bytes = bytes_of(form.a.storage);
  h.b_argument = form.b.argument, h.b_bytes = bytes_of(form.b.storage);
  h.a_mode = static_cast<int64_t>(pack_mode(form.a, tile.mr));
  h.b_mode = static_cast<int64_t>(pack_mode(form.b, tile.nr));
  // One panel of B: packed rows of A would be read once. Two: still less than it costs to turn them.
  const int64_t panels = count(h.n_block, h.nr);
  const bool may_lie = h.k > 0 && !h.a_shared && sum_a < 0 && form.a.widening.empty() && form.a.storage == sum;
  const bool turns = h.a_mode == static_cast<int64_t>(PackMode::transpose);
  if (may_lie && ((panels == 1 && steady(form.a.k)) || (panels <= 2 && turns)))
    h.a_mode = static_cast<int64_t>(PackMode::direct);
  h.a_batch = pool.place(form.a.batch), h.a_row = pool.place(form.a.rows), h.a_k = pool.place(form.a.k);
  h.a_row_run = pool.place(runs_of(form.a.rows)), h.a_k_run = pool.place(runs_of(form.a.k));
  h.b_batch = pool.place(form.b.batch), h.b_row = pool.place(form.b.rows), h.b_k = pool.place(form.b.k);
  h.b_row_run = pool.place(runs_of(form.b.rows)), h.b_k_run = pool.place(runs_of(form.b.k));
  h.run = pool.place(form.run);
  const ContractAccess& out = form.out.front();
  h.out_argument = layout.outputs, h.out_bytes = bytes_of(form.body->getTerminator()->getOperand(0).getType());
  h.out_batch = pool.place(out.batch), h.out_m = pool.place(out.m), h.out_n = pool.place(out.n);
  h.stream = streams(form);
  h.table_argument = layout.table, h.workspace_argument = layout.table + 1;
  const bool shares = h.a_shared || h.b_shared;
  int64_t packing = 0;
  if (h.a_shared) passes.workspace += SharedPanels(h, h.m, h.mr).bytes(), packing += SharedPanels(h, h.m, h.mr).tasks();
  h.b_panels = passes.workspace;
  if (h.b_shared) passes.workspace += SharedPanels(h, h.n, h.nr).bytes(), packing += SharedPanels(h, h.n, h.nr).tasks();
  h.sums = passes.workspace;
  const int64_t tiles = h.batch * count(h.m, h.mr) * count(h.n, h.nr);
  if (h.parts > 1) {
    passes.workspace += h.parts * tiles * h.mr * h.nr * h.bytes;
    h.a_sum_parts = passes.workspace;
    if (sum_a >= 0) passes.workspace += h.parts * up(h.m, h.mr) * h.bytes;
    h.b_sum_parts = passes.workspace;
    if (sum_b >= 0) passes.workspace += h.parts * up(h.n, h.nr) * h.bytes;
  }
  h.errors_argument = h.workspace_argument + (h.parts > 1 || shares ? 1 : 0);
  h.a_sum_argument = sum_a < 0 ? -1 : layout.outputs + sum_a,
  h.b_sum_argument = sum_b < 0 ? -1 : layout.outputs + sum_b;
  if (sum_a >= 0) h.a_sum_row = pool.place(places_of_sums(form, sum_a, &ContractAccess::m));
  if (sum_b >= 0) h.b_sum_row = pool.place(places_of_sums(form, sum_b, &ContractAccess::n));
  passes.parameters.resize(static_cast<size_t>(layout.words));
  fill_epilogue(passes.parameters, pool, form, layout);
  std::memcpy(passes.parameters.data(), &h, sizeof h);
  passes.table = std::move(pool.all);
  if (shares) passes.add(ContractPass::pack, packing);
  passes.add(ContractPass::product, h.product_tasks);
  if (h.parts > 1) passes.add(ContractPass::combine, count(tiles, h.combine_tiles));
  passes.scratch = ContractScratch(h).total();
  return passes;
}

std::vector<int64_t> parameters_of(const ContractPasses& passes, size_t pass) {
  ContractHead h;
  std::vector<int64_t> parameters = passes.parameters;
  std::memcpy(&h, parameters.data(), sizeof h);
  h.pass = passes.kinds[pass];
  std::memcpy(parameters.data(), &h, sizeof h);
  return parameters;
}

}  // namespace tessera::codegen
