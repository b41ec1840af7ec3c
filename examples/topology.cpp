// Two streamers and the link between them, in code: the same model as a TOML file. In one process
// the link costs no socket hop.
#include <chrono>
#include <iostream>

#include <busbar/busbar.hpp>

using namespace std::chrono_literals;
using busbar::DeviceKind, busbar::SocketType;

int main() {
  busbar::Context context;
  busbar::Topology site{"site"};
  site.add("edge", DeviceKind::streamer, {.frontend = {.bind = {"tcp://127.0.0.1:*"}}})
      .add("core", DeviceKind::streamer, {.backend = {.bind = {"tcp://127.0.0.1:*"}}})
      .link("edge.backend", "core.frontend");
  site.check();  // throws Error naming what does not fit
  std::cout << busbar::graph(site, busbar::GraphFormat::mermaid);
  busbar::RunningTopology running = site.run(context);

  busbar::Socket jobs{context, SocketType::push, {.connect = running.bound("edge.frontend")}};
  busbar::Socket mine{context, SocketType::pull, {.connect = running.bound("core.backend")}};
  for (const char* job : {"a.png", "b.png", "c.png"}) {
    busbar::Multipart message{job};
    if (jobs.send(message, 5s) != busbar::SendResult::sent) return 4;
  }
  int arrived = 0;
  while (arrived < 3 && mine.receive(5s)) ++arrived;
  std::cout << arrived << " of 3 arrived\n" << running.drain(2s).str() << '\n';
  return arrived == 3 ? 0 : 1;
}
