#pragma once
// Identifiers of a kernel's text, each given once.

#include <map>
#include <set>
#include <string>

namespace tessera::cuda {

class Names {
 public:
  // An identifier like `wanted` that nothing else has.
  std::string identifier(const std::string& wanted);
  std::string numbered(const std::string& word);  // "mul_1", "mul_2", …

 private:
  std::set<std::string> used_;
  std::map<std::string, int> count_;
};

}  // namespace tessera::cuda
