#include <tessera/codegen/cuda/rows/rows_text.h>

#include <algorithm>
#include <map>
#include <set>

#include "llvm/ADT/MapVector.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

#include <fmt/format.h>

#include <tessera/codegen/cuda/rows/of_columns.h>
#include <tessera/codegen/cuda/rows/running_sum.h>
#include <tessera/codegen/cuda/rows/scalar_text.h>
#include <tessera/ir/fuse/Fuse.h>

namespace tessera::cuda {

using codegen::Access;
using codegen::Form;
using codegen::Stages;
using Kind = RowSchedule::Kind;

namespace {

constexpr int64_t most_ahead = 40 << 10;  // bytes of shared memory for rows before their turn
constexpr int most_of_columns = 48;       // values of one thread that no row changes
constexpr int most_kept = 96;             // values of one thread that later passes want, beside what was loaded

class Rows {
 public:
  explicit Rows(ValuesText& values)
      : v_(values), form_(values.form), stages_(values.stages), s_(values.schedule), addresses_(values.addresses) {}

  RowsText all() {
    Lines lines;
    const bool walks = !stages_.columns.empty();
    const char* type = addresses_.offset_type();
    const std::string block =
        s_.splits > 1 ? fmt::format("static_cast<int>(blockIdx.x) / {}", s_.splits) : "static_cast<int>(blockIdx.x)";
    if (s_.splits > 1) lines.push_back(fmt::format("const int split = static_cast<int>(blockIdx.x) % {};", s_.splits));
    std::string place = block;
    if (s_.kind == Kind::lanes) {
      lines.push_back("const int t = static_cast<int>(threadIdx.x) / 32;");
      place += " * 32 + static_cast<int>(threadIdx.x) % 32";
    } else if (s_.rows_at_once > 1) {
      lines.push_back(fmt::format("const int t = static_cast<int>(threadIdx.x) % {};", s_.threads));
      std::string of_block = fmt::format("static_cast<int>(threadIdx.x) / {}", s_.threads);
      if (s_.has_groups()) {
        lines.push_back(fmt::format("const int of_block = {};", of_block));
        of_block = "of_block";
      }
      place += fmt::format(" * {} + {}", s_.rows_at_once, of_block);
    } else {
      lines.push_back("const int t = static_cast<int>(threadIdx.x);");
    }
    Lines inside;
    int depth = 0;
    if (walks) {
      lines.push_back(fmt::format("const int group = {};", place));
      begin_columns(lines);
      if (last_level() == 0) compute_columns(lines);
      depth = 1;
    } else if (clamps_rows()) {
      lines.push_back(fmt::format("const bool is_there = {} < {};", place, s_.rows));
      lines.push_back(fmt::format("const {} row = min({}, {});", type, place, s_.rows - 1));
    } else {
      lines.push_back(fmt::format("const {} row = {};", type, place));
      if (s_.rows % s_.rows_at_once != 0) lines.push_back(fmt::format("if (row >= {}) return;", s_.rows));
    }
    if (s_.row_dims.size() > 1) addresses_.decode(inside, "row", s_.row_dims, 1);
    const int last = last_level();
    choose_kept(last);
    if (walks && brings_ahead()) bring_next(lines, inside);
    else load_kept(inside);
    if (s_.is_running) running_pass(*find_running_sum(form_, stages_), inside);
    else
      for (int pass = 0; pass < last; ++pass) reduce_pass(pass, inside);
    last_pass(last, inside);
    // One barrier by itself would let slots be filled for the next row while others still read them.
    if (walks && block_barriers_ == 1 && !alternates_slots()) inside.push_back(barrier());
    if (walks) {
      if (last == 0) lines.push_back(fmt::format("#pragma unroll {}", rows_under_way));
      // Groups side by side walk rows side by side: together they sweep through memory.
      lines.push_back(fmt::format("for ({} row = group; row < {}; row += {}{}) {{", type, s_.rows, s_.groups,
                                  is_ahead_ ? ", slot ^= 1" : ""));
    }
    append(lines, inside, depth);
    const bool copies = is_ahead_ || !held_.empty(), adds_parts = any_last_block_adds(stages_, s_);
    if (walks) {
      lines.push_back("}");
      end_columns(lines);
      if (adds_parts) add_up_parts(lines);
    }
    if (met_bytes_ > 0)
      held_.push_back(fmt::format("alignas(16) unsigned char met[{}];", s_.block() * s_.width * met_bytes_));
    return {std::move(shared_), std::move(lines), std::move(held_), copies, adds_parts};
  }

 private:
  std::string chunk_index() const { return s_.chunks == 1 ? "0" : "c"; }
  std::string lane_index() const { return s_.width == 1 ? "0" : "i"; }
  // Of the threads that hold a row.
  std::string barrier() const {
    return s_.has_groups() ? fmt::format("group_sync<{}>(of_block);", s_.threads) : "__syncthreads();";
  }

  // A loop over this thread's part of the row around `visit`, which may want the row's dims or `column` alone.
  void walk(Lines& to, const Lines& visit, bool decodes = true) const {
    if (visit.empty()) return;
    const int64_t step = static_cast<int64_t>(s_.threads) * s_.width;
    const std::string neighbours = s_.width > 1 ? fmt::format(" * {}", s_.width) : "";
    Lines inside;
    if (decodes && s_.inner_dims.size() > 1) addresses_.decode_columns(inside);
    append(inside, visit, 0);
    if (s_.chunks == 0) {
      // So that several loads are under way.
      if (s_.is_running || s_.in_shared_memory) to.push_back(s_.is_running ? "#pragma unroll 3" : "#pragma unroll 4");
      to.push_back(fmt::format("for (int column = t{}; column < {}; column += {}) {{", neighbours, s_.columns, step));
      append(to, inside, 1);
      to.push_back("}");
      return;
    }
    const bool has_rest = step * s_.chunks * s_.splits != s_.columns;
    if (s_.chunks > 1) {
      to.push_back("#pragma unroll");
      to.push_back(fmt::format("for (int c = 0; c < {}; ++c) {{", s_.chunks));
      to.push_back(fmt::format("  const int column = {};", s_.width > 1
                                                               ? fmt::format("(c * {} + t){}", s_.threads, neighbours)
                                                               : fmt::format("c * {} + t", s_.threads)));
    } else {
      to.push_back("{");
      to.push_back(s_.splits > 1 ? fmt::format("  const int column = (split * {} + t){};", s_.threads, neighbours)
                                 : fmt::format("  const int column = t{};", neighbours));
    }
    if (has_rest) to.push_back(fmt::format("  if (column < {}) {{", s_.columns));
    append(to, inside, has_rest ? 2 : 1);
    if (has_rest) to.push_back("  }");
    to.push_back("}");
  }

  int last_level() const {
    int last = 0;
    for (const codegen::Nest& nest : stages_.nests)
      if (!nest.reduces.empty()) last = std::max(last, nest.level + 1);
    return last;
  }

  std::vector<mlir::Operation*> reduces_at(int level) const {
    std::vector<mlir::Operation*> all;
    for (const codegen::Nest& nest : stages_.nests)
      if (nest.level == level) all.insert(all.end(), nest.reduces.begin(), nest.reduces.end());
    return all;
  }

  bool is_row_sum(const codegen::Column& column) const {  // one value of each row, not of its elements
    return column.kept == 0 &&
           (form_.over[static_cast<size_t>(codegen::ordinal(column.reduce))] & form_.inner_set()) == 0 &&
           form_.inner_set() != 0;
  }

  std::vector<mlir::Value> roots_of(int pass, int last) const {
    std::vector<mlir::Value> roots;
    for (mlir::Operation* reduce : reduces_at(pass)) roots.push_back(reduce->getOperand(0));
    if (pass == last) {
      for (const codegen::Column& column : stages_.columns) roots.push_back(column.reduce->getOperand(0));
      for (unsigned k = 0; k < v_.yield->getNumOperands(); ++k)
        if (column_behind(stages_, v_.yield->getOperand(k)) < 0) roots.push_back(v_.yield->getOperand(k));
    }
    for (const auto& [value, name] : kept_)
      if (value.getDefiningOp() && stages_.of(value).level == pass) roots.push_back(value);
    return roots;
  }

  // The inputs that a pass reads element by element.
  void collect(mlir::Value value, int pass, std::set<unsigned>& arguments) const {
    if (!v_.is_lane(value)) return;
    auto kept = kept_.find(value);
    if (kept != kept_.end() && value.getDefiningOp() && stages_.of(value).level < pass) return;
    if (auto argument = mlir::dyn_cast<mlir::BlockArgument>(value)) {
      arguments.insert(argument.getArgNumber());
      return;
    }
    for (mlir::Value operand : value.getDefiningOp()->getOperands())
      if (!mlir::isa<mlir::RankedTensorType>(operand.getType())) collect(operand, pass, arguments);
  }

  // Which values stay in registers between passes: what is dear, and inputs that several passes read.
  void choose_kept(int last) {
    if (s_.chunks == 0 && !s_.in_shared_memory) return;
    const int64_t per_thread = s_.chunks * s_.width, dear = per_thread * static_cast<int64_t>(stages_.spills.size());
    if (!s_.in_shared_memory && dear <= most_kept && dear + registers_of_row(form_, stages_, s_) <= registers_left(s_))
      for (const codegen::Spill& spill : stages_.spills)
        keep(spill.value, v_.word_of_value(spill.value.getDefiningOp()) + "_row");
    std::map<unsigned, int> passes;
    for (int pass = 0; pass <= last; ++pass) {
      std::set<unsigned> arguments;
      for (mlir::Value root : roots_of(pass, last)) collect(root, pass, arguments);
      for (unsigned argument : arguments) ++passes[argument];
    }
    // Groups of warps are few: what a row reads is asked for at once, also if only the last pass reads it.
    for (auto [argument, count] : passes)
      if (count > 1 || (s_.has_groups() && is_of_row(form_.body->getArgument(argument))))
        keep(form_.body->getArgument(argument), v_.words.inputs[argument] + "_row");
  }
  void keep(mlir::Value value, const std::string& name) { kept_[value] = v_.names.identifier(name); }

  void load_kept(Lines& to) {
    if (s_.in_shared_memory) return bring_rows(to);
    Lines visit;
    for (auto& [value, name] : kept_) {
      to.push_back(fmt::format("Vector<{}, {}> {}[{}];", type_text(value.getType()), s_.width, name, s_.chunks));
      if (auto argument = mlir::dyn_cast<mlir::BlockArgument>(value)) append(visit, load_line(argument, name), 0);
    }
    walk(to, visit);
  }

  // Of a vector, or of its elements one by one.
  Lines load_line(mlir::BlockArgument argument, const std::string& name) const {
    const Access& access = form_.in[argument.getArgNumber()];
    const std::string& base = v_.words.inputs[argument.getArgNumber()];
    if (s_.width > 1 && is_vector(form_, s_, access, bytes_of_element(argument.getType())))
      return {fmt::format("{}[{}] = load<{}>({});", name, chunk_index(), s_.width, addresses_.pointer(base, access))};
    Lines lines;
    if (s_.width > 1) {
      lines.push_back("#pragma unroll");
      lines.push_back(fmt::format("for (int i = 0; i < {}; ++i)", s_.width));
    }
    lines.push_back(fmt::format("{}{}[{}][{}] = {};", s_.width > 1 ? "  " : "", name, chunk_index(), lane_index(),
                                addresses_.element(base, access, true)));
    return lines;
  }

  bool is_of_row(mlir::Value value) const {
    return mlir::isa<mlir::BlockArgument>(value) &&
           (form_.in[mlir::cast<mlir::BlockArgument>(value).getArgNumber()].dims() & form_.row_set()) != 0;
  }

  // Inputs that have one value for each row.
  std::vector<mlir::BlockArgument> singles_of_row() const {
    std::vector<mlir::BlockArgument> found;
    for (mlir::BlockArgument argument : form_.body->getArguments()) {
      const unsigned k = argument.getArgNumber();
      if (form_.whole[k] || v_.is_made_here(k) || argument.use_empty()) continue;
      if (is_of_row(argument) && !v_.is_lane(argument)) found.push_back(argument);
    }
    return found;
  }

  // With a row and sums of columns in registers few threads fit, too few to wait for memory by turns: then the next row
  // comes to shared memory while one is computed.
  bool brings_ahead() const {
    bool any = false, all = true;
    int64_t bytes = 0, of_column = 0;  // the second of an element that groups meet for
    for (const codegen::Column& column : stages_.columns)
      if (column.kept != 0)
        of_column = std::max<int64_t>(of_column, bytes_of_element(column.reduce->getResult(0).getType()));
    for (const auto& [value, name] : kept_) {
      if (!is_of_row(value)) continue;
      const Access& access = form_.in[mlir::cast<mlir::BlockArgument>(value).getArgNumber()];
      const int size = bytes_of_element(value.getType());
      any = true;
      all &= s_.width * size % 8 == 0 && is_vector(form_, s_, access, size);
      bytes += 2 * s_.chunks * s_.threads * s_.width * size;
    }
    if (!any || !all || of_column == 0) return false;
    if (s_.has_groups()) return s_.rows_at_once * bytes + s_.block() * s_.width * of_column <= most_in_shared_memory;
    return s_.rows_at_once == 1 && bytes <= most_ahead;
  }

  // What no row changes is read once, before the walk. `outside`: lines in front of the walk over rows.
  void bring_next(Lines& outside, Lines& inside) {
    is_ahead_ = true;
    Lines copies, takes, once;
    for (auto& [value, name] : kept_) {
      const std::string declared =
          fmt::format("Vector<{}, {}> {}[{}];", type_text(value.getType()), s_.width, name, s_.chunks);
      auto argument = mlir::dyn_cast<mlir::BlockArgument>(value);
      if (!argument || is_of_row(value)) inside.push_back(declared);
      else outside.push_back(declared), append(once, load_line(argument, name), 0);
      if (!argument || !is_of_row(value)) continue;
      std::string ahead = v_.names.identifier(v_.words.inputs[argument.getArgNumber()] + "_ahead");
      const std::string vector = fmt::format("Vector<{}, {}>", type_text(value.getType()), s_.width);
      if (s_.has_groups()) {
        held_.push_back(
            fmt::format("alignas(16) {} {}[{}][2][{}][{}];", vector, ahead, s_.rows_at_once, s_.chunks, s_.threads));
        ahead = "held." + ahead + "[of_block]";
      } else {
        shared_.push_back(
            fmt::format("alignas(16) __shared__ {} {}[2][{}][{}];", vector, ahead, s_.chunks, s_.threads));
      }
      const Access& access = form_.in[argument.getArgNumber()];
      const std::string from = addresses_.pointer(v_.words.inputs[argument.getArgNumber()], access);
      const int size = bytes_of_element(value.getType()), piece = std::min(s_.width, 16 / size);
      for (int i = 0; i < s_.width; i += piece)
        copies.push_back(fmt::format("copy_async<{}>(&{}[slot][{}][t]{}, {}{}, true);", piece * size, ahead,
                                     chunk_index(), i > 0 ? fmt::format(".values[{}]", i) : "", from,
                                     i > 0 ? fmt::format(" + {}", i) : ""));
      takes.push_back(
          fmt::format("{0}[{1}] = load<{2}>({3}[slot][{1}][t].values);", name, chunk_index(), s_.width, ahead));
    }
    walk(outside, once);
    const char* type = addresses_.offset_type();
    Lines bring, ask, singles;
    if (s_.row_dims.size() > 1) addresses_.decode(bring, "row", s_.row_dims, 1), ask = bring;
    walk(bring, copies);
    outside.push_back(fmt::format("const auto bring = [&]({} row, int slot) {{", type));
    append(outside, bring, 1);
    outside.push_back("  end_group();");
    outside.push_back("};");
    outside.push_back("bring(group, 0);");
    for (mlir::BlockArgument argument : singles_of_row()) {
      const unsigned k = argument.getArgNumber();
      const std::string &input = v_.words.inputs[k], type_of = type_text(argument.getType());
      const std::string next = v_.names.identifier(input + "_next"), here = v_.names.identifier(input + "_at");
      outside.push_back(fmt::format("{} {};", type_of, next));
      ask.push_back(fmt::format("{} = {};", next, addresses_.element(input, form_.in[k], false)));
      singles.push_back(fmt::format("const {} {} = {};", type_of, here, next));
      v_.call_in_row(argument, here);
    }
    if (!singles.empty()) {
      outside.push_back(fmt::format("const auto ask = [&]({} row) {{", type));
      append(outside, ask, 1);
      outside.push_back("};");
      outside.push_back("ask(group);");
      singles.push_back(fmt::format("ask(row + {0} < {1} ? row + {0} : row);", s_.groups, s_.rows));
    }
    outside.push_back("int slot = 0;");
    Lines next = {fmt::format("if (row + {0} < {1}) bring(row + {0}, slot ^ 1);  // while this one is computed",
                              s_.groups, s_.rows),
                  "else end_group();"};
    append(next, singles, 0);
    next.push_back("wait_for_groups<1>();");
    inside.insert(inside.begin(), next.begin(), next.end());
    walk(inside, takes, /*decodes=*/false);
  }

  // Each thread brings what it reads itself.
  void bring_rows(Lines& to) {
    Lines visit;
    for (auto& [value, name] : kept_) {
      const unsigned argument = mlir::cast<mlir::BlockArgument>(value).getArgNumber();
      const Access& access = form_.in[argument];
      const std::string& base = v_.words.inputs[argument];
      const int bytes = bytes_of_element(value.getType());
      held_.push_back(fmt::format("alignas(16) {} {}[{}];", type_text(value.getType()), name, s_.columns));
      name = "held." + name;
      if (s_.width * bytes == 16 && is_vector(form_, s_, access, bytes)) {
        visit.push_back(fmt::format("copy_async<16>({} + column, {}, true);", name, addresses_.pointer(base, access)));
        continue;
      }
      if (s_.width > 1) {
        visit.push_back("#pragma unroll");
        visit.push_back(fmt::format("for (int i = 0; i < {}; ++i)", s_.width));
      }
      visit.push_back(fmt::format("{}{}[column{}] = {};", s_.width > 1 ? "  " : "", name, s_.width > 1 ? " + i" : "",
                                  addresses_.element(base, access, true)));
    }
    if (visit.empty()) return;
    walk(to, visit);
    to.push_back("end_group();");
    is_on_its_way_ = true;
    name_what_waits_for_nothing();
  }

  // Values of a row that wait for no reduction are computed while the row is on its way, whoever reads them.
  void name_what_waits_for_nothing() {
    for (mlir::Operation& op : form_.body->without_terminator()) {
      if (op.getNumResults() != 1 || mlir::isa<fuse::ReduceOp>(op)) continue;
      const codegen::ValueFacts& facts = stages_.of(op.getResult(0));
      if (facts.level == 0 && (facts.dims & form_.row_set()) != 0 && !v_.is_lane(op.getResult(0)))
        v_.name_of(op.getResult(0));
    }
  }

  // What runs once for a row stands before a walk over it, and while the row is on its way to shared memory.
  void begin_walk(Lines& to) {
    append(to, v_.row, 0);
    v_.row.clear();
    if (is_on_its_way_) to.push_back("wait_for_groups<0>();");
    is_on_its_way_ = false;
  }

  // Names of what earlier passes left in registers, or rows in shared memory.
  void begin_pass(int pass) {
    for (auto& [value, name] : of_columns_)
      v_.call_in_lane(value, fmt::format("{}[{}][{}]", name, chunk_index(), lane_index()));
    if (s_.in_shared_memory) {
      for (auto& [value, name] : kept_) {
        const std::string here = v_.names.identifier(name.substr(name.find('.') + 1) + "_at");
        v_.chunk.push_back(fmt::format("const Vector<{}, {}> {} = load<{}>({} + column);", type_text(value.getType()),
                                       s_.width, here, s_.width, name));
        v_.call_in_lane(value, fmt::format("{}[{}]", here, lane_index()));
      }
      return;
    }
    for (auto& [value, name] : kept_)
      if (!value.getDefiningOp() || stages_.of(value).level < pass)
        v_.call_in_lane(value, fmt::format("{}[{}][{}]", name, chunk_index(), lane_index()));
  }

  void keep_in_pass(int pass) {
    for (auto& [value, name] : kept_) {
      if (!value.getDefiningOp() || stages_.of(value).level != pass) continue;
      v_.lane.push_back(fmt::format("{}[{}][{}] = {};", name, chunk_index(), lane_index(), v_.name_of(value)));
    }
  }

  std::string across(mlir::Operation* reduce, const std::string& part) {
    const std::string how = combine_name(reduce), type = type_text(reduce->getResult(0).getType());
    if (s_.kind == Kind::lanes) {
      if (s_.threads == 1) return part;
      const std::string slots = v_.names.identifier(part + "_slots");
      shared_.push_back(fmt::format("__shared__ {} {}[{}][32];", type, slots, s_.threads));
      return fmt::format("across_warps<{}, {}>({}, {})", how, s_.threads, part, slots);
    }
    if (s_.threads == 1) return part;
    if (s_.threads == 32) return fmt::format("across_warp<{}>({})", how, part);
    if (s_.threads < 32) return fmt::format("across_lanes<{}, {}>({})", how, s_.threads, part);
    ++block_barriers_;
    return fmt::format("across_block<{}, {}>({}, {})", how, s_.threads / 32, part, block_slots(reduce, part));
  }

  // Of all threads, whatever rows they hold.
  std::string across_whole_block(mlir::Operation* reduce, const std::string& name, const std::string& own) {
    const std::string slots = v_.names.identifier(name + "_slots");
    const int warps = s_.block() / 32;
    shared_.push_back(fmt::format("__shared__ {} {}[{}];", type_text(reduce->getResult(0).getType()), slots, warps));
    return fmt::format("across_block<{}, {}>({}, {})", combine_name(reduce), warps, own, slots);
  }

  // Rows in turns have slots of their own: who has passed the one barrier of a row has read what the row before it left.
  bool alternates_slots() const { return is_ahead_ && last_level() == 1; }

  std::string block_slots(mlir::Operation* reduce, const std::string& part) {
    const std::string slots = v_.names.identifier(part + "_slots");
    std::string extents = fmt::format("[{}]", s_.threads / 32), own;
    if (s_.has_groups()) extents = fmt::format("[{}]{}", s_.rows_at_once, extents), own = "[of_block]";
    if (alternates_slots()) extents = "[2]" + extents, own = "[slot]" + own;
    shared_.push_back(fmt::format("__shared__ {} {}{};", type_text(reduce->getResult(0).getType()), slots, extents));
    return slots + own;
  }

  // The same in two steps, so that several reductions share a barrier: leaves the part, and returns what takes all.
  std::string taken_after_barrier(mlir::Operation* reduce, const std::string& part, Lines& to) {
    const std::string how = combine_name(reduce), slots = block_slots(reduce, part);
    to.push_back(fmt::format("leave<{}>({}, {});", how, part, slots));
    return fmt::format("taken<{}>({})", how, slots);
  }

  // `part` and one more element of the reduction. A product that only this sum wants need not be rounded by itself.
  std::string with_element(mlir::Operation* reduce, const std::string& part) {
    mlir::Value value = reduce->getOperand(0);
    auto product = value.getDefiningOp<mlir::arith::MulFOp>();
    if (!product || !product->hasOneUse() || kept_.contains(value) || combine_name(reduce) != "Sum" ||
        v_.words.rounding == Rounding::of_each_op)
      return combine_text(reduce, part, v_.name_of(value));
    const std::string x = v_.name_of(product.getLhs()), y = v_.name_of(product.getRhs());
    return fmt::format("::{}({}, {}, {})", value.getType().isF64() ? "fma" : "fmaf", x, y, part);
  }

  void reduce_pass(int pass, Lines& to) {
    begin_pass(pass);
    std::vector<std::pair<mlir::Operation*, std::string>> parts;
    for (mlir::Operation* reduce : reduces_at(pass)) {
      if (picks(reduce)) continue;
      const std::string part = v_.names.numbered(word_of(reduce) + "_part");
      const std::string taken = with_element(reduce, part);
      v_.row.push_back(fmt::format("{} {} = {};", type_text(reduce->getResult(0).getType()), part, start_text(reduce)));
      v_.lane.push_back(part + " = " + taken + ";");
      parts.push_back({reduce, part});
    }
    keep_in_pass(pass);
    const Lines visit = v_.neighbours({});
    begin_walk(to);
    walk(to, visit);
    const bool share_barrier =
        !parts.empty() && (parts.size() > 1 || s_.has_groups()) && s_.kind == Kind::rows && s_.threads > 32;
    std::vector<std::string> whole;
    for (auto& [reduce, part] : parts)
      whole.push_back(share_barrier ? taken_after_barrier(reduce, part, to) : across(reduce, part));
    if (share_barrier) {
      ++block_barriers_;
      to.push_back(barrier());
    }
    for (auto [found, text] : llvm::zip(parts, whole)) {
      mlir::Operation* reduce = found.first;
      const std::string name = v_.names.numbered(word_of(reduce));
      to.push_back(fmt::format("const {} {} = {};{}", type_text(reduce->getResult(0).getType()), name, text,
                               v_.comment(reduce)));
      v_.call_in_row(reduce->getResult(0), name);
    }
  }

  // The highest element and the sum of exponentials under it in one walk; what else waits for nothing goes along.
  void running_pass(const RunningSum& running, Lines& to) {
    begin_pass(0);
    const std::string highest = v_.names.numbered("highest_part"), sum = v_.names.numbered("sum_part"),
                      now = v_.names.numbered("highest_now"), taken = v_.names.numbered("taken"),
                      shift = v_.names.numbered("shift");
    std::vector<std::pair<mlir::Operation*, std::string>> others;
    for (mlir::Operation* reduce : reduces_at(0)) {
      if (reduce == running.highest || picks(reduce)) continue;
      const std::string part = v_.names.numbered(word_of(reduce) + "_part"), more = with_element(reduce, part);
      v_.row.push_back(fmt::format("{} {} = {};", type_text(reduce->getResult(0).getType()), part, start_text(reduce)));
      v_.lane.push_back(part + " = " + more + ";");
      others.push_back({reduce, part});
    }
    const std::string element = v_.name_of(running.highest->getOperand(0));
    v_.row.push_back(fmt::format("float {} = -infinity;", highest));
    v_.row.push_back(fmt::format("float {} = 0.f;", sum));
    v_.chunk.push_back(fmt::format("Vector<float, {}> {};", s_.width, taken));
    v_.chunk.push_back(fmt::format("float {} = {};", now, highest));
    v_.lane.push_back(fmt::format("{}[{}] = {};", taken, lane_index(), element));
    v_.lane.push_back(fmt::format("{0} = Max::of({0}, {1});", now, element));
    Lines visit = v_.neighbours({fmt::format("{0} = {0} * rescale({1}, {2});", sum, highest, now),
                                 fmt::format("{} = {};", highest, now),
                                 fmt::format("const float {} = shift_under({});", shift, now)});
    v_.lane.push_back(fmt::format("{0} = {0} + exp2(log2_e * ({1}[{2}] - {3}));", sum, taken, lane_index(), shift));
    append(visit, v_.neighbours({}), 0);
    begin_walk(to);
    walk(to, visit);
    auto whole = [&](mlir::Operation* reduce, const std::string& part) {
      const std::string name = v_.names.numbered(word_of(reduce)), text = across(reduce, part);
      to.push_back(fmt::format("const {} {} = {};{}", type_text(reduce->getResult(0).getType()), name, text,
                               v_.comment(reduce)));
      v_.call_in_row(reduce->getResult(0), name);
      return name;
    };
    for (auto& [reduce, part] : others) whole(reduce, part);
    const std::string of_row = whole(running.highest, highest);
    to.push_back(fmt::format("{0} = {0} * rescale({1}, {2});", sum, highest, of_row));
    whole(running.sum, sum);
  }

  // A sum of `element is at place p ? x : 0` is x there: said in the row's lines, for an x that is an input or one widened.
  // Every thread reads it, so where a result lies in x all have to have it before one stores: another reduction waits for that.
  bool picks(mlir::Operation* reduce) {
    const bool waits = llvm::any_of(stages_.nests, [&](const codegen::Nest& nest) {
      return llvm::any_of(nest.reduces, [&](mlir::Operation* other) { return !is_picked(other); });
    });
    if (!is_picked(reduce) || !(v_.words.writes_elsewhere || waits)) return false;
    auto choice = reduce->getOperand(0).getDefiningOp<mlir::arith::SelectOp>();
    auto widened = choice.getTrueValue().getDefiningOp<mlir::arith::ExtFOp>();
    auto argument = mlir::cast<mlir::BlockArgument>(widened ? widened.getIn() : choice.getTrueValue());
    const std::string named = v_.place_of_row(choice.getCondition().getDefiningOp<mlir::arith::CmpIOp>());
    const std::string type = type_text(reduce->getResult(0).getType()), name = v_.names.numbered(word_of(reduce));
    const std::string element =
        addresses_.element(v_.words.inputs[argument.getArgNumber()], form_.in[argument.getArgNumber()], false);
    v_.row.push_back(fmt::format("{} {} = {};", type, name, start_text(reduce)));
    v_.row.push_back(fmt::format("if (const int column = {}; column >= 0 && column < {})", named, s_.columns));
    v_.row.push_back(
        fmt::format("  {} = {};{}", name, widened ? scalar_text(widened, {element}) : element, v_.comment(reduce)));
    v_.call_in_row(reduce->getResult(0), name);
    return true;
  }
  bool is_picked(mlir::Operation* reduce) const {
    if (combine_name(reduce) != "Sum" || s_.inner_dims.size() != 1 || s_.kind != Kind::rows) return false;
    auto choice = reduce->getOperand(0).getDefiningOp<mlir::arith::SelectOp>();
    auto is = choice ? choice.getCondition().getDefiningOp<mlir::arith::CmpIOp>() : nullptr;
    if (!is || is.getPredicate() != mlir::arith::CmpIPredicate::eq || !v_.compares_place(is)) return false;
    auto zero = choice.getFalseValue().getDefiningOp<mlir::arith::ConstantOp>();
    auto none = zero ? mlir::dyn_cast<mlir::FloatAttr>(zero.getValue()) : nullptr;
    const Access& place = v_.place_access(is);
    const auto column = static_cast<size_t>(s_.inner_dims[0]);
    if (!none || !none.getValue().isPosZero() || place.dims() != form_.inner_set() || place.base != 0 ||
        place.stride[column] != 1)
      return false;
    auto widened = choice.getTrueValue().getDefiningOp<mlir::arith::ExtFOp>();
    auto argument = mlir::dyn_cast<mlir::BlockArgument>(widened ? widened.getIn() : choice.getTrueValue());
    if (!argument || v_.is_made_here(argument.getArgNumber())) return false;
    const Access& access = form_.in[argument.getArgNumber()];
    return access.linear() && (access.dims() & form_.inner_set()) != 0;
  }

  void last_pass(int pass, Lines& to) {
    begin_pass(pass);
    Lines after, last;
    for (size_t k = 0; k < stages_.columns.size(); ++k) {
      const codegen::Column& column = stages_.columns[k];
      const std::string sum = column.kept != 0
                                  ? fmt::format("{}[{}][{}]", v_.column_names[k], chunk_index(), lane_index())
                                  : v_.column_names[k];
      const std::string taken = with_element(column.reduce, sum);
      (is_row_sum(column) ? last : v_.lane).push_back(sum + " = " + taken + ";" + v_.comment(column.reduce));
    }
    for (unsigned k = 0; k < v_.yield->getNumOperands(); ++k) {
      if (column_behind(stages_, v_.yield->getOperand(k)) >= 0) continue;
      if (v_.is_lane_result(k)) {
        v_.write_lanes(k, addresses_.writer_condition(form_.out[k], true), after);
        continue;
      }
      std::string condition = s_.splits > 1 ? "t == 0 && split == 0" : "t == 0";
      const std::string others = addresses_.writer_condition(form_.out[k], false);
      if (!others.empty()) condition += " && " + others;
      if (clamps_rows()) condition += " && is_there";
      last.push_back(v_.write_once(k, condition));
    }
    if (clamps_rows()) {
      for (std::string& line : v_.lane)
        if (!line.starts_with("const ")) line = "if (is_there) " + line;
    }
    Lines visit = v_.neighbours(after);
    begin_walk(to);
    walk(to, visit);
    append(to, last, 0);
  }

  bool clamps_rows() const { return s_.kind == Kind::lanes && s_.rows % 32 != 0; }

  void begin_columns(Lines& to) {
    for (size_t k = 0; k < stages_.columns.size(); ++k) {
      const codegen::Column& column = stages_.columns[k];
      const std::string type = type_text(column.reduce->getResult(0).getType()), start = start_text(column.reduce);
      if (column.kept == 0) {
        to.push_back(fmt::format("{} {} = {};", type, v_.column_names[k], start));
        continue;
      }
      to.push_back(fmt::format("Vector<{}, {}> {}[{}];", type, s_.width, v_.column_names[k], s_.chunks));
      to.push_back("#pragma unroll");
      to.push_back(fmt::format("for (int i = 0; i < {}; ++i) {}[i / {}][i % {}] = {};", s_.chunks * s_.width,
                               v_.column_names[k], s_.width, s_.width, start));
    }
  }

  // What no row changes is computed before the walk, in registers.
  void compute_columns(Lines& to) {
    const llvm::SetVector<mlir::Value> values = values_of_columns(form_, stages_);
    if (static_cast<int>(values.size()) * s_.width > most_of_columns) return;
    for (mlir::Value value : values) {
      auto argument = mlir::dyn_cast<mlir::BlockArgument>(value);
      const std::string word =
          argument ? v_.words.inputs[argument.getArgNumber()] : v_.word_of_value(value.getDefiningOp());
      const std::string name = v_.names.identifier(word + "_columns");
      to.push_back(fmt::format("Vector<{}, {}> {}[{}];", type_text(value.getType()), s_.width, name, s_.chunks));
      v_.lane.push_back(fmt::format("{}[{}][{}] = {};", name, chunk_index(), lane_index(), v_.name_of(value)));
      of_columns_[value] = name;
    }
    const Lines visit = v_.neighbours({});
    append(to, v_.row, 0);
    v_.row.clear();
    walk(to, visit);
  }

  // What the groups of a block have of a column, its last block's parts too, in each of them.
  void meet(size_t number, Lines& to) { s_.has_groups() ? meet_in_groups(number, to) : meet_in_warps(number, to); }

  void meet_in_groups(size_t number, Lines& to) {
    mlir::Operation* reduce = stages_.columns[number].reduce;
    met_bytes_ = std::max(met_bytes_, bytes_of_element(reduce->getResult(0).getType()));
    to.push_back("#pragma unroll");
    to.push_back(fmt::format("for (int c = 0; c < {0}; ++c) {1}[c] = across_groups<{2}, {3}, {4}>({1}[c], held.met);",
                             s_.chunks, v_.column_names[number], combine_name(reduce), s_.rows_at_once, s_.threads));
  }

  void meet_in_warps(size_t number, Lines& to) {
    mlir::Operation* reduce = stages_.columns[number].reduce;
    const std::string type = type_text(reduce->getResult(0).getType()), &name = v_.column_names[number];
    const int warps = s_.block() / 32;
    auto [slots, fresh] = column_slots_.try_emplace(number, v_.names.identifier(name + "_slots"));
    if (fresh)
      shared_.push_back(
          fmt::format("__shared__ Vector<{}, {}> {}[{}][{}];", type, s_.width, slots->second, warps, s_.threads));
    to.push_back(fmt::format("{0}[0] = across_rows<{1}>({0}[0], {2});", name, combine_name(reduce), slots->second));
  }

  void end_columns(Lines& to) {
    Lines visit;
    for (size_t k = 0; k < stages_.columns.size(); ++k) {
      const codegen::Column& column = stages_.columns[k];
      const std::string part = v_.column_names[k] + "_part";
      if (column.kept != 0 && s_.meets) meet(k, to);
      if (column.kept != 0) {
        const std::string place =
            s_.meets ? fmt::format("static_cast<i64>(group / {})", s_.rows_at_once) : "static_cast<i64>(group)";
        const std::string at = fmt::format("{} + {} * {} + column", part, place, s_.columns);
        visit.push_back(conditional(s_.meets ? fmt::format("threadIdx.x < {}", s_.threads) : "",
                                    fmt::format("store({}, {}[{}]);", at, v_.column_names[k], chunk_index())));
        continue;
      }
      std::string own = v_.column_names[k];
      if (s_.meets) {
        if (is_row_sum(column))  // each thread of a row has all of it
          own =
              fmt::format("t == 0{} ? {} : {}", s_.splits > 1 ? " && split == 0" : "", own, start_text(column.reduce));
        const std::string whole = v_.names.identifier(v_.column_names[k] + "_whole");
        to.push_back(fmt::format("const auto {} = {};", whole, across_whole_block(column.reduce, whole, own)));
        to.push_back(fmt::format("if (threadIdx.x == 0) {}[blockIdx.x] = {};", part, whole));
        continue;
      }
      if (!is_row_sum(column) && form_.inner_set() != 0) {
        own = v_.names.identifier(v_.column_names[k] + "_whole");
        to.push_back(fmt::format("const auto {} = {};", own, across(column.reduce, v_.column_names[k])));
      }
      to.push_back(fmt::format("if (t == 0) {}[group] = {};", part, own));
    }
    walk(to, visit, /*decodes=*/false);
  }

  // The last block writes what the parts come to.
  void add_up_parts(Lines& to) {
    const int64_t last = last_blocks(stages_, s_);
    to.push_back(
        fmt::format("if (!is_last_block<{}>(arrived{})) return;", s_.blocks / last, last > 1 ? " + split" : ""));
    v_.leave_rows();
    for (size_t k = 0; k < stages_.columns.size(); ++k) {
      if (!last_block_adds(stages_, s_, stages_.columns[k])) continue;
      stages_.columns[k].kept != 0 ? add_columns(k, to) : add_numbers(k, to);
    }
  }

  void add_numbers(size_t number, Lines& to) {
    mlir::Operation* reduce = stages_.columns[number].reduce;
    const std::string type = type_text(reduce->getResult(0).getType()), name = v_.names.numbered(word_of(reduce)),
                      slots = v_.names.identifier(name + "_slots");
    shared_.push_back(fmt::format("__shared__ {} {}[{}];", type, slots, s_.block() / 32));
    to.push_back(fmt::format("const {} {} = across_parts<{}, {}>({}_part, {}, {});", type, name, combine_name(reduce),
                             s_.parts(false), v_.column_names[number], start_text(reduce), slots));
    v_.call_in_row(reduce->getResult(0), name);
    Lines writes, in_columns;  // a result may have columns, whose values are all this one
    each_result_of(number, [&](unsigned k) {
      if ((form_.out[k].dims() & form_.inner_set()) != 0) in_columns.push_back(v_.write_once(k, ""));
      else writes.push_back(v_.write_once(k, "threadIdx.x == 0"));
    });
    append(to, v_.row, 0);
    v_.row.clear();
    append(to, writes, 0);
    if (in_columns.empty()) return;
    to.push_back(fmt::format("for (int column = threadIdx.x; column < {}; column += {}) {{", s_.columns, s_.block()));
    Lines inside;
    if (s_.inner_dims.size() > 1) addresses_.decode_columns(inside);
    append(inside, in_columns, 0);
    append(to, inside, 1);
    to.push_back("}");
  }

  // Where the groups of a block meet, each adds some of the parts.
  void add_columns(size_t number, Lines& to) {
    mlir::Operation* reduce = stages_.columns[number].reduce;
    const std::string& name = v_.column_names[number];
    const std::string all = fmt::format("{}[{}]", name, chunk_index());
    Lines sum = {fmt::format("{} = every_part<{}, {}, {}, {}, {}>({}_part + column, {}, {});", all,
                             combine_name(reduce), s_.width, s_.parts(true), s_.meets ? s_.rows_at_once : 1, s_.columns,
                             name, s_.meets ? fmt::format("static_cast<int>(threadIdx.x) / {}", s_.threads) : "0",
                             start_text(reduce))};
    walk(to, sum, /*decodes=*/false);
    if (s_.meets) meet(number, to);
    v_.call_in_lane(reduce->getResult(0), fmt::format("{}[{}]", all, lane_index()));
    Lines after;
    each_result_of(number, [&](unsigned k) { v_.write_lanes(k, "", after); });
    Lines visit = v_.neighbours(after);
    append(to, v_.row, 0);
    v_.row.clear();
    Lines writes;
    walk(writes, visit);
    if (s_.rows_at_once > 1) to.push_back(fmt::format("if (threadIdx.x < {}) {{", s_.threads));
    append(to, writes, s_.rows_at_once > 1 ? 1 : 0);
    if (s_.rows_at_once > 1) to.push_back("}");
  }

  template <class F> void each_result_of(size_t column, F visit) {
    for (unsigned k = 0; k < v_.yield->getNumOperands(); ++k)
      if (column_behind(stages_, v_.yield->getOperand(k)) == static_cast<int>(column)) visit(k);
  }

  ValuesText& v_;
  const Form& form_;
  const Stages& stages_;
  const RowSchedule& s_;
  const Addresses& addresses_;
  llvm::MapVector<mlir::Value, std::string> kept_;        // in registers between passes
  llvm::MapVector<mlir::Value, std::string> of_columns_;  // in registers from before the walk over rows
  Lines shared_, held_;
  std::map<size_t, std::string> column_slots_;  // where the warps of a block meet for a sum over all rows
  int block_barriers_ = 0;
  int met_bytes_ = 0;           // of an element that groups meet for
  bool is_ahead_ = false;       // rows come to shared memory before their turn
  bool is_on_its_way_ = false;  // this one does, and nobody has waited for it
};

}  // namespace

RowsText rows_text(ValuesText& values) { return Rows(values).all(); }

}  // namespace tessera::cuda
