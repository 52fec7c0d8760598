#include <tessera/core/second_recording.h>

#include <algorithm>
#include <cstring>
#include <string>

#include <tessera/core/error.h>

namespace tessera {
namespace {

constexpr const char* no_more = "no more";  // instructions

bool same_instruction(const Instruction& a, const Instruction& b) {
  return a.op == b.op && a.dtype == b.dtype && a.shape == b.shape && a.inputs == b.inputs;
}

// `found` is an instruction of the longer recording or of the second one.
[[noreturn]] void throw_changed(const Instruction& found, bool is_constant, std::string first, std::string second,
                                Loc compiled_at) {
  const Loc here = user_location(found.at, found.scope);
  throw TraceError({.code = "T-T005",
                    .fault = is_constant ? "a number that was recorded as a constant has changed"
                                         : "the function recorded a different computation on its second call",
                    .at = here.known() ? here : compiled_at,  // a number that is returned has none
                    .path = found.scope ? found.scope->path() : "",
                    .operands = {{"first", std::move(first)}, {"second", std::move(second)}},
                    .hint = is_constant ? "pass it as an argument or keep it in a State"
                                        : "a branch, a loop or a tensor from outside was another one: choose with "
                                          "where(), pass it as an argument, or keep it in a State"});
}

void check_instructions(const std::vector<Instruction>& a, const std::vector<Instruction>& b, Loc compiled_at) {
  const auto text = [](const Instruction& i) { return std::string(name(i.op)) + to_string(i.attrs); };
  const size_t common = std::min(a.size(), b.size());
  for (size_t i = 0; i < common; ++i) {
    const bool same_op = same_instruction(a[i], b[i]);
    if (same_op && equal(a[i].attrs, b[i].attrs)) continue;
    throw_changed(b[i], same_op && a[i].op == Op::Constant, text(a[i]), text(b[i]), compiled_at);
  }
  if (a.size() == b.size()) return;
  const Instruction& next = (a.size() < b.size() ? b : a)[common];
  if (next.op == Op::Input) return;  // another State or tensor, which has no line
  const std::string op(name(next.op));
  throw_changed(next, false, a.size() < b.size() ? no_more : op, a.size() < b.size() ? op : no_more, compiled_at);
}

// Tensors a function closes over: the same ones, or ones that it makes anew with the same contents.
bool same_data(const std::vector<NodePtr>& a, const std::vector<NodePtr>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const NodePtr& x, const NodePtr& y) {
    return x == y || (x->dtype == y->dtype && x->shape == y->shape &&
                      std::memcmp(x->value->read(), y->value->read(), x->value->bytes()) == 0);
  });
}

}  // namespace

void check_same_recording(const Trace::Recorded& first, const Trace::Recorded& second, Loc compiled_at) {
  if (first.program.same_computation(second.program) && first.read == second.read && first.written == second.written &&
      same_data(first.captured, second.captured))
    return;
  check_instructions(first.program.instructions, second.program.instructions, compiled_at);
  throw TraceError({.code = "T-T006",
                    .fault = "the function reads or assigns other States or tensors on its second call",
                    .at = compiled_at,
                    .hint = "it must not change host state: counters and buffers belong into a State"});
}

}  // namespace tessera
