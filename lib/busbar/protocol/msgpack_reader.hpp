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
  explicit MsgpackReader(std::string_view bytes) noexcept
      : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  bool at_end() const noexcept { return at_ == end_; }
  /// What is behind the values that were read.
  std::string_view left() const noexcept { return {at_, size()}; }
  /// Passes over the next value, whatever it is and holds. False: it is truncated or none.
  bool skip() noexcept;
  /// A non-negative integer in any of msgpack's encodings.
  std::optional<std::uint64_t> unsigned_integer() noexcept {
    if (at_end()) return std::nullopt;
    const std::uint8_t type = first();
    if (type < 0x80) {
      ++at_;
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
    std::string_view value;
    if (!bytes(value)) return std::nullopt;
    return value;
  }
  /// The same where it is hot: an optional view is written in parts and read as a whole, for which
  /// the processor waits.
  bool bytes(std::string_view& value) noexcept {
    if (at_end()) return false;
    const char* const before = at_;
    const std::uint8_t type = first();
    std::optional<std::uint64_t> length;
    if (type >= 0xa0 && type <= 0xbf) {
      length = type - 0xa0u;
      ++at_;
    } else if (type >= 0xc4 && type <= 0xc6) {
      length = big_endian(std::size_t{1} << (type - 0xc4));
    } else if (type >= 0xd9 && type <= 0xdb) {
      length = big_endian(std::size_t{1} << (type - 0xd9));
    }
    if (!length || *length > size()) {
      at_ = before;
      return false;
    }
    value = {at_, static_cast<std::size_t>(*length)};
    at_ += *length;
    return true;
  }

 private:
  std::uint8_t first() const noexcept { return static_cast<std::uint8_t>(*at_); }
  std::size_t size() const noexcept { return static_cast<std::size_t>(end_ - at_); }
  std::optional<std::uint64_t> big_endian(std::size_t width) noexcept {
    if (size() < 1 + width) return std::nullopt;
    std::uint64_t value = 0;
    for (std::size_t i = 1; i <= width; ++i)
      value = (value << 8) | static_cast<std::uint8_t>(at_[i]);
    at_ += 1 + width;
    return value;
  }
  bool skip_fixed() noexcept;
  std::optional<std::uint32_t> length(std::uint8_t fixed, std::uint8_t fixed_max,
                                      std::uint8_t wide) noexcept;

  // Two pointers, of which one moves: a view that is written in halves and read as a whole stalls
  // the processor at every value.
  const char* at_;
  const char* end_;
};

}  // namespace busbar::protocol
