#include <utility>

#include <busbar/core/error.hpp>
#include <busbar/core/internal/utf8.hpp>

namespace busbar {

namespace {

std::string sentence(const std::string& operation, const std::string& cause,
                     const std::string& remedy) {
  std::string text = operation + ": " + cause;
  if (!remedy.empty()) text += " (" + remedy + ")";
  return text;
}

void append_escaped(std::string& out, std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
  }
}

}  // namespace

Error::Error(ErrorKind kind, std::string operation, std::string cause, std::string remedy)
    : std::runtime_error(sentence(operation, cause, remedy)),
      kind_(kind),
      operation_(std::move(operation)),
      cause_(std::move(cause)),
      remedy_(std::move(remedy)) {}

std::string printable(std::string_view text, std::size_t max) {
  std::string out;
  std::size_t at = 0;
  while (at < text.size()) {
    const detail::CodePoint c = detail::first_code_point(text.substr(at));
    const std::size_t length = c.length == 0 ? 1 : c.length;
    if (at + length > max) return out + "…";
    const std::string_view bytes = text.substr(at, length);
    if (c.length == 0 || detail::is_control(c.value)) {
      append_escaped(out, bytes);
    } else {
      out += bytes;
    }
    at += length;
  }
  return out;
}

}  // namespace busbar
