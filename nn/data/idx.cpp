#include <tessera/nn/data/idx.h>

#include <zlib.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include <tessera/core/user_call.h>
#include <tessera/nn/io/file.h>

namespace tessera::data {
namespace {

constexpr uint64_t size_limit = uint64_t{1} << 32;
constexpr size_t piece = size_t{1} << 20;

// A stream of bytes that knows how to complain.
class Reader {
 public:
  explicit Reader(const std::string& path) : path_(path), file_(gzopen(path.c_str(), "rb"), &gzclose) {
    if (!file_) io::fail(path, "cannot be opened");
  }
  // At most `size` bytes; fewer only at the end of a sound file.
  size_t read(uint8_t* to, size_t size) {
    int count = gzread(file_.get(), to, static_cast<unsigned>(size));
    int error = Z_OK;
    const char* reason = gzerror(file_.get(), &error);
    if (count < 0 || (error != Z_OK && error != Z_STREAM_END))
      io::fail(path_, error == Z_BUF_ERROR ? "the gzip data end early: is it truncated?"
                                           : std::string("the gzip data are damaged: ") + reason);
    return static_cast<size_t>(count);
  }
  void exactly(uint8_t* to, size_t size, const char* what) {
    if (read(to, size) != size) io::fail(path_, std::string("ends within its ") + what);
  }

 private:
  const std::string& path_;
  std::unique_ptr<gzFile_s, int (*)(gzFile)> file_;
};

}  // namespace

Idx read_idx(const std::string& path, Loc at) {
  UserCall call(at);
  if (!std::filesystem::exists(path)) io::fail_missing(path);
  if (!std::filesystem::is_regular_file(path)) io::fail(path, "not a regular file");
  Reader reader(path);
  uint8_t magic[4];
  reader.exactly(magic, 4, "first four bytes");
  if (magic[0] != 0 || magic[1] != 0) io::fail(path, "not an IDX file: it does not begin with two zero bytes");
  if (magic[2] != 0x08)
    io::fail(path, "holds IDX type " + std::to_string(magic[2]) + "; only unsigned bytes (8) are read");
  if (magic[3] < 1 || magic[3] > 8) io::fail(path, "claims " + std::to_string(magic[3]) + " dims");

  Dims dims;
  uint64_t size = 1;
  for (int i = 0; i < magic[3]; ++i) {
    uint8_t b[4];
    reader.exactly(b, 4, "extents");
    uint64_t extent = uint64_t{b[0]} << 24 | uint64_t{b[1]} << 16 | uint64_t{b[2]} << 8 | b[3];
    if (extent == 0) io::fail(path, "claims an extent of 0");
    size *= extent;  // below 2³² before, and the extent too: no overflow
    if (size > size_limit) io::fail(path, "claims more than 4 GiB of data");
    dims.push_back(static_cast<int64_t>(extent));
  }

  // Memory grows with what the file really holds, not with what it claims.
  Idx out{dims, {}};
  while (out.bytes.size() < size) {
    size_t have = out.bytes.size(), want = std::min<uint64_t>(piece, size - have);
    out.bytes.resize(have + want);
    if (reader.read(out.bytes.data() + have, want) != want)
      io::fail(path, "claims " + out.shape.str() + " but holds fewer bytes: is it truncated?");
  }
  uint8_t extra;
  if (reader.read(&extra, 1) != 0) io::fail(path, "has bytes after its data " + out.shape.str());
  return out;
}

}  // namespace tessera::data
