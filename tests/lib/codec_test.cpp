#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include <busbar/core/codec.hpp>
#include <busbar/core/limits.hpp>
#include <busbar/core/tap_header.hpp>

using busbar::pack;
using busbar::unpack;
using namespace std::string_literals;

namespace {

struct Order {
  std::string item;
  int count = 0;
  MSGPACK_DEFINE(item, count)
};

std::string cause_of(std::string_view bytes) {
  try {
    (void)busbar::detail::parse(bytes);
    return "taken";
  } catch (const busbar::Error& error) {
    CHECK(error.kind() == busbar::ErrorKind::refused);
    return error.cause();
  }
}

/// `depth` arrays around a nil.
std::string nested(std::size_t depth) { return std::string(depth, '\x91') + "\xc0"; }

}  // namespace

TEST_CASE("a value comes out as it went in") {
  CHECK(unpack<int>(pack(-5)) == -5);
  CHECK(unpack<std::string>(pack("text"s)) == "text");
  CHECK(unpack<std::vector<std::uint64_t>>(pack(std::vector<std::uint64_t>{1, 1ull << 63})) ==
        std::vector<std::uint64_t>{1, 1ull << 63});
  const std::map<std::string, bool> flags{{"a", true}, {"b", false}};
  CHECK(unpack<std::map<std::string, bool>>(pack(flags)) == flags);
  const auto order = unpack<Order>(pack(Order{"tea", 3}));
  CHECK(order.item == "tea");
  CHECK(order.count == 3);
}

TEST_CASE("a value of another type is refused, and the error names both") {
  try {
    (void)unpack<int>(pack("text"s));
    FAIL("taken");
  } catch (const busbar::Error& error) {
    CHECK(error.kind() == busbar::ErrorKind::refused);
    CHECK(error.cause() == "found a string, wanted int");
  }
  CHECK_THROWS_AS((void)unpack<std::uint8_t>(pack(256)), busbar::Error);
  CHECK_THROWS_AS((void)unpack<std::vector<int>>(pack(1)), busbar::Error);
}

TEST_CASE("a handful of bytes cannot ask for gigabytes") {
  CHECK(cause_of("\xdd\xff\xff\xff\xff"s) == "announces 4294967295 elements");
  CHECK(cause_of("\xdf\xff\xff\xff\xff"s) == "announces 4294967295 elements");
  CHECK(cause_of("\xdb\xff\xff\xff\xff"s) == "truncated");
  CHECK(cause_of("\xc6\xff\xff\xff\xff"s) == "truncated");
  CHECK(cause_of("\xc9\xff\xff\xff\xff\x01"s) == "truncated");
}

TEST_CASE("nested arrays that each announce what one of them could hold are refused") {
  // Each of 32 nested arrays announces as many elements as the whole has bytes.
  std::string bytes;
  for (int i = 0; i < 32; ++i) bytes += "\xdd\x00\x10\x00\x00"s;
  bytes.resize(1u << 20, '\xc0');
  CHECK(cause_of(bytes) == "truncated");
}

TEST_CASE("nesting is taken down to the limit and refused below it") {
  CHECK(cause_of(nested(busbar::limits::msgpack_depth)) == "taken");
  CHECK(cause_of(nested(busbar::limits::msgpack_depth + 1)) == "nested deeper than 32");
  CHECK(cause_of(nested(1'000'000)) == "nested deeper than 32");
  CHECK(cause_of(std::string(40, '\x81')) == "nested deeper than 32");
}

TEST_CASE("truncated, trailing and meaningless bytes are refused") {
  CHECK(cause_of("") == "truncated");
  CHECK(cause_of("\x92\x01") == "truncated");
  CHECK(cause_of("\xa5text") == "truncated");
  CHECK(cause_of("\x01\x02") == "1 bytes behind the value");
  CHECK(cause_of("\xc1") == "no msgpack at byte 0");
  CHECK(cause_of("\x91\xc1") == "no msgpack at byte 1");
}

TEST_CASE("every truncation of a value is refused") {
  const std::string bytes =
      pack(std::map<std::string, std::vector<double>>{{"a", {1.5}}, {"b", {2.5, 3.5}}});
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CHECK(cause_of(std::string_view(bytes).substr(0, size)) != "taken");
  }
}

TEST_CASE("empty containers and strings are values") {
  for (const char* bytes : {"\x90", "\x80", "\xa0"}) CHECK(cause_of(bytes) == "taken");
  CHECK(cause_of("\xc4\x00"s) == "taken");
}

TEST_CASE("a tap's header is the one that WIRE.md shows") {
  const std::string shown =
      "\x83\xa6"
      "device\xa5tasks\xa9"
      "direction\xa7"
      "forward\xa4time\xcf\x17\x97\x9c\xfe\x36\x2a\x00\x00"s;
  CHECK(pack(busbar::TapHeader{"tasks", "forward", 1'700'000'000'000'000'000}) == shown);
  const auto header = unpack<busbar::TapHeader>(shown);
  CHECK(header.device == "tasks");
  CHECK(header.direction == "forward");
  CHECK(header.time == 1'700'000'000'000'000'000);
}
