/// Options of pub, sub, push, pull, req and rep.
#pragma once

#include "program/line_format.hpp"
#include "program/options.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <busbar/patterns/service_client.hpp>
#include <busbar/patterns/wire.hpp>
#include <busbar/protocol/header.hpp>

namespace busbar::program {

struct MessageOptions {
  std::string command = {};
  std::vector<std::string> endpoints = {};
  bool bind = false;
  std::vector<std::string> topics = {};
  std::vector<std::string> prefixes = {};
  std::uint64_t count = 0;  ///< 0: no end
  std::vector<std::string> files = {};
  bool whole = false;
  bool json = false;
  bool payload_only = false;  ///< A line has neither topic nor headers.
  bool with_topic = false;
  bool progress = false;
  std::optional<std::chrono::milliseconds> timeout = {};
  SecurityOptions security = {};
  Wire wire = Wire::busbar;
  Headers headers = {};                            ///< Of every message.
  std::vector<const CLI::Option*> not_plain = {};  ///< --wire plain has no place for these.

  Shape shape() const { return json ? Shape::json : with_topic ? Shape::with_topic : Shape::plain; }
  /// How long a sender waits for a peer.
  std::chrono::milliseconds patience() const {
    return timeout.value_or(std::chrono::milliseconds{5000});
  }
};

/// ENDPOINT…, --bind, --count, --json, --progress and the keys.
void declare_common(CLI::App& app, MessageOptions& options);
/// --file and --whole for what reads lines, and --timeout.
void declare_sending(CLI::App& app, MessageOptions& options);
/// --file and --whole for what writes lines, and --timeout.
void declare_receiving(CLI::App& app, MessageOptions& options);
/// --timeout alone.
void declare_timeout(CLI::App& app, MessageOptions& options, const std::string& help,
                     const std::string& shown_default);
/// For what asks and waits for replies: the same, and 0 is no such time.
void declare_reply_timeout(CLI::App& app, MessageOptions& options, const std::string& help);

/// --mdp, for ends of a Majordomo broker.
CLI::Option* declare_majordomo(CLI::App& app, MajordomoVersion& version);

/// --concurrency, for what asks: how many requests are unanswered at a time.
void declare_concurrency(CLI::App& app, std::size_t& concurrency, std::size_t most);

/// --wire, which is not plain together with any of `not_plain`; see check_wire.
void declare_wire(CLI::App& app, MessageOptions& options, const std::string& help,
                  std::vector<const CLI::Option*> not_plain = {});
/// --header; not with --wire plain.
void declare_headers(CLI::App& app, MessageOptions& options,
                     const std::string& help = "Goes with every message");
/// Once all is parsed. Throws Error (usage) where --wire plain is given with an option that it has
/// no place for. What is switched off (--no-ack) says no more than plain does.
void check_wire(const MessageOptions& options);

}  // namespace busbar::program
