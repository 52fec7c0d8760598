#include <tessera/codegen/cuda/print/print_cuda.h>

#include <vector>

#include "llvm/ADT/TypeSwitch.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

#include <fmt/format.h>

#include <tessera/codegen/cuda/print/expressions.h>
#include <tessera/codegen/cuda/rows/parameters.h>
#include <tessera/codegen/cuda/rows/scalar_text.h>

namespace tessera::cuda {
namespace {

using namespace mlir;
using tile::KernelOp;
using tile::RoleOp;

constexpr size_t line_width = 120;

std::string element_name(Type type) {
  return type.isBF16() ? "bf16" : type.isF16() ? "f16" : type.isTF32() ? "tf32" : type.isF32() ? "float" : "int";
}

std::string tile_name(tile::SmemType type) {
  return fmt::format("Tile<{}, {}, {}>", element_name(type.getElement()), tile::rows(type), tile::columns(type));
}

std::string variable_type(Type type) {
  if (auto fragment = llvm::dyn_cast<tile::FragmentType>(type))
    return fmt::format("Fragment<{}{}>", fragment.getShape()[1], fragment.getElement().isBF16() ? ", bf16" : "");
  if (llvm::isa<tile::RowType>(type)) return "Row";
  return type.isInteger(1) ? "bool" : element_name(type);
}

class Printer {
 public:
  explicit Printer(KernelOp kernel) : kernel_(kernel) {}

  FailureOr<std::string> print() {
    for (Operation& op : kernel_.getBody().front())
      if (auto role = llvm::dyn_cast<RoleOp>(op)) roles_.push_back(role);
    if (roles_.size() != 2 || !roles_[0].getOneThread() || roles_[1].getOneThread())
      return kernel_.emitError("is printed with one role of one thread, then one of whole warpgroups"), failure();
    for (RoleOp role : roles_) warpgroups_ += static_cast<int64_t>(role.getWarpgroups());
    head();
    shared();
    signature();
    prologue();
    for (RoleOp role : roles_) print_role(role);
    line("}");
    leave();
    line("}");
    line("");
    line("}  // namespace tessera");
    if (failed_ || say_.failed()) {
      if (!failed_) emitError(say_.failed().getLoc(), "has no spelling in CUDA");
      return failure();
    }
    return text_;
  }

 private:
  // ---- lines, scopes and names ----

  void line(const std::string& text) {
    if (!text.empty()) text_.append(static_cast<size_t>(2 * depth_), ' ');
    text_ += text + "\n";
  }
  void enter() { ++depth_, scopes_.emplace_back(); }
  void leave() { --depth_, scopes_.pop_back(); }

  // A name that no enclosing scope uses.
  std::string declare(std::string wanted) {
    auto taken = [&](const std::string& name) {
      for (const auto& scope : scopes_)
        if (llvm::is_contained(scope, name)) return true;
      return false;
    };
    std::string name = wanted;
    for (int i = 2; taken(name); ++i) name = fmt::format("{}_{}", wanted, i);
    scopes_.back().push_back(name);
    return name;
  }
  std::string declare(Value value, const char* otherwise) {
    std::string name = name_of(value.getLoc());
    name = declare(name.empty() ? otherwise : name);
    say_.name(value, name);
    return name;
  }
  void fail(Operation* op, const char* why) {
    op->emitError(why);
    failed_ = true;
  }

  // ---- the kernel ----

  void head() {
    for (auto [i, attribute] : llvm::enumerate(kernel_.getAbout())) {
      const std::string about = llvm::cast<StringAttr>(attribute).str();
      if (i == 0 && !kernel_.getTensors()) line(fmt::format("// kernel {}    {}", kernel_.getName().str(), about));
      else line(about.empty() ? "//" : "// " + about);
    }
    kernel_.walk([&](tile::FinishOp) { finishes_ = true; });
    if (kernel_.getEarly()) line("#include \"early.cuh\"");
    if (finishes_) line("#include \"rows.cuh\"");
    line("#include \"tile.cuh\"");
    line("");
    line("namespace tessera {");
    line("");
  }

  // Texts of one program may be compiled together.
  std::string shared_name() { return kernel_.getTensors() ? kernel_.getName().str() + "_shared" : "Shared"; }

  void shared() {
    line(fmt::format("struct {} {{", shared_name()));
    ++depth_;
    for (Operation& op : kernel_.getBody().front()) {
      if (auto buffer = llvm::dyn_cast<tile::SharedOp>(op)) {
        tile::SmemType type = buffer.getResult().getType();
        const bool many = type.getShape().size() == 3;
        line(fmt::format("{} {}{};", tile_name(type), buffer.getName().str(),
                         many ? fmt::format("[{}]", type.getShape()[0]) : ""));
        say_.name(buffer.getResult(), "shared." + buffer.getName().str());
      }
      if (auto values = llvm::dyn_cast<tile::ColumnValuesOp>(op)) {
        tile::ValuesType type = values.getResult().getType();
        line(fmt::format("ColumnValues<{}, {}> {}[{}];", element_name(type.getElement()), type.getShape()[1],
                         values.getName().str(), type.getShape()[0]));
        say_.name(values.getResult(), "shared." + values.getName().str());
      }
      if (auto halves = llvm::dyn_cast<tile::HalvesOp>(op)) {
        tile::HalvesType type = halves.getResult().getType();
        line(fmt::format("Halves<{}> {};", type.getShape()[1], halves.getName().str()));
        say_.name(halves.getResult(), "shared." + halves.getName().str());
      }
      if (auto arrivals = llvm::dyn_cast<tile::ArrivalsOp>(op)) {
        tile::ArrivalsType type = arrivals.getResult().getType();
        line(fmt::format("Arrivals<{}> {}[{}];", type.getShape()[1], arrivals.getName().str(), type.getShape()[0]));
        say_.name(arrivals.getResult(), "shared." + arrivals.getName().str());
      }
      if (auto channel = llvm::dyn_cast<tile::ChannelOp>(op)) {
        const std::string cluster = tile::lands_in_all_blocks(channel) ? fmt::format(", {}", kernel_.getCluster()) : "";
        line(fmt::format("Channel<{}{}> {};", channel.getDepth(), cluster, channel.getName().str()));
        say_.name(channel.getResult(), channel.getName().str());  // the role's end of it
      }
    }
    kernel_.walk([&](tile::ForTilesOp loop) { draws_ = draws_ || loop.getCounter(); });
    if (draws_) line("Tickets tickets;");
    --depth_;
    line("};");
    line("");
  }

  void signature() {
    const std::string name = kernel_.getName().str();
    std::string boxes;
    std::vector<std::string> parameters;
    scopes_.emplace_back();
    for (BlockArgument argument : kernel_.getBody().getArguments()) {
      const std::string parameter = declare(argument, "argument");
      if (auto map = llvm::dyn_cast<tile::MapType>(argument.getType())) {
        boxes += fmt::format("{}{}", boxes.empty() ? "" : ", ", tile::lines(map));
        parameters.push_back("const TensorMap __grid_constant__ " + parameter);
      } else if (auto pointer = llvm::dyn_cast<tile::PointerType>(argument.getType())) {
        parameters.push_back(fmt::format("{}{}*{} {}", pointer.getRead() ? "const " : "",
                                         type_text(pointer.getElement()), pointer.getAlias() ? "" : " __restrict__",
                                         parameter));
      } else {
        parameters.push_back(element_name(argument.getType()) + " " + parameter);
      }
    }
    const std::string launch =
        fmt::format("extern \"C\" __constant__ Launch {}_launch = {}{{{}, {}, sizeof({}), {{{}}}", name,
                    kernel_.getEarly() ? "early(" : "", 128 * warpgroups_, kernel_.getCluster(), shared_name(), boxes);
    const std::string closing = kernel_.getEarly() ? "});" : "};";
    if (kernel_.getTensors()) tensors(launch, closing);
    else line(launch + closing);
    line("");
    line(fmt::format("extern \"C\" __global__ void {}__launch_bounds__({}, 1)",
                     kernel_.getCluster() > 1 ? fmt::format("__cluster_dims__({}, 1, 1) ", kernel_.getCluster()) : "",
                     128 * warpgroups_));
    std::string row = name + "(";
    const std::string margin(row.size(), ' ');
    for (auto [i, parameter] : llvm::enumerate(parameters)) {
      const std::string end = i + 1 < parameters.size() ? "," : ") {";
      if (row.size() > margin.size() && row.size() + 1 + parameter.size() + end.size() > line_width) {
        line(row);
        row = margin;
      }
      row += (row.size() > margin.size() ? " " : "") + parameter + end;
    }
    line(row);
    enter();
  }

  // What the maps are made of, one a line: see device/launch.cuh.
  void tensors(const std::string& launch, const std::string& closing) {
    ArrayAttr all = *kernel_.getTensors();
    line(fmt::format("{}, {}, {{", launch, all.size()));
    for (auto [i, attribute] : llvm::enumerate(all)) {
      llvm::ArrayRef<int64_t> numbers = llvm::cast<DenseI64ArrayAttr>(attribute).asArrayRef();
      const auto parameter = kernel_.getBody().getArgument(static_cast<unsigned>(numbers[0]));
      auto type = llvm::cast<tile::MapType>(parameter.getType());
      const auto rank = static_cast<size_t>(type.getExtra());
      auto braces = [](const auto& all_of_them) {
        std::string text;
        for (int64_t x : all_of_them) text += fmt::format("{}{}", text.empty() ? "" : ", ", x);
        return "{" + text + "}";
      };
      auto list = [&](size_t begin, size_t count) { return braces(numbers.slice(begin, count)); };
      std::string window;
      if (const size_t from = 2 + 2 * rank, dims = rank - 2; numbers.size() > from)
        window =
            fmt::format(", {{{}, {}, {}}}", list(from, dims), list(from + dims, dims), list(from + 2 * dims, dims));
      const bool is_tf32 = type.getElement().isTF32();
      if (type.getShape().size() > 2) window = ", {}, " + braces(llvm::reverse(type.getShape().drop_back()));
      else if (is_tf32) window = ", {}, {}";
      if (is_tf32) window += ", MapElement::tf32";
      line(fmt::format("    {{{}, {}, {}, {}, {}{}}}{}", numbers[0], rank, numbers[1], list(2, rank),
                       list(2 + rank, rank), window, i + 1 < all.size() ? "," : "}" + closing));
    }
  }

  void prologue() {
    line(fmt::format("{0}& shared = shared_memory<{0}>();", shared_name()));
    if (kernel_.getEarly()) line(fmt::format("fetch_maps({});", parameters(llvm::IsaPred<tile::MapType>)));
    for (Operation& op : kernel_.getBody().front()) {
      if (auto halves = llvm::dyn_cast<tile::HalvesOp>(op)) line(say_.of(halves.getResult()) + ".init();");
      if (auto arrivals = llvm::dyn_cast<tile::ArrivalsOp>(op))
        line(fmt::format("init({});", say_.of(arrivals.getResult())));
      if (auto channel = llvm::dyn_cast<tile::ChannelOp>(op))
        line(fmt::format("shared.{}.init({});", channel.getName().str(), channel.getReaders()));
    }
    if (draws_) line(fmt::format("shared.tickets.init({});", 4 * roles_[1].getWarpgroups()));
    const bool sends_halves = !kernel_.getBody().getOps<tile::HalvesOp>().empty();
    line(sends_halves ? "publish_barriers_ahead();" : fmt::format("publish_barriers<{}>();", kernel_.getCluster()));
    if (kernel_.getEarly()) wait_for_launch_before();
    for (Operation& op : kernel_.getBody().front())
      if (!llvm::isa<RoleOp, tile::SharedOp, tile::ColumnValuesOp, tile::HalvesOp, tile::ArrivalsOp, tile::ChannelOp>(
              op))
        statement(op);
    line("");
  }

  // Behind what is written to shared memory, so that this is done meanwhile.
  void wait_for_launch_before() {
    line(cuda::wait_for_launch_before(parameters([](Type type) {
      auto pointer = llvm::dyn_cast<tile::PointerType>(type);
      return pointer && pointer.getRead();
    })));
  }
  std::string parameters(llvm::function_ref<bool(Type)> is_wanted) {
    std::string names;
    for (BlockArgument argument : kernel_.getBody().getArguments())
      if (is_wanted(argument.getType())) names += (names.empty() ? "" : ", ") + say_.of(argument);
    return names;
  }

  void print_role(RoleOp role) {
    const bool first = role == roles_[0];
    line(fmt::format("{}{{  // {}", first ? "if (warpgroup() == 0) " : "} else ", role.getName().str()));
    enter();
    const int64_t at_entry = 65536 / (128 * warpgroups_) / 8 * 8;
    const auto registers = static_cast<int64_t>(role.getRegisters());
    if (at_entry < 255)  // else there are as many as a thread can have, for all
      line(fmt::format("{}_registers<{}>();", registers < at_entry ? "give" : "take", registers));
    if (role.getOneThread()) {
      line("if (threadIdx.x == 0) {");
      enter();
    } else if (!role.getBody().getArgument(0).use_empty()) {
      const std::string index = declare(role.getBody().getArgument(0), "index");
      line(fmt::format("const int {} = warpgroup() - {};", index, roles_[0].getWarpgroups()));
    }
    ends_of_channels(role);
    for (Operation& op : role.getBody().front()) statement(op);
    if (role.getOneThread()) {
      leave();
      line("}");
    }
    leave();
  }

  void ends_of_channels(RoleOp role) {
    llvm::DenseSet<Value> writes, reads;
    tile::ForTilesOp drawn;
    role.walk([&](Operation* op) {
      if (auto put = llvm::dyn_cast<tile::PutOp>(op)) writes.insert(put.getChannel());
      if (auto get = llvm::dyn_cast<tile::GetOp>(op)) reads.insert(get.getChannel());
      if (auto loop = llvm::dyn_cast<tile::ForTilesOp>(op); loop && loop.getCounter()) drawn = loop;
    });
    for (Operation& op : kernel_.getBody().front())
      if (auto channel = llvm::dyn_cast<tile::ChannelOp>(op)) {
        const std::string name = channel.getName().str();
        if (writes.contains(channel)) line(fmt::format("Writer {0}(shared.{0});", declare(name)));
        if (reads.contains(channel)) line(fmt::format("Reader {0}(shared.{0});", declare(name)));
      }
    if (!drawn) return;
    if (role.getOneThread())
      line(fmt::format("TicketWriter tickets(shared.tickets, {}, {}.count());", say_.of(drawn.getCounter()),
                       say_.of(drawn.getOrder())));
    else line("TicketReader tickets(shared.tickets);");
  }

  // ---- statements ----

  void statement(Operation& op) {
    llvm::TypeSwitch<Operation*>(&op)
        .Case([&](scf::ForOp loop) { for_loop(loop); })
        .Case([&](scf::IfOp branch) { if_branch(branch); })
        .Case<scf::YieldOp, tile::YieldOp>([](auto) {})
        .Case([&](tile::ForTilesOp loop) { for_tiles(loop); })
        .Case([&](tile::RasterOp o) {
          const std::string grid =
              fmt::format("{{{}, {}, {}}}", say_.of(o.getRows()), say_.of(o.getColumns()), o.getGroup());
          if (o.getPlanes())
            line(fmt::format("const Planes {}{{{}, {}}};", declare(o, "tiles"), grid, say_.of(o.getPlanes())));
          else line(fmt::format("const Raster {}{};", declare(o, "tiles"), grid));
        })
        .Case([&](tile::LongestFirstOp o) {
          line(fmt::format("const LongestFirst {}{{{}, {}, {}}};", declare(o, "tiles"), say_.of(o.getRows()),
                           say_.of(o.getPlanes()), say_.of(o.getSection())));
        })
        .Case([&](tile::TurnsOp o) {
          line(fmt::format("Turns<{}> {}({});", o.getCount(), declare(o, "turns"), say_.of(o.getIndex())));
        })
        .Case([&](tile::TurnWaitOp o) { line(say_.of(o.getTurns()) + ".wait();"); })
        .Case([&](tile::TurnPassOp o) { line(say_.of(o.getTurns()) + ".pass();"); })
        .Case([&](tile::PutOp o) {
          std::string bytes;
          for (Value tile : o.getTiles())
            bytes += fmt::format("{}bytes_of<{}>", bytes.empty() ? "" : " + ",
                                 tile_name(llvm::cast<tile::SmemType>(tile.getType())));
          const std::string channel = say_.of(o.getChannel());
          line(fmt::format("const Slot {} = {}.put({});", declare(o.getSlot(), "slot"), channel, bytes));
        })
        .Case([&](tile::GetOp o) {
          const std::string channel = say_.of(o.getChannel());
          if (o.getSlot().use_empty()) line(channel + ".get();");
          else line(fmt::format("const int {} = {}.get();", declare(o.getSlot(), "slot"), channel));
        })
        .Case([&](tile::ReleaseOp o) { line(say_.of(o.getChannel()) + ".release();"); })
        .Case(
            [&](tile::SkipOp o) { line(fmt::format("{}.skip({});", say_.of(o.getChannel()), say_.of(o.getCount()))); })
        .Case([&](tile::BringColumnsOp o) {
          const std::string room = fmt::format("{}[{}]", say_.of(o.getRoom()), say_.of(o.getIndex()));
          const std::string first = say_.of(o.getFirst(), Binding::sum);
          line(fmt::format("{}.bring{}({} + {}{}, {} - {});", room, o.getDealt() ? "_dealt" : "", say_.of(o.getFrom()),
                           o.getBase() > 0 ? fmt::format("{} + ", o.getBase()) : "", first, o.getExtent(), first));
          say_.name(o.getResult(), room);
        })
        .Case([&](tile::AddHalvesOp o) {
          const std::string sums = fmt::format("{}.add({})", say_.of(o.getRoom()), say_.of(o.getValue()));
          line(fmt::format("const {} {} = {};", variable_type(o.getType()), declare(o, "whole"), sums));
        })
        .Case([&](tile::BesideOp o) {
          line(fmt::format("Beside<{}, {}, {}> {}({}[{}]);", o.getInputs(), o.getTiles(),
                           o.getRoom().getType().getShape().back(), declare(o, "beside"), say_.of(o.getRoom()),
                           say_.of(o.getIndex())));
        })
        .Case([&](tile::BringBesideOp o) { bring_beside(o); })
        .Case([&](tile::FinishOp o) { finish(o); })
        .Case([&](tile::DrainOp o) { line(say_.of(o.getChannel()) + ".drain();"); })
        .Case([&](tile::LoadOp o) {
          std::string function = o.getWindow().empty() ? "load" : "load_window";
          if (o.getToAll()) function += fmt::format("_to_all<{}>", kernel_.getCluster());
          const std::string window = o.getWindow().empty() ? "" : fmt::format(", {{{}}}", list(o.getWindow()));
          line(fmt::format("{}({}, {}, {}, {}{});", function, say_.of(o.getTile()), say_.of(o.getMap()),
                           say_.of(o.getSlot()), list(o.getAt()), window));
        })
        .Case([&](tile::StoreOp o) {
          line(fmt::format("store({}, {}, {}, {});", say_.of(o.getMap()), say_.of(o.getStaging()),
                           say_.of(o.getValue()), list(o.getAt())));
        })
        .Case([&](tile::StoreRowOp o) {
          line(fmt::format("store({} + {}, {}, {});", say_.of(o.getTo()), say_.of(o.getOffset(), Binding::sum),
                           say_.of(o.getValue()), say_.of(o.getCount())));
        })
        .Case([&](tile::WaitStoresOp) { line("store_wait_read<0>();"); })
        .Case([&](tile::EmptyOp o) { line(fmt::format("{} {};", variable_type(o.getType()), declare(o, "x"))); })
        .Case([&](tile::FillOp o) {
          const std::string value = say_.of(o.getValue());
          line(fmt::format("{} {}({});", variable_type(o.getType()), declare(o, "x"), value));
        })
        .Case([&](tile::MmaOp o) {
          in_place(o, o.getAcc(), o.getResult());
          line(fmt::format("{}({}, {}, {}, {});{}",
                           o.getATransposed() ? (o.getBTransposed() ? "mma_atbt" : "mma_atb")
                                              : (o.getBTransposed() ? "mma_abt" : "mma_ab"),
                           say_.of(o.getAcc()), say_.of(o.getA()), say_.of(o.getB()), say_.of(o.getAdd()), comment(o)));
        })
        .Case([&](tile::WaitMmaOp o) {
          if (o.getValue()) in_place(o, o.getValue(), o.getResult());
          line(fmt::format("mma_wait<{}>({});", o.getPending(), o.getValue() ? say_.of(o.getValue()) : ""));
        })
        .Case([&](tile::AddOp o) {
          in_place(o, o.getValue(), o.getResult());
          line(fmt::format("{}.add({});", say_.of(o.getValue()), say_.of(o.getMore())));
        })
        .Case([&](tile::ScaleRowsOp o) {
          in_place(o, o.getValue(), o.getResult());
          line(fmt::format("{}.scale_rows({});{}", say_.of(o.getValue()), say_.of(o.getBy()), comment(o)));
        })
        .Case([&](tile::MapOp o) { map_each(o); })
        .Default([&](Operation* o) { definition(o); });
  }

  // A value with a name becomes a variable; others are written where they are used.
  void definition(Operation* op) {
    if (op->getNumResults() != 1) return fail(op, "has no spelling in CUDA");
    Value value = op->getResult(0);
    const std::string name = name_of(op->getLoc());
    if (name.empty()) return;
    const std::string text = say_.of(value);
    const bool changes = llvm::any_of(value.getUsers(), [&](Operation* user) {
      auto loop = llvm::dyn_cast<scf::ForOp>(user);
      return loop && llvm::is_contained(loop.getInitArgs(), value);
    });
    line(fmt::format("{}{} {} = {};", changes ? "" : "const ", variable_type(value.getType()), declare(value, ""),
                     text));
  }

  std::string list(ValueRange values) {
    std::string text;
    for (Value value : values) text += (text.empty() ? "" : ", ") + say_.of(value);
    return text;
  }

  // What an op that changes a variable in place computes, where that is not the variable's own name.
  std::string comment(Operation* op) {
    const std::string name = name_of(op->getLoc());
    return name.empty() || name == say_.of(op->getResult(0)) ? "" : "  // " + name;
  }

  // `after` is `before`'s variable, changed: nobody may read `before` from here on.
  void in_place(Operation* op, Value before, Value after) {
    for (Operation* user : before.getUsers()) {
      Operation* ancestor = op->getBlock()->findAncestorOpInBlock(*user);
      if (ancestor && ancestor != op && op->isBeforeInBlock(ancestor))
        return fail(user, "reads a value that was changed in place");
    }
    if (!say_.is_named(before)) return fail(op, "changes a value that has no variable");
    say_.name(after, say_.of(before));
  }

  void map_each(tile::MapOp op) {
    in_place(op, op.getValue(), op.getResult());
    Block& body = op.getBody().front();
    std::string parameters;
    scopes_.emplace_back();
    for (BlockArgument argument : body.getArguments()) {
      const bool index = argument.getArgNumber() == 1 || argument.getArgNumber() == 2;
      parameters += parameters.empty() ? "" : ", ";
      parameters += index ? "int" : "float";
      if (!argument.use_empty()) parameters += " " + declare(argument, "x");
    }
    const std::string value = say_.of(llvm::cast<tile::YieldOp>(body.getTerminator()).getValue());
    scopes_.pop_back();
    const std::string rows = op.getRows().empty() ? "" : ", " + list(op.getRows());
    line(fmt::format("{}.map([&]({}) {{ return {}; }}{});{}", say_.of(op.getValue()), parameters, value, rows,
                     comment(op)));
  }

  void finish(tile::FinishOp op) {
    const size_t results = op.getMaps().size();
    const bool through = op.goes_through_shared();
    std::string ahead;  // what brings values of columns before the statements
    for (auto [values, name] : llvm::zip(op.getColumns(), op.getNames())) {
      auto type = llvm::cast<tile::ValuesType>(values.getType());
      const std::string called = llvm::cast<StringAttr>(name).str(), element = element_name(type.getElement());
      if (op.getDealt()) {
        line(fmt::format("const ColumnValues<{}, {}>& {} = {};", element, type.getShape()[0], called, say_.of(values)));
        continue;
      }
      line(fmt::format("Vector<{}, 2> {}[4];", element, called));
      ahead += fmt::format("{}{}.get(first, {});", ahead.empty() ? "" : " ", say_.of(values), called);
    }
    auto beside = op.getBeside() ? op.getBeside().getDefiningOp<tile::BringBesideOp>() : tile::BringBesideOp();
    line(op.getDealt() ? *op.getDealt() == 8 ? "finish_dealt(" : "finish_dealt<4>("
         : beside      ? fmt::format("finish_beside{}<{}>(", ahead.empty() ? "" : "_with_columns", results)
         : results > 0 ? fmt::format("finish{}<{}, {}, {}>(", ahead.empty() ? "" : "_with_columns", results,
                                     op.getAtOnce(), op.getBuffers())
         : through     ? "finish_through("
                       : "finish(");
    ++depth_, ++depth_;
    if (op.getStaging())
      line(fmt::format("{}{}[{}],", through ? "" : "&", say_.of(op.getStaging()), say_.of(op.getFirst())));
    if (beside) line(fmt::format("{}, {},", say_.of(beside.getBeside()), say_.of(op.getBeside())));
    if (!ahead.empty()) line("[&](int first) { " + ahead + " },");
    line(fmt::format("[&](int row, int column{}, const Vector<float, {}>& sum{}{}) {{",
                     ahead.empty() ? "" : ", int pair",
                     op.getDealt() ? *op.getDealt()
                     : through     ? 4
                                   : 2,
                     beside ? ", const u32* brought" : "", results > 0 ? ", u32* packed" : ""));
    ++depth_;
    for (Attribute text : op.getText()) {
      const std::string statement = llvm::cast<StringAttr>(text).str();
      if (statement.starts_with("#")) text_ += statement + "\n";
      else line(statement);
    }
    --depth_;
    line("},");
    if (results > 0) {
      boxes(op.getMaps(), op.getAt(), op.getStaging().getType(),
            "[&](int result, const {}& tile, int row, int column) {{", "result",
            op->hasAttr(evict_first) ? "store_evict_first({}, tile{});" : "store({}, tile{});");
      line("},");
    }
    line(list(op.getValues()) + ");");
    --depth_, --depth_;
  }

  // A function that moves box `which` of several: its head takes the name of a tile, its statement a map and coordinates.
  void boxes(ValueRange maps, ValueRange from, tile::SmemType tiles, const char* head, const char* which,
             const char* statement) {
    line(fmt::format(fmt::runtime(head), tile_name(tiles)));
    ++depth_;
    std::string at;
    for (auto [d, coordinate] : llvm::enumerate(from))
      at += ", " + say_.of(coordinate, d < 2 ? Binding::sum : Binding::choice) +
            (d == 0   ? " + column"
             : d == 1 ? " + row"
                      : "");
    for (auto [k, map] : llvm::enumerate(maps))
      line((maps.size() > 1 ? fmt::format("if ({} == {}) ", which, k) : "") +
           fmt::format(fmt::runtime(statement), say_.of(map), at));
    --depth_;
  }

  void bring_beside(tile::BringBesideOp op) {
    const std::string name = declare(op, "bring"), staging = say_.of(op.getStaging());
    boxes(
        op.getMaps(), op.getAt(), op.getStaging().getType(),
        ("const auto " + name + " = [&](int input, const {}& tile, const Slot& slot, int row, int column) {{").c_str(),
        "input", "load(tile, {}, slot{});");
    line("};");
    line(fmt::format("{}.begin<{}, {}>(&{}[{}], {});", say_.of(op.getBeside()), op.getColumns(), op.getFragments(),
                     staging, say_.of(op.getFirst()), name));
  }

  // ---- control ----

  void for_tiles(tile::ForTilesOp loop) {
    const std::string order = say_.of(loop.getOrder());
    if (loop.getCounter())
      line(fmt::format("for (int t = tickets.next(); t < {}.count(); t = tickets.next()) {{", order));
    else {
      const std::string per = kernel_.getCluster() > 1 ? fmt::format(" / {}", kernel_.getCluster()) : "";
      const std::string turn =
          loop.getTurn() ? fmt::format(" + {} * (gridDim.x{})", say_.of(loop.getTurn(), Binding::product), per) : "";
      line(fmt::format("for (int t = blockIdx.x{0}{2}; t < {1}.count(); t += gridDim.x{0}{3}) {{", per, order, turn,
                       loop.getOf() > 1 ? fmt::format(" * {}", loop.getOf()) : ""));
    }
    enter();
    line(fmt::format("const Place at = {}.at(t);", order));
    static constexpr const char* parts[] = {"at.row", "at.column", "at.plane"};
    for (BlockArgument argument : loop.getBody().getArguments()) {
      const char* part = parts[argument.getArgNumber()];
      if (name_of(argument.getLoc()).empty()) say_.name(argument, part);
      else line(fmt::format("const int {} = {};", declare(argument, ""), part));
    }
    for (Operation& op : loop.getBody().front()) statement(op);
    leave();
    line("}");
  }

  // What the loop carries are variables from before it, assigned where the body does not change them in place.
  void for_loop(scf::ForOp loop) {
    for (auto [init, carried, result] : llvm::zip(loop.getInitArgs(), loop.getRegionIterArgs(), loop.getResults())) {
      if (!say_.is_named(init)) return fail(loop, "carries a value that has no variable: name it");
      for (Operation* user : init.getUsers()) {
        Operation* ancestor = loop->getBlock()->findAncestorOpInBlock(*user);
        if (ancestor && ancestor != loop && loop->isBeforeInBlock(ancestor))
          return fail(user, "reads a value that the loop before it changes");
      }
      say_.name(carried, say_.of(init));
      say_.name(result, say_.of(init));
    }
    const std::string lower = say_.of(loop.getLowerBound()), upper = say_.of(loop.getUpperBound(), Binding::sum),
                      step = say_.of(loop.getStep());
    scopes_.emplace_back();
    const std::string wanted = name_of(loop.getLoc());
    const std::string index = declare(wanted.empty() ? "i" : wanted);
    say_.name(loop.getInductionVar(), index);
    // Steps that can be counted are unrolled if nothing is said, and then addresses of all of them take registers.
    if (has_countable_steps(loop)) text_ += "#pragma unroll 1\n";
    line(fmt::format("for (int {0} = {1}; {0} < {2}; {0} += {3}) {{", index, lower, upper, step));
    enter();
    for (Operation& op : *loop.getBody()) statement(op);
    llvm::DenseSet<Value> assigned;
    for (auto [carried, yielded] : llvm::zip(loop.getRegionIterArgs(), loop.getYieldedValues())) {
      if (say_.is_named(yielded) && say_.of(yielded) == say_.of(carried)) continue;
      if (reads(yielded, assigned)) return fail(loop, "assigns a value that a later one of its values reads");
      line(fmt::format("{} = {};", say_.of(carried), say_.of(yielded)));
      assigned.insert(carried);
    }
    leave();
    scopes_.pop_back();
    line("}");
  }

  // More than one, where the bounds are numbers, or a number apart.
  static bool has_countable_steps(scf::ForOp loop) {
    if (auto end = loop.getUpperBound().getDefiningOp<arith::AddIOp>(); end && end.getLhs() == loop.getLowerBound()) {
      const std::optional<int64_t> distance = getConstantIntValue(end.getRhs()),
                                   step = getConstantIntValue(loop.getStep());
      return distance && step && *distance > *step;
    }
    return loop.getStaticTripCount().value_or(llvm::APInt(32, 0)).ugt(1);
  }

  // Whether writing `value` down here would read one of `variables`.
  bool reads(Value value, const llvm::DenseSet<Value>& variables) {
    if (variables.contains(value)) return true;
    Operation* op = value.getDefiningOp();
    if (!op || say_.is_named(value)) return false;
    return llvm::any_of(op->getOperands(), [&](Value operand) { return reads(operand, variables); });
  }

  void if_branch(scf::IfOp branch) {
    const std::string condition = say_.of(branch.getCondition());
    std::string before = std::move(text_);
    text_.clear();
    enter();
    for (Operation& op : *branch.thenBlock()) statement(op);
    leave();
    std::string body = std::move(text_);
    text_ = std::move(before);
    if (branch.elseBlock()) {
      if (branch.elseBlock()->getOperations().size() > 1) return fail(branch, "has an else that does something");
      for (auto [yes, no, result] :
           llvm::zip(branch.thenYield()->getOperands(), branch.elseYield()->getOperands(), branch.getResults())) {
        if (!say_.is_named(yes) || !say_.is_named(no) || say_.of(yes) != say_.of(no))
          return fail(branch, "gives another value than one that it changes in place");
        say_.name(result, say_.of(no));
      }
    }
    const size_t margin = static_cast<size_t>(2 * depth_);
    const bool short_enough = llvm::count(body, '\n') == 1 && condition.size() + body.size() + 4 <= line_width;
    if (short_enough) {
      text_ += std::string(margin, ' ') + "if (" + condition + ") " + body.substr(margin + 2);
    } else {
      line("if (" + condition + ") {");
      text_ += body;
      line("}");
    }
  }

  KernelOp kernel_;
  std::vector<RoleOp> roles_;
  int64_t warpgroups_ = 0;
  bool draws_ = false, finishes_ = false, failed_ = false;
  Expressions say_;
  std::string text_;
  int depth_ = 0;
  std::vector<std::vector<std::string>> scopes_;
};

}  // namespace

FailureOr<std::string> print_cuda(KernelOp kernel) { return Printer(kernel).print(); }

}  // namespace tessera::cuda
