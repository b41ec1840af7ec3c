#include <iostream>

#include <busbar/core/endpoint.hpp>

int main() { std::cout << busbar::Endpoint{"tcp://127.0.0.1:5555"}.str() << '\n'; }
