/// The targets of publish/subscribe: what each function holds to be true stands at its definition.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace busbar::fuzz {

void header(std::string_view bytes);
void pubsub_control(std::string_view bytes);
void subscriber(std::string_view bytes);
void publisher(std::string_view bytes);

std::vector<std::string> header_seeds();
std::vector<std::string> pubsub_control_seeds();
std::vector<std::string> subscriber_seeds();
std::vector<std::string> publisher_seeds();

}  // namespace busbar::fuzz
