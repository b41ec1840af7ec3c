#include "fuzz/service_targets.hpp"

#include "fuzz/frames.hpp"
#include "fuzz/targets.hpp"

#include <algorithm>
#include <utility>

#include <busbar/patterns/internal/call_protocol.hpp>
#include <busbar/patterns/internal/worker_protocol.hpp>

namespace busbar::fuzz {

namespace {

namespace majordomo = busbar::protocol::majordomo;
using detail::BrokerState, detail::CallProtocol, detail::WorkerProtocol;
using majordomo::Command, majordomo::Version;
using namespace std::chrono_literals;

constexpr auto heartbeat = 10ms;
constexpr auto expiry = 40ms;
constexpr auto longest_retry = 50ms;

using Texts = std::vector<std::string>;

Texts texts(const Multipart& frames, std::size_t first) {
  Texts all;
  for (std::size_t i = first; i < frames.size(); ++i) all.emplace_back(frames.text(i));
  return all;
}

/// A worker's registration, and what a broker and a handler know of it.
class Registration {
 public:
  explicit Registration(Version version)
      : dialect_(majordomo::dialect_of(version)),
        worker_(
            {.service = "echo", .dialect = dialect_, .heartbeat = heartbeat, .expiry = expiry}) {
    connect();
  }

  /// The broker's words.
  void hear(Multipart& frames) {
    const auto message = majordomo::read(frames, 0, false);
    const bool due = connected_ && message && message->role == majordomo::Role::worker &&
                     message->dialect.version == dialect_.version;
    const bool asks = due && message->command == Command::request;
    Given asked;
    Texts body;
    if (asks) {
      asked.client = frames.text(message->subject);
      body = texts(frames, message->body);
    }
    const std::uint64_t malformed = worker_.malformed();
    const auto request = worker_.on_message(frames, now_);
    const bool refused = worker_.malformed() > malformed;
    const bool shows_several = asks && !given_.empty() && !std::exchange(several_, true);
    if (shows_several && left_) say_goodbye();
    check(request.has_value() == (asks && !(left_ && !several_)), "a request vanished, or is none");
    check(refused == !(due && (!asks || request)),
          "what is malformed is counted, and nothing else");
    if (due) heard_ = now_;
    if (request) {
      check(texts(request->body, 0) == body, "a request of another body");
      asked.number = request->number;
      given_.push_back(std::move(asked));
    }
    const bool goodbye = due && message->command == Command::disconnect;
    look(goodbye && !left_);
  }

  /// The handler's: `f` answers with a last part, `p` with one more, `g` gives up, `l` leaves.
  void handle(char verb, std::size_t which, std::string_view text) {
    if (verb == 'l') return leave();
    if (given_.empty()) {
      check(worker_.answer(which, Multipart{text}, true, now_) == WorkerProtocol::Answered::late,
            "an answer to nobody is sent");
      worker_.give_up(which, now_);
      return look(false);
    }
    const auto at = given_.begin() + static_cast<std::ptrdiff_t>(which % given_.size());
    if (verb == 'g') {
      worker_.give_up(at->number, now_);
      return give_up(at);
    }
    const bool final = verb == 'f';
    const auto answered = worker_.answer(at->number, Multipart{text}, final, now_);
    at->parts.emplace_back(text);
    const bool in_parts = dialect_.version == Version::v02;
    const bool too_many = !in_parts && at->parts.size() > majordomo::body_frames_max;
    check((answered == WorkerProtocol::Answered::too_large) == (final && too_many) &&
              answered != WorkerProtocol::Answered::late,
          "an answer is sent where it fits");
    if (final && too_many) return give_up(at);
    if (final || in_parts) expect(*at, std::exchange(at->parts, {}), final);
    if (final) end(at);
    look(false);
  }

  void pass() {
    now_ += 15ms;
    const bool silent = connected_ && !left_ && now_ - heard_ >= expiry;
    if (worker_.next_deadline() <= now_) worker_.on_time(now_);
    check(worker_.wants_socket(now_) || worker_.next_deadline() > now_, "a worker never rests");
    look(silent);
  }

  /// One that leaves comes to an end; any other one registers again and serves a good request.
  void finish() {
    if (left_) {
      while (!given_.empty()) handle('f', 0, "x");
      for (int i = 0; i < 5; ++i) pass();
      check(worker_.may_go(now_), "a worker that leaves never goes");
      return;
    }
    for (int i = 0; i < 5 && !connected_; ++i) pass();
    check(connected_, "a worker does not come back");
    while (!given_.empty()) handle('f', 0, "x");
    Multipart good;
    put_head(good, majordomo::Role::worker, dialect_, Command::request);
    for (const std::string_view frame : {"c", "", "good"}) good.push_back(frame);
    hear(good);
    check(given_.size() == 1, "a good request is refused");
    handle('f', 0, "y");
    check(given_.empty(), "a good request is not answered");
  }

 private:
  struct Given {
    std::uint64_t number = 0;
    std::string client = {};
    Texts parts = {};
  };
  using At = std::vector<Given>::iterator;

  void connect() {
    worker_.connected(now_);
    connected_ = true;
    heard_ = now_;
    due_.push_back({"echo"});
    commands_.push_back(Command::ready);
    look(false);
  }
  void leave() {
    worker_.leave(now_);
    if (!std::exchange(left_, true) && connected_ && (several_ || given_.empty())) say_goodbye();
    look(false);
  }
  void say_goodbye() {
    due_.emplace_back();
    commands_.push_back(Command::disconnect);
  }
  void expect(const Given& given, Texts body, bool final) {
    body.insert(body.begin(), {given.client, ""});
    due_.push_back(std::move(body));
    commands_.push_back(final ? Command::final : Command::partial);
  }
  void end(At given) {
    given_.erase(given);
    if (left_ && !several_ && given_.empty()) say_goodbye();
  }
  void give_up(At given) {
    if (several_) expect(*given, {}, true);
    const bool anew = !several_ && !left_;
    if (!anew) end(given);
    look(anew);
  }

  /// After each event: `lost` tells whether its connection was to be given up.
  void look(bool lost) {
    const bool is_lost = worker_.wants_socket(TimePoint::max());
    check(is_lost == ((lost || !connected_) && !left_), "a connection is given up or kept wrongly");
    if (is_lost) {
      connected_ = several_ = false;
      given_.clear();
      due_.clear();
      commands_.clear();
      check(worker_.wants_socket(now_ + longest_retry), "a worker takes long to come back");
    }
    for (const Given& given : given_) check(worker_.holds(given.number), "a request was forgotten");
    take();
    if (worker_.wants_socket(now_)) connect();
  }
  void take() {
    Multipart frames;
    for (bool full = true; worker_.next(frames); full = !full) {
      if (full) {
        worker_.put_back(std::move(frames));
        check(worker_.is_blocked(), "what found no room is not due again");
        continue;
      }
      const auto said = majordomo::read(frames, 0, true);
      check(said && said->role == majordomo::Role::worker && said->dialect == dialect_,
            "a broker would not take what a worker says");
      if (said->command == Command::heartbeat) {
        check(connected_ && (!left_ || !given_.empty()), "a heartbeat of one that is gone");
        continue;
      }
      check(!due_.empty() && commands_.front() == said->command, "a worker says what is not due");
      const std::size_t behind = said->subject > 0 ? said->subject : frames.size();
      check(texts(frames, behind) == due_.front(), "an answer of another body, or to another one");
      due_.erase(due_.begin());
      commands_.erase(commands_.begin());
    }
    check(due_.empty() && !worker_.is_blocked(), "a worker does not say what is due");
  }

  const majordomo::Dialect dialect_;
  TimePoint now_{1h};
  WorkerProtocol worker_;
  bool connected_ = false;
  bool left_ = false;
  bool several_ = false;
  TimePoint heard_{};
  std::vector<Given> given_;
  std::vector<Texts> due_;  ///< What it is to say next, from the subject on.
  std::vector<Command> commands_;
};

}  // namespace

/// Whatever a broker says and in whatever order a handler answers: each request is answered once,
/// to whom it came from and with its own body, what is malformed is counted, a connection is given
/// up just where it must be, and a good request is served afterwards. A message of one frame that
/// begins with `>` is a handler's; one without bytes is 15 ms in which nothing comes.
void service_worker(std::string_view bytes) {
  for (const Version version : {Version::v01, Version::v02}) {
    Registration registration{version};
    for (std::string_view rest = bytes; !rest.empty();) {
      const std::string_view one = take(rest, message_end);
      if (one.empty()) {
        registration.pass();
      } else if (one.size() > 2 && one[0] == '>') {
        registration.handle(one[1], static_cast<unsigned char>(one[2]), one.substr(3));
      } else {
        Multipart frames = frames_of(one);
        registration.hear(frames);
      }
    }
    registration.finish();
  }
}

/// Whatever becomes of its connections: a call ends by its deadline, is sent to nobody who is not
/// connected, once for a connection, and twice only if it may be; brokers that refuse are tried in
/// rounds with pauses between; and it is sent once a broker is there.
void service_call(std::string_view bytes) {
  constexpr auto timeout = 3s;
  const auto options = static_cast<unsigned char>(bytes.empty() ? 0 : bytes[0]);
  const bool idempotent = options % 2 == 1;
  const std::size_t brokers = 1u + options / 8 % 3;
  const TimePoint start{1h};
  TimePoint now = start;
  auto state = static_cast<BrokerState>(options / 2 % 4);
  CallProtocol call{
      now,
      {.timeout = timeout, .attempt = 300ms, .idempotent = idempotent, .brokers = brokers},
      state};
  bool is_out = false;
  std::size_t connections = 0;  // at this time, to brokers that refuse
  const auto run = [&] {
    for (int steps = 0;; ++steps) {
      check(steps < 4, "a call never rests");
      const unsigned sent = call.sent();
      switch (call.step(now)) {
        case CallProtocol::Step::wait:
          check(call.next_deadline() > now && call.next_deadline() <= start + timeout,
                "a call waits for a time that is no deadline of its");
          check(call.sent() == sent, "a call that waits is sent");
          return true;
        case CallProtocol::Step::connect:
          state = BrokerState::connecting;
          is_out = false;
          check(++connections <= brokers + 1, "brokers that refuse are tried without a pause");
          break;
        case CallProtocol::Step::send:
          check(state == BrokerState::connected, "sent to nobody");
          check(!std::exchange(is_out, true), "sent twice by one connection");
          check(call.sent() == sent + 1 && (idempotent || call.sent() == 1), "sent too often");
          break;
        case CallProtocol::Step::give_up:
          check(now >= start + timeout || (call.lost() && !idempotent && call.sent() == 1),
                "given up too early");
          return false;
      }
    }
  };
  bool goes_on = run();
  for (std::size_t i = 1; i < bytes.size() && goes_on; ++i) {
    const auto event = static_cast<unsigned char>(bytes[i]);
    if (event % 8 < 4) {
      state = static_cast<BrokerState>(event % 4);
      if (state == BrokerState::connected) {
        connections = 0;
      } else {
        is_out = false;
      }
      call.on_news(state, now);
    } else {
      now += std::chrono::milliseconds{10 + event / 8 * 10};
      connections = 0;
    }
    goes_on = run();
    check(goes_on || !run(), "a call that was given up goes on");
  }
  // A broker is there at last, and silent. One that broke off is connected to anew after a pause.
  for (int i = 0; i < 2 && goes_on && !is_out; ++i) {
    if (state == BrokerState::connected) {
      now = call.next_deadline();
      connections = 0;
    } else {
      call.on_news(state = BrokerState::connected, now);
    }
    goes_on = run();
    if (!goes_on || is_out) break;
    call.on_news(state = BrokerState::connected, now);
    goes_on = run();
  }
  check(!goes_on || is_out, "a call is not sent though a broker is there");
  now = start + timeout;
  check(!goes_on || !run(), "a call does not end");
}

namespace {

std::string message(std::initializer_list<std::string_view> frames) {
  std::string all;
  for (const std::string_view frame : frames) {
    all += frame;
    all += frame_end;
  }
  all.back() = message_end;
  return all;
}

}  // namespace

std::vector<std::string> service_worker_seeds() {
  const std::string ask = message({"MDPW02", "\2", "c", "", "1"});
  const std::string other = message({"MDPW02", "\2", "d", "", "2", "x"});
  const std::string old = message({"", "MDPW01", "\2", "c", "", "1"});
  const std::string last = message({">f0one"});
  const std::string part = message({">p0part"});
  const std::string gives_up = message({">g1"});
  const std::string leaves = message({">l0"});
  const std::string quiet{message_end};
  return {ask + part + last + ask + last + message({"MDPW02", "\5"}) + quiet + quiet,
          old + part + part + last + message({"", "MDPW01", "\4"}) + old + gives_up,
          ask + other + ask + last + gives_up + leaves + ask + last + last + quiet,
          ask + leaves + gives_up + quiet + ask,
          ask + message({"MDPW02", "\6"}) + ask + last + quiet + quiet + quiet + quiet + ask,
          message({"", "MDPW01", "\5"}) + leaves + old + message({"MDPC02", "\3", "echo", "x"})};
}

std::vector<std::string> service_call_seeds() {
  // Options, then news (0 connecting, 1 connected, 2 unreachable, 3 lost) and times.
  return {std::string{"\0\1\xfc\3\xfc", 5}, std::string{"\1\1\xfc\xfc\1\3\1", 7},
          std::string{"\x09\2\2\2\x6c\1\3\x6c\1", 9}, std::string{"\x16\2\xfc\1\xfc\3", 6}};
}

}  // namespace busbar::fuzz
