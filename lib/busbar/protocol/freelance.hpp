/// 10/FLP, the Freelance protocol, between two ROUTERs. `frames` begin with the other end's
/// routing id; a server's is the endpoint that it binds.
///
/// The protocol has no empty frame behind its control frame, by which an answer is known to its
/// request: that is our correlation, or whatever another one's client wrote there. Pure.
#pragma once

#include <string_view>

#include <busbar/core/multipart.hpp>

namespace busbar::protocol::freelance {

bool is_ping(const Multipart& frames) noexcept;
bool is_pong(const Multipart& frames) noexcept;
Multipart ping(std::string_view server);
/// Of the PING that came: it goes back to where that was from.
void make_pong(Multipart& frames);

/// A request on our own wire, of a requester that does not speak Freelance: it has that frame.
bool is_busbar(const Multipart& frames) noexcept;
/// What came, as our own wire has it: with an empty frame behind the control frame. Only what a
/// replier of ours says has none there either: its routing id and one frame.
void to_busbar(Multipart& frames);
/// And back, for what goes out.
void from_busbar(Multipart& frames);

}  // namespace busbar::protocol::freelance
