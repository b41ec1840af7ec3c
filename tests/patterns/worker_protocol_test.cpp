// A worker's registration with a broker that gives it several requests at a time.
#include <doctest/doctest.h>

#include <busbar/core/limits.hpp>
#include <busbar/patterns/internal/worker_protocol.hpp>

using namespace busbar;
using namespace busbar::detail;
using namespace std::chrono_literals;
namespace majordomo = busbar::protocol::majordomo;
using majordomo::Command, majordomo::Version;
using Answered = WorkerProtocol::Answered;

namespace {

constexpr TimePoint start{1h};

struct Registration {
  explicit Registration(Version version = Version::v02)
      : dialect(majordomo::dialect_of(version)),
        worker({.service = "echo", .dialect = dialect, .heartbeat = 1s, .expiry = 10s}) {
    worker.connected(start);
    CHECK(said() == Command::ready);
  }
  std::uint64_t asks(std::string_view client, std::string_view body) {
    Multipart frames;
    put_head(frames, majordomo::Role::worker, dialect, Command::request);
    for (const std::string_view frame : {client, std::string_view{}, body}) frames.push_back(frame);
    const auto request = worker.on_message(frames, start);
    return request ? request->number : 0;
  }
  /// The next command, with what it says in `heard`.
  std::optional<Command> said() {
    Multipart frames;
    if (!worker.next(frames)) return {};
    const auto message = majordomo::read(frames, 0, true);
    REQUIRE(message);
    heard.clear();
    for (std::size_t i = message->subject; i < frames.size(); ++i) (heard += frames.text(i)) += '|';
    return message->command;
  }
  Answered answers(std::uint64_t request, std::string_view body, bool final = true) {
    return worker.answer(request, Multipart{body}, final, start);
  }

  majordomo::Dialect dialect;
  WorkerProtocol worker;
  std::string heard;
};

}  // namespace

TEST_CASE("a worker answers each of several requests to whom it came from") {
  Registration it;
  const std::uint64_t first = it.asks("c", "1");
  const std::uint64_t second = it.asks("d", "2");
  CHECK(it.answers(first, "one") == Answered::sent);
  CHECK(it.said() == Command::final);
  CHECK(it.heard == "c||one|");
  CHECK(it.answers(second, "tw", false) == Answered::sent);
  CHECK(it.said() == Command::partial);
  CHECK(it.answers(second, "o") == Answered::sent);
  CHECK(it.said() == Command::final);
  CHECK(it.heard == "d||o|");
  CHECK(it.answers(second, "again") == Answered::late);
}

TEST_CASE("a broker that gives several at a time is told what will not be answered") {
  Registration it;
  const std::uint64_t first = it.asks("c", "1");
  const std::uint64_t second = it.asks("d", "2");
  it.worker.give_up(first, start);
  CHECK_FALSE(it.worker.holds(first));
  CHECK(it.said() == Command::final);
  CHECK(it.heard == "c||");
  CHECK(it.answers(second, "two") == Answered::sent);
  CHECK(it.said() == Command::final);
  CHECK_FALSE(it.worker.wants_socket(start));
}

TEST_CASE("one that gives a single one waits for the answer, and gets another registration") {
  Registration it;
  it.worker.give_up(it.asks("c", "1"), start);
  CHECK_FALSE(it.said());
  CHECK(it.worker.wants_socket(start));
}

TEST_CASE("a worker that leaves answers what it has, and takes no more") {
  Registration it;
  const std::uint64_t request = it.asks("c", "1");
  it.worker.leave(start);
  CHECK_FALSE(it.said());
  CHECK_FALSE(it.worker.may_go(start));
  it.answers(request, "one");
  CHECK(it.said() == Command::final);
  CHECK(it.said() == Command::disconnect);
  CHECK(it.asks("c", "2") == 0);
  CHECK(it.worker.may_go(start));
}

TEST_CASE("a broker shows that it gives several at a time when the worker leaves already") {
  Registration it;
  const std::uint64_t first = it.asks("c", "1");
  it.worker.leave(start);
  const std::uint64_t second = it.asks("c", "2");
  CHECK(second != 0);
  CHECK(it.said() == Command::disconnect);
  for (const std::uint64_t request : {first, second}) {
    CHECK_FALSE(it.worker.may_go(start + 1h));
    CHECK(it.answers(request, "done") == Answered::sent);
    CHECK(it.said() == Command::final);
  }
  CHECK_FALSE(it.said());
  CHECK_FALSE(it.worker.may_go(start));  // more may be on its way
  CHECK(it.worker.may_go(it.worker.next_deadline()));
  CHECK(it.worker.malformed() == 0);
}

TEST_CASE("a broker that gives several at a time hears of the end first, and loses none of them") {
  Registration it;
  const std::uint64_t first = it.asks("c", "1");
  const std::uint64_t second = it.asks("c", "2");
  it.worker.leave(start);
  CHECK(it.said() == Command::disconnect);
  const std::uint64_t third = it.asks("c", "3");  // was on its way
  for (const std::uint64_t request : {first, second, third}) {
    CHECK(it.answers(request, "done") == Answered::sent);
    CHECK(it.said() == Command::final);
  }
  CHECK_FALSE(it.said());
  CHECK_FALSE(it.worker.may_go(start));
  CHECK(it.worker.may_go(it.worker.next_deadline()));
  it.worker.on_time(it.worker.next_deadline());
  CHECK(it.worker.next_deadline() == TimePoint::max());
  CHECK(it.worker.may_go(start));
}

TEST_CASE("a worker that leaves shows that it lives until what it has is answered") {
  Registration it;
  const std::uint64_t request = it.asks("c", "1");
  it.worker.leave(start);
  TimePoint now = start;
  while (now < start + 20s) {  // longer than the broker may be silent
    REQUIRE(it.worker.next_deadline() <= now + 1s);
    now = it.worker.next_deadline();
    it.worker.on_time(now);
    CHECK(it.said() == Command::heartbeat);
  }
  CHECK(it.answers(request, "one") == Answered::sent);
  CHECK(it.said() == Command::final);
  CHECK(it.said() == Command::disconnect);
  CHECK(it.worker.next_deadline() == TimePoint::max());
}

TEST_CASE("a worker that leaves does not register anew") {
  Registration it;
  SUBCASE("as it gives up the only one it has") {
    const std::uint64_t request = it.asks("c", "1");
    it.worker.leave(start);
    it.worker.give_up(request, start);
    CHECK(it.said() == Command::disconnect);
  }
  SUBCASE("as its answer is too large") {
    const std::uint64_t request = it.asks("c", "1");
    it.worker.leave(start);
    CHECK(it.answers(request, std::string(limits::message_bytes + 1, 'x')) == Answered::too_large);
    CHECK(it.said() == Command::disconnect);
  }
  SUBCASE("as it has just given up a connection") {
    it.worker.give_up(it.asks("c", "1"), start);
    it.worker.leave(start);
  }
  CHECK_FALSE(it.said());
  CHECK_FALSE(it.worker.wants_socket(start + 1h));
  CHECK(it.worker.next_deadline() == TimePoint::max());
  CHECK(it.worker.may_go(start));
}

TEST_CASE("a worker gives up an answer that no message can carry") {
  Registration old{Version::v01};
  const std::uint64_t request = old.asks("c", "1");
  for (std::size_t i = 0; i <= majordomo::body_frames_max; ++i)
    CHECK(old.answers(request, "part", false) == Answered::sent);
  CHECK(old.answers(request, "last") == Answered::too_large);
  CHECK_FALSE(old.said());
  CHECK(old.worker.wants_socket(start));

  Registration it;
  const std::uint64_t large = it.asks("c", "1");
  CHECK(it.answers(large, std::string(limits::message_bytes + 1, 'x')) == Answered::too_large);
  CHECK_FALSE(it.said());
}

TEST_CASE("what found no room is sent first, and more is not due until then") {
  Registration it;
  it.answers(it.asks("c", "1"), "one");
  Multipart frames;
  REQUIRE(it.worker.next(frames));
  it.worker.put_back(std::move(frames));
  CHECK(it.worker.is_blocked());
  CHECK(it.said() == Command::final);
  CHECK_FALSE(it.worker.is_blocked());
}

TEST_CASE("a worker has a bound on what a broker gives it") {
  Registration it;
  for (std::size_t i = 0; i < majordomo::requests_max; ++i) CHECK(it.asks("c", "x") != 0);
  CHECK(it.asks("c", "x") == 0);
  CHECK(it.worker.malformed() == 1);
}
