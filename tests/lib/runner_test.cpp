#include <atomic>
#include <condition_variable>
#include <future>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <busbar/core/runner.hpp>

using namespace busbar;
using namespace std::chrono_literals;

namespace {

/// Does what the test tells it.
class Worker : public Active {
 public:
  explicit Worker(std::function<bool(Worker&)> body) : body_(std::move(body)) {}
  bool step(std::chrono::milliseconds) override { return body_(*this); }
  void request_stop(std::chrono::milliseconds) noexcept override {
    const std::scoped_lock lock(mutex_);
    asked_ = true;
    changed_.notify_all();
  }
  StopReport report() const override { return {.clean = false, .abandoned = 7}; }
  std::string name() const override { return "worker"; }

  void wait_until_asked() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return asked_; });
  }

 private:
  std::function<bool(Worker&)> body_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool asked_ = false;
};

std::shared_ptr<Worker> worker(std::function<bool(Worker&)> body) {
  return std::make_shared<Worker>(std::move(body));
}

}  // namespace

TEST_CASE("stop waits for the object and hands its report on") {
  Runner runner(worker([](Worker& w) {
    w.wait_until_asked();
    return false;
  }));
  const StopReport report = runner.stop(1min);
  CHECK(report.abandoned == 7);
  CHECK(report.remains.empty());
  CHECK(report.str().find("7 messages abandoned") != std::string::npos);
}

TEST_CASE("an object that is stuck is left behind in time, and named") {
  auto release = std::make_shared<Worker>([](Worker&) { return false; });
  Runner runner(worker([release](Worker&) {
    release->wait_until_asked();
    return false;
  }));
  const auto start = std::chrono::steady_clock::now();
  const StopReport report = runner.stop(20ms);
  CHECK(std::chrono::steady_clock::now() - start < 1s);
  CHECK_FALSE(report.clean);
  REQUIRE(report.remains.size() == 1);
  CHECK(report.remains[0] == "thread of 'worker'");
  release->request_stop(0ms);
}

TEST_CASE("the end of a runner waits for code that is stuck, whatever a stop left behind") {
  auto release = std::make_shared<Worker>([](Worker&) { return false; });
  std::atomic<bool> over = false;
  std::thread releasing;
  {
    Runner runner(worker([&](Worker&) {
      release->wait_until_asked();
      over = true;
      return false;
    }));
    CHECK_FALSE(runner.stop(1ms).clean);
    releasing = std::thread{[&] { release->request_stop(0ms); }};
  }
  CHECK(over);
  releasing.join();
}

TEST_CASE("a runner may be stopped, and end, in its own thread") {
  std::promise<void> given;
  std::promise<StopReport> stopped;
  std::optional<Runner> runner(worker([&, once = true](Worker&) mutable {
    if (!std::exchange(once, false)) return false;
    given.get_future().wait();
    const StopReport report = runner->stop(1min);
    runner.reset();
    stopped.set_value(report);
    return false;
  }));
  given.set_value();
  const StopReport report = stopped.get_future().get();
  CHECK_FALSE(report.clean);
  CHECK(report.remains == std::vector<std::string>{"thread of 'worker', the caller"});
}

TEST_CASE("what a step throws comes out of wait") {
  Runner runner(worker([](Worker&) -> bool { throw std::runtime_error("broken"); }));
  CHECK_THROWS_WITH(while (!runner.wait(1s)){}, "broken");
}

TEST_CASE("the report of an object whose step threw says what it was") {
  Runner runner(worker([](Worker&) -> bool { throw std::runtime_error("broken"); }));
  const StopReport report = runner.stop(1min);
  CHECK_FALSE(report.clean);
  REQUIRE(report.remains.size() == 1);
  CHECK(report.remains[0] == "'worker' failed: broken");
}
