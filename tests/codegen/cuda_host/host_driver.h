#pragma once
// A driver and a compiler for tests of the CUDA executor without a card: memory is the host's, kernels are the texts
// compiled for the processor (cuda_rows/host_run.h). Streams run as late as they may: a copy, a launch or a graph happens
// when somebody waits for it, or asks and looks at memory meanwhile, so that whoever reads too early, or changes what the
// device still needs, is found out. Freed memory is overwritten and given to the next who asks for its size.

#include <cstddef>

namespace tessera::cuda {
struct Driver;
}

namespace tessera::testing {

// Before anything touches a device.
void use_host_driver();
const cuda::Driver& host_driver_table();

struct HostDriver {
  size_t memory = size_t{1} << 40;  // bytes there are
  bool runs_kernels = true;         // false: all that a kernel does is to say that its run is done
  bool is_late = true;              // false: everything happens at once
  int refuses_graphs = 0;           // the next so many that should be finished are not

  // Counted since the start.
  int launches = 0;       // of kernels, one by one
  int graphs = 0;         // of graphs
  int graphs_done = 0;    // which the device has run
  int graphs_made = 0;    // finished
  int steps_changed = 0;  // of finished graphs
  int early = 0;          // launches, and steps of graphs, that may begin while the one before ends
  int branches = 0;       // of the graph that was finished last: steps that only its last one waits for
  int waits = 0;          // calls that waited for the device, or asked whether it is done
  int compiled = 0;       // texts
  size_t bytes_in = 0, bytes_out = 0;
};
HostDriver& host_driver();

}  // namespace tessera::testing
