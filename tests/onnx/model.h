#pragma once
// A small reader of ONNX models for conformance tests: protobuf in, our ops out. Not part of the library.

#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include <onnx/onnx_pb.h>

#include <tessera/core/tensor.h>

namespace tessera::onnx_test {

// Why a case is not covered. The test lists these; they are no failures.
struct NotCovered : std::runtime_error {
  using std::runtime_error::runtime_error;
};

Tensor to_tensor(const onnx::TensorProto&);
DType to_dtype(int onnx_type);
onnx::TensorProto read_tensor(const std::string& path);
onnx::ModelProto read_model(const std::string& path);

// A node as the op table sees it: operands by position (an empty one was left out) and attributes by name.
class Call {
 public:
  Call(const onnx::NodeProto& node, std::vector<Tensor> operands, int64_t opset_version)
      : opset(opset_version), node_(node), operands_(std::move(operands)) {}

  const std::string& op() const { return node_.op_type(); }
  size_t count() const { return operands_.size(); }
  int outputs() const { return node_.output_size(); }
  bool wants(int output) const { return output < node_.output_size() && !node_.output(output).empty(); }
  bool has(size_t i) const { return i < operands_.size() && operands_[i].valid(); }
  const Tensor& operator[](size_t i) const;
  const std::vector<Tensor>& operands() const { return operands_; }
  std::vector<int64_t> ints_of(size_t i) const {
    return (*this)[i].to_vector<int64_t>();
  }  // an operand as host numbers

  bool has_attr(const std::string& name) const { return find(name) != nullptr; }
  int64_t integer(const std::string& name, int64_t otherwise) const;
  double number(const std::string& name, double otherwise) const;
  std::string text(const std::string& name, const std::string& otherwise) const;
  std::vector<int64_t> ints(const std::string& name, std::vector<int64_t> otherwise = {}) const;
  std::vector<double> numbers(const std::string& name) const;
  const onnx::TensorProto* tensor(const std::string& name) const;
  // Axes and the like: an attribute in old opsets, an operand in new ones.
  std::vector<int64_t> ints_or_operand(const std::string& name, size_t operand) const;

  int64_t opset;

 private:
  const onnx::AttributeProto* find(const std::string& name) const;
  const onnx::NodeProto& node_;
  std::vector<Tensor> operands_;
};

using Rule = std::vector<Tensor> (*)(const Call&);
const std::map<std::string, Rule>& rules();  // all of rules_*.cpp

// The graph's outputs. NotCovered when an op, attribute or dtype has no rule here.
std::vector<Tensor> run_model(const onnx::ModelProto&, const std::vector<Tensor>& inputs);

}  // namespace tessera::onnx_test
