#pragma once
// Training mode is a scope opened in the step (D16), not a flag in modules: dropout and batch statistics are on only
// while a Training lives on this thread.
//
//   auto step = compile([&](Tensor x, Tensor y) { nn::Training on; … });

namespace tessera::nn {

class [[nodiscard]] Training {
 public:
  explicit Training(bool on = true);
  ~Training();
  Training(const Training&) = delete;
  Training& operator=(const Training&) = delete;

 private:
  bool outer_;
};

bool is_training();

}  // namespace tessera::nn
