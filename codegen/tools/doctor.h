#pragma once
// tessera doctor: what this machine has. One line per part; a missing one says what to install.

namespace tessera::tools {

// 0 when programs compile and run here; what is only missing for the examples does not count.
int doctor();

}  // namespace tessera::tools
