#pragma once
// tessera cache: what the disk cache holds.

namespace tessera::tools {

void cache_list();
void cache_path();
void cache_clear();

}  // namespace tessera::tools
