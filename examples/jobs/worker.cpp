// Does jobs until it is stopped, four at hand at a time: jobs_worker ENDPOINT
// To show what happens then, it fails at every tenth job the first time.
#include "job.hpp"

#include <iostream>

#include <busbar/busbar.hpp>

int main(int argc, char** argv) try {
  if (argc != 2) {
    std::cerr << "usage: jobs_worker ENDPOINT\n";
    return 2;
  }
  busbar::Context context;
  busbar::Puller mine{context, {.connect = {argv[1]}, .credit = 4}};
  for (busbar::Work& work : mine.work()) {
    const Job job = work.as<Job>();
    if (!work.redelivered() && work.message().sequence() % 10 == 0) continue;  // not done: failed
    std::cout << job.file << " at " << job.width << (work.redelivered() ? ", again\n" : "\n");
    work.done();
  }
  return 0;
} catch (const busbar::Error& error) {
  std::cerr << error.what() << '\n';
  return static_cast<int>(error.kind());
}
