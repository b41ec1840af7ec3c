#include "program/bench/bench.hpp"

#include "program/bench/process.hpp"
#include "program/commands/commands.hpp"
#include "program/options.hpp"

#include <memory>

#include <busbar/core/limits.hpp>
#include <busbar/devices/device.hpp>
#include <busbar/devices/internal/words.hpp>

namespace busbar::program {

Command bench_command() {
  return {
      .name = "bench",
      .group = "Other",
      .summary = "Measure devices and patterns beside libzmq and other systems, in alternation",
      .details =
          "WHAT is throughput, latency, idle, pubsub, lone, pushpull, services, reqrep or peers; "
          "all\n"
          "but peers by default. These find each other, in one process and in four.\n"
          "Ends and what is between them are processes of their own, on loopback TCP. Absolute\n"
          "figures mean little on a shared machine; ratios of runs side by side do.",
      .example = "  busbar bench throughput --size 16,256 --pairs 5",
      .declare = [](CLI::App& app) -> Run {
        auto options = std::make_shared<bench::Options>();
        words(app.add_option("what", options->what, "Which measurements"),
              {"throughput", "latency", "idle", "pubsub", "lone", "pushpull", "services", "reqrep",
               "peers"});
        words(app.add_option("--device", options->devices, "Only these devices")->delimiter(','),
              detail::names_of(device_kinds));
        numbers(app.add_option("--size", options->sizes, "Sizes of messages in bytes")
                    ->type_name("BYTES")
                    ->delimiter(','),
                1, limits::message_bytes);
        words(app.add_option("--against", options->against, "What to compare with")->delimiter(','),
              {"direct", "zmq_proxy", "nats", "mosquitto"});
        numbers(app.add_option("--subscribers", options->subscribers, "Subscribers of pubsub")
                    ->type_name("N")
                    ->capture_default_str(),
                1, 1000);
        numbers(app.add_option("--workers", options->workers, "Workers of services")
                    ->type_name("N")
                    ->capture_default_str(),
                1, 1000);
        numbers(app.add_option("--in-flight", options->in_flight,
                               "Unanswered requests of the client of services and reqrep")
                    ->type_name("N")
                    ->capture_default_str(),
                1, 100'000);
        numbers(app.add_option("--peers", options->peers, "How many peers")
                    ->type_name("N")
                    ->capture_default_str(),
                2, 1000);
        numbers(app.add_option("--pairs", options->pairs, "Runs of each")
                    ->type_name("N")
                    ->capture_default_str(),
                1, 1000);
        numbers(app.add_option("--rounds", options->rounds, "Round trips in a latency run")
                    ->type_name("N")
                    ->capture_default_str(),
                100, bench::Shared::samples_max);
        add_duration(app, "--window", options->window, "How long each run is watched");
        app.add_flag("--json", options->json, "The figures as JSON");
        app.add_flag("--progress", options->progress,
                     "Show a progress bar on stderr even if that is no terminal");
        return [options] { return bench::run(*options); };
      }};
}

}  // namespace busbar::program
