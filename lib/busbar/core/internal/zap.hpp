/// Access control: the ZAP handler of a context, RFC 27/ZAP.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include <busbar/core/curve.hpp>
#include <busbar/core/log.hpp>
#include <busbar/core/multipart.hpp>

namespace busbar::detail {

/// Decides about each connection by the domain of the socket it arrives at. A domain without an
/// allow-list admits everyone who speaks ZMTP 3 without keys; one with a list admits those on it.
class ZapPolicy {
 public:
  /// A new domain of its own for one bound socket.
  std::string open_domain(std::string socket_name, std::shared_ptr<AllowList> allow);
  void close_domain(const std::string& domain);

  struct Answer {
    std::string code = "400";  ///< 200 admitted, 400 refused, 500 not a request of RFC 27
    std::string text = {};
    std::string user = {};  ///< The client's public key in Z85.
    std::string log = {};   ///< What to log; empty where admitted.
  };
  /// `request`: version, id, domain, address, identity, mechanism, credentials….
  Answer decide(const Multipart& request) const;

 private:
  struct Domain {
    std::string socket_name;
    std::shared_ptr<AllowList> allow;
  };
  mutable std::mutex mutex_;
  std::map<std::string, Domain, std::less<>> domains_;
  unsigned long next_ = 0;
};

/// The thread that answers on inproc://zeromq.zap.01 until the context is shut down.
class ZapHandler {
 public:
  ZapHandler(void* context, const ZapPolicy& policy, LogCallback log);
  /// Requires that the context was shut down.
  ~ZapHandler();

 private:
  std::thread thread_;
};

}  // namespace busbar::detail
