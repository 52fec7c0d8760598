#pragma once
// How the kernels of a program become launches and texts. One class, with a file for each kind of kernel: rows in
// lower_rows.cpp, contractions in lower_contract.cpp, copies of their operands in lower_copies.cpp, cascades in
// lower_cascade.cpp, routines in lower_routine.cpp; what they are called in kernel_names.cpp.

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "mlir/IR/OwningOpRef.h"

#include <tessera/codegen/cuda/cascade/schedule.h>
#include <tessera/codegen/cuda/contract/epilogue.h>
#include <tessera/codegen/cuda/contract/schedule.h>
#include <tessera/codegen/cuda/contract/tile_schedule.h>
#include <tessera/codegen/cuda/executor/lower_program.h>
#include <tessera/codegen/cuda/executor/share_copies.h>
#include <tessera/codegen/cuda/rows/kernel_text.h>
#include <tessera/codegen/cuda/rows/unsupported.h>
#include <tessera/codegen/plan/plan_builder.h>

namespace tessera::cuda {

class Routine;

class Lowering : public codegen::PlanBuilder {
 public:
  Lowering(mlir::ModuleOp module, const Program& recorded, const Target& target)
      : PlanBuilder(module), recorded_(recorded), target_(target) {}

  LoweredProgram lower();
  // See ProgramLowering.
  std::optional<NextSchedule> next_schedule(const std::string& key);

 private:
  void visit_kernel(fuse::KernelOp kernel) override;
  void visit_cascade(fuse::CascadeOp cascade) override;
  void visit_library(fuse::LibraryOp library) override;

  Rounding rounding() const { return recorded_.strict ? Rounding::of_each_op : Rounding::of_kernel; }

  // ---- texts ----

  // The number of the kernel with this text in the plan; kernels that only call things otherwise are one. `text_of` is
  // asked with all words but the kernel's name, and only once for kernels of one `structure` (kernel_structure.h): the
  // layers of a model are printed once. Kernels that say something else in `apart` are two in spite of one text.
  int kernel_number(mlir::Operation& kernel, const std::string& structure, const char* kind, KernelWords words,
                    const std::function<std::string(const KernelWords&)>& text_of, const std::string& apart = "");
  // The same for a text whose function is called NAME; `text_of` is asked for it if no kernel of that key is there yet.
  int add_text(const std::string& kernel, const char* kind, const std::string& key_text,
               const std::function<std::string()>& text_of);
  std::string key_of(const std::string& kernel, const std::string& text) const;
  // With NAME in the text replaced by the symbol of this key.
  static KernelSource source_of(const std::string& kernel, const std::string& key, std::string text);
  // The words of a text whose function is called NAME; and those without names of values.
  KernelWords words_for_text(KernelWords words) const;
  static KernelWords without_names(KernelWords words);
  // The error for what has no kernel yet: the op and where the user wrote it.
  [[noreturn]] void refuse(int op, const std::string& what, const std::string& kernel) const;
  [[noreturn]] void refuse(mlir::Operation& kernel, const Unsupported& found) const;

  // ---- rows ----

  void launch_rows(fuse::KernelOp kernel, const std::vector<int>& values, mlir::Operation& at, KernelWords words);
  void launch_apart(fuse::KernelOp kernel, const std::vector<int>& values, mlir::Operation& at,
                    const KernelWords& words);
  void launch_lifted(fuse::KernelOp kernel, const std::vector<int>& values, mlir::Operation& at,
                     const KernelWords& words);
  void launch_in_parts(fuse::KernelOp kernel, int64_t parts, const std::vector<int>& values, mlir::Operation& at,
                       const KernelWords& words);
  KernelWords words_of_parts() const;
  int counters(int64_t words);
  void add_parts(const codegen::Form& form, const codegen::Stages& stages, const RowSchedule& schedule,
                 const std::vector<unsigned>& results, const std::vector<int>& parts, const std::vector<int>& values,
                 const KernelWords& called, mlir::Operation& at);

  // ---- contractions ----

  void launch_contract(fuse::KernelOp kernel, const std::vector<int>& values, const KernelWords& words);
  void finish_launch(fuse::KernelOp kernel, const Epilogue& epilogue, const std::vector<int>& values,
                     codegen::PlanLaunch& made, KernelWords& words);
  void find_aliases(const codegen::PlanLaunch& made, KernelWords& words);
  F32Products f32_products() const;
  void ask_for_copies(mlir::Operation& kernel, const MappedOperands& operands, std::vector<int>& values);
  void launch_copies();
  ContractSchedule contract_schedule_for(const Contraction& c) const;
  std::vector<TileSchedule> tile_schedules_for(const Contraction& c, const ContractSchedule& other) const;
  bool has_tile_schedule(fuse::KernelOp kernel) const;
  // What may print a contraction: chosen once for kernels of one `structure`.
  struct ContractSchedules {
    ContractSchedule of_any_card;
    std::vector<TileSchedule> tiles;  // from the one that is thought the fastest on
  };
  const ContractSchedules& schedules_for(const Contraction& c, const std::string& structure);
  static std::string schedule_name(const Contraction& c, const TileSchedule& s);

  // ---- cascades ----

  std::optional<NextSchedule> next_cascade_schedule(const std::string& key);
  static std::string schedule_name(const Cascade& c, const CascadeSchedule& s);

  // ---- routines ----

  void launch_routine(fuse::LibraryOp library, const Routine& routine, const KernelWords& words);

  // ---- names ----

  const Instruction* instruction(int op) const;
  std::string value_name(mlir::Value value);
  KernelWords names_of(mlir::Operation& kernel, mlir::ValueRange inputs);
  std::string line_of(int op) const;  // "model.cpp:84": without the folders, which differ from host to host
  // The comment above a kernel's text.
  std::vector<std::string> head(mlir::Operation& op, const std::string& kernel, const KernelWords& words,
                                const std::string& schedule, const codegen::PlanLaunch& made) const;

  codegen::Plan& plan() { return result_.plan; }
  // A place for kernels that no pass made: they live as long as this.
  mlir::Block& place_for_kernel(mlir::Location location);

  // What a contraction with tiles is printed of, and its schedules from the one that is printed on.
  struct TileKernel {
    Contraction contraction;
    Epilogue epilogue;
    KernelWords words, named;  // of the kernel, and of the launch that multiplies
    codegen::PlanLaunch launch;
    std::vector<TileSchedule> schedules;
    size_t at = 0;
  };

  // The same of a cascade.
  struct CascadeKernel {
    Cascade cascade;
    KernelWords words;
    codegen::PlanLaunch launch;
    std::vector<CascadeSchedule> schedules;
    size_t at = 0;
  };

  const Program& recorded_;
  const Target& target_;
  LoweredProgram result_;
  std::map<std::string, TileKernel> tile_kernels_;                         // by the key of the first text
  std::map<std::string, CascadeKernel> cascade_kernels_;                   // by the key of the first text
  std::map<std::string, int> number_;                                      // by the key of a text
  std::unordered_map<std::string, int> of_structure_;                      // by what the text follows from
  std::unordered_map<std::string, ContractSchedules> contract_schedules_;  // by structure
  std::vector<CopyLaunch> copies_;                                         // that products ask for
  std::vector<mlir::OwningOpRef<mlir::ModuleOp>> extra_;
};

int last_origin(mlir::Location location);  // −1: none

}  // namespace tessera::cuda
