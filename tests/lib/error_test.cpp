#include <string>

#include <doctest/doctest.h>

#include <busbar/core/error.hpp>

using busbar::Error;
using busbar::ErrorKind;
using busbar::printable;

TEST_CASE("an error says operation, cause and remedy, and keeps them apart") {
  const Error error(ErrorKind::unreachable, "bind tcp://127.0.0.1:5555", "address already in use",
                    "another process listens there");
  CHECK(std::string(error.what()) ==
        "bind tcp://127.0.0.1:5555: address already in use (another process listens there)");
  CHECK(error.kind() == ErrorKind::unreachable);
  CHECK(error.operation() == "bind tcp://127.0.0.1:5555");
  CHECK(error.cause() == "address already in use");
  CHECK(error.remedy() == "another process listens there");
}

TEST_CASE("an error without a remedy has no empty brackets") {
  CHECK(std::string(Error(ErrorKind::timeout, "wait", "nobody came").what()) ==
        "wait: nobody came");
}

TEST_CASE("the kinds of error are the program's exit codes") {
  CHECK(static_cast<int>(ErrorKind::usage) == 2);
  CHECK(static_cast<int>(ErrorKind::unreachable) == 3);
  CHECK(static_cast<int>(ErrorKind::timeout) == 4);
  CHECK(static_cast<int>(ErrorKind::refused) == 5);
}

TEST_CASE("printable text stays as it is, in any script") {
  CHECK(printable("prices.eur") == "prices.eur");
  CHECK(printable("größe €  😀") == "größe €  😀");
  CHECK(printable("") == "");
}

TEST_CASE("control characters are escaped, those of Unicode too") {
  CHECK(printable(std::string_view("a\0b\n\x1b[31m\x7f", 10)) == "a\\x00b\\x0a\\x1b[31m\\x7f");
  CHECK(printable("\xc2\x9b"
                  "31m") == "\\xc2\\x9b31m");  // CSI as one character
  CHECK(printable("\xe2\x80\xae"
                  "x") == "\\xe2\\x80\\xaex");  // writes the rest backwards
}

TEST_CASE("what is no well-formed UTF-8 is escaped byte by byte") {
  CHECK(printable("\xff") == "\\xff");
  CHECK(printable("\xc3(") == "\\xc3(");
  CHECK(printable("\xe2\x82") == "\\xe2\\x82");                    // cut off
  CHECK(printable("\xc0\xaf") == "\\xc0\\xaf");                    // overlong
  CHECK(printable("\xed\xa0\x80") == "\\xed\\xa0\\x80");           // surrogate
  CHECK(printable("\xf4\x90\x80\x80") == "\\xf4\\x90\\x80\\x80");  // above U+10FFFF
}

TEST_CASE("long text is cut where asked, never within a character") {
  CHECK(printable("abcdef", 6) == "abcdef");
  CHECK(printable("abcdef", 5) == "abcde…");
  CHECK(printable("ab€", 4) == "ab…");
  CHECK(printable("x", 0) == "…");
  CHECK(printable(std::string(1000, 'x')).size() == 120 + 3);
}
