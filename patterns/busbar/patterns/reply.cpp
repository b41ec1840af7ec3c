#include "busbar/patterns/reply.hpp"

namespace busbar {

namespace {

using protocol::FailureStatus;

constexpr std::size_t reason_shown = 1000;

ErrorKind kind_of(Outcome outcome, std::uint8_t kind) {
  switch (outcome) {
    case Outcome::expired:
      return ErrorKind::timeout;
    case Outcome::no_peer:
    case Outcome::lost:
      return ErrorKind::unreachable;
    case Outcome::failed:
      if (kind >= 2 && kind <= 5) return ErrorKind{kind};
      return ErrorKind::refused;
    default:
      return ErrorKind::refused;
  }
}

std::string cause_of(Outcome outcome, FailureStatus status) {
  switch (outcome) {
    case Outcome::failed:
      return "it failed";
    case Outcome::refused:
      return status == FailureStatus::unavailable ? "the server is full, or leaves" : "refused";
    case Outcome::expired:
      return "no reply in time";
    case Outcome::no_peer:
      return "no server is there";
    case Outcome::lost:
      return status == FailureStatus::forgotten
                 ? "whether it was done is not known to the server any more"
                 : "the connection was lost; whether it was done is not known";
    default:
      return "it was cancelled";
  }
}

std::string remedy_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::expired:
      return "allow more time (deadline), or start more servers";
    case Outcome::no_peer:
      return "start a server";
    case Outcome::lost:
      return "what may be done twice can be asked with `idempotent`";
    default:
      return {};
  }
}

}  // namespace

void Reply::check() const {
  if (ok()) return;
  std::string cause = cause_of(outcome(), finished_.status);
  if (!reason().empty()) cause += ": " + printable(reason(), reason_shown);
  throw RequestError(outcome(), kind_of(outcome(), finished_.kind),
                     "request '" + printable(method()) + "'", std::move(cause),
                     remedy_of(outcome()));
}

}  // namespace busbar
