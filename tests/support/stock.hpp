/// Stock ZeroMQ programs for tests: plain libzmq sockets without a line of Busbar in them.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <zmq.hpp>
#include <zmq_addon.hpp>

namespace busbar::testing {

inline constexpr std::chrono::milliseconds soon{10'000};  ///< How long a test waits for an event.
inline constexpr const char* any_port = "tcp://127.0.0.1:*";

class Stock {
 public:
  Stock(zmq::context_t& context, zmq::socket_type type) : socket_(context, type) {
    socket_.set(zmq::sockopt::linger, 0);
    socket_.set(zmq::sockopt::rcvtimeo, static_cast<int>(soon.count()));
    socket_.set(zmq::sockopt::sndtimeo, static_cast<int>(soon.count()));
  }
  Stock& connect(std::string_view endpoint) {
    socket_.connect(std::string(endpoint));
    return *this;
  }
  Stock& subscribe(std::string_view prefix) {
    socket_.set(zmq::sockopt::subscribe, prefix);
    return *this;
  }
  bool send(const std::vector<std::string>& frames) {
    for (std::size_t i = 0; i < frames.size(); ++i) {
      const auto flags = i + 1 < frames.size() ? zmq::send_flags::sndmore : zmq::send_flags::none;
      if (!socket_.send(zmq::buffer(frames[i]), flags)) return false;
    }
    return true;
  }
  /// Empty where nothing came in time.
  std::vector<std::string> receive() {
    std::vector<zmq::message_t> frames;
    if (!zmq::recv_multipart(socket_, std::back_inserter(frames))) return {};
    std::vector<std::string> texts;
    for (const zmq::message_t& frame : frames) texts.push_back(frame.to_string());
    return texts;
  }
  zmq::socket_t& raw() { return socket_; }

 private:
  zmq::socket_t socket_;
};

/// Asks again and again until it holds or `soon` is over: for what cannot be waited for otherwise.
/// The pause between two questions leaves the core to those who are waited for.
template <class Condition>
bool eventually(Condition condition) {
  const auto end = std::chrono::steady_clock::now() + soon;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }
  return true;
}

}  // namespace busbar::testing
