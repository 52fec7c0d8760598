#pragma once
// Text as bytes: 256 tokens, no tokenizer. A language model learns byte t + 1 from bytes 0…t of a window.

#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include <tessera/core/tensor.h>

namespace tessera::data {

struct TextBatch {
  Tensor tokens, targets;  // i32 [N, context]; targets are the tokens one place on
  template <class V> void fields(V&& v) { v("tokens", tokens), v("targets", targets); }
};

class TextSet {
 public:
  // Windows of context + 1 bytes that begin every `stride` bytes (0: context). ValueError when the text holds none.
  TextSet(std::string text, int64_t context, int64_t stride = 0, Loc at = Loc::here());

  int64_t size() const;
  TextBatch batch(std::span<const int64_t> indices) const;
  const std::string& text() const { return text_; }

 private:
  std::string text_;
  int64_t context_, stride_;
};

// FileError when it is missing, empty or no UTF-8, as a text cut within a character or a file that is no text at all.
std::string read_text(const std::string& path, Loc at = Loc::here());
// The King James Bible, one verse a line, 4.4 MB: printed by Debian's bible-kjv. FileError when it is not installed.
std::string king_james(Loc at = Loc::here());
// The first part of the text for training, the rest for validation, cut after a line. ValueError unless the fraction
// lies between 0 and 1.
std::pair<std::string, std::string> split(const std::string& text, double train_fraction, Loc at = Loc::here());

}  // namespace tessera::data
