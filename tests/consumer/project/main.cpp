// Uses a part of each library, the ones behind private dependencies (TOML, JSON) included.
#include <chrono>
#include <iostream>

#include <busbar/busbar.hpp>

int main() {
  using namespace std::chrono_literals;
  busbar::Context context;
  const auto site = busbar::Topology::parse(R"(
    name = "consumer"
    [devices.tasks]
    kind     = "streamer"
    frontend = { bind = "tcp://127.0.0.1:*" }
    backend  = { bind = "tcp://127.0.0.1:*" }
  )");
  busbar::RunningTopology running = site.run(context);
  busbar::Socket in{
      context, busbar::SocketType::push, {.connect = running.bound("tasks.frontend")}};
  busbar::Socket out{
      context, busbar::SocketType::pull, {.connect = running.bound("tasks.backend")}};

  busbar::Multipart message{"hello", busbar::pack(42)};
  if (in.send(message, 5s) != busbar::SendResult::sent) return 1;
  const auto arrived = out.receive(5s);
  if (!arrived || busbar::unpack<int>(arrived->text(1)) != 42) return 1;

  busbar::Publisher prices{context, {.bind = {"inproc://prices"}}};
  busbar::Subscriber quotes{context, {.connect = {"inproc://prices"}}};
  quotes.subscribe("prices.*");
  prices.wait_for_subscribers("prices.eur", 1, 5s);
  prices.publish("prices.eur", 1.25);
  const auto quote = quotes.receive(5s);
  if (!quote || quote->as<double>() != 1.25) return 1;

  const busbar::StopReport report = running.drain(1s);
  std::cout << "busbar " << busbar::version_text << ": " << report.str() << '\n';
  return report.clean ? 0 : 1;
}
