#include <tessera/codegen/cuda/executor/share_copies.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include <tessera/codegen/plan/lifetimes.h>
#include <tessera/core/error.h>
#include <tessera/core/fault.h>

namespace tessera::cuda {
namespace {

using codegen::Plan;
using codegen::PlanLaunch;

constexpr size_t most_operands = 8;  // of a launch: its text has statements for each

bool same_tensor(const CopiedOperand& a, const CopiedOperand& b) {
  return a.source == b.source && a.from.first == b.from.first && a.from.extents == b.from.extents &&
         a.from.strides == b.from.strides;
}

// Sources, then forms.
void list_values(const CopyLaunch& copy, PlanLaunch& launch) {
  launch.values.clear();
  for (const CopiedOperand& operand : copy.operands) launch.values.push_back(operand.source);
  launch.reads = static_cast<int>(copy.operands.size());
  for (const CopiedOperand& operand : copy.operands)
    std::ranges::copy_if(operand.written, std::back_inserter(launch.values), [](int value) { return value >= 0; });
}

// How much of the arena is in use at each launch, as copies move.
class Memory {
 public:
  explicit Memory(const Plan& plan) : plan_(plan), in_use_(plan.launches.size(), 0), last_(plan.values.size(), 0) {
    std::vector<bool> is_seen(plan.values.size(), false);
    std::vector<size_t> first(plan.values.size(), 0);
    for (size_t k = 0; k < plan.launches.size(); ++k)
      for (int id : plan.launches[k].values) {
        if (id < 0) continue;
        const auto value = static_cast<size_t>(id);
        if (!is_seen[value]) first[value] = k;
        is_seen[value] = true, last_[value] = k;
      }
    for (size_t value = 0; value < plan.values.size(); ++value)
      if (is_seen[value] && plan.values[value].place == codegen::Place::arena)
        add(first[value], last_[value] + 1, plan.values[value].bytes);
    most_ = in_use_.empty() ? 0 : *std::ranges::max_element(in_use_);
  }

  // `bytes` more for the launches from `begin` on, before `end`; or nothing, where there is no room for them.
  bool take(size_t begin, size_t end, int64_t bytes) {
    for (size_t k = begin; k < end; ++k)
      if (in_use_[k] + bytes > most_) return false;
    add(begin, end, bytes);
    return true;
  }

  // `value` lives on for the readers of `replaced`, which is written by launch `at` and will not be; or not, as above.
  bool keep(int value, int replaced, size_t at) {
    size_t& last = last_[static_cast<size_t>(value)];
    const size_t end = last_[static_cast<size_t>(replaced)] + 1;
    const int64_t bytes = bytes_of(value);
    if (!take(last + 1, at, bytes)) return false;
    add(at, end, -bytes);
    add(std::max(at, last + 1), end, bytes);
    last = std::max(last, end - 1);
    return true;
  }

  int64_t bytes_of(int value) const { return plan_.values[static_cast<size_t>(value)].bytes; }

 private:
  void add(size_t begin, size_t end, int64_t bytes) {
    for (size_t k = begin; k < end; ++k) in_use_[k] += bytes;
  }

  const Plan& plan_;
  std::vector<int64_t> in_use_;
  std::vector<size_t> last_;  // the last launch that touches a value
  int64_t most_ = 0;
};

class Sharing {
 public:
  Sharing(Plan& plan, std::vector<CopyLaunch>& copies) : plan_(plan), copies_(copies), memory_(plan) {}

  void run() {
    for (CopyLaunch& copy : copies_) {
      for (CopiedOperand& operand : std::exchange(copy.operands, {})) {
        reuse(operand, copy.launch);
        if (writes_any(operand)) add(copy, operand, copy.launch);
      }
      if (copy.operands.empty()) continue;
      std::vector<int> sources;
      for (const CopiedOperand& operand : copy.operands) sources.push_back(operand.source);
      if (!join(copy)) kept_.push_back(&copy);
      for (int source : sources) with_source_[source].push_back(kept_.back());
    }
    drop_empty();
  }

 private:
  // Does nobody write where `source` lies between two launches?
  bool stays(int source, size_t after, size_t before) const {
    if (planted(Fault::operand_copy_stale)) return true;
    const int memory = codegen::memory_of(plan_, source);
    for (size_t k = after + 1; k < before; ++k) {
      const PlanLaunch& launch = plan_.launches[k];
      for (auto value = launch.values.begin() + launch.reads; value != launch.values.end(); ++value)
        if (*value >= 0 && codegen::memory_of(plan_, *value) == memory) return false;
    }
    return true;
  }

  static bool writes_any(const CopiedOperand& operand) {
    return std::ranges::any_of(copy_forms, [&](CopyForm form) { return operand.has(form); });
  }

  // Takes from `operand`, which launch `at` would write, the forms that are there.
  void reuse(CopiedOperand& operand, size_t at) {
    const std::vector<CopyLaunch*>& earlier = with_source_[operand.source];
    for (auto copy = earlier.rbegin(); copy != earlier.rend(); ++copy) {
      if (!stays(operand.source, (*copy)->launch, at)) return;
      for (CopiedOperand& there : (*copy)->operands)
        if (same_tensor(operand, there)) take_forms(operand, there, at);
    }
  }
  void take_forms(CopiedOperand& operand, CopiedOperand& there, size_t at) {
    for (CopyForm form : copy_forms)
      if (operand.has(form) && there.has(form) && memory_.keep(there[form], operand[form], at)) {
        for (size_t k = at + 1; k < plan_.launches.size(); ++k)
          std::ranges::replace(plan_.launches[k].values, operand[form], there[form]);
        plan_.values[static_cast<size_t>(operand[form])].bytes = 0;  // nobody writes it
        operand[form] = -1;
      }
  }

  // Has `to` write what launch `at` would of an operand, of each tensor from one read.
  void add(CopyLaunch& to, CopiedOperand& operand, size_t at) {
    auto there = std::ranges::find_if(to.operands, [&](const auto& one) { return same_tensor(one, operand); });
    if (there == to.operands.end()) {
      to.operands.push_back(std::move(operand));
      return;
    }
    take_forms(operand, *there, at);
    for (CopyForm form : copy_forms)
      if (operand.has(form)) {
        check_internal(!there->has(form), "a copy that others read would lose its writer");
        (*there)[form] = operand[form];
      }
  }

  // All that `copy` writes becomes the matter of the launch of copies before it; or nothing of it.
  bool join(CopyLaunch& copy) {
    if (kept_.empty()) return false;
    CopyLaunch& before = *kept_.back();
    size_t tensors = before.operands.size();
    int64_t bytes = 0;
    for (CopiedOperand& operand : copy.operands) {
      if (!stays(operand.source, before.launch, copy.launch)) return false;
      tensors += std::ranges::none_of(before.operands, [&](const auto& one) { return same_tensor(one, operand); });
      for (CopyForm form : copy_forms)
        if (operand.has(form)) bytes += memory_.bytes_of(operand[form]);
    }
    if (tensors > most_operands || !memory_.take(before.launch, copy.launch, bytes)) return false;
    for (CopiedOperand& operand : std::exchange(copy.operands, {})) add(before, operand, copy.launch);
    std::vector<int>& ops = plan_.launches[before.launch].ops;
    const std::vector<int>& more = plan_.launches[copy.launch].ops;
    ops.insert(ops.end(), more.begin(), more.end());
    std::ranges::sort(ops);
    ops.erase(std::unique(ops.begin(), ops.end()), ops.end());
    return true;
  }

  void drop_empty() {
    std::vector<bool> is_dropped(plan_.launches.size(), false);
    for (const CopyLaunch& copy : copies_) is_dropped[copy.launch] = copy.operands.empty();
    std::vector<PlanLaunch> launches;
    std::vector<size_t> number(is_dropped.size());
    for (size_t k = 0; k < is_dropped.size(); ++k) {
      number[k] = launches.size();
      if (!is_dropped[k]) launches.push_back(std::move(plan_.launches[k]));
    }
    plan_.launches = std::move(launches);
    std::erase_if(copies_, [](const CopyLaunch& copy) { return copy.operands.empty(); });
    for (CopyLaunch& copy : copies_) copy.launch = number[copy.launch];
  }

  Plan& plan_;
  std::vector<CopyLaunch>& copies_;
  Memory memory_;
  std::vector<CopyLaunch*> kept_;                        // in the order of their launches
  std::map<int, std::vector<CopyLaunch*>> with_source_;  // those that read it
};

}  // namespace

void share_copies(Plan& plan, std::vector<CopyLaunch>& copies) {
  auto list_all = [&] {
    for (const CopyLaunch& copy : copies) list_values(copy, plan.launches[copy.launch]);
  };
  list_all();
  Sharing(plan, copies).run();
  list_all();
}

}  // namespace tessera::cuda
