// Written anew after the structure of the guide's broker in C++: a poll and one message for each
// turn, messages as lists of strings, identities as text, maps of services and workers, and a purge
// of dead workers before each dispatch.
#include "program/bench/foreign/mdbroker.hpp"

#include <algorithm>
#include <chrono>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <zmq.hpp>

namespace busbar::program::bench {
namespace {

using Clock = std::chrono::steady_clock;
using Frames = std::deque<std::string>;
constexpr std::chrono::milliseconds heartbeat{2500};
constexpr std::chrono::milliseconds expiry{7500};

struct GuideWorker;

struct GuideService {
  std::string name;
  std::deque<std::unique_ptr<Frames>> requests;
  std::list<GuideWorker*> waiting;
};

struct GuideWorker {
  std::string identity;
  GuideService* service = nullptr;
  Clock::time_point expires{};
};

std::string readable(const std::string& identity) {
  constexpr const char* digits = "0123456789ABCDEF";
  std::string text = "@";
  for (const char byte : identity) {
    const auto value = static_cast<unsigned char>(byte);
    text += digits[value >> 4];
    text += digits[value & 15];
  }
  return text;
}

class GuideBroker {
 public:
  explicit GuideBroker(const Announce& announce) : socket_(context_, zmq::socket_type::router) {
    socket_.bind("tcp://127.0.0.1:*");
    announce({socket_.get(zmq::sockopt::last_endpoint)});
  }

  [[noreturn]] void run() {
    auto beat_at = Clock::now() + heartbeat;
    while (true) {
      const auto wait = std::chrono::ceil<std::chrono::milliseconds>(beat_at - Clock::now());
      zmq::pollitem_t item{socket_.handle(), 0, ZMQ_POLLIN, 0};
      zmq::poll(&item, 1, std::max(wait, std::chrono::milliseconds{0}));
      if ((item.revents & ZMQ_POLLIN) != 0) handle(receive());
      if (Clock::now() < beat_at) continue;
      purge();
      for (GuideWorker* worker : waiting_) tell(*worker, "\4", nullptr);
      beat_at += heartbeat;
    }
  }

 private:
  std::unique_ptr<Frames> receive() {
    auto frames = std::make_unique<Frames>();
    while (true) {
      zmq::message_t frame;
      [[maybe_unused]] const auto size = socket_.recv(frame, zmq::recv_flags::none);
      frames->push_back(frame.to_string());
      if (!frame.more()) return frames;
    }
  }
  void send(const Frames& frames) {
    for (std::size_t i = 0; i < frames.size(); ++i) {
      zmq::message_t frame{frames[i].data(), frames[i].size()};
      socket_.send(frame, i + 1 < frames.size() ? zmq::send_flags::sndmore : zmq::send_flags::none);
    }
  }
  static std::string take(Frames& frames) {
    if (frames.empty()) return {};
    std::string first = std::move(frames.front());
    frames.pop_front();
    return first;
  }

  void handle(std::unique_ptr<Frames> frames) {
    const std::string sender = take(*frames);
    take(*frames);
    const std::string header = take(*frames);
    if (header == "MDPC01") {
      from_client(sender, std::move(frames));
    } else if (header == "MDPW01") {
      from_worker(sender, std::move(frames));
    }
  }
  void from_client(const std::string& sender, std::unique_ptr<Frames> frames) {
    GuideService& service = service_named(take(*frames));
    frames->push_front("");
    frames->push_front(sender);
    dispatch(service, std::move(frames));
  }
  void from_worker(const std::string& sender, std::unique_ptr<Frames> frames) {
    const std::string command = take(*frames);
    const bool known = workers_.contains(readable(sender));
    GuideWorker& worker = worker_of(sender);
    if (command == "\1" && !known) {
      worker.service = &service_named(take(*frames));
      free(worker);
    } else if (command == "\3" && known) {
      const std::string client = take(*frames);
      take(*frames);
      frames->push_front(worker.service->name);
      frames->push_front("MDPC01");
      frames->push_front("");
      frames->push_front(client);
      send(*frames);
      free(worker);
    } else if (command == "\4" && known) {
      worker.expires = Clock::now() + expiry;
    } else {
      remove(worker);
    }
  }

  GuideService& service_named(const std::string& name) {
    auto& service = services_[name];
    if (!service) service = std::make_unique<GuideService>(GuideService{name, {}, {}});
    return *service;
  }
  GuideWorker& worker_of(const std::string& identity) {
    auto& worker = workers_[readable(identity)];
    if (!worker) worker = std::make_unique<GuideWorker>(GuideWorker{identity});
    return *worker;
  }
  void free(GuideWorker& worker) {
    waiting_.insert(&worker);
    worker.service->waiting.push_back(&worker);
    worker.expires = Clock::now() + expiry;
    dispatch(*worker.service, nullptr);
  }
  void remove(GuideWorker& worker) {
    if (worker.service != nullptr) worker.service->waiting.remove(&worker);
    waiting_.erase(&worker);
    workers_.erase(readable(std::string{worker.identity}));
  }
  void purge() {
    const auto now = Clock::now();
    std::vector<GuideWorker*> dead;
    for (GuideWorker* worker : waiting_) {
      if (worker->expires <= now) dead.push_back(worker);
    }
    for (GuideWorker* worker : dead) remove(*worker);
  }
  void dispatch(GuideService& service, std::unique_ptr<Frames> request) {
    if (request) service.requests.push_back(std::move(request));
    purge();
    while (!service.waiting.empty() && !service.requests.empty()) {
      const auto chosen =
          std::max_element(service.waiting.begin(), service.waiting.end(),
                           [](const auto* a, const auto* b) { return a->expires < b->expires; });
      GuideWorker& worker = **chosen;
      tell(worker, "\2", service.requests.front().get());
      service.requests.pop_front();
      waiting_.erase(&worker);
      service.waiting.erase(chosen);
    }
  }
  void tell(const GuideWorker& worker, const char* command, const Frames* message) {
    Frames frames = message != nullptr ? *message : Frames{};
    frames.push_front(command);
    frames.push_front("MDPW01");
    frames.push_front("");
    frames.push_front(worker.identity);
    send(frames);
  }

  zmq::context_t context_;
  zmq::socket_t socket_;
  std::map<std::string, std::unique_ptr<GuideService>> services_;
  std::map<std::string, std::unique_ptr<GuideWorker>> workers_;
  std::set<GuideWorker*> waiting_;
};

}  // namespace

void be_guide_broker(const Announce& announce) { GuideBroker{announce}.run(); }

}  // namespace busbar::program::bench
