#include <fstream>

#include <busbar/core/error.hpp>
#include <busbar/devices/topology/internal/findings.hpp>
#include <busbar/devices/topology/internal/toml_device.hpp>
#include <busbar/devices/topology/internal/toml_reader.hpp>
#include <busbar/devices/topology/topology.hpp>

namespace busbar {

namespace {

using detail::TomlReader;
using detail::TomlValue;

constexpr std::size_t devices_max = 1000;
constexpr const char* devices_form = "add [devices.NAME] with kind, frontend and backend";
constexpr const char* links_form = R"(write [[links]], then from = "A.backend", to = "B.frontend")";

std::vector<TopologyDevice> read_devices(TomlReader& reader, const std::string& key,
                                         const TomlValue& tables) {
  std::vector<TopologyDevice> devices;
  if (!reader.is(key, tables, TomlValue::Type::table, devices_form)) return devices;
  if (tables.entries.size() > devices_max) {
    reader.note(tables.line, key, "more than 1000 devices", "split the topology");
    return devices;
  }
  for (const auto& [name, table] : tables.entries) {
    if (!detail::is_device_name(name)) {
      reader.note(table.line, key + "." + printable(name, 64), "the name is no single word",
                  detail::device_name_form);
    } else if (auto device = detail::read_device(reader, name, table)) {
      devices.push_back(std::move(*device));
    }
  }
  return devices;
}

/// One end of a link, which must be on the side given.
std::string read_end(TomlReader& reader, const std::string& key, const TomlValue& value,
                     std::string_view side) {
  const auto end = reader.text(key, value, detail::link_form);
  if (!end) return {};
  if (detail::split_end(*end).second == side) return *end;
  reader.note(value.line, key, "'" + printable(*end) + "' is no " + std::string{side},
              detail::link_form);
  return {};
}

std::optional<TopologyLink> read_link(TomlReader& reader, const std::string& key,
                                      const TomlValue& table) {
  TopologyLink link{.from = {}, .to = {}, .place = reader.place(table.line, key)};
  bool has_from = false;
  bool has_to = false;
  reader.table(key, table,
               {{"from",
                 [&](auto& k, auto& v) {
                   has_from = true;
                   link.from = read_end(reader, k, v, "backend");
                 }},
                {"to",
                 [&](auto& k, auto& v) {
                   has_to = true;
                   link.to = read_end(reader, k, v, "frontend");
                 }},
                {"over", [&](auto& k, auto& v) { link.over = reader.endpoint(k, v); }}},
               links_form);
  if (table.type != TomlValue::Type::table) return {};
  if (!has_from) reader.note(table.line, key + ".from", "missing", links_form);
  if (!has_to) reader.note(table.line, key + ".to", "missing", links_form);
  if (link.from.empty() || link.to.empty()) return {};
  return link;
}

std::vector<TopologyLink> read_links(TomlReader& reader, const std::string& key,
                                     const TomlValue& tables) {
  std::vector<TopologyLink> links;
  if (!reader.is(key, tables, TomlValue::Type::list, links_form)) return links;
  for (std::size_t i = 0; i < tables.entries.size(); ++i) {
    const std::string path = key + "[" + std::to_string(i) + "]";
    if (auto link = read_link(reader, path, tables.entries[i].second)) {
      links.push_back(std::move(*link));
    }
  }
  return links;
}

std::optional<std::string> read_name(TomlReader& reader, const std::string& key,
                                     const TomlValue& value) {
  constexpr const char* form = R"(write e.g. name = "word-count")";
  const auto name = reader.text(key, value, form);
  if (!name || (!name->empty() && printable(*name) == *name)) return name;
  reader.note(value.line, key, "empty, too long or not printable", form);
  return {};
}

std::string content_of(const std::filesystem::path& file) {
  const std::string operation = "read topology " + printable(file.string(), 200);
  std::error_code failure;
  const auto status = std::filesystem::status(file, failure);
  if (!std::filesystem::exists(status)) {
    throw Error(ErrorKind::usage, operation, "no such file", "give the name of a TOML file");
  }
  if (std::filesystem::is_directory(status)) {
    throw Error(ErrorKind::usage, operation, "it is a directory", "give the name of a TOML file");
  }
  std::ifstream in{file, std::ios::binary};
  std::string text(detail::toml_bytes_max + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad() || (!in && !in.eof())) {
    throw Error(ErrorKind::usage, operation, "it cannot be read", "check its permissions");
  }
  text.resize(static_cast<std::size_t>(in.gcount()));
  return text;
}

}  // namespace

Topology Topology::load(const std::filesystem::path& file) {
  return parse(content_of(file), file.string());
}

Topology Topology::parse(std::string_view toml, const std::string& file_name) {
  const std::string operation = "read topology " + printable(file_name, 200);
  const auto read = detail::read_toml(toml, printable(file_name, 200));
  if (const Finding* broken = std::get_if<Finding>(&read)) {
    detail::throw_findings(operation, {*broken});
  }
  const auto& root = std::get<TomlValue>(read);
  TomlReader reader{file_name};
  Topology topology;
  topology.name_ = std::filesystem::path{file_name}.stem().string();
  bool has_devices = false;
  reader.table(
      "", root,
      {{"name", [&](auto& key,
                    auto& value) { topology.name_ = read_name(reader, key, value).value_or(""); }},
       {"devices",
        [&](auto& key, auto& value) {
          has_devices = true;
          topology.devices_ = read_devices(reader, key, value);
          if (value.type == TomlValue::Type::table && value.entries.empty()) {
            reader.note(value.line, key, "empty", devices_form);
          }
        }},
       {"links",
        [&](auto& key, auto& value) { topology.links_ = read_links(reader, key, value); }}},
      devices_form);
  if (!has_devices) reader.note(1, "devices", "missing", devices_form);
  detail::throw_findings(operation, std::move(reader).findings());
  return topology;
}

}  // namespace busbar
