#include <busbar/core/ledger.hpp>

namespace busbar {

namespace {

struct CauseFacts {
  std::string_view name;
  CauseClass cause_class;
};

constexpr std::array<CauseFacts, cause_count> facts{{
    {"topic_filter", CauseClass::filtered},
    {"sampled_out", CauseClass::filtered},
    {"rate_limited", CauseClass::filtered},
    {"not_translatable", CauseClass::refused},
    {"too_large", CauseClass::refused},
    {"too_many_frames", CauseClass::refused},
    {"malformed", CauseClass::refused},
    {"abandoned", CauseClass::dropped},
    {"overflow", CauseClass::dropped},
    {"no_peer", CauseClass::dropped},
    {"expired", CauseClass::dropped},
}};
static_assert(static_cast<std::size_t>(Cause::expired) + 1 == cause_count);

bool charged_to_sender(Cause cause) noexcept {
  return cause == Cause::overflow || cause == Cause::no_peer || cause == Cause::expired;
}

bool balances(const SideLedger& in, const SideLedger& out) noexcept {
  std::uint64_t accounted = out.sent + out.held;
  for (std::size_t i = 0; i < cause_count; ++i) {
    const auto cause = static_cast<Cause>(i);
    accounted += charged_to_sender(cause) ? out[cause] : in[cause];
  }
  return in.received == accounted;
}

}  // namespace

CauseClass class_of(Cause cause) noexcept {
  return facts[static_cast<std::size_t>(cause)].cause_class;
}

std::string_view name_of(Cause cause) noexcept {
  return facts[static_cast<std::size_t>(cause)].name;
}

std::uint64_t SideLedger::total(CauseClass cause_class) const noexcept {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < cause_count; ++i) {
    if (facts[i].cause_class == cause_class) sum += by_cause[i];
  }
  return sum;
}

bool Ledger::reconciles() const noexcept {
  const std::uint64_t given = requests.answered + requests.with_workers + requests.unanswered;
  const bool all_requests = given == 0 || given == backend.sent;  // most devices do not know
  return all_requests && balances(frontend, backend) && balances(backend, frontend);
}

}  // namespace busbar
