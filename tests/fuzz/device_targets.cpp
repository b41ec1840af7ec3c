#include "fuzz/device_targets.hpp"

#include "fuzz/targets.hpp"

#include <optional>

#include <busbar/core/error.hpp>
#include <busbar/devices/stage.hpp>
#include <busbar/devices/topology/topology.hpp>

namespace busbar::fuzz {

namespace {

std::optional<Topology> parsed(std::string_view bytes) {
  try {
    return Topology::parse(bytes, "fuzz.toml");
  } catch (const Error& error) {
    check(error.kind() == ErrorKind::usage, "a bad file is the user's to correct");
    check(error.cause().find("\nfuzz.toml") != std::string::npos, "a refusal names the file");
    return {};
  }
}

std::optional<Stage> parsed_stage(std::string_view bytes) {
  try {
    return parse_stage(bytes);
  } catch (const Error& error) {
    check(error.kind() == ErrorKind::usage, "a bad stage is the user's to correct");
    check(!error.remedy().empty(), "a refusal says what to do");
    return {};
  }
}

}  // namespace

/// A file is a topology or is refused with its name; whatever is a topology can be looked through,
/// taken apart and drawn, and each finding says where, what and the remedy.
void topology(std::string_view bytes) {
  const std::optional<Topology> site = parsed(bytes);
  if (!site) return;
  for (const Finding& finding : site->findings()) {
    check(finding.place.line != 0, "a finding has a line");
    check(!finding.place.key.empty(), "a finding has a key");
    check(!finding.problem.empty() && !finding.remedy.empty(), "a finding has a remedy");
  }
  check(!graph(*site, GraphFormat::dot).empty(), "a topology can be drawn");
  for (const TopologyDevice& device : site->devices()) {
    try {
      (void)site->only({device.name});
    } catch (const Error& error) {
      check(error.kind() == ErrorKind::usage, "a link that cannot be cut is the user's to correct");
    }
  }
}

/// A stage that can be read has a text that reads as the same stage.
void stage(std::string_view bytes) {
  const std::optional<Stage> read = parsed_stage(bytes);
  if (!read) return;
  const Stage again = parse_stage(read->text);
  check(again.text == read->text, "the text of a stage is stable");
  Multipart message{"topic", bytes};
  (void)again.make(Clock::steady())->apply(message, 0);
  check(message.size() == 2, "a stage keeps the frames");
}

/// A payload is translated or refused; what was translated there and back once stays as it is.
void translation(std::string_view bytes) {
  const Clock& clock = Clock::steady();
  StagePipeline there{{json_to_msgpack()}, clock};
  StagePipeline back{{msgpack_to_json()}, clock};
  Multipart hostile{bytes};
  (void)back.apply(hostile, 0);
  Multipart json{bytes};
  if (there.apply(json, 0)) return;
  check(!back.apply(json, 0), "what came from JSON goes back to JSON");
  const std::string once{json.text(0)};
  check(!there.apply(json, 0) && !back.apply(json, 0), "and there again");
  check(json.text(0) == once, "translation is stable");
}

std::vector<std::string> topology_seeds() {
  return {
      "name = \"s\"\n[devices.a]\nkind = \"forwarder\"\nfrontend = { bind = \"inproc://a\" }\n"
      "control = \"ipc:///c\"\ntap = { bind = \"tcp://*:1\", insecure = true }\n"
      "stages = [\"only a.>\", \"rename a b\"]\noverflow = \"drop\"\ndrain-timeout = \"5s\"\n"
      "[devices.b]\nkind = \"forwarder\"\nbackend = { bind = [\"inproc://b\"], queue = 9 }\n"
      "[[links]]\nfrom = \"a.backend\"\nto = \"b.frontend\"\nover = \"ipc:///x\"\n",
      "[devices.s]\nkind = 'services'\nfrontend.bind = 'inproc://s'\nheartbeat = '1s'\n"
      "hold = { messages = 1, bytes = 2, age = '3s' }\n",
      "[devices.q]\nkind = 'queue'\nstrategy = 'ready'\nfrontend.connect = "
      "'tcp://h:1'\nbackend.key = 'none'\n",
      "x = '''a'''\ny = 1979-05-27\nz = [1, 0x2, 1e3, inf, \"\\u00e4\"]\n[.a]\n"};
}

std::vector<std::string> stage_seeds() {
  return {"only prices.> a.*.b", "only pri** \\x20\\xff**", "rename prices fx",
          "sample 10",           "rate-limit 1000/500ms",   "rate-limit 60/min",
          "json-to-msgpack",     "msgpack-to-json"};
}

std::vector<std::string> translation_seeds() {
  return {R"({"a":[1,-2,1.5,null,true,"\u00e4"],"b":{}})", R"([[[[1e300]]]])",
          "\x82\xa1"
          "a\x93\x01\xcb\x40\x09\x21\xfb\x54\x44\x2d\x18\xc0\xa1"
          "b\xc4\x01x",
          "\xdd\xff\xff\xff\xff"};
}

}  // namespace busbar::fuzz
