# Finds what the library needs. Shared by our own build and by the installed package file, so that
# an outside project meets the same fallbacks: cppzmq's own package asks for a ZeroMQ package that
# Debian does not ship, and msgpack's package has had two names.
find_package(PkgConfig REQUIRED)
if(NOT TARGET PkgConfig::BUSBAR_ZMQ)
  pkg_check_modules(BUSBAR_ZMQ REQUIRED IMPORTED_TARGET GLOBAL libzmq>=4.3.4)
endif()
find_package(Threads REQUIRED)
find_path(BUSBAR_CPPZMQ_INCLUDE zmq.hpp HINTS ${BUSBAR_ZMQ_INCLUDE_DIRS})
mark_as_advanced(BUSBAR_CPPZMQ_INCLUDE)
if(NOT BUSBAR_CPPZMQ_INCLUDE)
  message(FATAL_ERROR "busbar: zmq.hpp not found: install cppzmq (Debian: cppzmq-dev)")
endif()

if(NOT TARGET busbar::msgpack)
  find_package(msgpackc-cxx QUIET CONFIG)
  if(NOT msgpackc-cxx_FOUND)
    find_package(msgpack-cxx QUIET CONFIG)
  endif()
  foreach(name msgpackc-cxx msgpack-cxx)
    if(TARGET ${name})
      get_target_property(busbar_msgpack_hint ${name} INTERFACE_INCLUDE_DIRECTORIES)
    endif()
  endforeach()
  find_path(BUSBAR_MSGPACK_INCLUDE msgpack.hpp HINTS ${busbar_msgpack_hint})
  mark_as_advanced(BUSBAR_MSGPACK_INCLUDE)
  if(NOT BUSBAR_MSGPACK_INCLUDE)
    message(FATAL_ERROR "busbar: msgpack.hpp not found: install msgpack-c for C++ "
                        "(Debian: libmsgpack-cxx-dev)")
  endif()
  # The folder alone, not msgpack's own target: that one is not visible in every directory.
  add_library(busbar::msgpack INTERFACE IMPORTED GLOBAL)
  target_include_directories(busbar::msgpack INTERFACE "${BUSBAR_MSGPACK_INCLUDE}"
                             "${BUSBAR_CPPZMQ_INCLUDE}")
  target_compile_definitions(busbar::msgpack INTERFACE MSGPACK_NO_BOOST)
endif()
