#include <doctest/doctest.h>

#include <busbar/core/multipart.hpp>
#include <busbar/patterns/message.hpp>

using namespace busbar;

TEST_CASE("a message keeps its frames alive, and so do its copies") {
  auto frames = std::make_shared<const Multipart>(Multipart{"prices.eur", pack(1.25)});
  Message message{frames, frames->text(0), frames->text(1)};
  frames.reset();
  message.set_headers({{"trace", "abc"}});
  const Message copy = message;
  message = Message{std::make_shared<const Multipart>(), "", ""};
  CHECK(copy.topic() == "prices.eur");
  CHECK(copy.as<double>() == 1.25);
  CHECK(copy.header("trace") == "abc");
  CHECK(copy.header("none").empty());
  CHECK(copy.sequence() == 0);
  CHECK(copy.as<std::string>() == copy.payload());
  CHECK_THROWS_AS((void)copy.as<std::vector<int>>(), Error);
}
