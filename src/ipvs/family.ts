import { LvsError, isLvsError } from '../base/index.ts';
import { GENL_HDRLEN, encodeGenericHeader, errno, resolveGenericFamily } from '../netlink/index.ts';
import type { AttributeReader, MessageReader, MessageWriter, NetlinkConnection } from '../netlink/index.ts';
import type { IpvsOperation } from './types.ts';
import { OperationRequest } from './operation-request.ts';
import { IPVS_GENL_NAME, IPVS_GENL_VERSION } from './uapi.ts';

/** A command that is not an operation on the table. */
export interface IpvsCommand {
  readonly command: number;
  /** The kernel's name of it. */
  readonly operation: string;
  readonly subject?: string;
  readonly encode?: (writer: MessageWriter) => void;
}

/**
 * The IPVS family on one connection. Its id changes when the module is loaded anew, and a request with the old one is
 * refused with ENOENT, the number that also means "no such real server" and "no such scheduler": so an ENOENT is
 * believed only after the id has been looked up again.
 */
export class IpvsFamily {
  readonly #connection: NetlinkConnection;
  #id: number;

  /** @throws LvsError LVS_IPVS_UNAVAILABLE */
  constructor(connection: NetlinkConnection) {
    this.#connection = connection;
    this.#id = resolveFamily(connection);
  }

  /** @throws LvsError as `NetlinkConnection.request` does, LVS_IPVS_UNAVAILABLE */
  request<T>(command: IpvsCommand, decode?: (attributes: AttributeReader) => T | undefined): T[] {
    return this.#retryStale(() =>
      this.#connection.request(this.#message(command), (message) => decode?.(attributesOf(message, command))),
    );
  }

  /** @throws LvsError as `NetlinkConnection.dump` does, LVS_IPVS_UNAVAILABLE */
  dump<T>(
    command: IpvsCommand,
    decode: (attributes: AttributeReader, datagram: number) => T | undefined,
  ): T[] {
    return this.#retryStale(() =>
      this.#connection.dump(this.#message(command), (message, datagram) =>
        decode(attributesOf(message, command), datagram),
      ),
    );
  }

  /** @returns one outcome per operation, undefined for success. @throws LvsError LVS_IPVS_UNAVAILABLE */
  batch(operations: readonly IpvsOperation[], batchSize: number): (LvsError | undefined)[] {
    const outcomes = this.#connection.batch(this.#requests(operations), batchSize);
    // With a stale id every single one was refused, so sending all of them again repeats nothing.
    if (!outcomes.some((outcome) => outcome?.errno === errno.ENOENT) || !this.#isIdRenewed()) return outcomes;
    return this.#connection.batch(this.#requests(operations), batchSize);
  }

  #requests(operations: readonly IpvsOperation[]): OperationRequest[] {
    return operations.map((operation) => new OperationRequest(this.#id, operation));
  }

  #message(command: IpvsCommand) {
    return {
      operation: command.operation,
      ...(command.subject === undefined ? {} : { subject: command.subject }),
      type: this.#id,
      encode(writer: MessageWriter): void {
        encodeGenericHeader(writer, command.command, IPVS_GENL_VERSION);
        command.encode?.(writer);
      },
    };
  }

  #retryStale<T>(attempt: () => T): T {
    try {
      return attempt();
    } catch (error) {
      if (!isLvsError(error) || error.errno !== errno.ENOENT || !this.#isIdRenewed()) throw error;
      return attempt();
    }
  }

  #isIdRenewed(): boolean {
    const id = resolveFamily(this.#connection);
    const isRenewed = id !== this.#id;
    this.#id = id;
    return isRenewed;
  }
}

function attributesOf(message: MessageReader, command: IpvsCommand): AttributeReader {
  return message.attributes(GENL_HDRLEN, `the answer to ${command.operation}`);
}

function resolveFamily(connection: NetlinkConnection): number {
  try {
    return resolveGenericFamily(connection, IPVS_GENL_NAME);
  } catch (cause) {
    if (!isLvsError(cause) || cause.errno !== errno.ENOENT) throw cause;
    throw new LvsError(
      'LVS_IPVS_UNAVAILABLE',
      'This kernel has no IPVS: the ip_vs module is not loaded and did not load by itself.',
      {
        cause,
        operation: 'CTRL_CMD_GETFAMILY',
        errno: errno.ENOENT,
        hint: 'Run "modprobe ip_vs" on the host, or install the package with the modules of this kernel.',
      },
    );
  }
}
