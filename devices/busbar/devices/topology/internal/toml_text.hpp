/// A TOML file as mere text: what can be said of it without the parser.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace busbar::detail {

/// The key that the text is at in `line`, as far as a text that does not parse has keys.
std::string key_near(std::string_view text, unsigned line);

/// What the parser must not be given, and where it stands.
struct TextFlaw {
  unsigned line;
  const char* problem;
  const char* remedy;
};

/// The first flaw of the text: a key of more parts than any topology has (the parser nests a table
/// for each part, and walks over them by recursion), or a character outside ASCII that could be
/// taken for white space (toml++ 3.3 then runs into what it calls unreachable).
std::optional<TextFlaw> flaw_in(std::string_view text);

std::string_view first_lines(std::string_view text, std::size_t count);

}  // namespace busbar::detail
