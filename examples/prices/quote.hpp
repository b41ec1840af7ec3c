#pragma once

#include <msgpack.hpp>

struct Quote {
  double bid = 0;
  double ask = 0;
  MSGPACK_DEFINE(bid, ask)  // by position: append only
};
