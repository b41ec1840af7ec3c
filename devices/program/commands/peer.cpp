#include "program/base64.hpp"
#include "program/commands/commands.hpp"
#include "program/duration.hpp"
#include "program/present.hpp"
#include "program/receive_lines.hpp"
#include "program/show.hpp"
#include "program/speaking.hpp"

#include <algorithm>
#include <iostream>
#include <limits>
#include <memory>

#include <nlohmann/json.hpp>

#include <busbar/core/error.hpp>
#include <busbar/devices/internal/words.hpp>
#include <busbar/patterns/peer.hpp>

namespace busbar::program {
namespace {

using std::chrono::milliseconds;

nlohmann::json payload_json(std::string_view bytes) {
  const nlohmann::json text = std::string{bytes};
  try {
    (void)text.dump();
    return text;
  } catch (const nlohmann::json::type_error&) {  // not UTF-8
    return {{"base64", to_base64(bytes)}};
  }
}

nlohmann::json to_json(const Headers& headers) {
  nlohmann::json all = nlohmann::json::object();
  for (const auto& [name, value] : headers) all[name] = value;
  return all;
}

std::string event_line(const PeerEvent& event, bool json) {
  const bool content =
      event.kind == PeerEvent::Kind::whisper || event.kind == PeerEvent::Kind::shout;
  if (json) {
    nlohmann::json all{
        {"event", name_of(event.kind)}, {"peer", event.peer.str()}, {"name", event.name}};
    if (!event.group.empty()) all["group"] = event.group;
    if (!event.endpoint.empty()) all["endpoint"] = event.endpoint;
    if (!event.headers.empty()) all["headers"] = to_json(event.headers);
    if (content) all["payload"] = payload_json(event.payload());
    return line(all);
  }
  std::string text = std::string{name_of(event.kind)} + '\t' + printable(event.name);
  if (!event.group.empty()) text += '\t' + printable(event.group);
  text += '\t';
  if (content)
    text += printable(event.payload(), event.payload().size());
  else
    text += event.peer.str();
  return text + '\n';
}

class Watching final : public Source {
 public:
  explicit Watching(const PeerCommand& command) : options_(command.messages), present_(command) {}

  bool read(Lines& lines) override {
    std::size_t most = 1000;
    if (options_.count > 0) most = std::min<std::size_t>(most, options_.count - lines.received());
    return present_->drain(
               [&](const PeerEvent& event) {
                 lines.buffer() += event_line(event, options_.json);
                 lines.added();
               },
               most) > 0;
  }
  void wait(int output, std::optional<milliseconds> timeout) override {
    present_.waiter().wait(present_->fd(), output, timeout);
  }
  bool ended() const override { return waiter().asked_to_end() || waiter().output_broken(); }
  void give_up(const std::string& cause, const std::string& remedy) override {
    present_.give_up(cause, remedy);
  }

 private:
  const Waiter& waiter() const { return const_cast<Watching*>(this)->present_.waiter(); }
  const MessageOptions& options_;
  Present present_;
};

int list(const PeerCommand& command) {
  Present present{command};
  present.await([] { return false; }, command.wait);
  for (const KnownPeer& known : present->peers()) {
    if (command.messages.json) {
      std::cout << line({{"peer", known.id.str()},
                         {"name", known.name},
                         {"endpoint", known.endpoint},
                         {"groups", known.groups},
                         {"headers", to_json(known.headers)},
                         {"evasive", known.evasive}});
      continue;
    }
    std::cout << known.id.str() << '\t' << printable(known.name) << '\t' << known.endpoint << '\t';
    for (const std::string& group : known.groups)
      std::cout << (&group == &known.groups.front() ? "" : ",") << printable(group);
    std::cout << '\n';
  }
  return exit_ok;
}

int find(const PeerCommand& command) {
  Present present{command};
  std::vector<Endpoint> found;
  const auto there = [&] {
    found = present->find(command.targets.at(0), milliseconds{0});
    return !found.empty();
  };
  const milliseconds patience = command.messages.patience();
  if (!present.await(there, patience) && !present.waiter().asked_to_end())
    present.give_up(
        "nobody offers '" + printable(command.targets[0]) + "' within " + format_duration(patience),
        "start one with --offer, or give a longer --timeout");
  for (const Endpoint& endpoint : found) std::cout << endpoint.str() << '\n';
  return exit_ok;
}

/// An option that some actions alone have.
struct Placed {
  const CLI::Option* option;
  std::vector<std::string> actions;
};

void check_places(const std::string& action, const std::vector<Placed>& all) {
  for (const Placed& placed : all) {
    const auto& actions = placed.actions;
    if (placed.option->count() == 0) continue;
    if (std::find(actions.begin(), actions.end(), action) != actions.end()) continue;
    const std::string name = placed.option->get_name();
    throw Error{
        ErrorKind::usage, "peer " + action, "it knows no " + name,
        "leave out " + name + "; it is for " + detail::listed({actions.begin(), actions.end()})};
  }
}

int run(PeerCommand& command) {
  if (command.action == "join") {
    command.groups.insert(command.groups.end(), command.targets.begin(), command.targets.end());
    Lines lines{command.messages};  // first: nobody is told of an end that cannot write
    Watching source{command};
    return receive_lines(source, lines, command.messages);
  }
  const std::size_t wanted = command.action == "list" ? 0 : 1;
  if (command.targets.size() != wanted || (wanted == 1 && command.targets[0].empty()))
    throw Error{ErrorKind::usage, "peer " + command.action,
                wanted == 0 ? "it takes nothing behind it" : "it takes one name behind it",
                "see `busbar help peer`"};
  if (command.action == "list") return list(command);
  if (command.action == "find") return find(command);
  return Speaking{command}.run();
}

/// Answers the options that not every action has.
std::vector<Placed> declare(CLI::App& app, PeerCommand& command) {
  MessageOptions& messages = command.messages;
  PeerOptions& peer = command.peer;
  messages.command = app.get_name();
  words(app.add_option("action", command.action, "What to do")->capture_default_str(),
        {"join", "list", "whisper", "shout", "find"});
  app.add_option("target", command.targets, "Groups, a peer's name or id, a group, a service")
      ->type_name("NAME");
  app.add_option("--name", peer.name, "What the others see")->type_name("NAME");
  app.add_option("--interface", peer.interface, "Where to look for peers: a name or an address")
      ->type_name("NAME")
      ->capture_default_str();
  add_list(app, "--join", command.groups, "Be in this group", "GROUP");
  add_list(app, "--connect", command.connect, "Ask this peer whom it knows", "ENDPOINT");
  app.add_option("--bind", command.bind, "Where to take connections; default: a free port")
      ->type_name("ENDPOINT");
  numbers(app.add_option("--beacon-port", peer.beacon_port, "UDP; 0: no beacons")
              ->type_name("PORT")
              ->capture_default_str(),
          0, 65535);
  add_list(app, "--offer", command.offers, "Tell all that a service is there", "NAME=ENDPOINT");
  declare_headers(app, messages, "The others see it when we enter");
  add_duration(app, "--beacon-interval", peer.beacon_interval, "A beacon is sent so often");
  add_duration(app, "--evasive-after", peer.evasive_after, "Silent for so long is evasive");
  add_duration(app, "--expire-after", peer.expire_after, "Silent for so long is gone");
  CLI::Option* const wait = add_duration(app, "--wait", command.wait, "list: how long to look");
  CLI::Option* const count =
      numbers(app.add_option("--count", messages.count, "End after so many events or lines")
                  ->type_name("N"),
              1, std::numeric_limits<std::uint64_t>::max());
  CLI::Option* const whole = app.add_flag("--whole", messages.whole,
                                          "whisper, shout: each --file (or all of stdin) is one");
  CLI::Option* const json = app.add_flag("--json", messages.json, "Lines are JSON");
  CLI::Option* const file = app.add_option("--file", messages.files, "Instead of stdin or stdout")
                                ->type_name("FILE")
                                ->expected(1)
                                ->allow_extra_args(false);
  declare_timeout(app, messages, "join: end with 4 when nothing came for so long; else patience",
                  "");
  messages.security.declare(app);
  return {{wait, {"list"}},
          {count, {"join", "whisper", "shout"}},
          {whole, {"whisper", "shout"}},
          {json, {"join", "list", "whisper", "shout"}},
          {file, {"join", "whisper", "shout"}}};
}

}  // namespace

Command peer_command() {
  return {.name = "peer",
          .group = "Messages",
          .summary = "Find peers without a server, and speak to them (36/ZRE)",
          .details =
              "join [GROUP...]  write what happens, a line each, until a signal; the default\n"
              "list             write who is there: id, name, endpoint, groups\n"
              "whisper PEER     send each line to this peer\n"
              "shout GROUP      send each line to all in this group\n"
              "find NAME        write the endpoints where this service is offered\n"
              "A line of join is enter, evasive, exit: NAME, ID; join, leave: NAME, GROUP, ID;\n"
              "whisper: NAME, PAYLOAD; shout: NAME, GROUP, PAYLOAD; with tabs between; in PAYLOAD\n"
              "what is not printable is written \\xNN. Nodes of Zyre and Pyre are peers too.\n"
              "whisper, shout and find exit with 4 where nobody is there in time, and whisper\n"
              "and shout where a signal leaves lines unsent, or peers did not read; with 3 where\n"
              "lines were lost as a connection was gone.",
          .example =
              "  busbar peer --name a --join sensors\n"
              "  echo 21.5 | busbar peer shout sensors",
          .declare = [](CLI::App& app) -> Run {
            auto command = std::make_shared<PeerCommand>();
            return [command, placed = declare(app, *command)] {
              check_places(command->action, placed);
              return run(*command);
            };
          }};
}

}  // namespace busbar::program
