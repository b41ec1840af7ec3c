#include <string>

#include <doctest/doctest.h>

#include <busbar/core/endpoint.hpp>
#include <busbar/core/error.hpp>

using busbar::Endpoint;
using busbar::Error;
using busbar::Transport;

namespace {

std::string refusal_of(const std::string& text) {
  try {
    const Endpoint endpoint{text};
    return "taken as " + endpoint.str();
  } catch (const Error& error) {
    CHECK(error.kind() == busbar::ErrorKind::usage);
    return error.what();
  }
}

bool refuses(const std::string& text, const std::string& cause) {
  const std::string refusal = refusal_of(text);
  const bool named = refusal.find(": " + cause + " (") != std::string::npos;
  if (!named) MESSAGE(text << " -> " << refusal);
  return named;
}

}  // namespace

TEST_CASE("a tcp endpoint knows its host and its port") {
  const Endpoint endpoint{"tcp://127.0.0.1:5555"};
  CHECK(endpoint.transport() == Transport::tcp);
  CHECK(endpoint.host() == "127.0.0.1");
  CHECK(endpoint.port() == 5555);
  CHECK(endpoint.path().empty());
  CHECK(endpoint.str() == "tcp://127.0.0.1:5555");
}

TEST_CASE("an IPv6 address stands in brackets, and equal ones have equal texts") {
  const Endpoint endpoint{"tcp://[0:0:0:0:0:0:0:1]:05555"};
  CHECK(endpoint.host() == "::1");
  CHECK(endpoint.str() == "tcp://[::1]:5555");
  CHECK(endpoint == Endpoint{"tcp://[::1]:5555"});
  CHECK(Endpoint{"tcp://[FE80::1%eth0]:1"}.str() == "tcp://[fe80::1%eth0]:1");
}

TEST_CASE("hosts and interfaces go by name") {
  CHECK(Endpoint{"tcp://db-1.example.com:65535"}.host() == "db-1.example.com");
  CHECK(Endpoint{"tcp://my_service:1"}.has_host_name());
  CHECK(Endpoint{"tcp://eth0:5555"}.host() == "eth0");
  CHECK_FALSE(Endpoint{"tcp://10.0.0.1:1"}.has_host_name());
  CHECK_FALSE(Endpoint{"tcp://[::1]:1"}.has_host_name());
  CHECK_FALSE(Endpoint{"tcp://*:1"}.has_host_name());
  CHECK_FALSE(Endpoint{"inproc://name"}.has_host_name());
}

TEST_CASE("wildcards are known as such, and port 0 is one") {
  CHECK(Endpoint{"tcp://*:5555"}.is_wildcard());
  CHECK(Endpoint{"tcp://127.0.0.1:*"}.is_wildcard());
  CHECK(Endpoint{"tcp://127.0.0.1:0"} == Endpoint{"tcp://127.0.0.1:*"});
  CHECK(Endpoint{"ipc://*"}.is_wildcard());
  CHECK_FALSE(Endpoint{"inproc://*"}.is_wildcard());
  CHECK_FALSE(Endpoint{"tcp://127.0.0.1:5555"}.is_wildcard());
}

TEST_CASE("only what never leaves the machine is local") {
  for (const char* text : {"inproc://a", "ipc:///tmp/a", "tcp://127.0.0.1:1", "tcp://127.9.8.7:1",
                           "tcp://[::1]:1", "tcp://localhost:1"}) {
    CHECK_MESSAGE(Endpoint{text}.is_local(), text);
  }
  for (const char* text : {"tcp://*:1", "tcp://0.0.0.0:1", "tcp://[::]:1", "tcp://10.0.0.1:1",
                           "tcp://127.example.com:1", "tcp://localhost.example.com:1"}) {
    CHECK_MESSAGE(!Endpoint{text}.is_local(), text);
  }
}

TEST_CASE("ipc and inproc endpoints know their path") {
  CHECK(Endpoint{"ipc:///tmp/orders.sock"}.path() == "/tmp/orders.sock");
  CHECK(Endpoint{"ipc://@abstract"}.transport() == Transport::ipc);
  CHECK(Endpoint{"inproc://my orders"}.path() == "my orders");
  CHECK(Endpoint{"ipc://" + std::string(107, 'p')}.path().size() == 107);
  CHECK(Endpoint{"inproc://" + std::string(255, 'n')}.path().size() == 255);
}

TEST_CASE("an endpoint at another host keeps its port") {
  const Endpoint endpoint{"tcp://*:5555"};
  CHECK(endpoint.with_host("10.0.0.1").str() == "tcp://10.0.0.1:5555");
  CHECK(endpoint.with_host("fe80::1").str() == "tcp://[fe80::1]:5555");
  CHECK(Endpoint{"tcp://*:*"}.with_host("a").str() == "tcp://a:*");
  CHECK_THROWS_AS(Endpoint{"inproc://a"}.with_host("b"), Error);
  CHECK_THROWS_AS(endpoint.with_host("not a host"), Error);
}

TEST_CASE("an endpoint without a port is refused, and the error shows a good one") {
  CHECK(refusal_of("tcp://127.0.0.1") ==
        "endpoint 'tcp://127.0.0.1': no port (write tcp://HOST:PORT, e.g. tcp://127.0.0.1:5555)");
  CHECK(refuses("tcp://[::1]", "no port"));
  CHECK(refuses("tcp://host:", "no port"));
}

TEST_CASE("a port that is none is refused") {
  CHECK(refuses("tcp://host:http", "the port is no number"));
  CHECK(refuses("tcp://host:-1", "the port is no number"));
  CHECK(refuses("tcp://host:65536", "the port is above 65535"));
  CHECK(refuses("tcp://host:99999999999999999999", "the port is above 65535"));
}

TEST_CASE("a host that is none is refused") {
  CHECK(refuses("tcp://:5555", "no host"));
  CHECK(refuses("tcp://1.2.3:5555", "no IPv4 address"));
  CHECK(refuses("tcp://256.1.1.1:5555", "no IPv4 address"));
  CHECK(refuses("tcp://[::g]:5555", "no IPv6 address in the brackets"));
  CHECK(refuses("tcp://[127.0.0.1]:5555", "no IPv6 address in the brackets"));
  CHECK(refuses("tcp://[fe80::1%]:5555", "no IPv6 address in the brackets"));
  CHECK(refuses("tcp://[:5555", "no IPv6 address in the brackets"));
  CHECK(refuses("tcp://::1:5555", "an IPv6 address without brackets, or two ports"));
  CHECK(refuses("tcp://a b:5555", "the host has a character that no host has"));
  CHECK(refuses("tcp://eth0;10.0.0.1:5555", "the host has a character that no host has"));
  CHECK(refuses("tcp://a..b:5555", "the host has an empty part"));
  CHECK(refuses("tcp://" + std::string(254, 'h') + ":1", "the host is longer than 253 bytes"));
}

TEST_CASE("a path that is none is refused") {
  CHECK(refuses("ipc://", "nothing behind ://"));
  CHECK(refuses("inproc://", "nothing behind ://"));
  CHECK(refuses("ipc://" + std::string(108, 'p'), "longer than 107 bytes"));
  CHECK(refuses("inproc://" + std::string(256, 'n'), "longer than 255 bytes"));
  CHECK(
      refuses(std::string("ipc:///tmp/a\0b", 14), "a control character, or no well-formed UTF-8"));
  CHECK(refuses("inproc://\xff", "a control character, or no well-formed UTF-8"));
}

TEST_CASE("other transports are refused, and the error names those there are") {
  CHECK(refusal_of("udp://a:1") ==
        "endpoint 'udp://a:1': unknown transport "
        "(one of tcp://HOST:PORT, ipc://PATH, inproc://NAME, peer://NAME)");
  CHECK(refuses("TCP://a:1", "unknown transport"));
  CHECK(refuses("127.0.0.1:5555", "no transport"));
  CHECK(refuses("", "no transport"));
}

TEST_CASE("a refused endpoint cannot smuggle escapes into a log") {
  CHECK(refusal_of("\x1b[2J").find('\x1b') == std::string::npos);
}

TEST_CASE("a service of peers is a name to be looked up") {
  const Endpoint service{"peer://prices"};
  CHECK(service.transport() == Transport::peer);
  CHECK(service.path() == "prices");
  CHECK(service.str() == "peer://prices");
  CHECK(service.has_host_name());
  CHECK_FALSE(service.is_wildcard());
  CHECK_THROWS_AS(Endpoint{"peer://"}, Error);
  CHECK_THROWS_AS(Endpoint{"peer://a b"}, Error);
  CHECK_THROWS_AS(Endpoint{"peer://" + std::string(201, 'x')}, Error);
}
