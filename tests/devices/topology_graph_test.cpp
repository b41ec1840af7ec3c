#include <cstdlib>
#include <optional>
#include <string>

#include <doctest/doctest.h>

#include <busbar/core/error.hpp>
#include <busbar/devices/topology/topology.hpp>

using namespace busbar;

namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

Topology site() {
  return Topology::parse(
      "name = 'site'\n"
      "[devices.edge]\nkind = 'forwarder'\nstages = ['only prices.>', 'sample 2']\n"
      "frontend.connect = 'tcp://10.0.0.1:5555'\ncontrol = 'ipc:///tmp/edge'\n"
      "[devices.core]\nkind = 'forwarder'\nbackend.bind = ['tcp://127.0.0.1:*', "
      "'tcp://127.0.0.1:*']\n"
      "[devices.end]\nkind = 'forwarder'\nfrontend.connect = 'inproc://x'\nbackend.bind = "
      "'inproc://y'\n"
      "tap = 'inproc://tap'\n"
      "[[links]]\nfrom = 'edge.backend'\nto = 'core.frontend'\nover = 'ipc:///tmp/over'\n");
}

/// PATH for as long as it lives.
struct Path {
  explicit Path(const char* path) : former(std::getenv("PATH")) { setenv("PATH", path, 1); }
  ~Path() { setenv("PATH", former.c_str(), 1); }
  std::string former;
};

}  // namespace

TEST_CASE("a topology as dot: devices with their stages, endpoints and links") {
  const std::string dot = graph(site(), GraphFormat::dot);
  CHECK(dot.starts_with("digraph \"site\" {\n"));
  CHECK(dot.ends_with("}\n"));
  CHECK(contains(dot, R"("device edge" [label="edge\nforwarder\nonly prices.>\nsample 2"];)"));
  CHECK(contains(dot, R"("endpoint tcp://10.0.0.1:5555" -> "device edge" [label="connect"];)"));
  CHECK(contains(dot, R"("endpoint ipc:///tmp/edge" -> "device edge" [label="control"];)"));
  CHECK(contains(dot, R"("device end" -> "endpoint inproc://tap" [label="tap"];)"));
  CHECK(contains(dot, R"("device edge" -> "device core" [label="ipc:///tmp/over", penwidth=2];)"));
}

TEST_CASE("endpoints that the system chooses are not drawn as one") {
  const std::string dot = graph(site(), GraphFormat::dot);
  CHECK(contains(dot, R"("device core" -> "endpoint tcp://127.0.0.1:* 1")"));
  CHECK(contains(dot, R"("device core" -> "endpoint tcp://127.0.0.1:* 2")"));
}

TEST_CASE("a topology as Mermaid: names that mean something to it are only labels") {
  const std::string text = graph(site(), GraphFormat::mermaid);
  CHECK(text.starts_with("flowchart LR\n"));
  CHECK(contains(text, R"(n0["edge<br/>forwarder<br/>only prices.#gt;<br/>sample 2"])"));
  CHECK(contains(text, R"(["end<br/>forwarder"])"));
  CHECK(contains(text, R"(n0 ==>|"ipc:///tmp/over"| )"));
  CHECK_FALSE(contains(text, "\n  end"));
}

TEST_CASE("what is written into a picture cannot break out of its label") {
  DeviceOptions options{.frontend = {.bind = {"inproc://a\"];b"}},
                        .backend = {.bind = {"inproc://c\\"}}};
  Topology odd{"a\" {\\\n"};
  odd.add("x", DeviceKind::queue, options);
  const std::string dot = graph(odd, GraphFormat::dot);
  CHECK(dot.starts_with(R"(digraph "a\" {\\\n" {)"));
  CHECK(contains(dot, R"([shape=plaintext, label="inproc://a\"];b"];)"));
  CHECK(contains(dot, R"(label="inproc://c\\"];)"));
  const std::string mermaid = graph(odd, GraphFormat::mermaid);
  CHECK(contains(mermaid, R"((["inproc://a#quot;];b"]))"));
}

TEST_CASE("svg is drawn by graphviz, and refused with a remedy where that is missing") {
  try {
    const std::string svg = graph(site(), GraphFormat::svg);
    CHECK(contains(svg, "<svg"));
    CHECK(contains(svg, "only prices.&gt;"));
  } catch (const Error& error) {
    WARN_MESSAGE(false, "graphviz is not installed: " << error.what());
  }
  const Path nowhere{"/nonexistent"};
  try {
    (void)graph(site(), GraphFormat::svg);
    FAIL("drawn without graphviz");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::usage);
    CHECK(contains(error.what(), "`dot` is not installed"));
    CHECK(contains(error.remedy(), "install graphviz"));
  }
}
