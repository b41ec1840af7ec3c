/// Reading a frame that is a signature and one msgpack array, element by element.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include <busbar/protocol/msgpack_reader.hpp>

namespace busbar::protocol {

/// Every call answers false where the next element is missing, of another type or too large.
class FieldReader {
 public:
  /// `bytes` begin with the array, behind the signature.
  explicit FieldReader(std::string_view bytes) noexcept
      : reader_(bytes), left_(reader_.array().value_or(0)) {}

  bool at_end() const noexcept { return left_ == 0; }
  template <class Number>
  bool number(Number& into, std::uint64_t max = UINT64_MAX) noexcept {
    const auto value = at_end() ? std::nullopt : reader_.unsigned_integer();
    if (!value || *value > max) return false;
    --left_;
    into = static_cast<Number>(*value);
    return true;
  }
  /// `into` refers to the bytes given.
  bool text(std::string_view& into, std::size_t max) noexcept {
    const auto value = at_end() ? std::nullopt : reader_.bytes();
    if (!value || value->size() > max) return false;
    --left_;
    into = *value;
    return true;
  }
  /// Passes over the elements that are left; `behind` is set to what stands behind the array.
  bool skip_rest(std::string_view& behind) noexcept {
    for (; left_ > 0; --left_)
      if (!reader_.skip()) return false;
    behind = reader_.left();
    return true;
  }

 protected:
  MsgpackReader reader_;
  std::uint32_t left_;
};

}  // namespace busbar::protocol
