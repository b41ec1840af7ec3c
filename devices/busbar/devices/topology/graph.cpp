#include <map>
#include <string>

#include <busbar/core/error.hpp>
#include <busbar/devices/topology/internal/child.hpp>
#include <busbar/devices/topology/internal/findings.hpp>
#include <busbar/devices/topology/topology.hpp>

namespace busbar {

namespace {

/// What both languages draw: devices, endpoints, and arrows in the direction of the messages.
class Drawing {
 public:
  virtual ~Drawing() = default;
  virtual void device(const std::string& id, const std::vector<std::string>& lines) = 0;
  virtual void endpoint(const std::string& id, const std::string& text) = 0;
  /// `strong`: a link between devices.
  virtual void arrow(const std::string& from, const std::string& to, const std::string& text,
                     bool strong) = 0;
  virtual std::string finish() = 0;
};

std::string replaced(std::string_view text, const std::map<char, std::string_view>& escapes) {
  std::string result;
  for (const char c : text) {
    const auto escape = escapes.find(c);
    if (escape == escapes.end()) {
      result += c;
    } else {
      result += escape->second;
    }
  }
  return result;
}

class Dot final : public Drawing {
 public:
  explicit Dot(const std::string& name) {
    text_ = "digraph " + quoted(name) + " {\n  rankdir=LR;\n" +
            "  node [shape=box, style=rounded, fontname=\"sans-serif\"];\n" +
            "  edge [fontname=\"sans-serif\", fontsize=10];\n";
  }
  void device(const std::string& id, const std::vector<std::string>& lines) override {
    std::string label;
    for (const std::string& line : lines) label += (label.empty() ? "" : "\n") + line;
    text_ += "  " + quoted(id) + " [label=" + quoted(label) + "];\n";
  }
  void endpoint(const std::string& id, const std::string& text) override {
    text_ += "  " + quoted(id) + " [shape=plaintext, label=" + quoted(text) + "];\n";
  }
  void arrow(const std::string& from, const std::string& to, const std::string& text,
             bool strong) override {
    text_ += "  " + quoted(from) + " -> " + quoted(to) + " [label=" + quoted(text) +
             (strong ? ", penwidth=2" : "") + "];\n";
  }
  std::string finish() override { return std::move(text_) + "}\n"; }

 private:
  static std::string quoted(std::string_view text) {
    return "\"" + replaced(text, {{'"', "\\\""}, {'\\', "\\\\"}, {'\n', "\\n"}}) + "\"";
  }
  std::string text_;
};

class Mermaid final : public Drawing {
 public:
  void device(const std::string& id, const std::vector<std::string>& lines) override {
    std::string label;
    for (const std::string& line : lines) label += (label.empty() ? "" : "<br/>") + escaped(line);
    text_ += "  " + number(id) + "[\"" + label + "\"]\n";
  }
  void endpoint(const std::string& id, const std::string& text) override {
    text_ += "  " + number(id) + "([\"" + escaped(text) + "\"])\n";
  }
  void arrow(const std::string& from, const std::string& to, const std::string& text,
             bool strong) override {
    const std::string label = text.empty() ? " " : "|\"" + escaped(text) + "\"| ";
    text_ += "  " + number(from) + (strong ? " ==>" : " -->") + label + number(to) + "\n";
  }
  std::string finish() override { return std::move(text_); }

 private:
  /// A word of ours: `end` and some others mean something to Mermaid.
  std::string number(const std::string& id) {
    return "n" + std::to_string(ids_.try_emplace(id, ids_.size()).first->second);
  }
  static std::string escaped(std::string_view text) {
    return replaced(text, {{'"', "#quot;"},
                           {'#', "#35;"},
                           {'<', "#lt;"},
                           {'>', "#gt;"},
                           {'&', "#amp;"},
                           {'`', "#96;"},
                           {'\\', "#92;"}});
  }
  std::map<std::string, std::size_t> ids_;
  std::string text_ = "flowchart LR\n";
};

class Painter {
 public:
  Painter(const Topology& topology, Drawing& drawing) : topology_(topology), drawing_(drawing) {}

  std::string run() {
    for (const TopologyDevice& device : topology_.devices()) draw(device);
    for (const TopologyLink& link : topology_.links()) {
      drawing_.arrow(device_id(detail::split_end(link.from).first),
                     device_id(detail::split_end(link.to).first), link.over ? link.over->str() : "",
                     true);
    }
    return drawing_.finish();
  }

 private:
  static std::string device_id(std::string_view name) { return "device " + std::string{name}; }

  void draw(const TopologyDevice& device) {
    const DeviceOptions& options = device.options;
    std::vector<std::string> lines{device.name, std::string{name_of(device.kind)}};
    for (const Stage& stage : options.stages) lines.push_back(printable(stage.text));
    const std::string id = device_id(device.name);
    drawing_.device(id, lines);
    for (const Endpoint& e : options.frontend.bind) drawing_.arrow(node(e), id, "bind", false);
    for (const Endpoint& e : options.frontend.connect)
      drawing_.arrow(node(e), id, "connect", false);
    for (const Endpoint& e : options.backend.bind) drawing_.arrow(id, node(e), "bind", false);
    for (const Endpoint& e : options.backend.connect) drawing_.arrow(id, node(e), "connect", false);
    if (options.control) drawing_.arrow(node(*options.control), id, "control", false);
    if (options.tap) drawing_.arrow(id, node(*options.tap), "tap", false);
  }

  /// Devices that share an endpoint share its node; those chosen by the system are never shared.
  std::string node(const Endpoint& endpoint) {
    const bool chosen =
        endpoint.transport() == Transport::tcp ? endpoint.port() == 0 : endpoint.is_wildcard();
    std::string id = "endpoint " + endpoint.str();
    if (chosen) id += " " + std::to_string(++chosen_);
    if (drawn_.emplace(id, true).second) drawing_.endpoint(id, endpoint.str());
    return id;
  }

  const Topology& topology_;
  Drawing& drawing_;
  std::map<std::string, bool> drawn_;
  std::size_t chosen_ = 0;
};

template <class Language>
std::string drawn(const Topology& topology, Language language) {
  return Painter{topology, language}.run();
}

}  // namespace

std::string graph(const Topology& topology, GraphFormat format) {
  if (format == GraphFormat::mermaid) return drawn(topology, Mermaid{});
  std::string dot = drawn(topology, Dot{topology.name()});
  if (format == GraphFormat::dot) return dot;
  auto svg = detail::run_program({"dot", "-Tsvg"}, dot);
  if (!svg) {
    throw Error(ErrorKind::usage, "draw '" + printable(topology.name()) + "' as svg",
                "graphviz' `dot` is not installed, or failed",
                "install graphviz, or ask for dot or mermaid");
  }
  return std::move(*svg);
}

}  // namespace busbar
