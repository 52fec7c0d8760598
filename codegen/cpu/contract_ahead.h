#pragma once
// Memory that will be needed soon, asked for a share at a time beside other work.

#include <cstdint>

namespace tessera::codegen {

// Pieces of `length` elements at a list of element offsets from `base`.
class Ahead {
 public:
  Ahead() = default;
  Ahead(const char* base, const int64_t* offsets, int64_t pieces, int64_t element_bytes, int64_t length, int64_t shares)
      : base_(base),
        offset_(offsets),
        end_(offsets + pieces),
        element_bytes_(element_bytes),
        piece_lines_((length * element_bytes + line - 1) / line),
        share_((pieces * piece_lines_ + shares - 1) / shares) {}

  // The next share, into the second cache; nothing once all is asked for.
  void ask() {
    if (share_ > 0) ask_for(share_);
  }

 private:
  static constexpr int64_t line = 64;

  // Not inlined: inside a large loop these counters would live in memory, which takes longer than to ask.
  [[gnu::noinline]] void ask_for(int64_t lines) {
    const char* at = at_;
    int64_t in_piece = in_piece_;
    while (lines > 0) {
      if (in_piece == 0) {
        if (offset_ == end_) return void(share_ = 0);
        at = base_ + *offset_++ * element_bytes_, in_piece = piece_lines_;
      }
      const int64_t now = lines < in_piece ? lines : in_piece;
      lines -= now, in_piece -= now;
      for (const char* end = at + now * line; at != end; at += line) __builtin_prefetch(at, 0, 2);
    }
    at_ = at, in_piece_ = in_piece;
  }

  const char *base_ = nullptr, *at_ = nullptr;
  const int64_t *offset_ = nullptr, *end_ = nullptr;
  int64_t element_bytes_ = 0, piece_lines_ = 0;
  int64_t share_ = 0, in_piece_ = 0;  // lines to ask for at once, and left of the piece at hand
};

}  // namespace tessera::codegen
