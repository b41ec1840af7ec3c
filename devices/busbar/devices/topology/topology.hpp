/// A set of devices and the links between them, in code or in a TOML file: one model.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <busbar/devices/device.hpp>

namespace busbar {

/// Where in a file something was said; empty for a topology that was built in code.
struct Place {
  std::string file = {};
  unsigned line = 0;
  std::string key = {};  ///< `devices.files.frontend`
  /// `site.toml:12: devices.files.frontend`
  std::string str() const;
};

struct TopologyDevice {
  std::string name;
  DeviceKind kind = DeviceKind::forwarder;
  DeviceOptions options;
  Place place = {};
  /// From a file only: the line of each key (`frontend.bind`), and the key and allow-list files.
  std::map<std::string, unsigned, std::less<>> lines = {};
  std::vector<std::string> files = {};
};

/// What leaves one device's backend enters another's frontend. Within one process without a socket
/// hop where nobody else needs either end and both have the same policies; such devices share a
/// thread, and pausing, draining or stopping one does so to all. Else over `over`, or inproc where
/// that is not given.
struct TopologyLink {
  std::string from;                   ///< `edge.backend`
  std::string to;                     ///< `core.frontend`
  std::optional<Endpoint> over = {};  ///< Needed where the two run in different processes.
  Place place = {};
};

/// One thing that is wrong: where, what, and the remedy.
struct Finding {
  Place place;
  std::string problem;
  std::string remedy;
  std::string str() const;
};

class RunningTopology;

/// Who else is in the process that runs a topology.
enum class Process {
  shared,  ///< The user's code, which may be at any inproc endpoint.
  own,     ///< Nobody, as with `busbar run`: devices can meet at inproc endpoints, and nobody else.
};

/// A value: copy it, change it, run it as often as you like. Not thread-safe.
class Topology {
 public:
  explicit Topology(std::string name = "topology");
  /// Reads a TOML file (its keys: devices/README.md). Throws Error (usage) with every finding, a
  /// line each, where the file is bad in itself; `check` finds what does not fit together.
  static Topology load(const std::filesystem::path& file);
  static Topology parse(std::string_view toml, const std::string& file_name = "topology");

  /// Throws Error (usage) where the name is taken or is no single word.
  Topology& add(std::string name, DeviceKind kind, DeviceOptions options);
  /// `link("edge.backend", "core.frontend")`. Throws Error (usage) where it is not of that form.
  Topology& link(std::string from, std::string to, std::optional<Endpoint> over = {});

  const std::string& name() const noexcept { return name_; }
  const std::vector<TopologyDevice>& devices() const noexcept { return devices_; }
  const std::vector<TopologyLink>& links() const noexcept { return links_; }

  /// All that does not fit: unknown devices in links, sides whose socket types do not fit, the same
  /// endpoint bound twice, loops, devices that nothing can reach or leave, unbounded queues,
  /// unprotected links off loopback, keys and permissions without use; in a process of its own also
  /// inproc endpoints where no two devices meet. Empty: fit to run.
  std::vector<Finding> findings(Process process = Process::shared) const;
  /// Throws Error (usage) with every finding, a line each.
  void check(Process process = Process::shared) const;
  /// Only the named devices and what links them. Of a link that is cut, the `to` side binds the
  /// link's `over` endpoint and the `from` side connects to it, in whichever process each runs.
  /// Throws Error (usage): no such device, or a cut link whose `over` is missing or inproc.
  Topology only(const std::vector<std::string>& names) const;

  /// Checks, then starts everything, a thread for each chain of devices. The topology may go; the
  /// context is kept. Throws Error; then nothing is left running. usage: it does not pass its
  /// check; unreachable, refused: a device cannot start (see Socket).
  RunningTopology run(Context& context) const;

 private:
  std::string name_;
  std::vector<TopologyDevice> devices_;
  std::vector<TopologyLink> links_;
};

enum class GraphFormat { dot, mermaid, svg };
/// The picture of a topology as text; svg runs graphviz' `dot`, and throws Error (usage) where it
/// is not installed.
std::string graph(const Topology& topology, GraphFormat format);

/// Devices at work, from Topology::run on. Calls are thread-safe, and none may be made after a
/// move. The destructor stops at once and waits until all threads have ended, or 100 ms.
class RunningTopology {
 public:
  RunningTopology(RunningTopology&&) noexcept;
  RunningTopology& operator=(RunningTopology&&) noexcept;
  ~RunningTopology();

  /// One for each device, in the topology's order.
  std::vector<Ledger> ledgers() const;
  /// Where a device is bound: `bound("edge.frontend")`, `.backend`, `.control` or `.tap`; links
  /// inside the process are left out. Throws Error (usage) where there is no such device or side.
  std::vector<Endpoint> bound(std::string_view side) const;
  /// Moves on to another topology: devices that did not change go on undisturbed, the others are
  /// drained, started or ended. Blocks for as long as they drain. Allow-lists from files are read
  /// again. Throws Error; then the old one runs on, at the addresses that it had. usage: the new
  /// one does not pass its check, or drain or stop was called before; unreachable, refused: it
  /// cannot start (see Socket), or was stopped meanwhile.
  void reload(const Topology& next);
  /// Drains all, upstream first; returns at the latest after `deadline`, with what was abandoned
  /// and what failed. Throws nothing.
  StopReport drain(std::chrono::milliseconds deadline);
  /// Ends all at the same time; what is under way is carried on for at most `deadline`. Also ends a
  /// drain that another thread is in. Throws nothing.
  StopReport stop(std::chrono::milliseconds deadline);
  /// Waits until every device has ended by itself (a control endpoint said so); true: all have.
  /// Throws what a device failed with.
  bool wait(std::chrono::milliseconds timeout);

 private:
  friend class Topology;
  struct State;
  explicit RunningTopology(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace busbar
