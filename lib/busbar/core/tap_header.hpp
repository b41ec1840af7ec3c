/// What a tap says about each copy: lib/WIRE.md, "Tap".
#pragma once

#include <cstdint>
#include <string>

#include <busbar/core/codec.hpp>

namespace busbar {

/// The second frame of a copy, packed and unpacked as a msgpack map of these names.
struct TapHeader {
  std::string device = {};
  std::string direction = {};  ///< `forward` or `backward`
  std::int64_t time = 0;       ///< Nanoseconds since 1970, UTC.
  MSGPACK_DEFINE_MAP(device, direction, time)
};

}  // namespace busbar
