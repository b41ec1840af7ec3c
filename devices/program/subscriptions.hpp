/// What an XPUB socket's subscribers asked for.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include <busbar/core/socket.hpp>

namespace busbar::program {

class Subscriptions {
 public:
  /// Reads what has come since the last time.
  void read(Socket& xpub);
  bool wants(std::string_view topic);

 private:
  std::set<std::string, std::less<>> prefixes_;
  Multipart incoming_;
  std::string last_topic_;
  bool last_answer_ = false;
};

}  // namespace busbar::program
