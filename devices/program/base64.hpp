/// RFC 4648 base64, for bytes that JSON has no text for.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace busbar::program {

std::string to_base64(std::string_view bytes);
/// Empty: `text` is no base64 (padding is required, white space is refused).
std::optional<std::string> from_base64(std::string_view text);

}  // namespace busbar::program
