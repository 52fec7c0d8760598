# Installs the build, moves the result, then configures, builds and runs the project beside this file with it:
# once through find_package, once through pkg-config where that is installed.

function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY)
endfunction()

set(work ${BUILD}/tests/package)
set(prefix ${work}/moved)
file(REMOVE_RECURSE ${work})
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${work}/installed)
file(RENAME ${work}/installed ${prefix})

set(flags)
if(SANITIZE)
  set(flags -fsanitize=${SANITIZE})
endif()
run(${CMAKE_COMMAND} -G Ninja -S ${SOURCE} -B ${work}/app -DCMAKE_PREFIX_PATH=${prefix}
    -DCMAKE_CXX_COMPILER=${COMPILER} -DCMAKE_CXX_FLAGS=${flags} -DTARGET=${TARGET})
run(${CMAKE_COMMAND} --build ${work}/app)
run(${work}/app/app)

# No private dependency may be named in what users read, and no path of the build machine.
file(GLOB_RECURSE texts ${prefix}/*.cmake ${prefix}/*.pc)
foreach(text IN LISTS texts)
  file(READ ${text} content)
  if(content MATCHES "MLIR::|LLVM::|llvm-[0-9]+|[^_]LLVM;|fmt::|nlohmann|ZLIB::" OR content MATCHES "${BUILD}")
    message(FATAL_ERROR "${text} leaks '${CMAKE_MATCH_0}'")
  endif()
endforeach()

find_program(pkg_config pkg-config)
if(pkg_config)
  file(GLOB_RECURSE pc ${prefix}/*/tessera.pc)
  cmake_path(GET pc PARENT_PATH pc_folder)
  execute_process(COMMAND ${CMAKE_COMMAND} -E env PKG_CONFIG_PATH=${pc_folder} ${pkg_config} --cflags --libs tessera
                  OUTPUT_VARIABLE words OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  separate_arguments(words UNIX_COMMAND "${words}")
  cmake_path(GET pc_folder PARENT_PATH libraries)
  run(${COMPILER} ${flags} ${SOURCE}/main.cpp -o ${work}/app_pc ${words} -Wl,-rpath,${libraries})
  run(${work}/app_pc)
endif()
