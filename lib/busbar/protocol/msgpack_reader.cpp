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

}  // namespace busbar::protocol
