#include <tessera/core/einsum.h>

namespace tessera {

std::optional<Einsum> parse_einsum(std::string_view text) {
  Einsum words;
  std::string* word = &words.a;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == ' ') continue;
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
      *word += c;
    } else if (c == ',' && word == &words.a) {
      word = &words.b;
    } else if (c == '-' && word == &words.b && text.substr(i).starts_with("->")) {
      word = &words.out;
      ++i;
    } else {
      return std::nullopt;
    }
  }
  if (word != &words.out) return std::nullopt;
  return words;
}

}  // namespace tessera
