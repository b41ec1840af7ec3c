#include <charconv>
#include <utility>

#include <busbar/devices/internal/duration.hpp>
#include <busbar/devices/topology/internal/findings.hpp>
#include <busbar/devices/topology/internal/toml_device.hpp>

namespace busbar::detail {

namespace {

using Type = TomlValue::Type;

constexpr std::int64_t queue_max = 1'000'000;
constexpr const char* side_form = R"(write { bind = "tcp://127.0.0.1:5555" })";
constexpr const char* kind_form = R"(write kind = "forwarder", "streamer", "queue" or "services")";
constexpr const char* file_form = R"(write the name of a file, e.g. "keys/site.key")";
constexpr const char* stages_form = R"(write e.g. stages = ["only prices.>", "sample 10"])";

class DeviceReader {
 public:
  DeviceReader(TomlReader& reader, const std::string& name, const TomlValue& table)
      : reader_(reader), prefix_("devices." + name) {
    device_.name = name;
    device_.options.name = name;
    device_.place = reader.place(table.line, prefix_);
  }

  std::optional<TopologyDevice> read(const TomlValue& table) {
    DeviceOptions& options = device_.options;
    reader_.table(
        prefix_, table,
        {{"kind", [&](auto& key, auto& value) { read_kind(key, value); }},
         {"frontend", [&](auto& key, auto& value) { read_side(key, value, options.frontend); }},
         {"backend", [&](auto& key, auto& value) { read_side(key, value, options.backend); }},
         {"control",
          [&](auto& key, auto& value) {
            read_outlet(key, value, options.control, options.control_security);
          }},
         {"tap", [&](auto& key,
                     auto& value) { read_outlet(key, value, options.tap, options.tap_security); }},
         {"overflow", [&](auto& key, auto& value) { read_overflow(key, value); }},
         {"credit",
          [&](auto& key, auto& value) {
            locate(key, value);
            options.credit = reader_.boolean(key, value).value_or(false);
          }},
         {"cache", [&](auto& key, auto& value) { read_cache(key, value); }},
         {"strategy", [&](auto& key, auto& value) { read_strategy(key, value); }},
         {"heartbeat",
          [&](auto& key, auto& value) { read_time(key, value, options.workers.heartbeat); }},
         {"expiry", [&](auto& key, auto& value) { read_time(key, value, options.workers.expiry); }},
         {"hold", [&](auto& key, auto& value) { read_hold(key, value, options.workers); }},
         {"prefetch",
          [&](auto& key, auto& value) {
            locate(key, value);
            read_count(key, value, options.workers.prefetch, "write a number from 1 to 1000");
          }},
         {"drain-timeout",
          [&](auto& key, auto& value) { read_time(key, value, options.drain_timeout); }},
         {"stages", [&](auto& key, auto& value) { read_stages(key, value); }}},
        R"(write [devices.NAME], then kind, frontend and backend)");
    if (table.type == Type::table && !device_.lines.contains("kind")) {
      reader_.note(table.line, prefix_ + ".kind", "missing", kind_form);
    }
    if (!kind_known_) return {};
    return std::move(device_);
  }

 private:
  /// Remembers where the key stands, for what `check` finds later.
  void locate(const std::string& key, const TomlValue& value) {
    device_.lines[key.substr(prefix_.size() + 1)] = value.line;
  }

  void read_kind(const std::string& key, const TomlValue& value) {
    locate(key, value);
    const auto kind = reader_.text(key, value, kind_form);
    if (!kind) return;
    if (const auto known = named(*kind, device_kinds)) {
      device_.kind = *known;
      kind_known_ = true;
      return;
    }
    reader_.note(value.line, key,
                 "no kind '" + printable(*kind) + "'" + suggestion(*kind, names_of(device_kinds)),
                 kind_form);
  }

  void read_side(const std::string& key, const TomlValue& value, SideOptions& side) {
    locate(key, value);
    Security& security = side.security;
    reader_.table(
        key, value,
        {{"bind", [&](auto& k, auto& v) { locate(k, v), side.bind = reader_.endpoints(k, v); }},
         {"connect",
          [&](auto& k, auto& v) { locate(k, v), side.connect = reader_.endpoints(k, v); }},
         {"queue", [&](auto& k, auto& v) { read_queue(k, v, side); }},
         {"ipc-mode", [&](auto& k, auto& v) { read_ipc_mode(k, v, side); }},
         {"key", [&](auto& k, auto& v) { read_key(k, v, security); }},
         {"allow", [&](auto& k, auto& v) { read_allow(k, v, security); }},
         {"server-key", [&](auto& k, auto& v) { read_server_key(k, v, security); }},
         {"insecure", [&](auto& k, auto& v) { read_insecure(k, v, security); }}},
        side_form);
  }

  /// Control and tap: an endpoint, or a table where it needs keys.
  void read_outlet(const std::string& key, const TomlValue& value,
                   std::optional<Endpoint>& endpoint, Security& security) {
    locate(key, value);
    if (value.type != Type::table) {
      endpoint = reader_.endpoint(key, value);
      return;
    }
    bool bound = false;
    reader_.table(key, value,
                  {{"bind",
                    [&](auto& k, auto& v) {
                      locate(k, v);
                      bound = true;
                      endpoint = reader_.endpoint(k, v);
                    }},
                   {"key", [&](auto& k, auto& v) { read_key(k, v, security); }},
                   {"allow", [&](auto& k, auto& v) { read_allow(k, v, security); }},
                   {"insecure", [&](auto& k, auto& v) { read_insecure(k, v, security); }}},
                  side_form);
    if (!bound) reader_.note(value.line, key + ".bind", "missing", side_form);
  }

  void read_queue(const std::string& key, const TomlValue& value, SideOptions& side) {
    constexpr const char* form = "give the messages for each peer, 1 to 1000000";
    locate(key, value);
    if (!reader_.is(key, value, Type::integer, form)) return;
    if (value.integer < 1 || value.integer > queue_max) {
      reader_.note(value.line, key, std::to_string(value.integer) + " is out of range", form);
      return;
    }
    side.queue = static_cast<int>(value.integer);
  }

  void read_ipc_mode(const std::string& key, const TomlValue& value, SideOptions& side) {
    constexpr const char* form = R"(write the permissions as chmod takes them, e.g. "0660")";
    locate(key, value);
    const auto written = reader_.text(key, value, form);
    if (!written) return;
    const char* const end = written->data() + written->size();
    unsigned mode = 0;
    const auto [stopped, error] = std::from_chars(written->data(), end, mode, 8);
    if (error == std::errc{} && stopped == end && mode > 0 && mode <= 0777) {
      side.ipc_mode = mode;
    } else {
      reader_.note(value.line, key, "'" + printable(*written) + "' are no permissions", form);
    }
  }

  void read_key(const std::string& key, const TomlValue& value, Security& security) {
    if (const auto file = file_at(key, value)) {
      security.keys = reader_.attempt(key, value, [&] { return CurveKeys::load(*file); });
    }
  }

  void read_allow(const std::string& key, const TomlValue& value, Security& security) {
    if (const auto file = file_at(key, value)) {
      auto list = reader_.attempt(key, value, [&] { return AllowList::load(*file); });
      if (list) security.allow = std::move(*list);
    }
  }

  void read_server_key(const std::string& key, const TomlValue& value, Security& security) {
    const bool is_key = value.type == Type::text && is_curve_key(value.text);
    const auto file = is_key ? std::optional{value.text} : file_at(key, value);
    if (!file) return;
    auto public_key = reader_.attempt(key, value, [&] { return load_public_key(*file); });
    if (public_key) security.server_key = std::move(*public_key);
  }

  void read_insecure(const std::string& key, const TomlValue& value, Security& security) {
    security.insecure = reader_.boolean(key, value).value_or(false);
  }

  std::optional<std::string> file_at(const std::string& key, const TomlValue& value) {
    locate(key, value);
    const auto name = reader_.text(key, value, file_form);
    if (!name) return {};
    if (name->empty() || printable(*name, 4096) != *name) {
      reader_.note(value.line, key, "no name of a file", file_form);
      return {};
    }
    std::string file = reader_.resolve(*name).string();
    device_.files.push_back(key + " " + file);
    return file;
  }

  void read_overflow(const std::string& key, const TomlValue& value) {
    constexpr const char* form = R"(write "drop" or "block")";
    locate(key, value);
    const auto policy = reader_.text(key, value, form);
    if (!policy) return;
    device_.options.overflow = named(*policy, overflow_policies);
    if (!device_.options.overflow) {
      reader_.note(value.line, key,
                   "no policy '" + printable(*policy) + "'" +
                       suggestion(*policy, names_of(overflow_policies)),
                   form);
    }
  }

  void read_cache(const std::string& key, const TomlValue& value) {
    constexpr const char* form = R"(write "last-value" or "history")";
    locate(key, value);
    const auto written = reader_.text(key, value, form);
    if (!written) return;
    if (const auto known = named(*written, late_joins)) {
      device_.options.cache = *known;
    } else {
      reader_.note(
          value.line, key,
          "no cache '" + printable(*written) + "'" + suggestion(*written, names_of(late_joins)),
          form);
    }
  }

  void read_strategy(const std::string& key, const TomlValue& value) {
    constexpr const char* form = R"(write "round-robin" or "ready")";
    locate(key, value);
    const auto written = reader_.text(key, value, form);
    if (!written) return;
    if (const auto known = named(*written, strategies)) {
      device_.options.strategy = *known;
    } else {
      reader_.note(
          value.line, key,
          "no strategy '" + printable(*written) + "'" + suggestion(*written, names_of(strategies)),
          form);
    }
  }

  /// What waits for a worker.
  void read_hold(const std::string& key, const TomlValue& value, WorkerOptions& rules) {
    constexpr const char* form = R"(write { messages = 10000, bytes = 67108864, age = "1min" })";
    locate(key, value);
    reader_.table(
        key, value,
        {{"messages", [&](auto& k, auto& v) { read_count(k, v, rules.hold_messages, form); }},
         {"bytes", [&](auto& k, auto& v) { read_count(k, v, rules.hold_bytes, form); }},
         {"age", [&](auto& k, auto& v) { read_time(k, v, rules.hold_age); }}},
        form);
  }

  template <class Number>
  void read_count(const std::string& key, const TomlValue& value, std::optional<Number>& into,
                  const char* form) {
    if (!reader_.is(key, value, Type::integer, form)) return;
    if (std::in_range<Number>(value.integer)) {
      into = static_cast<Number>(value.integer);
    } else {
      reader_.note(value.line, key, std::to_string(value.integer) + " is out of range", form);
    }
  }

  /// Into milliseconds, or an optional of them.
  template <class Time>
  void read_time(const std::string& key, const TomlValue& value, Time& into) {
    constexpr const char* form = R"(write e.g. "500ms", "5s", "1min"; at most "24h")";
    locate(key, value);
    const auto written = reader_.text(key, value, form);
    if (!written) return;
    if (const auto duration = parse_duration(*written)) {
      into = *duration;
    } else {
      reader_.note(value.line, key, "'" + printable(*written) + "' is no length of time", form);
    }
  }

  void read_stages(const std::string& key, const TomlValue& value) {
    locate(key, value);
    if (!reader_.is(key, value, Type::list, stages_form)) return;
    for (const TomlValue* written : reader_.texts(key, value, stages_form)) {
      auto stage = reader_.attempt(key, *written, [&] { return parse_stage(written->text); });
      if (stage) device_.options.stages.push_back(std::move(*stage));
    }
  }

  TomlReader& reader_;
  std::string prefix_;
  TopologyDevice device_;
  bool kind_known_ = false;
};

}  // namespace

std::optional<TopologyDevice> read_device(TomlReader& reader, const std::string& name,
                                          const TomlValue& table) {
  return DeviceReader{reader, name, table}.read(table);
}

}  // namespace busbar::detail
