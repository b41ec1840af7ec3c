# busbar_library(NAME core HEADERS … SOURCES … LINK …): one folder of the house as one target,
# busbar::NAME. The folder is its own include root, so an upward include does not compile.
add_library(busbar_build_flags INTERFACE)
target_compile_options(busbar_build_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Wold-style-cast
  -Woverloaded-virtual
  # GCC 12 warns of every `"text" + std::string` (GCC bug 105651).
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-restrict>)
if(BUSBAR_SANITIZE)
  add_compile_options(-fsanitize=${BUSBAR_SANITIZE} -fno-omit-frame-pointer
                      -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${BUSBAR_SANITIZE})
endif()
if(BUSBAR_FUZZERS AND CMAKE_CXX_COMPILER_ID MATCHES Clang)
  add_compile_options(-fsanitize=fuzzer-no-link)
  add_link_options(-fsanitize=fuzzer-no-link)
endif()

function(busbar_library)
  cmake_parse_arguments(ARG "" "NAME" "HEADERS;SOURCES;LINK" ${ARGN})
  set(target busbar_${ARG_NAME})
  add_library(${target} STATIC ${ARG_SOURCES})
  add_library(busbar::${ARG_NAME} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${ARG_NAME})
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_sources(${target} PUBLIC FILE_SET HEADERS
    BASE_DIRS "${CMAKE_CURRENT_SOURCE_DIR}" FILES ${ARG_HEADERS})
  target_link_libraries(${target} PUBLIC ${ARG_LINK} PRIVATE $<BUILD_INTERFACE:busbar_build_flags>)
  install(TARGETS ${target} EXPORT busbarTargets
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT dev
    FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT dev)
  set_property(GLOBAL APPEND PROPERTY BUSBAR_PUBLIC_HEADERS ${ARG_HEADERS})
endfunction()
