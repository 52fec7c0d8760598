#include <tessera/core/user_call.h>

namespace tessera {
namespace {

thread_local const UserCall* innermost = nullptr;

}  // namespace

UserCall::UserCall(Loc at) : at_(at), outer_(innermost) { innermost = this; }
UserCall::~UserCall() { innermost = outer_; }

Loc UserCall::current() {
  for (const UserCall* call = innermost; call; call = call->outer_)
    if (call->at_.known() && !is_library_file(call->at_.file)) return call->at_;
  return {};
}

}  // namespace tessera
