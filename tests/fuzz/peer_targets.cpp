#include "fuzz/peer_targets.hpp"

#include "fuzz/frames.hpp"
#include "fuzz/targets.hpp"

#include <map>
#include <set>

#include <busbar/patterns/internal/peer_protocol.hpp>
#include <busbar/protocol/zre.hpp>
#include <busbar/protocol/zre_note.hpp>

namespace busbar::fuzz {

using namespace protocol::zre;
using namespace std::chrono_literals;
using detail::PeerAction;
using detail::PeerProtocol;
using Kind = PeerEvent::Kind;

namespace {

constexpr std::size_t peers_max = 4;
constexpr std::chrono::milliseconds expiry{3000};
constexpr const char* contact = "tcp://127.0.0.1:1000";
constexpr const char* named_contact = "tcp://somewhere:1001";

/// Small numbers, so that those who speak are told of by others too. 0 is ourselves.
PeerId id_of_digit(char digit) {
  PeerId id;
  id.bytes[15] = static_cast<std::uint8_t>(digit & 7);
  return id;
}

/// A node of which all is checked that it tells and wants.
class Watched {
 public:
  /// One input: what it is, whose, and the rest.
  void on_input(std::string_view bytes) {
    if (bytes.size() < 2) return;
    const char what = bytes[0];
    const PeerId id = id_of_digit(bytes[1]);
    const std::string rest{bytes.substr(2)};
    Multipart frames = frames_of(rest);
    if (what == 'm') hear(routing_id(id), frames, "");
    if (what == 'k') hear(routing_id(id), frames, "key");
    if (what == 'x') hear(rest, frames, "");
    if (what == 'b')
      node_.on_beacon({id, static_cast<std::uint16_t>(rest.size())}, "10.0.0.1", now_);
    if (what == 'j') node_.join(rest.substr(0, string_bytes));
    if (what == 'l') node_.leave(rest);
    if (what == 'w') (void)node_.whisper(id, frames);
    if (what == 's') node_.shout(rest, frames);
    if (what == 'o') node_.set_offers({{std::string{offer_header} + "o", rest}});
    if (what == 'c') node_.congested(last_way_, (bytes[1] & 1) != 0);
    if (what == 'u') node_.unresponsive(last_way_, now_);
    if (what == 'v') node_.broken(last_way_, 1, now_);
    if (what == 'a' && detail::peer_address("tcp://127.0.0.1:" + rest))
      node_.looked_up(named_contact, "tcp://127.0.0.1:" + rest, now_);
    if (what == 'd') node_.was_deaf(now_);
    if (what == 't') pass((bytes[1] & 7) * 100ms);
    look();
  }

  void hear(const std::string& from, Multipart& frames, const std::string& key) {
    const std::uint64_t before = node_.counts().received;
    key_ = &key;
    node_.on_message(from, frames, key, now_);
    look();
    key_ = nullptr;
    check(node_.counts().received == before + 1, "a message was not counted");
  }

  void pass(Duration time) {
    now_ += time;
    node_.on_time(now_);
    check(node_.next_deadline() > now_, "what was due stays due");
    look();
  }

  std::size_t known() const { return views_.size(); }
  PeerProtocol& node() noexcept { return node_; }

  /// Carries out, reads, and compares with what the node says itself.
  void look() {
    while (auto action = node_.next_action()) carry_out(*action);
    while (auto event = node_.next_event()) read(*event);
    std::size_t ready = 0;
    for (const auto& [id, node] : node_.nodes()) {
      check(ways_.contains(node.way.mailbox), "no way leads to a node");
      if (!node.ready) continue;
      ++ready;
      check(node.way.key == node.key, "a peer entered that cannot be spoken to");
      const auto view = views_.find(id);
      check(view != views_.end(), "a node is there that never entered");
      check(view->second.groups == node.groups, "groups are not what was told of them");
    }
    check(ready == node_.ready() && ready == views_.size(), "not all that entered are there");
    check(node_.nodes().size() <= peers_max, "too many are known");
    check(!node_.nodes().contains(PeerId{}), "it takes itself for another one");
    check(ways_.size() <= node_.nodes().size() + 2, "a way leads to nobody");
  }

 private:
  struct View {
    std::string key = {};
    std::set<std::string> groups = {};
  };

  /// Each way is opened and closed once, and tells a HELLO, then all without a gap.
  void carry_out(PeerAction& action) {
    if (action.kind == PeerAction::Kind::beacon) return;
    if (action.kind == PeerAction::Kind::look_up)
      return check(action.endpoint == named_contact, "what has an address was looked up");
    if (action.kind == PeerAction::Kind::open) {
      check(action.mailbox > last_way_, "a way's number was used again");
      check(detail::peer_address(action.endpoint).has_value(), "a way to nowhere");
      ways_[last_way_ = action.mailbox] = 0;
      const bool alone = addresses_.insert(action.endpoint).second;
      where_[action.mailbox] = action.endpoint;
      return check(alone, "two ways to one address, which libzmq ends together");
    }
    const auto way = ways_.find(action.mailbox);
    check(way != ways_.end(), "a way was used that is not open");
    if (action.kind == PeerAction::Kind::close) {
      addresses_.erase(where_.at(action.mailbox));
      return void(ways_.erase(way));
    }
    const auto message = decode(action.frames.text(0));
    check(message && message->sequence == ++way->second, "what we say has a gap");
    const bool hello = std::holds_alternative<Hello>(message->body);
    check(hello == (message->sequence == 1), "a way without one HELLO, at its beginning");
  }

  /// Whoever speaks has entered, and with the key that it speaks with.
  void read(const PeerEvent& event) {
    check(event.peer != PeerId{}, "it met itself");
    if (event.kind == Kind::enter) {
      const bool is_new = views_.try_emplace(event.peer, View{key_ ? *key_ : ""}).second;
      return check(is_new && key_ != nullptr, "a peer entered twice, or silently");
    }
    const auto found = views_.find(event.peer);
    check(found != views_.end(), "an event of a peer that is not there");
    View& view = found->second;
    if (event.kind == Kind::exit) return void(views_.erase(found));
    if (event.kind == Kind::evasive) return;
    check(key_ != nullptr && *key_ == view.key, "it was said with another key");
    if (event.kind == Kind::join) check(view.groups.insert(event.group).second, "joined twice");
    if (event.kind == Kind::leave) check(view.groups.erase(event.group) == 1, "left twice");
  }

  TimePoint now_{1h};
  PeerProtocol node_{{.name = "n",
                      .endpoint = "tcp://127.0.0.1:49152",
                      .port = 49152,
                      .contacts = {contact, named_contact},
                      .evasive_after = 1s,
                      .expire_after = expiry,
                      .peers_max = peers_max},
                     now_};
  std::map<std::uint64_t, std::uint16_t> ways_;  ///< Open ones, and their last number.
  std::map<std::uint64_t, std::string> where_;
  std::set<std::string> addresses_;  ///< Where open ones lead.
  std::uint64_t last_way_ = 0;
  std::map<PeerId, View> views_;
  const std::string* key_ = nullptr;  ///< Of the message that is being heard.
};

Hello hello_from(const std::string& endpoint) {
  return {.endpoint = endpoint, .groups = {"g"}, .name = "peer"};
}

}  // namespace

/// A beacon that is taken encodes to itself; a message to a frame that says the same and is no
/// longer than what came; so does a note.
void zre(std::string_view bytes) {
  if (const auto beacon = decode_beacon(bytes)) {
    check(encode(*beacon) == bytes, "a beacon changed");
  }
  if (const auto message = decode(bytes)) {
    const std::string once = encode(*message);
    check(once.size() <= bytes.size(), "a message grew");
    const auto again = decode(once);
    check(again && again->body.index() == message->body.index(), "a message became another one");
    check(encode(*again) == once, "a message changed");
  }
  if (const auto note = decode_note(bytes)) {
    const std::string once = encode(*note);
    const auto again = decode_note(once);
    check(again && encode(*again) == once, "a note changed");
  }
}

/// Whatever comes: see Watched; who is silent is gone after its expiry; and then a good peer enters
/// and is heard.
void peer(std::string_view bytes) {
  Watched watched;
  watched.pass(0s);
  while (!bytes.empty()) watched.on_input(take(bytes, message_end));
  watched.pass(2 * expiry);
  check(watched.known() == 0 && watched.node().nodes().empty(), "who is silent is not gone");
  watched.node().join("good");
  const std::string good = routing_id(id_of_digit('5'));
  Multipart hello{encode(Message{1, hello_from("tcp://127.0.0.1:5000")})};
  watched.hear(good, hello, "");
  check(watched.known() == 1, "a good peer did not enter");
  Multipart shout{encode(Message{2, Shout{"good"}}), "content"};
  watched.node().on_message(good, shout, "", TimePoint{1h});
  const auto heard = watched.node().next_event();
  check(heard && heard->kind == Kind::shout && heard->payload() == "content",
        "a good peer is not heard");
  watched.node().goodbye();
  watched.look();
}

std::vector<std::string> zre_seeds() {
  PeerId id;
  id.bytes[0] = 7;
  const Hello hello{.endpoint = "tcp://127.0.0.1:49152",
                    .groups = {"a", "b"},
                    .status = 2,
                    .name = "name",
                    .headers = {{"role", "meter"}, {"", ""}}};
  return {encode(Beacon{id, 49152}),
          encode(Message{1, hello}),
          encode(Message{2, Shout{"a"}}),
          encode(Message{3, Join{"a", 3}}),
          encode(Message{4, Ping{}}),
          encode(Note{Ask{}}),
          encode(Note{Known{{{id, hello.endpoint, ""}}}}),
          encode(Note{NewHeaders{hello.headers}})};
}

std::vector<std::string> peer_seeds() {
  const std::string end{message_end};
  const std::string next{frame_end};
  const auto from = [&](const std::string& who, std::uint16_t sequence, const Body& body) {
    return who + encode(Message{sequence, body});
  };
  const auto whispered = [&](const std::string& who, std::uint16_t sequence, const Note& note) {
    return from(who, sequence, Whisper{}) + next + std::string{note_signature} + next +
           encode(note);
  };
  Hello first = hello_from("tcp://127.0.0.1:1001");
  first.headers = {{std::string{version_header}, "first"}};
  Hello answer = hello_from(contact);
  answer.headers = {{std::string{version_header}, "answer"},
                    {std::string{contact_header}, contact}};
  Hello nowhere = answer;  // by another key than the contact's, so that its way cannot be used
  nowhere.endpoint = "tcp://";
  const Known known{{{id_of_digit('0'), "tcp://127.0.0.1:1004", ""},
                     {id_of_digit('1'), "tcp://127.0.0.1:1001", ""},
                     {id_of_digit('2'), "tcp://127.0.0.1:1002", ""},
                     {id_of_digit('3'), "tcp://127.0.0.1:1003", "key"}}};
  const std::string one = from("m1", 1, first) + end;
  const std::string two = from("m2", 1, answer) + end;
  const std::string three = from("k3", 1, hello_from("tcp://127.0.0.1:1003")) + end;
  return {
      one + from("m1", 2, Join{"h", 1}) + end + "j0h" + end + from("m1", 3, Shout{"h"}) + next +
          "text" + end + "w1text" + end + "s0h" + end + from("m1", 4, Leave{"h", 2}),
      two + whispered("m2", 2, known) + end + one + three + whispered("m1", 2, Ask{}) + end +
          "b4port" + end + "u0" + end + whispered("m2", 3, NewHeaders{{{"a", "b"}}}),
      three + from("m3", 2, Shout{"g"}) + next + "x" + end + "b1" + end + "b2port" + end + "b3" +
          end + "t7" + end + from("k3", 2, Ping{}) + end + "t7" + end + "t7" + end + "t7",
      one + one + from("m1", 1, hello_from("tcp://127.0.0.1:1001")) + end + "l0g" + end + "c1" +
          end + "w1full" + end + "c0" + end + "o1tcp://127.0.0.1:9" + end +
          from("m1", 2, Goodbye{}),
      one + "a01001" + end + "v0" + end + two + "t7" + end + "a01000" + end + "v1",
      "b4x" + end + "b5xx" + end + "b6xxx" + end + "b7xxxx" + end + two + "t7",
      one + two + three + "d0" + end + "t7" + end + from("m1", 7, Whisper{}) + end +
          from("m0", 1, answer) + end + "x0bad" + end + from("m2", 2, PingOk{}),
      from("k2", 1, nowhere) + end + two,
  };
}

}  // namespace busbar::fuzz
