#include <doctest/doctest.h>

#include <busbar/core/internal/peer_table.hpp>

using namespace busbar;
using namespace busbar::detail;
using Kind = SocketEvent::Kind;

namespace {

const std::string ours = "tcp://127.0.0.1:5555";
const std::string theirs = "tcp://127.0.0.1:6666";

struct Table : PeerTable {
  void accept(int connection, const std::string& address) {
    on_event({Kind::accepted, ours, address, {}, connection});
  }
  void welcome(const std::string& endpoint = ours) {
    on_event({Kind::connected, endpoint, {}, {}});
  }
  void fail(const std::string& endpoint = ours) {
    on_event({Kind::handshake_failed, endpoint, {}, "no key"});
  }
  void end(int connection, const std::string& address) {
    on_event({Kind::disconnected, ours, address, {}, connection});
  }
  void let_in(int connection, const std::string& address) {
    accept(connection, address);
    welcome();
  }
  void turn_away(int connection, const std::string& address) {
    fail();
    end(connection, address);
  }
  /// `a 2/1`: two connections, one refused; with a `*` where it is connected.
  std::string text() const {
    std::string all;
    for (const PeerInfo& peer : this->all()) {
      all += peer.address + (peer.connected ? "*" : "") + " " + std::to_string(peer.connections) +
             "/" + std::to_string(peer.refused) + " ";
    }
    return all;
  }
};

}  // namespace

TEST_CASE("a peer is connected once its handshake has succeeded") {
  Table table;
  table.accept(7, "a");
  CHECK(table.text() == "");
  table.welcome();
  CHECK(table.text() == "a* 1/0 ");
  table.end(7, "a");
  CHECK(table.text() == "a 1/0 ");
  table.let_in(7, "a");
  CHECK(table.text() == "a* 2/0 ");
}

TEST_CASE("a handshake that fails is a refusal and no connection") {
  Table table;
  table.accept(7, "a");
  table.turn_away(7, "a");
  CHECK(table.text() == "a 0/1 ");
  CHECK(table.all()[0].last_failure == "no key");
}

TEST_CASE("who is refused and gone before it was asked for its address is not booked as us") {
  Table table;
  table.accept(7, "");
  table.turn_away(7, "");
  CHECK(table.text() == "unknown 0/1 ");
}

TEST_CASE("a handshake is another's where the connection that was taken for its own then fails") {
  Table table;
  table.accept(7, "good");
  table.let_in(8, "bad");
  table.turn_away(8, "bad");
  CHECK(table.text() == "bad 0/1 good* 1/0 ");
  table.end(7, "good");
  CHECK(table.text() == "bad 0/1 good 1/0 ");
}

TEST_CASE("who is let in while another hangs back is the one that is connected") {
  Table table;
  table.accept(7, "scanner");
  table.let_in(8, "good");
  CHECK(table.text() == "good* 1/0 ");
  table.end(8, "good");
  table.turn_away(7, "scanner");
  CHECK(table.text() == "good 1/0 scanner 0/1 ");
}

TEST_CASE("peers at an ipc path share its name, as they have none of their own") {
  Table table;
  const std::string path = "ipc:///tmp/x";
  for (const int connection : {7, 8}) {
    table.on_event({Kind::accepted, path, {}, {}, connection});
    table.welcome(path);
  }
  table.on_event({Kind::disconnected, path, {}, {}, 7});
  CHECK(table.text() == path + "* 2/0 ");
  table.on_event({Kind::disconnected, path, {}, {}, 8});
  CHECK(table.text() == path + " 2/0 ");
}

TEST_CASE(
    "who was let in and is gone before it was asked for its address is not called as we are") {
  Table table;
  table.let_in(7, "");
  table.let_in(8, "a");
  table.end(7, "");
  CHECK(table.text() == "unknown 1/0 a* 1/0 ");
}

TEST_CASE("a peer that we dial is known by its endpoint, connected or not") {
  Table table;
  table.on_event({Kind::connecting, theirs, {}, {}});
  CHECK(table.text() == theirs + " 0/0 ");
  table.fail(theirs);
  CHECK(table.text() == theirs + " 0/1 ");
  table.welcome(theirs);
  CHECK(table.text() == theirs + "* 1/1 ");
  table.on_event({Kind::disconnected, theirs, {}, {}, 7});
  CHECK(table.text() == theirs + " 1/1 ");
}
