#pragma once

#include <msgpack.hpp>

struct Account {
  int number = 0;
  MSGPACK_DEFINE(number)  // by position: append only
};
struct Balance {
  int cents = 0;
  MSGPACK_DEFINE(cents)
};
