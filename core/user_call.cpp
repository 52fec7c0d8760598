#include <tessera/core/user_call.h>

namespace tessera {
namespace {

thread_local Loc call_of_thread;

}  // namespace

UserCall::UserCall(Loc at) : outer_(call_of_thread) {
  if (at.known() && !is_library_file(at.file)) call_of_thread = at;
}
UserCall::~UserCall() { call_of_thread = outer_; }

Loc UserCall::current() { return call_of_thread; }

}  // namespace tessera
