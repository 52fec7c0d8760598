#include <nlohmann/json.hpp>

#include <tessera/codegen/plan/plan.h>
#include <tessera/core/error.h>

namespace tessera::ir {
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Remark, category, name, missed, ops, other, text, reason, hint)
}  // namespace tessera::ir

namespace tessera::codegen {

using nlohmann::json;

// Members by name, once, for both directions.
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(PlanValue, place, number, bytes, offset, type, first, last)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(PlanKernel, key, symbol, name, kind)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(PlanCheck, word, extent, dim, op)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(PlanWrite, value, op, elements, is_part, infinite_by_text)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(PlanTypes, reads, multiplies, sums, writes)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(PlanLaunch, what, kernel, library, values, reads, writes, parameters, joins, tasks,
                                   scratch, checks, error_words, ops, bytes, flops, types, moves)

namespace {

std::string to_hex(const std::string& bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (unsigned char c : bytes) text += digits[c >> 4], text += digits[c & 15];
  return text;
}

std::string from_hex(const std::string& text) {
  auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string bytes;
  for (size_t k = 0; k + 1 < text.size(); k += 2) bytes += static_cast<char>(digit(text[k]) * 16 + digit(text[k + 1]));
  return bytes;
}

}  // namespace

std::string Plan::to_json() const {
  return json{{"name", name},
              {"values", values},
              {"arguments", arguments},
              {"results", results},
              {"donor", donor},
              {"kernels", kernels},
              {"launches", launches},
              {"remarks", remarks},
              {"constants", to_hex(constants)},
              {"arena_bytes", arena_bytes},
              {"peak_bytes", peak_bytes},
              {"scratch_bytes", scratch_bytes}}
      .dump();
}

Plan Plan::from_json(const std::string& text) {
  try {
    json all = json::parse(text);
    Plan plan;
    all.at("name").get_to(plan.name);
    all.at("values").get_to(plan.values);
    all.at("arguments").get_to(plan.arguments);
    all.at("results").get_to(plan.results);
    all.at("donor").get_to(plan.donor);
    all.at("kernels").get_to(plan.kernels);
    all.at("launches").get_to(plan.launches);
    all.at("remarks").get_to(plan.remarks);
    plan.constants = from_hex(all.at("constants").get<std::string>());
    all.at("arena_bytes").get_to(plan.arena_bytes);
    all.at("peak_bytes").get_to(plan.peak_bytes);
    all.at("scratch_bytes").get_to(plan.scratch_bytes);
    return plan;
  } catch (const json::exception& failure) {
    throw InternalError(std::string("a stored plan does not read back: ") + failure.what());
  }
}

}  // namespace tessera::codegen
