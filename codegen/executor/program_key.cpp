#include <tessera/codegen/executor/program_key.h>

#include <bit>
#include <type_traits>

#include <tessera/codegen/cpu/key.h>

namespace tessera::codegen {
namespace {

// Every number as eight bytes, every list and text behind its length: no two programs give the same bytes.
class Bytes {
 public:
  template <class T> void operator()(const char*, const T& value) { add(value); }

  template <class T> void add(const T& value) {
    if constexpr (std::is_same_v<T, double>) word(std::bit_cast<uint64_t>(value));
    else if constexpr (std::is_enum_v<T> || std::is_integral_v<T>) word(static_cast<uint64_t>(value));
    else if constexpr (std::is_same_v<T, std::string>) text(value);
    else if constexpr (std::is_same_v<T, Number>) {
      word(value.index());
      std::visit([&](auto number) { add(number); }, value);
    } else if constexpr (std::is_same_v<T, WindowRelation>) {
      for (char letter : {value.in, value.out, value.tap}) add(letter);
      for (int64_t number : {value.stride, value.dilation, value.pad}) add(number);
    } else {
      word(value.size());
      for (const auto& item : value) add(item);
    }
  }
  const std::string& all() const { return all_; }

 private:
  void word(uint64_t value) { all_.append(reinterpret_cast<const char*>(&value), sizeof value); }
  void text(const std::string& value) {
    word(value.size());
    all_ += value;
  }
  std::string all_;
};

}  // namespace

std::string program_key(const Program& program, std::string_view device) {
  Bytes bytes;
  bytes.add(std::string("program 1"));
  bytes.add(library_build_id());
  bytes.add(host_target().key());
  bytes.add(static_cast<uint64_t>(host_target().threads));
  bytes.add(std::string(device));
  bytes.add(program.instructions.size());
  for (const Instruction& instruction : program.instructions) {
    bytes.add(instruction.op);
    bytes.add(instruction.dtype);
    bytes.add(instruction.shape.dims());
    bytes.add(instruction.attrs.index());
    std::visit([&](const auto& attrs) { attrs.fields(bytes); }, instruction.attrs);
    bytes.add(instruction.inputs);
  }
  bytes.add(program.inputs);
  bytes.add(program.outputs);
  bytes.add(program.donor);
  bytes.add(program.strict);
  bytes.add(program.precision.policy);
  bytes.add(program.precision.residual);
  return blake3_hex(bytes.all());
}

}  // namespace tessera::codegen
