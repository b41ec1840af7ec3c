/// msgpack with limits: nothing that comes from outside can ask for more memory than it brought.
#pragma once

#include <string>
#include <string_view>
#include <typeinfo>

#include <msgpack.hpp>

#include <busbar/core/error.hpp>

namespace busbar {

/// Packs any type that msgpack can take (arithmetic, strings, containers, MSGPACK_DEFINE types).
template <class T>
std::string pack(const T& value) {
  msgpack::sbuffer buffer;
  msgpack::pack(buffer, value);
  return {buffer.data(), buffer.size()};
}

namespace detail {
/// Parses exactly one value; limits are derived from `bytes.size()`, the depth is
/// limits::msgpack_depth. Throws Error (refused) on anything else, trailing bytes included. Strings
/// and binaries in the value refer to `bytes`.
msgpack::object_handle parse(std::string_view bytes);
[[noreturn]] void throw_wrong_type(const msgpack::object& value, const std::type_info& wanted);
}  // namespace detail

/// The value in `bytes`, copied out of them. Throws Error (refused): truncated, too deep, trailing
/// bytes, or of another type than T (the message says what was found and what was wanted).
template <class T>
T unpack(std::string_view bytes) {
  const msgpack::object_handle handle = detail::parse(bytes);
  try {
    return handle->as<T>();
  } catch (const msgpack::type_error&) {
    detail::throw_wrong_type(handle.get(), typeid(T));
  }
}

/// What the patterns' messages hold: text and bytes (std::string, std::string_view) go as they are,
/// everything else packed. Throws as `unpack` does.
template <class T>
T value_of(std::string_view payload) {
  if constexpr (std::same_as<T, std::string> || std::same_as<T, std::string_view>) {
    return T{payload};
  } else {
    return unpack<T>(payload);
  }
}

}  // namespace busbar
