#include <algorithm>

#include <busbar/core/error.hpp>
#include <busbar/devices/topology/internal/toml_text.hpp>

namespace busbar::detail {

namespace {

constexpr std::size_t dots_max = 16;
constexpr std::string_view blank = " \t\r";
constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

bool is_beyond_ascii(char c) { return static_cast<unsigned char>(c) > 0x7F; }
bool has_beyond_ascii(std::string_view text) {
  return std::any_of(text.begin(), text.end(), is_beyond_ascii);
}

std::string_view trimmed(std::string_view text) {
  const std::size_t start = text.find_first_not_of(blank);
  if (start == std::string_view::npos) return {};
  return text.substr(start, text.find_last_not_of(blank) - start + 1);
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

}  // namespace

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
  const bool has_key = equals != std::string_view::npos && !here.starts_with('[');
  const std::string_view key = has_key ? here.substr(0, equals) : std::string_view{};
  const std::string dot = table.empty() || key.empty() ? "" : ".";
  return printable(table, 60) + dot + printable(trimmed(key), 60);
}

std::optional<TextFlaw> flaw_in(std::string_view text) {
  unsigned line = 1;
  std::size_t dots = 0;
  for (std::size_t at = text.starts_with(byte_order_mark) ? 3 : 0; at < text.size();) {
    const char c = text[at];
    if (c == '"' || c == '\'') {
      const std::size_t end = skip_string(text, at);
      const std::string_view quoted = text.substr(at, end - at);
      if (quoted.starts_with(R"(""")") && has_beyond_ascii(quoted)) {
        return TextFlaw{line, "a text of several lines with a character outside ASCII",
                        "write it in one line"};
      }
      line += static_cast<unsigned>(std::count(quoted.begin(), quoted.end(), '\n'));
      at = end;
      continue;
    }
    if (c == '#') {
      at = std::min(text.find('\n', at), text.size());
      continue;
    }
    if (is_beyond_ascii(c)) {
      return TextFlaw{line, "a character outside ASCII that is in no string and no comment",
                      "put quotes round the text: the file must be TOML 1.0, https://toml.io"};
    }
    if (c == '\n') ++line;
    if (std::string_view{"\n=,[]{}"}.find(c) != std::string_view::npos) dots = 0;
    if (c == '.' && ++dots > dots_max) {
      return TextFlaw{line, "a key of more than 17 parts", "no key of a topology has more than 4"};
    }
    ++at;
  }
  return std::nullopt;
}

std::string_view first_lines(std::string_view text, std::size_t count) {
  std::size_t end = 0;
  for (; count > 0 && end < text.size(); --count) {
    end = std::min(text.find('\n', end), text.size() - 1) + 1;
  }
  return text.substr(0, end);
}

}  // namespace busbar::detail
