// stb writes the chunks, zlib compresses them: no library to link beyond zlib.

#include <zlib.h>

#include <cstdlib>

#include <tessera/core/error.h>
#include <tessera/core/user_call.h>
#include <tessera/nn/io/file.h>
#include <tessera/nn/io/image.h>

namespace {

// stb frees the result with free().
unsigned char* compress_with_zlib(unsigned char* data, int size, int* compressed_size, int level) {
  uLongf bound = compressBound(static_cast<uLong>(size));
  auto* out = static_cast<unsigned char*>(std::malloc(bound));
  if (!out || compress2(out, &bound, data, static_cast<uLong>(size), level) != Z_OK) {
    std::free(out);
    return nullptr;
  }
  *compressed_size = static_cast<int>(bound);
  return out;
}

}  // namespace

#define STBIW_ZLIB_COMPRESS compress_with_zlib
#define STB_IMAGE_WRITE_STATIC
#define STB_IMAGE_WRITE_IMPLEMENTATION
#include <stb/stb_image_write.h>

namespace tessera::io {

void write_png(const std::string& path, const Image& image, Loc at) {
  UserCall call(at);
  const size_t size = static_cast<size_t>(image.width) * static_cast<size_t>(image.height);
  if (image.width < 1 || image.height < 1 || (image.channels != 1 && image.channels != 3) ||
      image.pixels.size() != size * static_cast<size_t>(image.channels))
    throw ValueError({.code = "T-V133", .fault = "the picture's size, channels and pixels do not agree"});
  write_file(path, [&](const Append& append) {
    auto piece = [](void* to, void* data, int count) {
      (*static_cast<const Append*>(to))({static_cast<const char*>(data), static_cast<size_t>(count)});
    };
    if (!stbi_write_png_to_func(piece, const_cast<Append*>(&append), image.width, image.height, image.channels,
                                image.pixels.data(), 0))
      fail(path, "the picture could not be compressed");
  });
}

}  // namespace tessera::io
