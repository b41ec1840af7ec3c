#include <set>
#include <string_view>

#include <doctest/doctest.h>

#include <busbar/core/ledger.hpp>

using busbar::Cause;
using busbar::CauseClass;
using busbar::Ledger;

TEST_CASE("every cause has a name of its own") {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < busbar::cause_count; ++i) {
    names.insert(name_of(static_cast<Cause>(i)));
  }
  CHECK(names.size() == busbar::cause_count);
  CHECK(name_of(Cause::topic_filter) == "topic_filter");
  CHECK(name_of(Cause::no_peer) == "no_peer");
}

TEST_CASE("a side sums its causes by class") {
  busbar::SideLedger side;
  side[Cause::topic_filter] = 1;
  side[Cause::rate_limited] = 2;
  side[Cause::malformed] = 4;
  side[Cause::not_translatable] = 8;
  side[Cause::overflow] = 16;
  side[Cause::abandoned] = 32;
  CHECK(side.total(CauseClass::filtered) == 3);
  CHECK(side.total(CauseClass::refused) == 12);
  CHECK(side.total(CauseClass::dropped) == 48);
  CHECK(class_of(Cause::no_peer) == CauseClass::dropped);
}

TEST_CASE("an untouched ledger reconciles") { CHECK(Ledger{}.reconciles()); }

TEST_CASE("a ledger reconciles when each direction's messages are accounted for") {
  Ledger ledger;
  ledger.frontend.received = 100;
  ledger.frontend[Cause::sampled_out] = 10;  // charged to the side that received
  ledger.frontend[Cause::abandoned] = 1;
  ledger.backend[Cause::overflow] = 5;  // charged to the side that could not send
  ledger.backend.held = 1;
  ledger.backend.sent = 83;
  ledger.backend.received = 7;  // replies
  ledger.frontend[Cause::no_peer] = 2;
  ledger.frontend.sent = 5;
  CHECK(ledger.reconciles());
}

TEST_CASE("a ledger that lost or made up a message does not reconcile, in either direction") {
  Ledger ledger;
  ledger.frontend.received = 10;
  ledger.backend.sent = 9;
  CHECK_FALSE(ledger.reconciles());
  ledger.backend.sent = 11;
  CHECK_FALSE(ledger.reconciles());
  ledger.backend.sent = 10;
  CHECK(ledger.reconciles());
  ledger.backend.received = 1;
  CHECK_FALSE(ledger.reconciles());
  ledger.frontend.held = 1;
  CHECK(ledger.reconciles());
}

TEST_CASE("a ledger that lost or made up a worker's request does not reconcile") {
  Ledger ledger;
  ledger.frontend.received = ledger.backend.sent = 6;
  ledger.requests = {3, 2, 1};
  CHECK(ledger.reconciles());
  ledger.requests.unanswered = 0;
  CHECK_FALSE(ledger.reconciles());
}

TEST_CASE("a cause that is charged to the wrong side does not reconcile") {
  Ledger ledger;
  ledger.frontend.received = 1;
  ledger.frontend[Cause::overflow] = 1;
  CHECK_FALSE(ledger.reconciles());
  ledger.frontend[Cause::overflow] = 0;
  ledger.backend[Cause::malformed] = 1;
  CHECK_FALSE(ledger.reconciles());
}
