// czmq's zbeacon: sends the beacon given in hex to all, and writes every one that it hears, in hex.
#include <czmq.h>

int main(int count, char** arguments) {
  if (count != 3) return 2;
  zactor_t* beacon = zactor_new(zbeacon, nullptr);
  zsock_send(beacon, "si", "CONFIGURE", atoi(arguments[1]));
  char* host = zstr_recv(beacon);
  printf("host %s\n", host ? host : "");
  fflush(stdout);
  zstr_free(&host);
  byte bytes[256];
  size_t size = 0;
  for (const char* hex = arguments[2]; hex[0] && hex[1] && size < sizeof bytes; hex += 2) {
    unsigned value = 0;
    if (sscanf(hex, "%2x", &value) != 1) return 2;
    bytes[size++] = static_cast<byte>(value);
  }
  zsock_send(beacon, "sbi", "PUBLISH", bytes, size, 200);
  zsock_send(beacon, "sb", "SUBSCRIBE", "ZRE", std::size_t{3});
  while (!zsys_interrupted) {
    char* from = zstr_recv(beacon);
    if (!from) break;
    zframe_t* frame = zframe_recv(beacon);
    if (!frame) break;
    char* hex = zframe_strhex(frame);
    printf("%s %s\n", from, hex);
    fflush(stdout);
    zstr_free(&hex);
    zframe_destroy(&frame);
    zstr_free(&from);
  }
  zactor_destroy(&beacon);
  return 0;
}
