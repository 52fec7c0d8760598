#include <tessera/codegen/cuda/rows/parameters.h>

#include <fmt/format.h>

#include <tessera/codegen/cuda/rows/scalar_text.h>
#include <tessera/ir/fuse/Fuse.h>

namespace tessera::cuda {
namespace {

const char* pointer_text(const KernelWords& words) { return words.writes_elsewhere ? "* __restrict__ " : "* "; }

}  // namespace

std::string input_parameter(mlir::Type element, const std::string& name, const KernelWords& words) {
  return "const " + type_text(element) + pointer_text(words) + name;
}

std::string launch_constant(const KernelWords& words, const std::string& facts) {
  return fmt::format("extern \"C\" __constant__ Launch {}_launch = {};\n\n", words.kernel,
                     words.is_early ? "early({" + facts + "})" : "{" + facts + "}");
}

std::string wait_for_launch_before(const std::string& inputs) { return "wait_for_launch_before(" + inputs + ");"; }

Lines parameters_of(const ValuesText& values) {
  const KernelWords& words = values.words;
  const codegen::Form& form = values.form;
  Lines all;
  for (size_t k = 0; k < form.in.size(); ++k) {
    mlir::Type type = form.body->getArgument(static_cast<unsigned>(k)).getType();
    if (auto whole = mlir::dyn_cast<mlir::RankedTensorType>(type)) type = fuse::body_type(whole.getElementType());
    if (!values.is_made_here(k)) all.push_back(input_parameter(type, words.inputs[k], words));
  }
  for (size_t k = 0; k < form.out.size(); ++k)
    all.push_back(type_text(fuse::body_type(values.result_type(static_cast<unsigned>(k)))) + pointer_text(words) +
                  words.results[k]);
  for (size_t k = 0; k < values.column_names.size(); ++k)
    all.push_back(type_text(values.stages.columns[k].reduce->getResult(0).getType()) + pointer_text(words) +
                  values.column_names[k] + "_part");
  if (any_last_block_adds(values.stages, values.schedule)) all.push_back("u32* __restrict__ arrived");
  if (values.schedule.is_counted) all.push_back("const i64 vectors");
  if (values.checks_indices()) all.push_back("i64* errors");
  return all;
}

}  // namespace tessera::cuda
