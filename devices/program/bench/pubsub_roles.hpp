/// What the processes of a publish/subscribe measurement do; all run until they are killed.
#pragma once

#include "program/bench/process.hpp"
#include "program/bench/pubsub.hpp"

#include <cstddef>
#include <string>

namespace busbar::program::bench {

/// A forwarder, or zmq_proxy(3); announces frontend and backend. Not for foreign carriers, whose
/// server is a program of its own.
[[noreturn]] void be_pubsub_middle(Carrier carrier, const Announce& announce);
/// Publishes messages of `size` bytes under one topic as fast as they are taken.
[[noreturn]] void be_publisher(Carrier carrier, const std::string& to, std::size_t size,
                               std::size_t subscribers);
/// `count` subscribers of their own connections; counts what all of them receive.
[[noreturn]] void be_subscribers(Carrier carrier, const std::string& from, std::size_t count,
                                 Shared& shared);

/// One at a time, half a millisecond apart; the payload begins with the time of sending.
[[noreturn]] void be_lone_publisher(bool stock, std::size_t size, const Announce& announce);
[[noreturn]] void be_lone_subscriber(bool stock, const std::string& from, std::size_t messages,
                                     Shared& shared);

/// Empty, or which client library the build did not find.
std::string missing_client(Carrier carrier);

}  // namespace busbar::program::bench
