#include <stdexcept>

namespace {

/// Bad input breaks some of toml++ 3.3's assertions, which would end the process, or, optimised, be
/// taken for true. Here they are one more way to say that the text is no TOML.
struct ParserConfused : std::logic_error {
  using std::logic_error::logic_error;
};
[[noreturn]] void confused() { throw ParserConfused{"no TOML"}; }

}  // namespace

// Debian's package would have every user of the static library link toml++ as well.
#undef TOML_HEADER_ONLY
#undef TOML_SHARED_LIB
#undef NDEBUG
#define TOML_HEADER_ONLY 1
#define TOML_MAX_NESTED_VALUES 32
#define TOML_ASSERT(expression) (static_cast<bool>(expression) ? void() : confused())

#include <algorithm>

#include <toml++/toml.h>

#include <busbar/core/error.hpp>
#include <busbar/devices/topology/internal/toml_text.hpp>
#include <busbar/devices/topology/internal/toml_tree.hpp>

namespace busbar::detail {

namespace {

bool confuses(std::string_view text) {
  try {
    (void)toml::parse(text);
  } catch (const ParserConfused&) {
    return true;
  } catch (const toml::parse_error&) {
  }
  return false;
}

/// The first line that the parser cannot cope with: it reads from the beginning, so whatever has
/// that line confuses it, and nothing shorter does.
unsigned line_of_confusion(std::string_view text) {
  std::size_t good = 0;
  auto bad = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
  while (bad - good > 1) {
    const std::size_t middle = good + (bad - good) / 2;
    (confuses(first_lines(text, middle)) ? bad : good) = middle;
  }
  return static_cast<unsigned>(bad);
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
  if (const auto flaw = flaw_in(text)) return finding(flaw->line, flaw->problem, flaw->remedy);
  constexpr const char* remedy = "correct it: the file must be TOML 1.0 in UTF-8, https://toml.io";
  try {
    return table_from(toml::parse(text, file));
  } catch (const toml::parse_error& error) {
    return finding(error.source().begin.line, printable(error.description(), 300), remedy);
  } catch (const ParserConfused& error) {
    return finding(line_of_confusion(text), error.what(), remedy);
  }
}

}  // namespace busbar::detail
