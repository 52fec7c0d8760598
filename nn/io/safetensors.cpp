#include <tessera/nn/io/safetensors.h>

#include <algorithm>
#include <array>
#include <bit>
#include <filesystem>
#include <fstream>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <tessera/core/error.h>
#include <tessera/core/user_call.h>
#include <tessera/nn/io/file.h>
#include <tessera/nn/io/json.h>

namespace tessera::io {
namespace {

using Json = nlohmann::json;

static_assert(std::endian::native == std::endian::little, "tensor data is little endian in the file");

constexpr uint64_t header_limit = 100'000'000;  // the format's own
constexpr size_t alignment = 8;

constexpr std::pair<DType, const char*> dtype_names[] = {
    {f64, "F64"}, {f32, "F32"}, {f16, "F16"}, {bf16, "BF16"}, {f8e4m3, "F8_E4M3"}, {f8e5m2, "F8_E5M2"}, {i64, "I64"},
    {i32, "I32"}, {i16, "I16"}, {i8, "I8"},   {u32, "U32"},   {u8, "U8"},          {boolean, "BOOL"}};

const char* file_name_of(DType dtype) {
  return std::ranges::find(dtype_names, dtype, &std::pair<DType, const char*>::first)->second;
}

// One tensor's line of the header; every claim is checked before it is used.
class EntryReader {
 public:
  EntryReader(const std::string& path, const std::string& name) : path_(path), name_(name) {}

  SafetensorsEntry read(const Json& json, uint64_t data_size) const {
    if (!json.is_object()) reject("is not an object");
    for (auto& [key, value] : json.items())
      if (key != "dtype" && key != "shape" && key != "data_offsets") reject("has the unknown member '" + key + "'");
    SafetensorsEntry entry{name_, dtype(json), shape(json), 0, 0};
    const Json& offsets = member(json, "data_offsets");
    if (!offsets.is_array() || offsets.size() != 2 || !offsets[0].is_number_unsigned() ||
        !offsets[1].is_number_unsigned())
      reject("has data_offsets that are not two whole numbers");
    entry.begin = offsets[0].get<uint64_t>();
    entry.end = offsets[1].get<uint64_t>();
    if (entry.begin > entry.end) reject("ends before it begins");
    if (entry.end > data_size)
      reject("ends at byte " + std::to_string(entry.end) + " of " + std::to_string(data_size) +
             " bytes of data: is the file truncated?");
    if (uint64_t bytes = size(entry); entry.end - entry.begin != bytes)
      reject("has " + std::to_string(entry.end - entry.begin) + " bytes; its dtype and shape need " +
             std::to_string(bytes));
    return entry;
  }

 private:
  [[noreturn]] void reject(const std::string& reason) const { fail(path_, "tensor '" + name_ + "' " + reason); }

  const Json& member(const Json& json, const char* key) const {
    auto found = json.find(key);
    if (found == json.end()) reject(std::string("has no ") + key);
    return *found;
  }
  DType dtype(const Json& json) const {
    const Json& text = member(json, "dtype");
    if (!text.is_string()) reject("has a dtype that is not a string");
    for (auto& [dtype, name] : dtype_names)
      if (text.get_ref<const std::string&>() == name) return dtype;
    reject("has the dtype '" + text.get<std::string>() + "', which is not supported");
  }
  Shape shape(const Json& json) const {
    const Json& extents = member(json, "shape");
    if (!extents.is_array() || extents.size() > 16) reject("has a shape that is not a list of at most 16 numbers");
    Dims dims;
    for (const Json& extent : extents) {
      if (!extent.is_number_unsigned() || extent.get<uint64_t>() > INT64_MAX)
        reject("has an extent that is not a whole number");
      dims.push_back(extent.get<int64_t>());
    }
    return dims;
  }
  uint64_t size(const SafetensorsEntry& entry) const {
    uint64_t bytes = size_of(entry.dtype);
    // A later extent of 0 would hide an overflow of the earlier ones: it is refused all the same.
    for (int64_t extent : entry.shape)
      if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(extent), &bytes)) reject("has a shape that overflows");
    return bytes;
  }

  const std::string& path_;
  const std::string& name_;
};

// Data must be used from its first byte to its last, each byte once.
void check_coverage(const std::string& path, const std::vector<SafetensorsEntry>& sorted, uint64_t data_size) {
  uint64_t at = 0;
  for (const SafetensorsEntry& entry : sorted) {
    if (entry.begin < at) fail(path, "tensor '" + entry.name + "' overlaps the one before it");
    if (entry.begin > at)
      fail(path,
           "bytes " + std::to_string(at) + " to " + std::to_string(entry.begin) + " of the data belong to no tensor");
    at = entry.end;
  }
  if (at != data_size) fail(path, std::to_string(data_size - at) + " bytes after the last tensor");
}

}  // namespace

SafetensorsFile::SafetensorsFile(std::string path, Loc at) : path_(std::move(path)) {
  UserCall call(at);
  if (!std::filesystem::exists(path_)) fail_missing(path_);
  if (!std::filesystem::is_regular_file(path_)) fail(path_, "not a regular file");
  std::ifstream file(path_, std::ios::binary);
  const uint64_t file_size = std::filesystem::file_size(path_);
  uint64_t header_size = 0;
  if (file_size < sizeof header_size || !file.read(reinterpret_cast<char*>(&header_size), sizeof header_size))
    fail(path_, "shorter than the eight bytes of a safetensors header length");
  if (header_size > header_limit)
    fail(path_, "a header of " + std::to_string(header_size) + " bytes: not a safetensors file?");
  if (header_size > file_size - sizeof header_size) fail(path_, "the header is longer than the file: is it truncated?");
  std::string header(header_size, '\0');
  if (!file.read(header.data(), static_cast<std::streamsize>(header_size))) fail(path_, "the header cannot be read");
  if (header.empty() || header[0] != '{') fail(path_, "the header does not begin with '{'");
  data_at_ = sizeof header_size + header_size;
  const uint64_t data_size = file_size - data_at_;

  const Json json = parse_json<Json>(path_, header, 4);
  for (auto& [name, value] : json.items()) {
    if (name != "__metadata__") {
      entries_.push_back(EntryReader(path_, name).read(value, data_size));
      continue;
    }
    if (!value.is_object()) fail(path_, "__metadata__ is not an object");
    for (auto& [key, text] : value.items()) {
      if (!text.is_string()) fail(path_, "__metadata__ '" + key + "' is not a string");
      metadata_[key] = text.get<std::string>();
    }
  }
  std::ranges::sort(entries_, {}, [](const auto& entry) { return std::pair(entry.begin, entry.end); });
  check_coverage(path_, entries_, data_size);
}

const SafetensorsEntry* SafetensorsFile::find(const std::string& name) const {
  auto found = std::ranges::find(entries_, name, &SafetensorsEntry::name);
  return found == entries_.end() ? nullptr : &*found;
}

Tensor SafetensorsFile::read(const SafetensorsEntry& entry, Loc at) const {
  UserCall call(at);
  auto buffer = std::make_shared<Buffer>(entry.end - entry.begin);
  std::ifstream file(path_, std::ios::binary);
  file.seekg(static_cast<std::streamoff>(data_at_ + entry.begin));
  if (!file.read(static_cast<char*>(buffer->data()), static_cast<std::streamsize>(buffer->bytes())))
    fail(path_, "tensor '" + entry.name + "' cannot be read");
  return tensor_from(std::move(buffer), entry.dtype, entry.shape);
}
Tensor SafetensorsFile::read(const std::string& name, Loc at) const {
  UserCall call(at);
  const SafetensorsEntry* entry = find(name);
  if (!entry) fail(path_, "no tensor '" + name + "'", "entries() lists them");
  return read(*entry, at);
}

void save_safetensors(const std::string& path, const std::vector<std::pair<std::string, Tensor>>& tensors,
                      const std::map<std::string, std::string>& metadata, Loc at) {
  UserCall call(at);
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::set<std::string> names{"__metadata__"};
  uint64_t offset = 0;
  for (auto& [name, value] : tensors) {
    if (!names.insert(name).second)
      throw ValueError({.code = "T-V130",
                        .fault = fmt::format("{} cannot hold two tensors called '{}'", path, name),
                        .hint = "give each tensor a name of its own"});
    uint64_t bytes = static_cast<uint64_t>(value.numel()) * size_of(value.dtype());
    header[name] = {{"dtype", file_name_of(value.dtype())},
                    {"shape", value.shape().dims()},
                    {"data_offsets", {offset, offset + bytes}}};
    offset += bytes;
  }
  std::string text = header.dump();
  text.resize((text.size() + alignment - 1) / alignment * alignment, ' ');

  write_file(path, [&](const Append& append) {
    uint64_t size = text.size();
    append({reinterpret_cast<const char*>(&size), sizeof size});
    append(text);
    for (auto& [name, value] : tensors) {
      BufferPtr buffer = value.buffer();
      append({static_cast<const char*>(buffer->read()), static_cast<size_t>(value.numel()) * size_of(value.dtype())});
    }
  });
}

}  // namespace tessera::io
