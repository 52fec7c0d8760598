#pragma once
// Seeded mistakes: what a user may do wrong, and what the error must say. A table has one mistake per line:
//
//   const Mistake mistakes[] = {
//       {"AddExtents", __LINE__, "ShapeError", "T-S010", {"f32[8, 4]", "f32[3]"}, [] { f({8, 4}) + f({3}); }},
//   };
//   INSTANTIATE_TEST_SUITE_P(Core, Mistakes, ValuesIn(mistakes), name_of);

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <tessera/core/location.h>

namespace tessera::testing {

struct Mistake {
  const char* name;
  uint32_t line;                   // of the table entry
  const char* kind;                // "ShapeError"
  const char* code;                // "T-S010"
  std::vector<std::string> shows;  // each stands in what(): both shapes, as a rule
  std::function<void()> make;
  const char* file = Loc::here().file;
};
std::ostream& operator<<(std::ostream&, const Mistake&);
std::string name_of(const ::testing::TestParamInfo<Mistake>&);

// Each mistake throws its error, which names the line in the table, the operands and one hint, and no file of ours.
class Mistakes : public ::testing::TestWithParam<Mistake> {};

}  // namespace tessera::testing
