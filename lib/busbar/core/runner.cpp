#include "busbar/core/runner.hpp"

#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>

#include <busbar/core/error.hpp>
#include <busbar/core/internal/start_thread.hpp>

namespace busbar {

using std::chrono::milliseconds;

namespace {
constexpr milliseconds longest_step{1000};
constexpr milliseconds grace{100};

std::string what(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "unknown exception";
  }
}
}  // namespace

/// Shared with the thread, so that one which never comes back can be left behind.
struct Runner::State {
  std::shared_ptr<Active> active;
  std::mutex mutex;
  std::condition_variable changed;
  bool finished = false;
  std::exception_ptr failure = nullptr;
  std::thread thread = {};

  bool is_this_thread() const noexcept { return thread.get_id() == std::this_thread::get_id(); }

  void run() noexcept {
    std::exception_ptr thrown;
    try {
      while (active->step(longest_step)) {
      }
    } catch (...) {
      thrown = std::current_exception();
    }
    const std::scoped_lock lock(mutex);
    failure = thrown;
    finished = true;
    changed.notify_all();
  }
};

Runner::Runner(std::shared_ptr<Active> active) : state_(std::make_shared<State>()) {
  state_->active = std::move(active);
  state_->thread = detail::start_thread(state_->active->name(), [state = state_] { state->run(); });
}

Runner::Runner(Runner&&) noexcept = default;

Runner& Runner::operator=(Runner&& other) noexcept {
  end();
  state_ = std::move(other.state_);
  return *this;
}

Runner::~Runner() { end(); }

/// Waits for the user's code too: what that refers to may be gone once we are.
void Runner::end() noexcept {
  if (!state_) return;
  state_->active->request_stop(milliseconds{0});
  if (!state_->thread.joinable()) return;
  state_->is_this_thread() ? state_->thread.detach() : state_->thread.join();
}

StopReport Runner::stop(milliseconds deadline) {
  const TimePoint start = std::chrono::steady_clock::now();
  state_->active->request_stop(deadline);
  std::unique_lock lock(state_->mutex);
  if (state_->is_this_thread())
    return {.clean = false, .remains = {"thread of '" + state_->active->name() + "', the caller"}};
  const TimePoint latest = after(after(start, deadline), grace);
  const bool finished =
      state_->changed.wait_until(lock, latest, [this] { return state_->finished; });
  StopReport report;
  if (finished) {
    report = state_->active->report();
    if (state_->failure) {
      report.clean = false;
      report.remains.push_back("'" + state_->active->name() + "' failed: " + what(state_->failure));
    }
    if (state_->thread.joinable()) state_->thread.join();
  } else {
    report.clean = false;
    report.remains.push_back("thread of '" + state_->active->name() + "'");
  }
  report.took = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - start);
  return report;
}

bool Runner::wait(milliseconds timeout) {
  std::unique_lock lock(state_->mutex);
  const TimePoint latest = after(std::chrono::steady_clock::now(), timeout);
  state_->changed.wait_until(lock, latest, [this] { return state_->finished; });
  if (state_->failure) std::rethrow_exception(state_->failure);
  return state_->finished;
}

}  // namespace busbar
