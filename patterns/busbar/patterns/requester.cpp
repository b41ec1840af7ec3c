#include "busbar/patterns/requester.hpp"

#include <busbar/patterns/internal/request_loop.hpp>

namespace busbar {

using std::chrono::milliseconds;

PendingReply& PendingReply::operator=(PendingReply&& other) noexcept {
  if (this == &other) return *this;
  if (loop_) loop_->forget(number_);
  loop_ = std::move(other.loop_);
  number_ = other.number_;
  return *this;
}

PendingReply::~PendingReply() {
  if (loop_) loop_->forget(number_);
}

Reply PendingReply::get() {
  if (!loop_) throw Error(ErrorKind::usage, "get a reply", "it was taken, or moved away");
  while (!loop_->wait(number_, std::chrono::hours{24})) {
  }
  return std::exchange(loop_, nullptr)->take(number_);
}

bool PendingReply::wait(milliseconds timeout) { return !loop_ || loop_->wait(number_, timeout); }

void PendingReply::cancel() {
  if (loop_) loop_->cancel(number_);
}

Requester::Requester(Context& context, RequesterOptions options)
    : loop_(std::make_shared<detail::RequestLoop>(context, std::move(options))), runner_(loop_) {}
Requester::Requester(Requester&&) noexcept = default;
Requester& Requester::operator=(Requester&& other) noexcept {
  if (this == &other) return *this;
  end();
  runner_ = std::move(other.runner_);
  loop_ = std::move(other.loop_);
  return *this;
}
Requester::~Requester() { end(); }

void Requester::end() noexcept {
  {
    const Runner ended = std::move(runner_);  // waits for callbacks, which may use the loop
  }
  if (loop_) loop_->let_go();
}

PendingReply Requester::request(std::string_view method, std::string_view payload,
                                const RequestOptions& options) {
  return {loop_, loop_->request(method, payload, options)};
}

void Requester::call_back(std::string_view method, std::string_view payload,
                          const RequestOptions& options, Callback callback) {
  loop_->request(method, payload, options, std::move(callback));
}

std::vector<SurveyAnswer> Requester::survey(std::string_view method, std::string_view payload,
                                            std::optional<milliseconds> deadline) {
  std::vector<SurveyAnswer> answers;
  for (const auto& [server, number] : loop_->survey(method, payload, deadline)) {
    PendingReply pending{loop_, number};
    answers.push_back({loop_->server(server), pending.get()});
  }
  return answers;
}

int Requester::fd() { return loop_->fd(); }
std::size_t Requester::drain(std::size_t most) {
  const auto loop = loop_;  // a callback may end us
  return loop->drain(most);
}

void Requester::wait_for_servers(std::size_t count, milliseconds timeout) {
  loop_->wait_for_servers(count, timeout);
}
RequesterLedger Requester::ledger() const { return loop_->ledger(); }
StopReport Requester::stop(milliseconds deadline) {
  return loop_->is_calling() ? loop_->stop_within(deadline) : runner_.stop(deadline);
}

}  // namespace busbar
