#include <tessera/nn/data/text.h>

#include <sys/wait.h>

#include <array>
#include <cstdio>

#include <tessera/core/error.h>
#include <tessera/core/user_call.h>
#include <tessera/nn/io/file.h>

namespace tessera::data {

TextSet::TextSet(std::string text, int64_t context, int64_t stride, Loc at)
    : text_(std::move(text)), context_(context), stride_(stride == 0 ? context : stride) {
  if (context_ < 1 || stride_ < 1 || static_cast<int64_t>(text_.size()) <= context_)
    throw ValueError({.code = "T-V142",
                      .fault = "a text of " + std::to_string(text_.size()) + " bytes has no window of " +
                               std::to_string(context_) + " bytes and the one after it",
                      .at = at,
                      .hint = "context and stride are 1 or more, and the text is longer than the context"});
}

int64_t TextSet::size() const { return (static_cast<int64_t>(text_.size()) - context_ - 1) / stride_ + 1; }

TextBatch TextSet::batch(std::span<const int64_t> indices) const {
  std::vector<int32_t> tokens, targets;
  for (int64_t index : indices) {
    auto bytes = std::span(text_).subspan(static_cast<size_t>(index * stride_), static_cast<size_t>(context_) + 1);
    for (size_t t = 0; t + 1 < bytes.size(); ++t) {
      tokens.push_back(static_cast<unsigned char>(bytes[t]));
      targets.push_back(static_cast<unsigned char>(bytes[t + 1]));
    }
  }
  Shape shape{static_cast<int64_t>(indices.size()), context_};
  return {tensor(tokens, shape), tensor(targets, shape)};
}

namespace {

// Where UTF-8 (RFC 3629) ends: the text's size when all of it is. A zero byte is no text either.
size_t first_fault(const std::string& text) {
  auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  for (size_t i = 0; i < text.size();) {
    const unsigned lead = byte(i);
    size_t more = lead < 0x80 ? 0 : lead >= 0xC2 && lead < 0xE0 ? 1 : lead >= 0xE0 && lead < 0xF0 ? 2 : 3;
    if (lead == 0 || (lead >= 0x80 && lead < 0xC2) || lead > 0xF4) return i;
    for (size_t k = 1; k <= more; ++k)
      if ((byte(i + k) & 0xC0) != 0x80) return i;
    const unsigned second = byte(i + 1);  // no longer form than needed, no surrogate, nothing above U+10FFFF
    if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) || (lead == 0xF0 && second < 0x90) ||
        (lead == 0xF4 && second > 0x8F))
      return i;
    i += more + 1;
  }
  return text.size();
}

// The text ends before the character at `at` does.
bool is_cut_off(const std::string& text, size_t at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  const size_t needs = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 1;
  for (size_t k = at + 1; k < text.size(); ++k)
    if ((static_cast<unsigned char>(text[k]) & 0xC0) != 0x80) return false;
  return text.size() - at < needs;
}

}  // namespace

std::string read_text(const std::string& path, Loc at) {
  UserCall call(at);
  std::string text = io::read_file(path);
  if (text.empty()) io::fail(path, "is empty");
  if (size_t fault = first_fault(text); fault < text.size())
    io::fail(path, "is not UTF-8 text: see byte " + std::to_string(fault),
             is_cut_off(text, fault) ? "it is cut off within a character" : "convert it first, with iconv");
  return text;
}

std::string king_james(Loc at) {
  UserCall call(at);
  constexpr const char* command = "bible -f gen1:1-rev22:21";
  std::string text;
  std::array<char, 65536> piece;
  FILE* pipe = popen((std::string(command) + " 2>/dev/null").c_str(), "r");
  if (!pipe) io::fail(command, "cannot be run");
  while (size_t count = fread(piece.data(), 1, piece.size(), pipe)) text.append(piece.data(), count);
  int status = pclose(pipe);
  constexpr size_t least = 4'000'000;  // the whole text is 4.4 MB: less means that books are missing
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || text.size() < least)
    io::fail(command, "did not print the text",
             "install the packages bible-kjv and bible-kjv-text, or give a text file");
  return text;
}

std::pair<std::string, std::string> split(const std::string& text, double train_fraction, Loc at) {
  if (!(train_fraction > 0 && train_fraction < 1))
    throw ValueError({.code = "T-V143",
                      .fault = "a split needs a fraction between 0 and 1, not " + std::to_string(train_fraction),
                      .at = at,
                      .hint = "0.9 keeps nine tenths for training"});
  size_t cut = static_cast<size_t>(static_cast<double>(text.size()) * train_fraction);
  if (size_t line = text.find('\n', cut); line != std::string::npos) cut = line + 1;
  return {text.substr(0, cut), text.substr(cut)};
}

}  // namespace tessera::data
