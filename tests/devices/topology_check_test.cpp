#include <algorithm>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <busbar/core/error.hpp>
#include <busbar/devices/topology/topology.hpp>

using namespace busbar;

namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// `[devices.NAME]` with the rest of its lines.
std::string device(const std::string& name, const std::string& frontend, const std::string& backend,
                   const std::string& more = "") {
  std::string text = "[devices." + name + "]\n";
  if (!contains(more, "kind")) text += "kind = 'forwarder'\n";
  if (!frontend.empty()) text += "frontend = { " + frontend + " }\n";
  if (!backend.empty()) text += "backend = { " + backend + " }\n";
  return text + more + "\n";
}

std::string joined(const std::string& from, const std::string& to, const std::string& over = "") {
  return "[[links]]\nfrom = '" + from + ".backend'\nto = '" + to + ".frontend'\n" +
         (over.empty() ? "" : "over = '" + over + "'\n");
}

std::vector<std::string> findings(const std::string& toml) {
  std::vector<std::string> texts;
  for (const Finding& finding : Topology::parse(toml, "site.toml").findings()) {
    CHECK_FALSE(finding.remedy.empty());
    texts.push_back(finding.str());
  }
  return texts;
}

/// The one finding; several fail the test.
std::string finding(const std::string& toml) {
  const std::vector<std::string> found = findings(toml);
  std::string all;
  for (const std::string& text : found) all += text + "\n";
  CAPTURE(all);
  REQUIRE(found.size() == 1);
  return found[0];
}

const std::string a = "bind = 'inproc://a'";
const std::string b = "bind = 'inproc://b'";
const std::string c = "bind = 'inproc://c'";
const std::string d = "bind = 'inproc://d'";

DeviceOptions on_any_port() {
  return {.frontend = {.bind = {"tcp://127.0.0.1:*"}}, .backend = {.bind = {"tcp://127.0.0.1:*"}}};
}

}  // namespace

TEST_CASE("a topology that fits has no findings") {
  CHECK(findings(device("x", a, b)).empty());
  CHECK(findings(device("x", a, "") + device("y", "", b) + joined("x", "y")).empty());
  CHECK(findings(device("x", "bind = 'tcp://127.0.0.1:*'", "bind = 'tcp://127.0.0.1:*'")).empty());
  CHECK(findings(device("x", "bind = 'ipc://*'", "bind = 'ipc://*'")).empty());
  CHECK(findings(device("x", "bind = 'tcp://127.0.0.1:5555'", "bind = 'tcp://127.0.0.2:5555'"))
            .empty());
}

TEST_CASE("links to devices that do not exist are found") {
  const std::string said =
      finding(device("edge", a, b) + device("core", c, d) + joined("edge", "cor"));
  CHECK(contains(said, "site.toml:11: links[0].to: no device 'cor' (did you mean 'core'?)"));
  CHECK(contains(said, "the devices are edge, core"));
  CHECK(contains(finding(device("x", a, b) + joined("q", "x")), "links[0].from: no device 'q'"));
}

TEST_CASE("sides whose socket types do not fit are found") {
  const std::string text = device("x", a, "", "kind = 'streamer'") +
                           device("y", "", b, "kind = 'queue'") + joined("x", "y");
  CHECK(contains(finding(text),
                 "site.toml:7: links[0]: x.backend (PUSH) does not fit y.frontend (ROUTER)"));
  for (const char* kind : {"kind = 'forwarder'", "kind = 'streamer'", "kind = 'queue'"}) {
    CHECK(findings(device("x", a, "", kind) + device("y", "", b, kind) + joined("x", "y")).empty());
  }
}

TEST_CASE("sides that meet at an endpoint and do not fit are found") {
  const std::string tcp = "'tcp://127.0.0.1:5555'";
  CHECK(contains(finding(device("x", a, "bind = " + tcp) +
                         device("y", "connect = " + tcp, b, "kind = 'streamer'")),
                 "devices.y.frontend.connect: PULL does not fit x.backend.bind (XPUB)"));
  CHECK(contains(finding(device("x", "bind = " + tcp, a) + device("y", "connect = " + tcp, b)),
                 "XSUB does not fit x.frontend.bind (XSUB)"));
  CHECK(findings(device("x", a, "bind = " + tcp) + device("y", "connect = " + tcp, b)).empty());
}

TEST_CASE("the same link twice is found") {
  CHECK(contains(
      finding(device("x", a, "") + device("y", "", b) + joined("x", "y") + joined("x", "y")),
      "links[1]: x.backend and y.frontend are linked already"));
}

TEST_CASE("an endpoint that is bound twice is found, wherever it is bound") {
  const std::string taken = "is bound already, by x.frontend.bind in line 3";
  const auto beside = [](const std::string& first, const std::string& second) {
    return finding(device("x", "bind = '" + first + "'", a) +
                   device("y", "bind = '" + second + "'", b));
  };
  CHECK(contains(beside("tcp://127.0.0.1:5555", "tcp://127.0.0.1:5555"), taken));
  CHECK(contains(beside("tcp://127.0.0.1:5555", "tcp://localhost:5555"), taken));
  CHECK(contains(beside("ipc:///tmp/x", "ipc:///tmp/x"), taken));
  CHECK(contains(beside("inproc://x", "inproc://x"), taken));
  for (const char* written : {"ipc://./x", "ipc://y/../x", "ipc://.//x"}) {
    CHECK(contains(beside("ipc://x", written), taken));
  }
  CHECK(findings(device("x", "bind = 'ipc://@x'", "bind = 'ipc://@./x'")).empty());
  CHECK(contains(finding(device("x", "bind = 'tcp://*:5555', insecure = true",
                                "bind = 'tcp://127.0.0.1:5555'")),
                 "site.toml:4: devices.x.backend.bind: tcp://127.0.0.1:5555 " + taken));
  CHECK(contains(finding(device("x", "bind = 'tcp://127.0.0.1:5555'",
                                "bind = 'tcp://0.0.0.0:5555', insecure = true")),
                 taken));
  CHECK(contains(finding(device("x", a, b, "control = 'inproc://a'")),
                 "devices.x.control: inproc://a " + taken));
  CHECK(contains(finding(device("x", a, b, "tap = 'inproc://a'")), "devices.x.tap: "));
  CHECK(contains(finding(device("x", "bind = ['ipc:///tmp/a', 'ipc:///tmp/a']", b)), taken));
  CHECK(contains(finding(device("x", a, "") + device("y", "", b) + joined("x", "y", "inproc://a")),
                 "links[0].over: inproc://a " + taken));
}

TEST_CASE("loops are found with the way round") {
  CHECK(contains(finding(device("x", "", "") + joined("x", "x")), "links[0]: a loop: x -> x"));
  CHECK(contains(finding(device("x", a, "") + device("y", "", b) + device("z", "", "") +
                         joined("x", "y") + joined("y", "z") + joined("z", "x")),
                 "links[2]: a loop: x -> y -> z -> x"));
  const std::string tcp = "'tcp://127.0.0.1:5555'";
  CHECK(contains(finding(device("x", "bind = " + tcp, "connect = " + tcp)), "a loop: x -> x"));
  CHECK(contains(finding(device("x", "connect = " + tcp, "bind = " + tcp)), "a loop: x -> x"));
  CHECK(contains(finding(device("x", "connect = " + tcp, "bind = 'tcp://*:5555', insecure = true")),
                 "devices.x.frontend.connect: a loop: x -> x"));
  CHECK(contains(finding(device("x", "connect = 'inproc://back'", "") +
                         device("y", "", "bind = 'inproc://back'") + joined("x", "y")),
                 "a loop: x -> y -> x"));
}

TEST_CASE("two ways to one device are no loop") {
  CHECK(findings(device("x", a, "") + device("y", "", "") + device("z", "", b) + joined("x", "y") +
                 joined("y", "z") + joined("x", "z"))
            .empty());
}

TEST_CASE("a side that nothing can reach is found") {
  CHECK(contains(finding(device("x", "", b)),
                 "site.toml:1: devices.x.frontend: nothing can reach it"));
  CHECK(contains(finding(device("x", a, "")), "devices.x.backend: nothing can reach it"));
  CHECK(contains(finding(device("x", a, "queue = 5")), "site.toml:4: devices.x.backend: nothing"));
  CHECK(findings(device("x", "connect = 'inproc://q'", b)).empty());
}

TEST_CASE("an unbounded queue is found") {
  DeviceOptions options = on_any_port();
  options.frontend.queue = 0;
  options.backend.queue = -1;
  const auto found = Topology{}.add("x", DeviceKind::queue, options).findings();
  REQUIRE(found.size() == 2);
  CHECK(found[0].problem == "an unbounded queue");
  CHECK(
      found[1].str() ==
      "devices.x.backend.queue: a negative queue (give the messages for each peer, 1 to 1000000)");
}

TEST_CASE("a bind off loopback without protection is found") {
  const std::string open = "is not on loopback and anyone may connect";
  CHECK(contains(finding(device("x", "bind = 'tcp://*:5555'", b)),
                 "site.toml:3: devices.x.frontend.bind: tcp://*:5555 " + open));
  CHECK(contains(finding(device("x", a, "bind = 'tcp://10.0.0.1:5555'")), open));
  CHECK(contains(finding(device("x", a, b, "control = 'tcp://*:5555'")), "devices.x.control: "));
  CHECK(contains(finding(device("x", a, b, "tap = { bind = 'tcp://*:5555' }")), "devices.x.tap: "));
  CHECK(contains(
      finding(device("x", a, "") + device("y", "", b) + joined("x", "y", "tcp://10.0.0.1:5")),
      "links[0].over: tcp://10.0.0.1:5 " + open));
  CHECK(findings(device("x", "bind = 'tcp://*:5555', insecure = true", b)).empty());
  CHECK(findings(device("x", "connect = 'tcp://10.0.0.1:5555'", b)).empty());
}

TEST_CASE("keys that protect nothing are found") {
  const CurveKeys keys = CurveKeys::create();
  const auto allow = std::make_shared<AllowList>(std::vector{keys.public_key});
  const auto problem = [&](const std::vector<Endpoint>& bind, const std::vector<Endpoint>& connect,
                           const Security& security) {
    DeviceOptions options = on_any_port();
    options.frontend = {.bind = bind, .connect = connect, .security = security};
    const auto found = Topology{}.add("x", DeviceKind::queue, options).findings();
    return found.empty() ? std::string{} : found[0].str();
  };
  const std::vector<Endpoint> open{"tcp://*:5555"};
  const std::vector<Endpoint> far{"tcp://10.0.0.1:5556"};
  CHECK(problem(open, {}, {.keys = keys, .allow = allow}) == "");
  CHECK(problem({}, far, {.keys = keys, .server_key = keys.public_key}) == "");
  CHECK(contains(problem(open, {}, {.keys = keys}), "a key without an allow-list"));
  CHECK(contains(problem(open, {}, {.allow = allow, .insecure = true}),
                 "an allow-list without a key"));
  CHECK(contains(problem({}, far, {.keys = keys}), "without the server's public key"));
  CHECK(contains(problem({}, far, {.server_key = keys.public_key}), "needs a key of our own"));
  CHECK(contains(problem(open, far, {.keys = keys, .allow = allow}), "CURVE server and client"));
}

TEST_CASE("keys that do not fit the endpoint of a link are found") {
  const CurveKeys keys = CurveKeys::create();
  DeviceOptions edge = on_any_port();
  edge.backend.security = {.keys = keys,
                           .allow = std::make_shared<AllowList>(std::vector{keys.public_key})};
  const auto found = [&](const std::optional<Endpoint>& over) {
    Topology net;
    net.add("edge", DeviceKind::queue, edge).add("core", DeviceKind::queue, on_any_port());
    return net.link("edge.backend", "core.frontend", over).findings();
  };
  CHECK(found({}).empty());
  CHECK(found("inproc://link").empty());
  REQUIRE(found("ipc://link").size() == 1);
  CHECK(contains(found("ipc://link")[0].problem, "CURVE server and client"));
}

TEST_CASE("permissions are for ipc paths that are bound") {
  CHECK(
      contains(finding(device("x", a + ", ipc-mode = '0660'", b)),
               "site.toml:3: devices.x.frontend.ipc-mode: permissions, and no ipc path is bound"));
  CHECK(findings(device("x", "bind = 'ipc:///tmp/x', ipc-mode = '0660'", b)).empty());
  CHECK(findings(device("x", a, "") + device("y", "ipc-mode = '600'", b) +
                 joined("x", "y", "ipc:///tmp/x"))
            .empty());
}

TEST_CASE("a connect without an address is found") {
  CHECK(contains(finding(device("x", "connect = 'tcp://*:5555'", b)),
                 "devices.x.frontend.connect: tcp://*:5555 is no address"));
  CHECK(contains(finding(device("x", "connect = 'tcp://127.0.0.1:*'", b)), "is no address"));
  CHECK(contains(
      finding(device("x", a, "") + device("y", "", b) + joined("x", "y", "tcp://127.0.0.1:*")),
      "links[0].over: tcp://127.0.0.1:* is no address that both ends can name"));
}

TEST_CASE("a stage that needs topics where there are none is found") {
  for (const char* kind : {"streamer", "queue"}) {
    const std::string kind_line = "kind = '" + std::string{kind} + "'\n";
    CHECK(contains(finding(device("x", a, b, kind_line + "stages = ['only a']")),
                   "devices.x.stages: 'only a' needs a topic, which a " + std::string{kind}));
    CHECK(findings(device("x", a, b, kind_line + "stages = ['sample 2', 'json-to-msgpack']"))
              .empty());
  }
}

TEST_CASE("credit in the wrong place, or with sides that cannot have it, is found") {
  const std::string credit = "kind = 'streamer'\ncredit = true\n";
  CHECK(findings(device("x", a, b, credit) + device("y", c, d, credit) + joined("x", "y")).empty());
  CHECK(contains(finding(device("x", a, b, "kind = 'queue'\ncredit = true\n")),
                 "credit is for streamers"));
  CHECK(contains(
      finding(device("x", a, "connect = ['tcp://127.0.0.1:1', 'tcp://127.0.0.1:2']", credit)),
      "connects to one endpoint"));
  CHECK(contains(finding(device("x", a, b, credit) + device("y", c, d, "kind = 'streamer'\n") +
                         joined("x", "y")),
                 "only one of x.backend and y.frontend has credit"));
}

TEST_CASE("in a process of its own an inproc endpoint is for two devices of the topology") {
  const auto lone = [](const std::string& toml) {
    std::string keys;
    for (const Finding& found : Topology::parse(toml, "site.toml").findings(Process::own)) {
      CHECK(contains(found.problem, "inproc does not leave this process"));
      keys += found.place.key + " " + std::to_string(found.place.line) + " ";
    }
    return keys;
  };
  const std::string any = "bind = 'tcp://127.0.0.1:*'";
  CHECK(lone(device("x", any, any)).empty());
  CHECK(lone(device("x", a, any)) == "devices.x.frontend.bind 3 ");
  CHECK(lone(device("x", "connect = 'inproc://a'", any)) == "devices.x.frontend.connect 3 ");
  CHECK(lone(device("x", any, any, "control = 'inproc://c'\ntap = 'inproc://t'")) ==
        "devices.x.control 5 devices.x.tap 6 ");
  CHECK(lone(device("x", any, b) + device("y", "connect = 'inproc://b'", any)).empty());
  CHECK(lone(device("x", any, "") + device("y", "", any) + joined("x", "y", "inproc://z")).empty());
  const std::string shared = device("x", any, "") + device("y", a, any);
  CHECK(lone(shared + joined("x", "y")) == "devices.y.frontend.bind 7 ");
  CHECK(lone(shared + joined("x", "y", "inproc://a")).empty());
}

TEST_CASE("a topology without devices does not fit to run") {
  CHECK(Topology{}.findings().size() == 1);
  CHECK_THROWS_WITH_AS(Topology{"site"}.check(),
                       "check topology 'site': 1 mistake\ndevices: none (add a device with kind, "
                       "frontend and backend)",
                       Error);
}

TEST_CASE("check names every finding in the order of the lines") {
  const Topology site = Topology::parse(
      device("x", a + ", ipc-mode = '600'", "") + device("y", "", b + ", ipc-mode = '600'"),
      "site.toml");
  const std::vector<Finding> found = site.findings();
  CHECK(found.size() == 4);
  CHECK(std::is_sorted(found.begin(), found.end(), [](const Finding& one, const Finding& other) {
    return one.place.line < other.place.line;
  }));
  CHECK_THROWS_AS(site.check(), Error);
}

TEST_CASE("what is built in code is refused where it is said") {
  Topology site{"site"};
  site.add("edge", DeviceKind::forwarder, on_any_port());
  CHECK(site.devices()[0].options.name == "edge");
  CHECK_THROWS_AS(site.add("edge", DeviceKind::forwarder, {}), Error);
  for (const char* name : {"", "a.b", "a b", "a/b", "\n"}) {
    CHECK_THROWS_AS(site.add(name, DeviceKind::forwarder, {}), Error);
  }
  for (const auto& [from, to] :
       std::vector<std::pair<const char*, const char*>>{{"edge", "core"},
                                                        {"edge.frontend", "core.frontend"},
                                                        {"edge.backend", "core.backend"},
                                                        {".backend", "core.frontend"},
                                                        {"a.b.backend", "core.frontend"}}) {
    CHECK_THROWS_AS(site.link(from, to), Error);
  }
  site.link("edge.backend", "core.frontend");
  CHECK(site.findings().size() == 1);
}

TEST_CASE("only the named devices stay, and a cut link meets at its endpoint on both sides") {
  const Topology site =
      Topology::parse(device("edge", a, "") + device("core", "", "") + device("log", "", b) +
                      joined("edge", "core", "ipc:///tmp/edge-core") + joined("core", "log"));
  const Topology edge = site.only({"edge"});
  REQUIRE(edge.devices().size() == 1);
  CHECK(edge.links().empty());
  CHECK(edge.devices()[0].options.backend.connect == std::vector<Endpoint>{"ipc:///tmp/edge-core"});
  CHECK(edge.findings().empty());

  const Topology rest = site.only({"log", "core"});
  REQUIRE(rest.devices().size() == 2);
  CHECK(rest.devices()[0].name == "core");
  CHECK(rest.links().size() == 1);
  CHECK(rest.devices()[0].options.frontend.bind == std::vector<Endpoint>{"ipc:///tmp/edge-core"});
  CHECK(rest.findings().empty());
}

TEST_CASE(
    "a cut link without an endpoint between processes is refused, and so is an unknown name") {
  const Topology site =
      Topology::parse(device("edge", a, "") + device("core", "", b) + joined("edge", "core"));
  CHECK_THROWS_WITH_AS(
      (void)site.only({"edge"}),
      "cut link edge.backend -> core.frontend: it has no endpoint for two processes "
      "to meet at (give the link over = \"ipc://PATH\" or \"tcp://HOST:PORT\")",
      Error);
  CHECK_THROWS_AS((void)site.only({"egde"}), Error);
  const Topology inside = Topology::parse(device("edge", a, "") + device("core", "", b) +
                                          joined("edge", "core", "inproc://x"));
  CHECK_THROWS_AS((void)inside.only({"edge"}), Error);
}
