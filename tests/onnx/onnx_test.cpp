// The `node` cases of ONNX's own conformance suite (Debian: libonnx-testdata), each op by op through this process's
// executor. A case whose ops have no rule here is listed with its reason; one that has them must agree.

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include <tessera/core/error.h>
#include <tessera/core/ops.h>

#include "tests/onnx/model.h"

namespace tessera::onnx_test {
namespace {

namespace fs = std::filesystem;
const fs::path root = "/usr/share/libonnx-testdata/data/node";
constexpr int required = 350;
// The tolerance of ONNX's own backend test runner.
constexpr double relative = 1e-3, absolute = 1e-7;

std::vector<Tensor> read_all(const fs::path& folder, const std::string& prefix) {
  std::vector<Tensor> out;
  for (int i = 0;; ++i) {
    fs::path file = folder / (prefix + "_" + std::to_string(i) + ".pb");
    if (!fs::exists(file)) return out;
    out.push_back(to_tensor(read_tensor(file.string())));
  }
}

std::string compare(const Tensor& ours, const Tensor& theirs) {
  if (ours.shape() != theirs.shape()) return "shape " + ours.shape().str() + ", expected " + theirs.shape().str();
  if (ours.dtype() != theirs.dtype())
    return "dtype " + std::string(name(ours.dtype())) + ", expected " + std::string(name(theirs.dtype()));
  std::vector<double> a = ours.to_vector<double>(), b = theirs.to_vector<double>();
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]))) continue;
    if (!(std::fabs(a[i] - b[i]) <= absolute + relative * std::fabs(b[i])))
      return "element " + std::to_string(i) + " is " + std::to_string(a[i]) + ", expected " + std::to_string(b[i]);
  }
  return "";
}

// Sequences and optionals are containers of tensors that a graph of ours does not have.
void check_tensors_only(const onnx::GraphProto& graph) {
  for (const auto* list : {&graph.input(), &graph.output()})
    for (const onnx::ValueInfoProto& value : *list)
      if (!value.type().has_tensor_type()) throw NotCovered("values that are no tensors");
}

// Empty when the case agrees.
std::string run_case(const fs::path& folder) {
  onnx::ModelProto model = read_model((folder / "model.onnx").string());
  check_tensors_only(model.graph());
  std::vector<Tensor> outputs = run_model(model, read_all(folder / "test_data_set_0", "input"));
  std::vector<Tensor> expected = read_all(folder / "test_data_set_0", "output");
  for (size_t i = 0; i < expected.size(); ++i)
    if (std::string text = compare(outputs.at(i), expected[i]); !text.empty())
      return "output " + std::to_string(i) + ": " + text;
  return "";
}

TEST(Onnx, node_cases_agree) {
  if (!fs::exists(root)) GTEST_SKIP() << "install libonnx-testdata";
  std::set<fs::path> folders;
  for (const auto& entry : fs::directory_iterator(root))
    if (fs::exists(entry.path() / "model.onnx")) folders.insert(entry.path());
  std::map<std::string, std::vector<std::string>> not_covered;
  int passed = 0;
  for (const fs::path& folder : folders) {
    std::string name = folder.filename().string();
    try {
      std::string difference = run_case(folder);
      if (difference.empty()) ++passed;
      else ADD_FAILURE() << name << ": " << difference;
    } catch (const NotCovered& reason) {
      not_covered[reason.what()].push_back(name);
    } catch (const std::exception& error) {
      ADD_FAILURE() << name << ": " << error.what();
    }
  }
  std::printf("%d of %zu ONNX node cases agree; not covered, by reason:\n", passed, folders.size());
  for (const auto& [reason, names] : not_covered) {
    std::printf("  %s (%zu):", reason.c_str(), names.size());
    for (const std::string& name : names) std::printf(" %s", name.c_str());
    std::printf("\n");
  }
  EXPECT_GE(passed, required);
}

}  // namespace
}  // namespace tessera::onnx_test
