#pragma once
// safetensors: eight bytes of header length (little endian), a JSON header, then the data of all tensors, row-major.
//   {"__metadata__": {"k": "v"}, "up.weight": {"dtype": "F32", "shape": [4, 3], "data_offsets": [0, 48]}, …}
// A file is refused with a FileError that names what is wrong unless its header says the whole truth: known dtypes,
// sizes that agree with offsets, no name twice, no overlap, no gap, no byte left over.

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <tessera/core/tensor.h>

namespace tessera::io {

struct SafetensorsEntry {
  std::string name;
  DType dtype;
  Shape shape;
  uint64_t begin, end;  // within the data
};

class SafetensorsFile {
 public:
  // Reads and checks the header; data is read on demand.
  explicit SafetensorsFile(std::string path, Loc at = Loc::here());

  const std::string& path() const { return path_; }
  const std::vector<SafetensorsEntry>& entries() const { return entries_; }  // in the order of their data
  const SafetensorsEntry* find(const std::string& name) const;               // null when absent
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

  Tensor read(const SafetensorsEntry&, Loc at = Loc::here()) const;
  Tensor read(const std::string& name, Loc at = Loc::here()) const;  // FileError when absent

 private:
  std::string path_;
  uint64_t data_at_ = 0;
  std::vector<SafetensorsEntry> entries_;
  std::map<std::string, std::string> metadata_;
};

// Written atomically, in the given order. ValueError when a name comes twice.
void save_safetensors(const std::string& path, const std::vector<std::pair<std::string, Tensor>>& tensors,
                      const std::map<std::string, std::string>& metadata = {}, Loc at = Loc::here());

}  // namespace tessera::io
