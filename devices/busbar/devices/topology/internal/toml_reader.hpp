/// Reads values out of a TomlValue and notes everything that is wrong with them.
#pragma once

#include <concepts>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <busbar/core/endpoint.hpp>
#include <busbar/core/error.hpp>
#include <busbar/devices/topology/internal/toml_tree.hpp>

namespace busbar::detail {

/// Every `read` answers nothing where it noted a finding.
class TomlReader {
 public:
  explicit TomlReader(std::string file) : file_(std::move(file)) {}

  void note(unsigned line, std::string key, std::string problem, std::string remedy);
  void note(const std::string& key, const TomlValue& value, const Error& error);
  std::vector<Finding> findings() && { return std::move(findings_); }
  Place place(unsigned line, std::string key) const { return {file_, line, std::move(key)}; }
  /// Files are named relative to the one that names them.
  std::filesystem::path resolve(const std::string& file) const;

  struct Field {
    std::string_view name;
    std::function<void(const std::string& key, const TomlValue& value)> read;
  };
  /// Reads the fields that are there; notes those that no field has, and whatever is no table.
  void table(const std::string& key, const TomlValue& value, std::initializer_list<Field> fields,
             const char* form);

  bool is(const std::string& key, const TomlValue& value, TomlValue::Type type, const char* form);
  std::optional<std::string> text(const std::string& key, const TomlValue& value, const char* form);
  std::optional<bool> boolean(const std::string& key, const TomlValue& value);
  /// A string, or an array of strings.
  std::vector<const TomlValue*> texts(const std::string& key, const TomlValue& value,
                                      const char* form);
  std::optional<Endpoint> endpoint(const std::string& key, const TomlValue& value);
  std::vector<Endpoint> endpoints(const std::string& key, const TomlValue& value);

  /// What `make` answers; an Error that it throws is noted.
  template <std::invocable Make>
  auto attempt(const std::string& key, const TomlValue& value, Make make)
      -> std::optional<decltype(make())> {
    try {
      return make();
    } catch (const Error& error) {
      note(key, value, error);
      return {};
    }
  }

 private:
  std::string file_;
  std::vector<Finding> findings_;
};

}  // namespace busbar::detail
