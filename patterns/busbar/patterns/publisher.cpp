#include "busbar/patterns/publisher.hpp"

#include <busbar/core/error.hpp>
#include <busbar/patterns/internal/publisher_loop.hpp>

namespace busbar {

Publisher::Publisher(Context& context, PublisherOptions options)
    : loop_(std::make_unique<detail::PublisherLoop>(context, std::move(options))) {}
Publisher::Publisher(Publisher&&) noexcept = default;
Publisher& Publisher::operator=(Publisher&&) noexcept = default;
Publisher::~Publisher() = default;

SendResult Publisher::publish(std::string_view topic, std::string_view payload,
                              const PublishOptions& options) {
  return loop_->publish(topic, payload, options.headers, options.stream);
}

void Publisher::wait_for_subscribers(std::string_view topic, std::size_t count,
                                     std::chrono::milliseconds timeout) {
  loop_->wait_for_subscribers(topic, count, timeout);
}

std::size_t Publisher::subscribers(std::string_view topic) const {
  return loop_->subscribers(topic);
}

void Publisher::flush(std::chrono::milliseconds timeout) { loop_->flush(timeout); }

StopReport Publisher::stop(std::chrono::milliseconds deadline) { return loop_->stop(deadline); }
const std::vector<Endpoint>& Publisher::bound() const noexcept { return loop_->bound(); }
std::uint64_t Publisher::id() const noexcept { return loop_->id(); }
PublisherLedger Publisher::ledger() const { return loop_->ledger(); }

}  // namespace busbar
