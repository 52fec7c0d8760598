#pragma once
// fuse.scatter_add in C++ (FuseScatter.td): apart from the other ops, because few files know it.

#include <tessera/ir/fuse/Fuse.h>

#define GET_OP_CLASSES
#include <tessera/ir/fuse/FuseScatter.h.inc>
