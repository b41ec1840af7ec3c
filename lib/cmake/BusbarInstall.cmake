# What an outside project gets: <busbar/busbar.hpp>, find_package(busbar), pkg-config, and two Debian
# packages. Included last, when every target has said what its public headers are.
include(CMakePackageConfigHelpers)

set(generated "${CMAKE_CURRENT_BINARY_DIR}/generated")
get_property(public_headers GLOBAL PROPERTY BUSBAR_PUBLIC_HEADERS)
list(SORT public_headers)
list(TRANSFORM public_headers PREPEND "#include <")
list(TRANSFORM public_headers APPEND ">")
list(JOIN public_headers "\n" BUSBAR_INCLUDES)
configure_file("${CMAKE_CURRENT_LIST_DIR}/busbar.hpp.in" "${generated}/busbar/busbar.hpp" @ONLY)
configure_file("${CMAKE_CURRENT_LIST_DIR}/version.hpp.in" "${generated}/busbar/version.hpp" @ONLY)

add_library(busbar_busbar INTERFACE)
add_library(busbar::busbar ALIAS busbar_busbar)
set_target_properties(busbar_busbar PROPERTIES EXPORT_NAME busbar)
target_sources(busbar_busbar INTERFACE FILE_SET HEADERS BASE_DIRS "${generated}"
  FILES "${generated}/busbar/busbar.hpp" "${generated}/busbar/version.hpp")
target_link_libraries(busbar_busbar INTERFACE busbar::core busbar::patterns busbar::devices)
install(TARGETS busbar_busbar EXPORT busbarTargets
  FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT dev)

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/busbar")
configure_package_config_file("${CMAKE_CURRENT_LIST_DIR}/busbarConfig.cmake.in"
  "${CMAKE_CURRENT_BINARY_DIR}/busbarConfig.cmake" INSTALL_DESTINATION "${package_dir}")
write_basic_package_version_file("${CMAKE_CURRENT_BINARY_DIR}/busbarConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(EXPORT busbarTargets NAMESPACE busbar:: DESTINATION "${package_dir}" COMPONENT dev)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/busbarConfig.cmake"
  "${CMAKE_CURRENT_BINARY_DIR}/busbarConfigVersion.cmake"
  "${CMAKE_CURRENT_LIST_DIR}/BusbarDependencies.cmake"
  DESTINATION "${package_dir}" COMPONENT dev)

# The way from the .pc file up to the prefix, so that an installed tree may be moved.
file(RELATIVE_PATH BUSBAR_PC_UP "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
string(REGEX REPLACE "/$" "" BUSBAR_PC_UP "${BUSBAR_PC_UP}")
configure_file("${CMAKE_CURRENT_LIST_DIR}/busbar.pc.in" "${CMAKE_CURRENT_BINARY_DIR}/busbar.pc"
  @ONLY)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/busbar.pc"
  DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig" COMPONENT dev)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_CONTACT "The Busbar authors <busbar@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL dev)
if(TARGET busbar_program)
  list(APPEND CPACK_COMPONENTS_ALL program)
endif()
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME busbar)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_DEV_PACKAGE_NAME libbusbar-dev)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS
    "libzmq3-dev (>= 4.3.4), cppzmq-dev, libmsgpack-cxx-dev (>= 4.1.3)")
include(CPack)
