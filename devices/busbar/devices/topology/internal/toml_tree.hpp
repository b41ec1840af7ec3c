/// A TOML file as a plain tree: the one place that knows the parser.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <busbar/devices/topology/topology.hpp>

namespace busbar::detail {

struct TomlValue {
  enum class Type { text, integer, boolean, list, table, other };
  Type type = Type::other;
  unsigned line = 0;
  std::string text = {};
  std::int64_t integer = 0;
  bool boolean = false;
  /// Of a table, in the order of the file; of a list, without names.
  std::vector<std::pair<std::string, TomlValue>> entries = {};
};
/// `a string`, `an integer`, ….
std::string_view name_of(TomlValue::Type type) noexcept;

/// Files above this size, in bytes, are refused.
inline constexpr std::size_t toml_bytes_max = 1u << 20;

/// The table, or what is wrong with the text as TOML, with the line and the key that is nearest.
std::variant<TomlValue, Finding> read_toml(std::string_view text, const std::string& file);

}  // namespace busbar::detail
