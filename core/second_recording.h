#pragma once
// The second call of a signature records again: what a function makes of host state is frozen at the first call, so one that
// makes something else of it the next time is told so.

#include <tessera/core/trace.h>

namespace tessera {

// TraceError for the first thing that differs, naming its line; `compiled_at` where it has none.
void check_same_recording(const Trace::Recorded& first, const Trace::Recorded& second, Loc compiled_at);

}  // namespace tessera
