# toml++ as headers only. Debian's package would link a shared library, and the static busbar
# library would pass that need on to every outside project.
find_path(BUSBAR_TOML_INCLUDE toml++/toml.h)
mark_as_advanced(BUSBAR_TOML_INCLUDE)
if(BUSBAR_TOML_INCLUDE AND NOT TARGET tomlplusplus::tomlplusplus)
  add_library(tomlplusplus::tomlplusplus INTERFACE IMPORTED GLOBAL)
  target_include_directories(tomlplusplus::tomlplusplus INTERFACE "${BUSBAR_TOML_INCLUDE}")
endif()
