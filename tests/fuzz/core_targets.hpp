/// The targets of lib/: what each function holds to be true stands at its definition.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace busbar::fuzz {

void endpoint(std::string_view bytes);
void topic_pattern(std::string_view bytes);
void control_request(std::string_view bytes);
void control_reply(std::string_view bytes);
void msgpack_value(std::string_view bytes);
void work(std::string_view bytes);

std::vector<std::string> endpoint_seeds();
std::vector<std::string> topic_pattern_seeds();
std::vector<std::string> control_request_seeds();
std::vector<std::string> control_reply_seeds();
std::vector<std::string> msgpack_seeds();
std::vector<std::string> work_seeds();

}  // namespace busbar::fuzz
