#pragma once
// The line of a public call, for errors that are found far below it: io::load() opens and checks a file several functions
// down, none of which should have to pass the line on.
//
//   LoadReport load(nn::ModuleBase& model, const std::string& path, const LoadOptions& options, Loc at) {
//     UserCall call(at);

#include <tessera/core/location.h>

namespace tessera {

// While it lives, errors of this thread that name no line of the user's name `at`. A call from within the library is
// no user's: then the one around it is asked. To begin one costs nothing, since each step of training does.
class UserCall {
 public:
  explicit UserCall(Loc at);
  ~UserCall();
  UserCall(const UserCall&) = delete;
  UserCall& operator=(const UserCall&) = delete;

  static Loc current();  // unknown outside of such calls

 private:
  Loc at_;
  const UserCall* outer_;
};

}  // namespace tessera
