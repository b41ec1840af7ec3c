// Debian's package would have every user of the static library link toml++ as well.
#undef TOML_HEADER_ONLY
#undef TOML_SHARED_LIB
#define TOML_HEADER_ONLY 1
#define TOML_MAX_NESTED_VALUES 32

#include <algorithm>

#include <toml++/toml.h>

#include <busbar/core/error.hpp>
#include <busbar/devices/topology/internal/toml_tree.hpp>

namespace busbar::detail {

namespace {

constexpr std::size_t dots_max = 16;
constexpr std::string_view blank = " \t\r";

std::string_view trimmed(std::string_view text) {
  const std::size_t start = text.find_first_not_of(blank);
  if (start == std::string_view::npos) return {};
  return text.substr(start, text.find_last_not_of(blank) - start + 1);
}

/// The key that the text is at in `line`, as far as a text that does not parse has keys.
std::string key_near(std::string_view text, unsigned line) {
  std::string_view table;
  std::string_view here;
  for (unsigned number = 1; number <= line; ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    here = trimmed(text.substr(0, end));
    if (here.starts_with('[')) {
      const std::size_t start = std::min(here.find_first_not_of('['), here.size());
      table = trimmed(here.substr(start, here.find(']') - start));
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  const std::size_t equals = here.find('=');
  const std::string_view key = here.starts_with('[') ? std::string_view{} : here.substr(0, equals);
  const std::string dot = table.empty() || key.empty() ? "" : ".";
  return printable(table, 60) + dot + printable(trimmed(key), 60);
}

/// Behind the string that starts at `at`; a one-line string ends at the end of its line at least.
std::size_t skip_string(std::string_view text, std::size_t at) {
  const char quote = text[at];
  const bool multi_line = text.substr(at, 3) == std::string(3, quote);
  const std::string_view closing = text.substr(at, multi_line ? 3 : 1);
  at += closing.size();
  while (at < text.size()) {
    if (text.substr(at, closing.size()) == closing) return at + closing.size();
    if (!multi_line && text[at] == '\n') return at;
    at += quote == '"' && text[at] == '\\' ? 2 : 1;
  }
  return text.size();
}

/// The line of a key with more parts than any topology has, 0 where there is none. The parser
/// nests a table for each part, and walks over them by recursion.
unsigned line_of_deep_key(std::string_view text) {
  unsigned line = 1;
  std::size_t dots = 0;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == '"' || c == '\'') {
      const std::size_t end = skip_string(text, at);
      line +=
          static_cast<unsigned>(std::count(text.begin() + static_cast<std::ptrdiff_t>(at),
                                           text.begin() + static_cast<std::ptrdiff_t>(end), '\n'));
      at = end;
      continue;
    }
    if (c == '#') {
      at = std::min(text.find('\n', at), text.size());
      continue;
    }
    if (c == '\n') ++line;
    if (std::string_view{"\n=,[]{}"}.find(c) != std::string_view::npos) dots = 0;
    if (c == '.' && ++dots > dots_max) return line;
    ++at;
  }
  return 0;
}

TomlValue tree_from(const toml::node& node);

TomlValue table_from(const toml::table& table) {
  TomlValue value{.type = TomlValue::Type::table, .line = table.source().begin.line};
  for (const auto& [key, node] : table) {
    value.entries.emplace_back(std::string{key.str()}, tree_from(node));
    // Where the key stands, even if its value starts on another line.
    if (key.source().begin.line != 0) value.entries.back().second.line = key.source().begin.line;
  }
  std::stable_sort(value.entries.begin(), value.entries.end(),
                   [](const auto& a, const auto& b) { return a.second.line < b.second.line; });
  return value;
}

TomlValue tree_from(const toml::node& node) {
  using Type = TomlValue::Type;
  TomlValue value{.line = node.source().begin.line};
  if (const auto* table = node.as_table()) return table_from(*table);
  if (const auto* text = node.as_string()) {
    value.type = Type::text;
    value.text = text->get();
  } else if (const auto* integer = node.as_integer()) {
    value.type = Type::integer;
    value.integer = integer->get();
  } else if (const auto* boolean = node.as_boolean()) {
    value.type = Type::boolean;
    value.boolean = boolean->get();
  } else if (const auto* list = node.as_array()) {
    value.type = Type::list;
    for (const toml::node& element : *list) value.entries.emplace_back("", tree_from(element));
  }
  return value;
}

}  // namespace

std::string_view name_of(TomlValue::Type type) noexcept {
  switch (type) {
    case TomlValue::Type::text:
      return "a string";
    case TomlValue::Type::integer:
      return "an integer";
    case TomlValue::Type::boolean:
      return "a boolean";
    case TomlValue::Type::list:
      return "an array";
    case TomlValue::Type::table:
      return "a table";
    case TomlValue::Type::other:
      break;
  }
  return "a fraction or a date";
}

std::variant<TomlValue, Finding> read_toml(std::string_view text, const std::string& file) {
  const auto finding = [&](unsigned line, std::string problem, std::string remedy) {
    return Finding{{file, line, key_near(text, line)}, std::move(problem), std::move(remedy)};
  };
  if (text.size() > toml_bytes_max) {
    return finding(0, "larger than 1 MiB", "give a topology file, or split it");
  }
  if (const unsigned line = line_of_deep_key(text)) {
    return finding(line, "a key of more than 17 parts", "no key of a topology has more than 4");
  }
  try {
    return table_from(toml::parse(text, file));
  } catch (const toml::parse_error& error) {
    return finding(error.source().begin.line, printable(error.description(), 300),
                   "correct it: the file must be TOML 1.0 in UTF-8, https://toml.io");
  }
}

}  // namespace busbar::detail
