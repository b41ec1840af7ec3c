#include "support/folder.hpp"

#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <busbar/core/error.hpp>
#include <busbar/devices/topology/topology.hpp>

using namespace busbar;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

/// What a refusal says; empty where the text was taken.
std::string refusal(const std::string& toml, const std::string& file = "site.toml") {
  try {
    (void)Topology::parse(toml, file);
    return {};
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::usage);
    return error.what();
  }
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

struct Bad {
  const char* toml;
  const char* place;  ///< `line: key`, as the refusal must say it
  const char* problem;
  const char* remedy;
};

/// Each is one mistake in one line, behind a good device.
void check_refused(const std::vector<Bad>& cases) {
  const std::string good =
      "[devices.edge]\nkind = 'streamer'\n"
      "frontend = { bind = 'inproc://a' }\nbackend = { bind = 'inproc://b' }\n";
  for (const Bad& bad : cases) {
    CAPTURE(bad.toml);
    const std::string said = refusal(good + bad.toml + "\n");
    CAPTURE(said);
    CHECK(contains(said, "1 mistake\n"));
    CHECK(contains(said, "\nsite.toml:" + std::string{bad.place} + ": "));
    CHECK(contains(said, bad.problem));
    CHECK(contains(said, bad.remedy));
  }
}

std::string load_refusal(const fs::path& file) {
  try {
    (void)Topology::load(file);
    return {};
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::usage);
    return error.what();
  }
}

const char* const full_file = R"(name = "word-count"

[devices.files]                 # hands file names to the workers
kind     = "streamer"
frontend = { bind = "tcp://127.0.0.1:5557" }
backend  = { bind = ["tcp://127.0.0.1:5558", "ipc:///tmp/files"], queue = 10 }
overflow = "block"
drain-timeout = "1500ms"

[devices.edge]
kind = "forwarder"
control = "ipc:///tmp/edge.control"
tap = { bind = "tcp://*:5561", insecure = true }
stages = ["only prices.>", "rename prices fx", "json-to-msgpack", "rate-limit 1000/s"]
[devices.edge.frontend]
connect = ["tcp://10.0.0.1:5559"]
[devices.edge.backend]
bind = "tcp://*:5560"
insecure = true

[devices.core]
kind = "forwarder"
frontend.bind = "inproc://core"
backend.bind = "inproc://out"

[[links]]
from = "edge.backend"
to   = "core.frontend"
over = "ipc:///tmp/edge-core"
)";

}  // namespace

TEST_CASE("a topology file says all that a topology can say") {
  const Topology site = Topology::parse(full_file, "site.toml");
  CHECK(site.name() == "word-count");
  REQUIRE(site.devices().size() == 3);
  const TopologyDevice& files = site.devices()[0];
  CHECK(files.name == "files");
  CHECK(files.kind == DeviceKind::streamer);
  CHECK(files.options.name == "files");
  CHECK(files.options.frontend.bind == std::vector<Endpoint>{"tcp://127.0.0.1:5557"});
  CHECK(files.options.backend.bind.size() == 2);
  CHECK(files.options.backend.queue == 10);
  CHECK(files.options.overflow == Overflow::block);
  CHECK(files.options.drain_timeout == 1500ms);
  CHECK(files.place.str() == "site.toml:3: devices.files");

  const DeviceOptions& edge = site.devices()[1].options;
  CHECK(edge.control == Endpoint{"ipc:///tmp/edge.control"});
  CHECK(edge.tap == Endpoint{"tcp://*:5561"});
  CHECK(edge.tap_security.insecure);
  CHECK(edge.backend.security.insecure);
  CHECK(edge.frontend.connect.size() == 1);
  REQUIRE(edge.stages.size() == 4);
  CHECK(edge.stages[1].text == "rename prices fx");
  CHECK(site.devices()[1].lines.at("frontend.connect") == 16);

  REQUIRE(site.links().size() == 1);
  CHECK(site.links()[0].from == "edge.backend");
  CHECK(site.links()[0].over == Endpoint{"ipc:///tmp/edge-core"});
  CHECK(site.links()[0].place.str() == "site.toml:26: links[0]");
}

TEST_CASE("devices stand in the order of the file") {
  const Topology site = Topology::parse("[devices.z]\nkind='queue'\n[devices.a]\nkind='queue'\n");
  CHECK(site.devices()[0].name == "z");
  CHECK(site.devices()[1].name == "a");
}

TEST_CASE("a topology without a name is called like its file") {
  CHECK(Topology::parse("[devices.a]\nkind='queue'\n", "/etc/site.toml").name() == "site");
}

TEST_CASE("a key that is not known is refused, with the one that was meant") {
  check_refused({
      {"knid = 1", "5: devices.edge.knid", "did you mean 'kind'?", "the keys here are kind,"},
      {"zzzzzzzzz = 1", "5: devices.edge.zzzzzzzzz", "unknown key (", "frontend, backend"},
      {"tap = { bnid = 1, bind = 'inproc://t' }", "5: devices.edge.tap.bnid", "'bind'", "insecure"},
      {"tap = { connect = 'inproc://t', bind = 'inproc://u' }", "5: devices.edge.tap.connect",
       "unknown key", "bind, key, allow, insecure"},
      {"[device.x]", "5: device", "did you mean 'devices'?", "name, devices, links"},
      {"[devices.b]\nkind='queue'\nfrontend={bnd='x'}", "7: devices.b.frontend.bnd",
       "did you mean 'bind'?", "server-key"},
      {"[[links]]\nfrom='edge.backend'\nto='b.frontend'\nvoer='x'", "8: links[0].voer",
       "did you mean 'over'?", "from, to, over"},
  });
}

TEST_CASE("a value of the wrong type is refused with the type that is wanted") {
  check_refused({
      {"control = 1", "5: devices.edge.control", "an integer where a string is wanted", "tcp://"},
      {"overflow = true", "5: devices.edge.overflow", "a boolean where a string", "\"drop\""},
      {"drain-timeout = 5", "5: devices.edge.drain-timeout", "an integer where a string", "\"5s\""},
      {"drain-timeout = 1.5", "5: devices.edge.drain-timeout", "a fraction or a date", "\"5s\""},
      {"stages = 'only a'", "5: devices.edge.stages", "a string where an array", "sample 10"},
      {"stages = [1]", "5: devices.edge.stages[0]", "an integer where a string", "sample 10"},
      {"[devices.b]\nkind = 7", "6: devices.b.kind", "an integer where a string", "forwarder"},
      {"[devices.b]\nkind='queue'\nfrontend='tcp://*:1'", "7: devices.b.frontend",
       "a string where a table", "write { bind ="},
      {"[devices.b]\nkind='queue'\nfrontend.bind=5", "7: devices.b.frontend.bind",
       "an integer where a string", "or an array"},
      {"[devices.b]\nkind='queue'\nfrontend.bind=[['x']]", "7: devices.b.frontend.bind[0]",
       "an array where a string", "or an array"},
      {"[devices.b]\nkind='queue'\nfrontend.queue='9'", "7: devices.b.frontend.queue",
       "a string where an integer", "1 to 1000000"},
      {"[devices.b]\nkind='queue'\nfrontend.queue=1.0", "7: devices.b.frontend.queue",
       "a fraction or a date where an integer", "1 to 1000000"},
      {"[devices.b]\nkind='queue'\nfrontend.insecure='yes'", "7: devices.b.frontend.insecure",
       "a string where a boolean", "true or false"},
      {"[devices.b]\nkind='queue'\nfrontend.key=1", "7: devices.b.frontend.key",
       "an integer where a string", "name of a file"},
      {"[devices]\nb = 1", "6: devices.b", "an integer where a table", "[devices.NAME]"},
      {"[links]\nfrom='a.backend'", "5: links", "a table where an array", "[[links]]"},
      {"[[links]]\nfrom=1\nto='b.frontend'", "6: links[0].from", "an integer where a string",
       "A.backend"},
  });
}

TEST_CASE("a value that means nothing is refused with what would") {
  check_refused({
      {"overflow = 'wait'", "5: devices.edge.overflow", "no policy 'wait'",
       "\"drop\" or \"block\""},
      {"drain-timeout = '5 s'", "5: devices.edge.drain-timeout", "no length of time", "\"500ms\""},
      {"drain-timeout = '-1s'", "5: devices.edge.drain-timeout", "no length of time", "\"500ms\""},
      {"drain-timeout = '25h'", "5: devices.edge.drain-timeout", "no length of time", "\"24h\""},
      {"drain-timeout = '99999999999999999999h'", "5: devices.edge.drain-timeout",
       "no length of time", "\"24h\""},
      {"control = 'tpc://x:1'", "5: devices.edge.control", "unknown transport", "tcp://HOST:PORT"},
      {"control = ''", "5: devices.edge.control", "no transport", "tcp://HOST:PORT"},
      {"control = \"tcp://a:1\\u0000\"", "5: devices.edge.control", "no number", "tcp://HOST:PORT"},
      {"tap = 'tcp://127.0.0.1:99999'", "5: devices.edge.tap", "above 65535", "tcp://HOST:PORT"},
      {"tap = {}", "5: devices.edge.tap.bind", "missing", "write { bind ="},
      {"stages = ['sample 0']", "5: devices.edge.stages", "sample 0", "sample 10"},
      {"stages = [\n'sample 2',\n'onyl a']", "7: devices.edge.stages", "'onyl a'", "only PATTERN"},
      {"[devices.b]\nkind='forwader'", "6: devices.b.kind", "did you mean 'forwarder'?", "queue"},
      {"[devices.b]\nkind=''", "6: devices.b.kind", "no kind ''", "write kind ="},
      {"[devices.b]", "5: devices.b.kind", "missing", "write kind ="},
      {"[devices.'a b']\nkind='queue'", "5: devices.a b", "no single word", "1 to 64 letters"},
      {"[devices.\"\\u0000\"]", "5: devices.\\x00", "no single word", "1 to 64 letters"},
      {"[devices.'']", "5: devices.", "no single word", "1 to 64 letters"},
      {"[devices.b]\nkind='queue'\nfrontend.queue=-1", "7: devices.b.frontend.queue",
       "-1 is out of range", "1 to 1000000"},
      {"[devices.b]\nkind='queue'\nfrontend.queue=0", "7: devices.b.frontend.queue",
       "0 is out of range", "1 to 1000000"},
      {"[devices.b]\nkind='queue'\nfrontend.ipc-mode='0999'", "7: devices.b.frontend.ipc-mode",
       "'0999' are no permissions", "\"0660\""},
      {"[devices.b]\nkind='queue'\nfrontend.ipc-mode='01777'", "7: devices.b.frontend.ipc-mode",
       "'01777' are no permissions", "\"0660\""},
      {"[devices.b]\nkind='queue'\nfrontend.queue=9223372036854775807",
       "7: devices.b.frontend.queue", "out of range", "1 to 1000000"},
      {"[devices.b]\nkind='queue'\nfrontend.key='none.key'", "7: devices.b.frontend.key",
       "none.key", "("},
      {"[devices.b]\nkind='queue'\nfrontend.key=''", "7: devices.b.frontend.key",
       "no name of a file", "keys/site.key"},
      {"[devices.b]\nkind='queue'\nfrontend.allow='none.allow'", "7: devices.b.frontend.allow",
       "none.allow", "("},
      {"[devices.b]\nkind='queue'\nbackend.server-key='neither'", "7: devices.b.backend.server-key",
       "neither", "("},
      {"[[links]]\nfrom='a.frontend'\nto='b.frontend'", "6: links[0].from", "is no backend",
       "from = \"A.backend\""},
      {"[[links]]\nfrom='a.backend'\nto='b'", "7: links[0].to", "'b' is no frontend",
       "to = \"B.frontend\""},
      {"[[links]]\nfrom='a.backend'", "5: links[0].to", "missing", "[[links]]"},
      {"[[links]]\nto='a.frontend'", "5: links[0].from", "missing", "[[links]]"},
      {"[[links]]\nfrom='a.backend'\nto='b.frontend'\nover='b'", "8: links[0].over", "no transport",
       "tcp://HOST:PORT"},
  });
}

TEST_CASE("a character outside ASCII is taken where TOML allows it, and refused elsewhere") {
  const std::string device =
      "[devices.a]\nkind = 'forwarder'\nfrontend = { bind = 'inproc://a' }\n"
      "backend = { bind = 'inproc://b' }\n";
  CHECK(refusal("# caf\u00e9\nname = 'caf\u00e9'\n" + device) ==
        refusal("name = 'x y'\n" + device));
  CHECK(refusal("\xEF\xBB\xBF" + device) == "");
  const char* const remedy = "put quotes round the text";
  CHECK(contains(refusal("\n\u3001" + device), "site.toml:2: "));
  CHECK(contains(refusal("\u00e9name = 'x'\n" + device), remedy));
  CHECK(contains(refusal("name = \u00a0'x'\n" + device), remedy));
  CHECK(contains(refusal("name = \"\"\"\\\n \u00e9\"\"\"\n" + device), "write it in one line"));
}

TEST_CASE("what is no TOML is refused with the line and the nearest key") {
  check_refused({
      {"control = ", "5: devices.edge.control", "", "TOML 1.0"},
      {"control = 'x", "5: devices.edge.control", "", "TOML 1.0"},
      {"control ! 'x'", "5: devices.edge", "", "TOML 1.0"},
      {"kind = 'queue'", "5: devices.edge.kind", "", "TOML 1.0"},
      {"tap = { bind = 'x'", "5: devices.edge.tap", "", "TOML 1.0"},
      {"[devices.edge]", "5: devices.edge", "", "TOML 1.0"},
      {"[devices.b", "5: devices.b", "", "TOML 1.0"},
      {"control = \"\xff\xfe\"", "5: devices.edge.control", "", "UTF-8"},
      {"[.a]\n[devices.b]\n", "5: .a", "no TOML", "TOML 1.0"},
      {"# \xff", "5: devices.edge", "", "UTF-8"},
      {"drain-timeout = 99999999999999999999999", "5: devices.edge.drain-timeout", "", "TOML 1.0"},
  });
}

TEST_CASE("every mistake of a file is named, in the order of its lines") {
  const std::string said = refusal(
      "nmae = 'x'\n[devices.a]\nkind = 'que'\nfrontend = { bind = 'x', queue = -1 }\n"
      "backend = { queue = 0 }\n[devices.b]\n[[links]]\n");
  CHECK(contains(said, "read topology site.toml: 8 mistakes\n"));
  std::size_t at = 0;
  for (const char* line :
       {"\nsite.toml:1: nmae:", "\nsite.toml:3: devices.a.kind:",
        "\nsite.toml:4: devices.a.frontend.bind:", "\nsite.toml:4: devices.a.frontend.queue:",
        "\nsite.toml:5: devices.a.backend.queue:", "\nsite.toml:6: devices.b.kind:",
        "\nsite.toml:7: links[0].from:", "\nsite.toml:7: links[0].to:"}) {
    const std::size_t next = said.find(line);
    CAPTURE(line);
    REQUIRE(next != std::string::npos);
    CHECK(next >= at);
    at = next;
  }
}

TEST_CASE("an empty file is refused with what it lacks") {
  for (const char* toml : {"", "\n\n", "# nothing", "name = 'x'"}) {
    CHECK(contains(refusal(toml), "site.toml:1: devices: missing (add [devices.NAME]"));
  }
  CHECK(contains(refusal("devices = {}"), "site.toml:1: devices: empty (add [devices.NAME]"));
  CHECK(contains(refusal("name = ''\n[devices.a]\nkind='queue'"), "site.toml:1: name: empty"));
}

TEST_CASE("what would exhaust the parser is refused") {
  std::string dots = "a";
  for (int i = 0; i < 100'000; ++i) dots += ".a";
  CHECK(contains(refusal(dots + " = 1"), "site.toml:1: "));
  CHECK(contains(refusal("\n[" + dots + "]"), "a key of more than 17 parts"));
  CHECK(contains(refusal("x = {" + dots + " = 1}"), "a key of more than 17 parts"));
  CHECK_FALSE(refusal("x = " + std::string(100'000, '[')).empty());
  CHECK(contains(refusal("#" + std::string(2u << 20, 'x')), "larger than 1 MiB"));
  // Dots in strings and comments are no key.
  CHECK(refusal("# a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u.v\n[devices.a]\nkind = 'forwarder'\n"
                "stages = ['only a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u.v.\"']") == "");
}

TEST_CASE("what is no file is refused") {
  const testing::Folder folder;
  CHECK(contains(load_refusal(folder.path("none.toml")), "none.toml: no such file"));
  CHECK(contains(load_refusal(folder.path("")), "it is a directory"));
  CHECK(contains(load_refusal(folder.write("empty.toml", "")), "empty.toml:1: devices: missing"));
  CHECK(contains(load_refusal("/dev/zero"), "larger than 1 MiB"));
}

TEST_CASE("keys and allow-lists are found beside the file that names them") {
  const testing::Folder folder;
  fs::create_directory(folder.path("keys"));
  const CurveKeys keys = CurveKeys::create();
  keys.save(folder.path("keys/site.key"));
  folder.write("keys/site.key.pub", "public " + keys.public_key + "\n");
  folder.write("keys/allowed", keys.public_key + " a friend\n");
  const fs::path file = folder.write("site.toml",
                                     "[devices.a]\nkind = 'forwarder'\n"
                                     "frontend = { bind = 'tcp://*:5555', key = 'keys/site.key', "
                                     "allow = 'keys/allowed' }\n"
                                     "backend = { connect = 'tcp://10.0.0.1:5555', "
                                     "key = 'keys/site.key', server-key = 'keys/site.key.pub' }\n"
                                     "tap = { bind = 'tcp://*:5557', key = 'keys/site.key', "
                                     "allow = 'keys/allowed' }\n");
  const Topology site = Topology::load(file);
  const DeviceOptions& options = site.devices()[0].options;
  REQUIRE(options.frontend.security.keys);
  CHECK(options.frontend.security.keys->secret_key == keys.secret_key);
  CHECK(options.frontend.security.allow->allows(keys.public_key));
  CHECK(options.backend.security.server_key == keys.public_key);
  CHECK(options.tap_security.keys);
  CHECK(site.findings().empty());
  CHECK(Topology::parse("[devices.a]\nkind='queue'\nbackend.server-key='" + keys.public_key + "'")
            .devices()[0]
            .options.backend.security.server_key == keys.public_key);
}

TEST_CASE("a key that others can read is refused with its file") {
  const testing::Folder folder;
  CurveKeys::create().save(folder.path("open.key"));
  fs::permissions(folder.path("open.key"), fs::perms::others_read, fs::perm_options::add);
  const fs::path file =
      folder.write("site.toml", "[devices.a]\nkind='queue'\nfrontend.key='open.key'\n");
  const std::string said = load_refusal(file);
  CHECK(contains(said, "site.toml:3: devices.a.frontend.key: "));
  CHECK(contains(said, "open.key"));
  CHECK(contains(said, "chmod 600"));
}

TEST_CASE("no mutation of a topology file does more than be refused") {
  const std::string seed_text = full_file;
  const std::vector<std::string> pieces{"[",
                                        "]",
                                        "{",
                                        "}",
                                        "\"",
                                        "'",
                                        "=",
                                        ".",
                                        "\n",
                                        "[[links]]\n",
                                        "[devices.x]\n",
                                        "\"\"\"",
                                        "'''",
                                        "0x",
                                        "1e9",
                                        "\\u0000",
                                        "\xff",
                                        std::string(1, '\0'),
                                        "inf",
                                        "1979-05-27",
                                        ",",
                                        "#"};
  std::mt19937 random{20240613};
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  int taken = 0;
  for (int round = 0; round < 5'000; ++round) {
    CAPTURE(round);
    std::string text = seed_text;
    for (std::size_t changes = 1 + below(4); changes > 0 && !text.empty(); --changes) {
      const std::size_t at = below(text.size());
      switch (below(4)) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text.erase(at, 1 + below(20));
          break;
        case 2:
          text.insert(at, pieces[below(pieces.size())]);
          break;
        default:
          text.insert(at, text.substr(below(text.size()), 1 + below(60)));
      }
    }
    try {
      (void)Topology::parse(text, "fuzz.toml").findings();
      ++taken;
    } catch (const Error& error) {
      REQUIRE(error.kind() == ErrorKind::usage);
    }
  }
  CHECK(taken > 0);
}
