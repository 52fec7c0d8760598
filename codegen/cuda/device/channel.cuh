#pragma once
// Channels: the only way in which warp roles hand buffers to each other.
//
// A channel guards `depth` buffers that are filled and read in turn. The writer waits until a buffer is free and names
// the bytes that copies will bring; a reader waits until they are there, and frees the oldest buffer it holds once it
// is done. Each role keeps a cursor of its own, over the whole life of the kernel: phases are never reset.

#include "barrier.cuh"

namespace tessera {

template <int depth, int cluster = 1>
struct Channel {
  Barrier full[depth], empty[depth];

  // `readers` warpgroups of each block read each buffer. With a cluster, copies land in all its blocks at once: a buffer is free
  // when the readers of every block have freed theirs. `writes`: 2 where the writer has written beside what copies bring
  // (WarpWriter).
  TESSERA_DEVICE void init(int readers, int writes = 1) {
    if (threadIdx.x != 0) return;
    for (int i = 0; i < depth; ++i) full[i].init(writes), empty[i].init(readers * cluster);
  }
};

// A buffer that the writer may fill: index and the barrier that counts what arrives.
struct Slot {
  int index;
  Barrier& full;
  TESSERA_DEVICE operator int() const { return index; }
};

template <int depth, int cluster>
struct Writer {
  Channel<depth, cluster>& channel;
  int index = 0;
  u32 phase = 0;

  TESSERA_DEVICE explicit Writer(Channel<depth, cluster>& c) : channel(c) {}

  // The next buffer, once it is free; copies of `bytes` in all must follow.
  TESSERA_DEVICE Slot put(u32 bytes) {
    const int i = index;
    channel.empty[i].wait(phase ^ 1);
    channel.full[i].arrive_expecting(bytes);
    advance();
    return {i, channel.full[i]};
  }
  // Waits until all is read. A block of a cluster must not end while others still arrive at its barriers.
  TESSERA_DEVICE void drain() {
    for (int i = 0; i < depth; ++i) {
      channel.empty[index].wait(phase ^ 1);
      advance();
    }
  }
  TESSERA_DEVICE void advance() {
    if (++index == depth) index = 0, phase ^= 1;
  }
};

// A whole warp that writes: its first lane issues copies, and all of them may write to the buffer themselves.
template <int depth>
struct WarpWriter {
  Writer<depth, 1> writer;

  TESSERA_DEVICE explicit WarpWriter(Channel<depth>& c) : writer(c) {}

  // The next buffer, once it is free; the first lane must issue copies of `bytes` in all.
  TESSERA_DEVICE Slot put(u32 bytes) {
    const int i = writer.index;
    writer.channel.empty[i].wait(writer.phase ^ 1);
    if (lane() == 0) writer.channel.full[i].arrive_expecting(bytes);
    writer.advance();
    return {i, writer.channel.full[i]};
  }
  // What the lanes themselves have written is there.
  TESSERA_DEVICE void written(const Slot& slot) {
    __syncwarp();
    if (lane() == 0) slot.full.arrive();
  }
};

template <int depth, int cluster>
struct Reader {
  Channel<depth, cluster>& channel;
  int index = 0, oldest = 0;
  u32 phase = 0;

  TESSERA_DEVICE explicit Reader(Channel<depth, cluster>& c) : channel(c) {}

  // The next buffer, once it is full.
  TESSERA_DEVICE int get() {
    const int i = index;
    channel.full[i].wait(phase);
    if (++index == depth) index = 0, phase ^= 1;
    return i;
  }
  // Frees the oldest buffer held. Called by whole warpgroups, after they waited for the mma that reads it.
  TESSERA_DEVICE void release() {
    if (cluster > 1) {
      if (thread_of_warpgroup() < cluster) channel.empty[oldest].arrive_at(thread_of_warpgroup());
    } else {
      if (thread_of_warpgroup() == 0) channel.empty[oldest].arrive();
    }
    if (++oldest == depth) oldest = 0;
  }
  // Goes past so many buffers, which other warpgroups read; none is held. Before the next get, somebody who has seen those
  // buffers full must have told this warpgroup: a wait tells even rounds of a buffer from odd ones, and no more.
  TESSERA_DEVICE void skip(int count) {
    phase ^= static_cast<u32>((index + count) / depth % 2);
    oldest = index = (index + count) % depth;
  }
};

}  // namespace tessera
