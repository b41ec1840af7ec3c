#include "busbar/protocol/msgpack_reader.hpp"

namespace busbar::protocol {

// The first bytes of the encodings: https://github.com/msgpack/msgpack/blob/master/spec.md

std::optional<std::uint32_t> MsgpackReader::length(std::uint8_t fixed, std::uint8_t fixed_max,
                                                   std::uint8_t wide) noexcept {
  if (at_end()) return std::nullopt;
  const std::uint8_t type = first();
  if (type >= fixed && type <= fixed + fixed_max) {
    left_.remove_prefix(1);
    return type - fixed;
  }
  if (type != wide && type != wide + 1) return std::nullopt;
  const auto value = big_endian(type == wide ? 2 : 4);
  return value ? std::optional(static_cast<std::uint32_t>(*value)) : std::nullopt;
}

std::optional<std::uint32_t> MsgpackReader::array() noexcept { return length(0x90, 15, 0xdc); }

std::optional<std::uint32_t> MsgpackReader::map() noexcept { return length(0x80, 15, 0xde); }

std::optional<std::string_view> MsgpackReader::bytes() noexcept {
  if (at_end()) return std::nullopt;
  const std::string_view before = left_;
  const std::uint8_t type = first();
  std::optional<std::uint64_t> size;
  if (type >= 0xa0 && type <= 0xbf) {
    size = type - 0xa0u;
    left_.remove_prefix(1);
  } else if (type >= 0xc4 && type <= 0xc6) {
    size = big_endian(std::size_t{1} << (type - 0xc4));
  } else if (type >= 0xd9 && type <= 0xdb) {
    size = big_endian(std::size_t{1} << (type - 0xd9));
  }
  if (!size || *size > left_.size()) {
    left_ = before;
    return std::nullopt;
  }
  const std::string_view value = left_.substr(0, *size);
  left_.remove_prefix(*size);
  return value;
}

}  // namespace busbar::protocol
