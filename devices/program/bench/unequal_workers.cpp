#include "program/bench/unequal_workers.hpp"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include <busbar/core/error.hpp>
#include <busbar/patterns/puller.hpp>
#include <busbar/patterns/pusher.hpp>

namespace busbar::program::bench {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

namespace {

constexpr std::chrono::milliseconds fast = 1ms;
constexpr std::chrono::milliseconds slow = 10ms;
constexpr std::chrono::seconds longest{60};

/// Until all is done, from the first push on.
steady_clock::duration time_taken(Wire wire, int jobs) {
  Context context;
  Pusher pusher{context, {.bind = {"tcp://127.0.0.1:*"}, .wire = wire}};
  const std::uint32_t credit = wire == Wire::plain ? static_cast<std::uint32_t>(jobs) : 2;
  Puller a{context, {.connect = pusher.bound(), .credit = credit, .wire = wire}};
  Puller b{context, {.connect = pusher.bound(), .credit = credit, .wire = wire}};
  if (wire == Wire::plain) {
    // Stock sockets do not say who is there: one message each has to go round first.
    for (int met = 0; met < 3; met |= (a.receive() ? 1 : 0) | (b.receive() ? 2 : 0)) {
      if (pusher.push("hello") != SendResult::sent) std::this_thread::yield();
    }
    pusher.flush(longest);
  } else {
    pusher.wait_for_workers(2, longest);
  }

  std::mutex mutex;
  std::condition_variable all_done;
  int left = jobs;
  const auto work = [&](Puller& puller, std::chrono::milliseconds each) {
    for (Work& one : puller.work()) {
      if (one.payload() == "hello") continue;
      // Not for so long, but until then: what waking up costs does not add up.
      static thread_local steady_clock::time_point free_at{};
      free_at = std::max(free_at, steady_clock::now() - each) + each;
      std::this_thread::sleep_until(free_at);
      one.done();
      const std::scoped_lock lock(mutex);
      if (--left == 0) all_done.notify_all();
    }
  };
  const auto start = steady_clock::now();
  std::thread quick([&] { work(a, fast); });
  std::thread sluggish([&] { work(b, slow); });
  for (int i = 0; i < jobs; ++i) {
    if (pusher.push("work", {.timeout = longest}) != SendResult::sent) break;
  }
  std::unique_lock lock(mutex);
  const bool finished = all_done.wait_for(lock, longest, [&] { return left == 0; });
  const auto taken = steady_clock::now() - start;
  lock.unlock();
  a.stop();
  b.stop();
  quick.join();
  sluggish.join();
  if (!finished) throw Error(ErrorKind::timeout, "bench", "the workers did not finish");
  return taken;
}

}  // namespace

UnequalWorkers measure_unequal_workers(int jobs) {
  const std::chrono::duration<double, std::milli> ideal =
      jobs * fast * slow.count() / static_cast<double>(fast.count() + slow.count());
  return {.ideal = ideal,
          .by_credit = time_taken(Wire::busbar, jobs) / ideal,
          .round_robin = time_taken(Wire::plain, jobs) / ideal};
}

}  // namespace busbar::program::bench
