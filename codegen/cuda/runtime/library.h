#pragma once
// A shared library found at run time, so that one program serves hosts with it and without. Never closed again.

#include <string>
#include <vector>

namespace tessera::cuda {

class Library {
 public:
  // Tries each name in the loader's path, then in each folder. `what` it is for and a `hint` make the one line that a
  // user sees when it is missing; a symbol that is missing is the same DeviceError.
  Library(std::string what, const std::vector<std::string>& names, const std::vector<std::string>& folders,
          std::string hint);

  // The function `name`, as the pointer it is assigned to.
  template <class F>
  void bind(F*& function, const char* name) const {
    function = reinterpret_cast<F*>(symbol(name));
  }
  // The same, or null where the library is older.
  template <class F>
  void bind_if_there(F*& function, const char* name) const {
    function = reinterpret_cast<F*>(find(name));
  }
  const std::string& path() const { return path_; }

 private:
  void* find(const char* name) const;
  void* symbol(const char* name) const;

  std::string what_, path_, hint_;
  void* handle_ = nullptr;
};

// Where a CUDA toolkit lies when it is not in the loader's path, newest first.
std::vector<std::string> toolkit_folders();

}  // namespace tessera::cuda
