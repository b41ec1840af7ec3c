/// A replier that serves in a thread, with a few methods.
#pragma once

#include "support/stock.hpp"

#include <atomic>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <busbar/patterns/replier.hpp>

namespace busbar::testing {

struct Account {
  int number = 0;
  MSGPACK_DEFINE(number)
};
struct Balance {
  int cents = 0;
  MSGPACK_DEFINE(cents)
};

/// Serves in a thread, once all handlers are set.
struct Serving {
  explicit Serving(Replier& one) : replier(one), thread([&one] { one.serve(); }) {}
  ~Serving() {
    replier.stop(soon);
    thread.join();
  }
  Replier& replier;
  std::thread thread;
};

struct Desk {
  Desk(Context& context, ReplierOptions options) : replier(context, std::move(options)) {
    replier.on("balance", [](const Account& account) { return Balance{account.number * 100}; });
    replier.on("echo", [](const std::string& text) { return text; });
    replier.on("nothing", [this] { ++nothings; });
    replier.on("left", [](int, const Request& request) { return request.left().count(); });
    replier.on("fail", [](int) -> int { throw std::runtime_error("no such account"); });
    replier.on("error", []() -> int {
      throw Error(ErrorKind::timeout, "ask the bank", "it sleeps", "wake it up");
    });
    replier.on("drop", [](Request request) { const Request gone{std::move(request)}; });
    replier.on("keep", [this](Request request) {
      const std::scoped_lock lock(mutex);
      kept.push_back(std::move(request));
    });
    replier.on("", [](std::string_view text) { return "default " + std::string(text); });
    serving.emplace(replier);
  }
  ~Desk() {
    const std::scoped_lock lock(mutex);
    kept.clear();
  }
  std::size_t keeps() {
    const std::scoped_lock lock(mutex);
    return kept.size();
  }

  Replier replier;
  std::mutex mutex;
  std::vector<Request> kept;
  std::atomic<int> nothings = 0;
  std::optional<Serving> serving;  ///< Last: its end comes first, as handlers use the others.
};

inline std::vector<Endpoint> at(const Desk& desk) { return desk.replier.bound(); }

}  // namespace busbar::testing
