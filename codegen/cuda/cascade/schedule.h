#pragma once
// How a cascade is laid on blocks and warps. Decided by shapes and dtypes alone, as contractions are.
//
// A block owns a group of rows of one batch point, 16 · `down` of them in each warp, and goes through the columns in blocks.
// Operands of a block of columns come to shared memory while the block before is computed.

#include <string>

#include <tessera/codegen/cuda/cascade/cascade.h>
#include <tessera/codegen/cuda/contract/mapped.h>
#include <tessera/codegen/cuda/contract/schedule.h>

namespace tessera::cuda {

// How an operand comes to shared memory, where its lines lie as in memory: along depth, or along rows or columns of the plane.
struct PlaneStaging {
  bool along_depth = true;
  int width = 1;            // neighbours that move at once
  int64_t depth = 16;       // with what fills it up to whole products
  int64_t line_depth = 16;  // with what fills its lines
};

struct CascadeSchedule {
  int warps = 4, down = 1;                  // of a block; tiles of 16 rows of a warp
  int64_t block = 64;                       // columns
  int residents = 2;                        // blocks that share a multiprocessor at least
  int products_of_f32 = 0;                  // of tf32, that make one: 3, or 1, which keeps 10 bits; 0: none reads f32
  bool last_first = false;                  // groups with the most to do begin first: those of the last rows
  int64_t abreast = 1;                      // batch points whose groups do so together; the others follow
  std::vector<PlaneStaging> rows, columns;  // of `row_operands`, of `stream_operands`
  std::vector<bool> in_registers;           // of `row_operands`
  int64_t groups = 1;
  // Of the same operands, where the copy engine brings them (role_schedule.h).
  std::vector<Mapped> row_maps, column_maps;

  bool has_roles() const { return !row_maps.empty(); }
  int threads() const { return warps * 32; }
  int launched_threads() const { return threads() + (has_roles() ? 32 : 0); }  // with the warp that copies
  int64_t group() const { return int64_t{warps} * down * 16; }
};

// From the one that is thought the fastest on; the last is for a compiler that has no registers for those before.
std::vector<CascadeSchedule> cascade_schedules(const Cascade& c, F32Products f32);

// Has the last group of rows more to do than the first, as far as indices decide?
bool last_has_most(const Cascade& c, const CascadeSchedule& s);

std::string schedule_text(const CascadeSchedule& s);  // in a line for people

}  // namespace tessera::cuda
