#include "tests/onnx/model.h"

#include <fstream>

#include <tessera/core/convert.h>
#include <tessera/core/ops.h>

namespace tessera::onnx_test {
namespace {

template <class Message> Message read_message(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  Message message;
  if (!file || !message.ParseFromIstream(&file)) throw std::runtime_error("cannot read " + path);
  return message;
}

// Values stand either in raw_data or in the typed field that the spec names for the dtype.
template <class Field> BufferPtr from_field(const Field& field, DType dtype, bool bits) {
  auto buffer = std::make_shared<Buffer>(static_cast<size_t>(field.size()) * size_of(dtype));
  for (int i = 0; i < field.size(); ++i) {
    if (bits) buffer->template as<uint16_t>()[i] = static_cast<uint16_t>(field[i]);  // 16-bit floats travel as int32
    else if (is_float(dtype)) store_double(buffer->data(), dtype, i, static_cast<double>(field[i]));
    else store_int(buffer->data(), dtype, i, static_cast<int64_t>(field[i]));
  }
  return buffer;
}

}  // namespace

DType to_dtype(int type) {
  switch (type) {
    case onnx::TensorProto::DOUBLE: return f64;
    case onnx::TensorProto::FLOAT: return f32;
    case onnx::TensorProto::FLOAT16: return f16;
    case onnx::TensorProto::BFLOAT16: return bf16;
    case onnx::TensorProto::INT64: return i64;
    case onnx::TensorProto::INT32: return i32;
    case onnx::TensorProto::INT16: return i16;
    case onnx::TensorProto::INT8: return i8;
    case onnx::TensorProto::UINT32: return u32;
    case onnx::TensorProto::UINT8: return u8;
    case onnx::TensorProto::BOOL: return boolean;
    default:
      throw NotCovered("dtype " + onnx::TensorProto_DataType_Name(static_cast<onnx::TensorProto_DataType>(type)));
  }
}

Tensor to_tensor(const onnx::TensorProto& proto) {
  DType dtype = to_dtype(proto.data_type());
  Shape shape(Dims(proto.dims().begin(), proto.dims().end()));
  if (proto.has_raw_data()) return tensor_from(proto.raw_data().data(), dtype, shape);
  if (shape.numel() == 0) return tensor_from(std::make_shared<Buffer>(0), dtype, shape);
  bool bits = dtype == f16 || dtype == bf16;
  BufferPtr buffer = dtype == f64   ? from_field(proto.double_data(), dtype, false)
                     : dtype == f32 ? from_field(proto.float_data(), dtype, false)
                     : dtype == i64 ? from_field(proto.int64_data(), dtype, false)
                     : dtype == u32 ? from_field(proto.uint64_data(), dtype, false)
                                    : from_field(proto.int32_data(), dtype, bits);
  return tensor_from(buffer, dtype, shape);
}

onnx::TensorProto read_tensor(const std::string& path) { return read_message<onnx::TensorProto>(path); }
onnx::ModelProto read_model(const std::string& path) { return read_message<onnx::ModelProto>(path); }

const Tensor& Call::operator[](size_t i) const {
  if (!has(i)) throw NotCovered(op() + " without operand " + std::to_string(i));
  return operands_[i];
}
const onnx::AttributeProto* Call::find(const std::string& name) const {
  for (const onnx::AttributeProto& a : node_.attribute())
    if (a.name() == name) return &a;
  return nullptr;
}
int64_t Call::integer(const std::string& name, int64_t otherwise) const {
  auto* a = find(name);
  return a ? a->i() : otherwise;
}
double Call::number(const std::string& name, double otherwise) const {
  auto* a = find(name);
  return a ? static_cast<double>(a->f()) : otherwise;
}
std::string Call::text(const std::string& name, const std::string& otherwise) const {
  auto* a = find(name);
  return a ? a->s() : otherwise;
}
std::vector<int64_t> Call::ints(const std::string& name, std::vector<int64_t> otherwise) const {
  auto* a = find(name);
  return a ? std::vector<int64_t>(a->ints().begin(), a->ints().end()) : std::move(otherwise);
}
std::vector<double> Call::numbers(const std::string& name) const {
  auto* a = find(name);
  return a ? std::vector<double>(a->floats().begin(), a->floats().end()) : std::vector<double>{};
}
const onnx::TensorProto* Call::tensor(const std::string& name) const {
  auto* a = find(name);
  return a ? &a->t() : nullptr;
}
std::vector<int64_t> Call::ints_or_operand(const std::string& name, size_t operand) const {
  return has(operand) ? ints_of(operand) : ints(name);
}

std::vector<Tensor> run_model(const onnx::ModelProto& model, const std::vector<Tensor>& inputs) {
  const onnx::GraphProto& graph = model.graph();
  int64_t opset = 0;
  for (const auto& import : model.opset_import())
    if (import.domain().empty() || import.domain() == "ai.onnx") opset = import.version();

  std::map<std::string, Tensor> values{{"", Tensor()}};
  for (const onnx::TensorProto& t : graph.initializer()) values[t.name()] = to_tensor(t);
  size_t next = 0;
  for (const onnx::ValueInfoProto& input : graph.input())
    if (next < inputs.size()) values[input.name()] = inputs[next++];
  for (const onnx::NodeProto& node : graph.node()) {
    auto rule = rules().find(node.op_type());
    if (rule == rules().end()) throw NotCovered("op " + node.op_type());
    std::vector<Tensor> operands;
    for (const std::string& name : node.input()) operands.push_back(values.at(name));
    std::vector<Tensor> results = rule->second(Call(node, std::move(operands), opset));
    for (int i = 0; i < node.output_size(); ++i) {
      if (node.output(i).empty()) continue;
      if (static_cast<size_t>(i) >= results.size()) throw NotCovered(node.op_type() + " output " + std::to_string(i));
      values[node.output(i)] = results[static_cast<size_t>(i)];
    }
  }
  std::vector<Tensor> outputs;
  for (const onnx::ValueInfoProto& output : graph.output()) outputs.push_back(values.at(output.name()));
  return outputs;
}

}  // namespace tessera::onnx_test
