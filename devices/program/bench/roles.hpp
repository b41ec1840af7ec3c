/// What the processes of a measurement do: stock libzmq on both ends, and one of the subjects
/// between them.
#pragma once

#include "program/bench/process.hpp"

#include <cstddef>
#include <string>

#include <busbar/devices/device.hpp>

namespace busbar::program::bench {

enum class Subject { direct, zmq_proxy, device };
std::string name_of(Subject subject, DeviceKind kind);

/// All of these run until they are killed.
/// zmq_proxy(3) with the socket types of `kind`; announces frontend and backend.
[[noreturn]] void be_zmq_proxy(DeviceKind kind, const Announce& announce);
/// Our device, paused at once where that is asked.
[[noreturn]] void be_device(DeviceKind kind, bool paused, const Announce& announce);
/// Sends messages of `size` bytes as fast as they are taken. One way: PUB, PUSH or DEALER.
[[noreturn]] void be_source(DeviceKind kind, const std::string& to, std::size_t size,
                            Shared& shared);
/// Counts what it receives; connects to `from`, or binds and announces where that is empty.
[[noreturn]] void be_sink(DeviceKind kind, const std::string& from, Shared& shared,
                          const Announce& announce);
/// Connects and never reads, nor sends.
[[noreturn]] void be_silent(SocketType type, const std::string& to, Shared& shared);
/// REQ: one round trip after another, each timed.
[[noreturn]] void be_requester(const std::string& to, std::size_t size, std::size_t rounds,
                               Shared& shared);
/// REP that echoes; connects to `from`, or binds and announces where that is empty.
[[noreturn]] void be_replier(const std::string& from, Shared& shared, const Announce& announce);

}  // namespace busbar::program::bench
