#include "busbar/protocol/msgpack_reader.hpp"

namespace busbar::protocol {

// The first bytes of the encodings: https://github.com/msgpack/msgpack/blob/master/spec.md

std::optional<std::uint32_t> MsgpackReader::length(std::uint8_t fixed, std::uint8_t fixed_max,
                                                   std::uint8_t wide) noexcept {
  if (at_end()) return std::nullopt;
  const std::uint8_t type = first();
  if (type >= fixed && type <= fixed + fixed_max) {
    ++at_;
    return type - fixed;
  }
  if (type != wide && type != wide + 1) return std::nullopt;
  const auto value = big_endian(type == wide ? 2 : 4);
  return value ? std::optional(static_cast<std::uint32_t>(*value)) : std::nullopt;
}

bool MsgpackReader::skip() noexcept {
  const char* const before = at_;
  // Without recursion: how many values are still to pass, of which each takes a byte at least.
  for (std::uint64_t values = 1; values > 0; --values) {
    if (const auto elements = array()) {
      values += *elements;
    } else if (const auto pairs = map()) {
      values += 2 * std::uint64_t{*pairs};
    } else if (!bytes() && !skip_fixed()) {
      at_ = before;
      return false;
    }
  }
  return true;
}

/// A number, nil, a boolean or an extension.
bool MsgpackReader::skip_fixed() noexcept {
  if (at_end()) return false;
  const std::uint8_t type = first();
  if (type >= 0xc7 && type <= 0xc9) {  // its length, its type, its bytes
    const auto length = big_endian(std::size_t{1} << (type - 0xc7));
    if (!length || *length >= size()) return false;
    at_ += 1 + *length;
    return true;
  }
  const bool small = type < 0x80 || type >= 0xe0;  // an integer in its type's byte
  const bool word = type == 0xc0 || type == 0xc2 || type == 0xc3;
  const bool number = type >= 0xca && type <= 0xd8;
  // Of strings, arrays and maps only those come here that are truncated.
  if (!small && !word && !number) return false;
  std::size_t width = 1;
  if (type == 0xca) width += 4;
  if (type == 0xcb) width += 8;
  if (type >= 0xcc && type <= 0xcf) width += std::size_t{1} << (type - 0xcc);
  if (type >= 0xd0 && type <= 0xd3) width += std::size_t{1} << (type - 0xd0);
  if (type >= 0xd4 && type <= 0xd8) width += 1 + (std::size_t{1} << (type - 0xd4));
  if (size() < width) return false;
  at_ += width;
  return true;
}

std::optional<std::uint32_t> MsgpackReader::array() noexcept { return length(0x90, 15, 0xdc); }

std::optional<std::uint32_t> MsgpackReader::map() noexcept { return length(0x80, 15, 0xde); }

}  // namespace busbar::protocol
