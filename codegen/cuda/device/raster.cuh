#pragma once
// A grid of tiles, one after the other.

#include "core.cuh"

namespace tessera {

struct Place {
  int row, column, plane = 0;
};

// A grid of tiles, `group` rows of it at a time, down the group first: the tiles in flight share rows and columns that
// stay in L2.
struct Raster {
  int rows, columns, group;

  TESSERA_DEVICE int count() const { return rows * columns; }
  TESSERA_DEVICE Place at(int tile) const {
    const int per_group = group * columns, first = tile / per_group * group, inside = tile % per_group;
    const int height = min(group, rows - first);
    return {first + inside % height, inside / height};
  }
};

// The same grid in several planes, one after the other.
struct Planes {
  Raster grid;
  int planes;

  TESSERA_DEVICE int count() const { return grid.count() * planes; }
  TESSERA_DEVICE Place at(int tile) const {
    Place place = grid.at(tile % grid.count());
    place.plane = tile / grid.count();
    return place;
  }
};

}  // namespace tessera
