#pragma once

#include <string>

#include <msgpack.hpp>

struct Job {
  std::string file;
  int width = 0;
  MSGPACK_DEFINE(file, width)  // by position: append only
};
