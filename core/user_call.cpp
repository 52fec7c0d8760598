#include <tessera/core/user_call.h>

#include <tessera/core/users_place.h>

namespace tessera {
namespace {

thread_local const UserCall* innermost = nullptr;

}  // namespace

UserCall::UserCall(Loc at) : at_(at), outer_(innermost) { innermost = this; }
UserCall::~UserCall() { innermost = outer_; }

Loc UserCall::current() {
  for (const UserCall* call = innermost; call; call = call->outer_)
    if (is_users(call->at_)) return call->at_;
  return {};
}

}  // namespace tessera
