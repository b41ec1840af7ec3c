/// whisper and shout of `busbar peer`: lines in.
#pragma once

#include "program/input.hpp"
#include "program/line_format.hpp"
#include "program/present.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace busbar::program {

/// Of the messages that were sent, one for each peer that they went to, as far as it is known.
struct Losses {
  std::uint64_t left_out = 0;  ///< The peer did not read.
  std::uint64_t lost = 0;      ///< The connection was gone.
};

class Speaking {
 public:
  explicit Speaking(const PeerCommand& command);

  /// Answers the exit code. Throws Error: nobody is there, a signal left lines unsent (timeout); or
  /// something was left out (timeout) or lost with a connection (unreachable).
  int run();

 private:
  bool is_there();
  std::optional<PeerId> addressee(const std::vector<KnownPeer>& all) const;
  void await_peer();
  /// False: not sent, as a signal came.
  bool send(const Letter& letter, const std::string& place);
  bool whisper(const std::string& payload, const std::string& place);
  /// Until all is on its way, for the patience or until a second signal.
  void flush();
  Losses losses();
  /// Tells of the losses as well.
  [[noreturn]] void give_up(const std::string& cause, const std::string& remedy);
  void check(const Losses& losses, const std::optional<std::string>& unsent) const;

  const MessageOptions& messages_;
  const std::string& target_;
  const bool whispers_;
  Present present_;
  Input input_;
  std::optional<PeerId> to_;
  std::uint64_t lost_before_ = 0;  ///< Before the first line: none of ours.
};

}  // namespace busbar::program
