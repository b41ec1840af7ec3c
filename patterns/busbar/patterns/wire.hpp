/// What a pattern's messages are on the wire.
#pragma once

namespace busbar {

/// Whether they carry what Busbar adds (lib/WIRE.md).
enum class Wire {
  /// Publisher: topic, header and payload in one frame: numbered, so losses are seen and made up
  /// for. Pusher and
  /// Puller: credit and acknowledgements.
  busbar,
  /// What stock ZeroMQ programs send. Publisher: topic and payload; no batches, history or late
  /// joiners. Pusher and Puller: PUSH and PULL; round-robin, nothing is acknowledged.
  plain,
};

}  // namespace busbar
