# Writes OUT, a C++ file with the text of each of FILES: cmake -DOUT=... "-DFILES=a;b" -P embed.cmake
set(rows "")
foreach(file IN LISTS FILES)
  file(READ ${file} text)
  cmake_path(GET file FILENAME name)
  string(APPEND rows "    {\"${name}\", R\"=====(${text})=====\"},\n")
endforeach()
file(WRITE ${OUT} "#include <tessera/codegen/cuda/runtime/device_header.h>

namespace tessera::cuda {

static constexpr DeviceHeaderFile files[] = {
${rows}};

std::span<const DeviceHeaderFile> device_header() { return files; }

}  // namespace tessera::cuda
")
