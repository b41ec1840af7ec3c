/// What is said on a control endpoint: lib/WIRE.md, "Control". Both sides of the protocol use this.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <busbar/core/ledger.hpp>
#include <busbar/core/multipart.hpp>

namespace busbar::control {

inline constexpr std::string_view signature = "BUSBAR-CTL/1";

enum class Command { status, pause, resume, drain, stop };
std::string_view name_of(Command command) noexcept;

/// `[signature][command][deadline]`: the deadline (drain only, else empty) is in decimal
/// milliseconds, at most a day; without one the device takes its own.
struct Request {
  Command command = Command::status;
  std::optional<std::chrono::milliseconds> deadline = {};
};

enum class Status { ok = 200, malformed = 400, unknown_command = 405 };

/// `[signature][code][body]`: 200 with a msgpack array of ledgers (maps), else a line of text.
struct Reply {
  Status status = Status::ok;
  std::string text = {};
  std::vector<Ledger> ledgers = {};
};

/// Throws Error (usage) where a drain's deadline is negative or above a day.
Multipart encode(const Request& request);
Multipart encode(const Reply& reply);
/// Either the request, or the reply that refuses it.
struct Decoded {
  std::optional<Request> request = {};
  Reply refusal = {};
};
/// `message` without its envelope. Never throws, whatever came.
Decoded decode_request(const Multipart& message);
/// Throws Error (refused) where `message`, without its envelope, is no reply of this protocol.
Reply decode_reply(const Multipart& message);

}  // namespace busbar::control
