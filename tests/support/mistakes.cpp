#include "tests/support/mistakes.h"

#include <gmock/gmock.h>

#include <tessera/core/error.h>

namespace tessera::testing {

std::ostream& operator<<(std::ostream& out, const Mistake& mistake) { return out << mistake.name; }
std::string name_of(const ::testing::TestParamInfo<Mistake>& mistake) { return mistake.param.name; }

TEST_P(Mistakes, ErrorTellsWhatToDo) {
  using ::testing::EndsWith;
  using ::testing::HasSubstr;
  using ::testing::Not;
  using ::testing::StartsWith;
  const Mistake& mistake = GetParam();
  try {
    mistake.make();
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    const std::string what = error.what();
    SCOPED_TRACE(what);
    EXPECT_STREQ(error.kind(), mistake.kind);
    EXPECT_EQ(error.code(), mistake.code);
    EXPECT_THAT(what, StartsWith(std::string(mistake.kind) + ": "));
    EXPECT_THAT(what, EndsWith(std::string("[") + mistake.code + "]"));
    EXPECT_STREQ(error.text().at.file, mistake.file);
    EXPECT_EQ(error.text().at.line, mistake.line);
    EXPECT_THAT(what, HasSubstr(Loc{mistake.file, mistake.line}.str()));
    for (const std::string& text : mistake.shows) EXPECT_THAT(what, HasSubstr(text));
    EXPECT_FALSE(error.text().hint.empty()) << "no hint";
    EXPECT_FALSE(error.text().fault.ends_with('.'));
    for (const char* ours : {".cpp:", ".h:"})
      for (size_t at = what.find(ours); at != std::string::npos; at = what.find(ours, at + 1)) {
        const size_t start = what.find_last_of(" \n", at) + 1;
        EXPECT_FALSE(is_library_file(what.substr(start, at - start).c_str())) << "a file of ours is named";
      }
  }
}

}  // namespace tessera::testing
