#include <algorithm>

#include <busbar/devices/topology/internal/findings.hpp>
#include <busbar/devices/topology/internal/toml_reader.hpp>

namespace busbar::detail {

namespace {
constexpr const char* endpoint_form = R"(write e.g. "tcp://127.0.0.1:5555", or an array of them)";
}  // namespace

void TomlReader::note(unsigned line, std::string key, std::string problem, std::string remedy) {
  findings_.push_back({place(line, std::move(key)), std::move(problem), std::move(remedy)});
}

void TomlReader::note(const std::string& key, const TomlValue& value, const Error& error) {
  note(value.line, key, error.operation() + ": " + error.cause(),
       error.remedy().empty() ? "correct the value" : error.remedy());
}

std::filesystem::path TomlReader::resolve(const std::string& file) const {
  return std::filesystem::path{file_}.parent_path() / file;
}

void TomlReader::table(const std::string& key, const TomlValue& value,
                       std::initializer_list<Field> fields, const char* form) {
  if (!is(key, value, TomlValue::Type::table, form)) return;
  std::vector<std::string_view> known;
  for (const Field& field : fields) known.push_back(field.name);
  for (const auto& entry : value.entries) {
    const std::string& name = entry.first;
    const auto field = std::find_if(fields.begin(), fields.end(),
                                    [&](const Field& candidate) { return candidate.name == name; });
    const std::string path = (key.empty() ? "" : key + ".") + printable(name, 64);
    if (field != fields.end()) {
      field->read(path, entry.second);
    } else {
      note(entry.second.line, path, "unknown key" + suggestion(name, known),
           "the keys here are " + listed(known));
    }
  }
}

bool TomlReader::is(const std::string& key, const TomlValue& value, TomlValue::Type type,
                    const char* form) {
  if (value.type == type) return true;
  note(value.line, key,
       std::string{name_of(value.type)} + " where " + std::string{name_of(type)} + " is wanted",
       form);
  return false;
}

std::optional<std::string> TomlReader::text(const std::string& key, const TomlValue& value,
                                            const char* form) {
  if (!is(key, value, TomlValue::Type::text, form)) return {};
  return value.text;
}

std::optional<bool> TomlReader::boolean(const std::string& key, const TomlValue& value) {
  if (!is(key, value, TomlValue::Type::boolean, "write true or false")) return {};
  return value.boolean;
}

std::vector<const TomlValue*> TomlReader::texts(const std::string& key, const TomlValue& value,
                                                const char* form) {
  std::vector<const TomlValue*> found;
  if (value.type != TomlValue::Type::list) {
    if (is(key, value, TomlValue::Type::text, form)) found.push_back(&value);
    return found;
  }
  for (std::size_t i = 0; i < value.entries.size(); ++i) {
    const TomlValue& element = value.entries[i].second;
    if (is(key + "[" + std::to_string(i) + "]", element, TomlValue::Type::text, form)) {
      found.push_back(&element);
    }
  }
  return found;
}

std::optional<Endpoint> TomlReader::endpoint(const std::string& key, const TomlValue& value) {
  const auto written = text(key, value, endpoint_form);
  if (!written) return {};
  return attempt(key, value, [&] { return Endpoint{*written}; });
}

std::vector<Endpoint> TomlReader::endpoints(const std::string& key, const TomlValue& value) {
  std::vector<Endpoint> found;
  for (const TomlValue* element : texts(key, value, endpoint_form)) {
    if (auto parsed = endpoint(key, *element)) found.push_back(std::move(*parsed));
  }
  return found;
}

}  // namespace busbar::detail
