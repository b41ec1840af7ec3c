#include "busbar/patterns/service_worker.hpp"

#include <algorithm>

#include <busbar/core/error.hpp>
#include <busbar/patterns/internal/service_loop.hpp>

namespace busbar {

namespace {

constexpr unsigned threads_max = 1000;

ServiceWorkerOptions checked(ServiceWorkerOptions options) {
  const std::string who = "service worker '" + printable(options.service) + "'";
  const auto refuse = [&](const std::string& cause, const std::string& remedy) {
    throw Error(ErrorKind::usage, who, cause, remedy);
  };
  if (options.service.empty() || options.service.size() > protocol::majordomo::service_bytes_max) {
    refuse("the service's name is empty, or longer than 255 bytes", "give another name");
  }
  if (options.service.starts_with(protocol::majordomo::mmi_prefix)) {
    refuse("names that begin with mmi. are the broker's", "give another name");
  }
  if (options.connect.empty()) refuse("it has no endpoint", "give the broker's to connect to");
  for (auto at = options.connect.begin(); at != options.connect.end(); ++at) {
    if (std::find(options.connect.begin(), at, *at) != at)
      refuse("it has the broker " + at->str() + " twice", "give it once, and more threads");
  }
  if (options.threads < 1 || options.threads > threads_max)
    refuse("threads is 0 or above 1000", "give at least 1");
  if (options.heartbeat.count() < 1) refuse("heartbeat is below 1 ms", "raise it");
  if (options.expiry <= options.heartbeat) {
    refuse("expiry is not above heartbeat: the broker would be given up all the time",
           "raise expiry, or lower heartbeat");
  }
  return options;
}

}  // namespace

ServiceWorker::ServiceWorker(Context& context, ServiceWorkerOptions options, Wrapped handler, int)
    : loop_(std::make_shared<detail::ServiceLoop>(context, checked(std::move(options)),
                                                  std::move(handler))),
      runner_(loop_) {
  for (std::size_t i = 0; i < loop_->places(); ++i) {
    handlers_.emplace_back(std::make_shared<detail::ServiceHandler>(loop_, i));
  }
}

ServiceWorker::~ServiceWorker() {
  if (!loop_) return;  // moved from
  runner_.stop(std::chrono::milliseconds{0});
  for (Runner& handler : handlers_) {
    while (!handler.wait(std::chrono::hours{1})) {
    }
  }
}

void ServiceWorker::serve() {
  while (!runner_.wait(std::chrono::hours{1})) {
  }
}

StopReport ServiceWorker::stop(std::chrono::milliseconds deadline) {
  return runner_.stop(deadline);
}

ServiceWorkerLedger ServiceWorker::ledger() const { return loop_->ledger(); }

}  // namespace busbar
