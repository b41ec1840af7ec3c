/// Reading a few msgpack values in place, without building objects: for what comes with every
/// message. Anything else goes through codec.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace busbar::protocol {

/// Every call answers empty where the next value is truncated or of another type, and the reader
/// then stays at its place. Views refer to the bytes given.
class MsgpackReader {
 public:
  explicit MsgpackReader(std::string_view bytes) : left_(bytes) {}

  bool at_end() const noexcept { return left_.empty(); }
  /// What is behind the values that were read.
  std::string_view left() const noexcept { return left_; }
  /// Passes over the next value, whatever it is and holds. False: it is truncated or none.
  bool skip() noexcept;
  /// A non-negative integer in any of msgpack's encodings.
  std::optional<std::uint64_t> unsigned_integer() noexcept {
    if (at_end()) return std::nullopt;
    const std::uint8_t type = first();
    if (type < 0x80) {
      left_.remove_prefix(1);
      return type;
    }
    if (type >= 0xcc && type <= 0xcf) return big_endian(std::size_t{1} << (type - 0xcc));
    return std::nullopt;
  }
  /// The number of elements that follow.
  std::optional<std::uint32_t> array() noexcept;
  /// The number of pairs of values that follow.
  std::optional<std::uint32_t> map() noexcept;
  /// A string or a binary.
  std::optional<std::string_view> bytes() noexcept {
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

 private:
  std::uint8_t first() const noexcept { return static_cast<std::uint8_t>(left_.front()); }
  std::optional<std::uint64_t> big_endian(std::size_t size) noexcept {
    if (left_.size() < 1 + size) return std::nullopt;
    std::uint64_t value = 0;
    for (std::size_t i = 1; i <= size; ++i) {
      value = (value << 8) | static_cast<std::uint8_t>(left_[i]);
    }
    left_.remove_prefix(1 + size);
    return value;
  }
  bool skip_fixed() noexcept;
  std::optional<std::uint32_t> length(std::uint8_t fixed, std::uint8_t fixed_max,
                                      std::uint8_t wide) noexcept;

  std::string_view left_;
};

}  // namespace busbar::protocol
