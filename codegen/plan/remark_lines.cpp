#include <tessera/codegen/plan/remark_lines.h>

#include <nlohmann/json.hpp>

#include <tessera/codegen/plan/explain.h>

namespace tessera::codegen {

std::string remark_lines(const Plan& plan, const Program& recorded) {
  std::string lines;
  for (const ir::Remark& remark : plan.remarks) {
    nlohmann::ordered_json line{{"category", remark.category}, {"name", remark.name}, {"missed", remark.missed}};
    if (!remark.ops.empty()) {
      const int op = remark.ops.front();
      line["op"] = name(recorded.instructions[static_cast<size_t>(op)].op);
      line["at"] = line_of(recorded, op);
      line["module"] = module_of(recorded, op);
    }
    line["ops"] = remark.ops;
    if (remark.other >= 0) {
      line["other"] = name(recorded.instructions[static_cast<size_t>(remark.other)].op);
      line["other_at"] = line_of(recorded, remark.other);
    }
    line["text"] = remark.text;
    if (!remark.reason.empty()) line["reason"] = remark.reason;
    if (!remark.hint.empty()) line["hint"] = remark.hint;
    lines += line.dump() + "\n";
  }
  return lines;
}

}  // namespace tessera::codegen
