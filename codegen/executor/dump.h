#pragma once
// TESSERA_DUMP=dir: what became of each program, as numbered files in dir/<program>-<count>/.

#include <filesystem>
#include <functional>
#include <string>

namespace tessera::codegen {

class Dump {
 public:
  static bool wanted();
  explicit Dump(const std::string& program);

  bool on() const { return !directory_.empty(); }
  // `text` is asked for only when dumping.
  void write(const std::string& name, const std::function<std::string()>& text);

 private:
  std::filesystem::path directory_;
  int count_ = 0;
};

}  // namespace tessera::codegen
