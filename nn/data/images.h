#pragma once
// Labelled pictures in memory, and Fashion-MNIST: 60,000 and 10,000 grey pictures of 28×28 in ten classes of clothing.
// Xiao et al., "Fashion-MNIST", 2017.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <tessera/core/tensor.h>
#include <tessera/nn/data/idx.h>

namespace tessera::data {

struct ImageBatch {
  Tensor images;  // f32 [N, 1, H, W] in [0, 1]
  Tensor labels;  // i32 [N]
  template <class V> void fields(V&& v) { v("images", images), v("labels", labels); }
};

class ImageSet {
 public:
  // images [N, H, W], labels [N] below `classes`; FileError naming the files when the two do not fit together.
  ImageSet(const std::string& images_path, const std::string& labels_path, int64_t classes, Loc at = Loc::here());

  int64_t size() const { return images_.shape[0]; }
  ImageBatch batch(std::span<const int64_t> indices) const;
  ImageBatch first(int64_t count) const;  // without a Loader: for a picture or a quick evaluation

 private:
  Idx images_, labels_;
};

enum class Split { train, test };
// Where Debian's dataset-fashion-mnist lies.
inline constexpr const char* fashion_mnist_folder = "/usr/share/datasets/fashion-mnist";
// From there, or from any folder with files of the same names.
ImageSet fashion_mnist(Split = Split::train, const std::string& folder = fashion_mnist_folder, Loc at = Loc::here());
std::span<const char* const> fashion_mnist_classes();

}  // namespace tessera::data
