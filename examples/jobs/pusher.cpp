// Gives jobs to whoever has room, and waits until all are done: jobs_pusher ENDPOINT COUNT
#include "job.hpp"

#include <chrono>
#include <iostream>

#include <busbar/busbar.hpp>

using namespace std::chrono_literals;

int main(int argc, char** argv) try {
  if (argc != 3) {
    std::cerr << "usage: jobs_pusher ENDPOINT COUNT\n";
    return 2;
  }
  busbar::Context context;
  busbar::Pusher jobs{context, {.bind = {argv[1]}, .attempts_max = 3}};
  jobs.on_give_up([](busbar::Message&& poison) {
    std::cerr << "given up: " << poison.as<Job>().file << ": " << poison.header("busbar-failure")
              << '\n';
  });
  for (int i = 0; i < std::stoi(argv[2]); ++i) {
    const Job job{"picture-" + std::to_string(i) + ".png", 640};
    if (jobs.push(job, {.timeout = 10s}) != busbar::SendResult::sent) return 4;
  }
  jobs.flush(1min);  // throws where some are neither done nor given up by then
  const busbar::PusherLedger ledger = jobs.ledger();
  std::cout << ledger.done << " done, " << ledger.redelivered << " of them redelivered\n";
  return ledger.reconciles() ? 0 : 1;
} catch (const busbar::Error& error) {
  std::cerr << error.what() << '\n';
  return static_cast<int>(error.kind());
}
