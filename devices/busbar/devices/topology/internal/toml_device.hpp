/// The devices of a topology file.
#pragma once

#include <optional>
#include <string>

#include <busbar/devices/topology/internal/toml_reader.hpp>

namespace busbar::detail {

/// Empty where the table has no kind that could be read; all mistakes are noted.
std::optional<TopologyDevice> read_device(TomlReader& reader, const std::string& name,
                                          const TomlValue& table);

}  // namespace busbar::detail
