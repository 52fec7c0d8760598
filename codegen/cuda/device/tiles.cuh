#pragma once
// In which order the blocks of a persistent kernel take tiles.

#include "channel.cuh"
#include "raster.cuh"

namespace tessera {

// Rows of tiles in planes, where a row costs the more the lower it stands: the last row of all planes of a section
// first. What a section reads over and over (keys and values of its planes) shall fit in L2.
struct LongestFirst {
  int rows, planes, section;

  TESSERA_DEVICE int count() const { return rows * planes; }
  TESSERA_DEVICE Place at(int tile) const {
    const int per_section = rows * section, first = tile / per_section * section, inside = tile % per_section;
    const int width = min(section, planes - first);
    return {rows - 1 - inside / width, first + inside % width};
  }
};

// Tiles that differ in length are drawn from a counter in global memory, so that no block waits for another. Which
// block takes which tile varies from run to run; results do not. The last draw sets the counter back to 0.
struct Tickets {
  Barrier full[2], empty[2];
  int tile[2];

  TESSERA_DEVICE void init(int reading_warps) {
    if (threadIdx.x != 0) return;
    for (int i = 0; i < 2; ++i) full[i].init(1), empty[i].init(reading_warps);
  }
};

// The one thread that draws, and tells the readers: 0 … count - 1, then count once.
struct TicketWriter {
  Tickets& tickets;
  int* counter;
  int count;
  u32 drawn = 0;

  TESSERA_DEVICE TicketWriter(Tickets& t, int* c, int n) : tickets(t), counter(c), count(n) {}

  TESSERA_DEVICE int next() {
    int tile = static_cast<int>(blockIdx.x);  // the first is everyone's own
    if (drawn > 0) {
      const int before = atomicAdd(counter, 1);
      if (before == count - 1) *counter = 0;  // count - blocks tiles and one end for each block are drawn in all
      tile = min(before + static_cast<int>(gridDim.x), count);
    }
    const u32 slot = drawn % 2, phase = drawn / 2 % 2;
    tickets.empty[slot].wait(phase ^ 1);
    tickets.tile[slot] = tile;
    tickets.full[slot].arrive();
    ++drawn;
    return tile;
  }
};

struct TicketReader {
  Tickets& tickets;
  u32 read = 0;

  TESSERA_DEVICE explicit TicketReader(Tickets& t) : tickets(t) {}

  TESSERA_DEVICE int next() {
    const u32 slot = read % 2;
    tickets.full[slot].wait(read / 2 % 2);
    int tile = 0;
    if (lane() == 0) {
      tile = tickets.tile[slot];
      tickets.empty[slot].arrive();
    }
    ++read;
    return __shfl_sync(0xffffffff, tile, 0);
  }
};

}  // namespace tessera
