#include <tessera/nn/data/images.h>

#include <algorithm>
#include <filesystem>
#include <numeric>

#include <tessera/core/user_call.h>
#include <tessera/nn/io/file.h>

namespace tessera::data {

ImageSet::ImageSet(const std::string& images_path, const std::string& labels_path, int64_t classes, Loc at)
    : images_(read_idx(images_path, at)), labels_(read_idx(labels_path, at)) {
  UserCall call(at);
  if (images_.shape.rank() != 3) io::fail(images_path, "holds " + images_.shape.str() + ", not pictures [N, H, W]");
  if (labels_.shape != Shape({size()}))
    io::fail(labels_path,
             "holds " + labels_.shape.str() + ", not one label for each of " + std::to_string(size()) + " pictures");
  if (std::ranges::any_of(labels_.bytes, [&](uint8_t label) { return label >= classes; }))
    io::fail(labels_path, "has a label outside its " + std::to_string(classes) + " classes");
}

ImageBatch ImageSet::batch(std::span<const int64_t> indices) const {
  const int64_t count = static_cast<int64_t>(indices.size()), h = images_.shape[1], w = images_.shape[2];
  const auto pixels = static_cast<size_t>(h * w);
  std::vector<float> images;
  std::vector<int32_t> labels;
  images.reserve(indices.size() * pixels);
  for (int64_t index : indices) {
    const uint8_t* picture = images_.bytes.data() + static_cast<size_t>(index) * pixels;
    std::transform(picture, picture + pixels, std::back_inserter(images),
                   [](uint8_t v) { return static_cast<float>(v) / 255; });
    labels.push_back(labels_.bytes[static_cast<size_t>(index)]);
  }
  return {tensor(images, {count, 1, h, w}), tensor(labels, {count})};
}

ImageBatch ImageSet::first(int64_t count) const {
  std::vector<int64_t> indices(static_cast<size_t>(std::min(count, size())));
  std::iota(indices.begin(), indices.end(), int64_t{0});
  return batch(indices);
}

ImageSet fashion_mnist(Split split, const std::string& folder, Loc at) {
  UserCall call(at);
  if (!std::filesystem::is_directory(folder))
    io::fail(folder, "no such folder",
             "install the package dataset-fashion-mnist, or give the folder that holds its files");
  const std::string prefix = folder + (split == Split::train ? "/train" : "/t10k");
  return {prefix + "-images-idx3-ubyte.gz", prefix + "-labels-idx1-ubyte.gz", 10, at};
}

std::span<const char* const> fashion_mnist_classes() {
  static constexpr const char* names[] = {"t-shirt", "trouser", "pullover", "dress", "coat",
                                          "sandal",  "shirt",   "sneaker",  "bag",   "boot"};
  return names;
}

}  // namespace tessera::data
