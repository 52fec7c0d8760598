#pragma once
// What a pass decided, as data. Ops are named by the number of their instruction in the Program, as in a Plan.

#include <string>
#include <vector>

namespace tessera::ir {

struct Remark {
  std::string category, name;  // "plane", "cascade"
  bool missed = false;
  std::vector<int> ops;  // what it is about
  int other = -1;        // the instruction in the way
  std::string text, reason, hint;
};

}  // namespace tessera::ir
