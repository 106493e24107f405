import { Agent } from 'node:https';
import type { Duplex } from 'node:stream';
import { connect } from 'node:tls';
import type { ConnectionOptions } from 'node:tls';

type Connected = (error: Error | null, stream: Duplex) => void;

/**
 * Connections to a server that is known by one certificate and by no authority. Nothing is sent, above all no token,
 * before the certificate has been compared.
 *
 * @param certificateSHA256 of the certificate in DER, in hexadecimal digits
 */
export function pinnedAgent(certificateSHA256: string): Agent {
  return new PinnedAgent(certificateSHA256.toLowerCase());
}

class PinnedAgent extends Agent {
  readonly #expected: string;

  constructor(expected: string) {
    // A resumed session shows no certificate.
    super({ keepAlive: true, maxSockets: 2, maxFreeSockets: 1, maxCachedSessions: 0 });
    this.#expected = expected;
  }

  override createConnection(options: ConnectionOptions, callback?: Connected): null {
    const socket = connect({ ...options, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] });
    const fail = (error: Error): void => callback?.(error, socket);
    socket.once('error', fail);
    socket.once('secureConnect', () => {
      socket.off('error', fail);
      const shown = socket.getPeerX509Certificate()?.fingerprint256.replaceAll(':', '').toLowerCase();
      if (shown === this.#expected) callback?.(null, socket);
      else {
        socket.destroy();
        fail(new Error('it shows another certificate than its Director object says'));
      }
    });
    return null;
  }
}
