import {
  attribute,
  genericHeader,
  i32,
  nulString,
  readAttributes,
  u16,
  u16be,
  u32,
  u64,
  u8,
} from './wire.ts';
import type { Attributes } from './wire.ts';

/**
 * The IPVS family of the kernel in memory: a function from a request to an errno and answers, after
 * net/netfilter/ipvs/ip_vs_ctl.c, whose order of checks decides which errno a request gets that is wrong twice.
 */

const EINTR = 4;
const ENOENT = 2;
const ESRCH = 3;
const EEXIST = 17;
const ENODEV = 19;
const EINVAL = 22;
const ERANGE = 34;
const EOPNOTSUPP = 95;
const EAFNOSUPPORT = 97;
const ok = 0;

const AF_INET = 2;
const AF_INET6 = 10;
const TCP = 6;
const TUNNEL = 2;
const GUE = 1;
const HASHED = 2;
const attributeService = 1;
const attributeDest = 2;
const attributeDaemon = 3;

interface ServiceKey {
  readonly family: number;
  readonly protocol: number;
  readonly address: Buffer;
  readonly port: number;
  readonly mark: number;
}

interface FakeService extends ServiceKey {
  scheduler: string;
  flags: number;
  timeout: number;
  netmask: Buffer;
  engine: string;
  stats: bigint[];
  /** By identity; the kernel lists the newest first. */
  dests: Map<string, FakeDest>;
}

interface DestKey {
  readonly family: number;
  readonly address: Buffer;
  readonly port: number;
}

interface DestConfig {
  method: number;
  weight: number;
  upper: number;
  lower: number;
  tunnelType: number;
  tunnelPort: number;
  tunnelFlags: number;
}

interface FakeDest extends DestKey, DestConfig {
  stats: bigint[];
}

interface FakeDaemon {
  readonly state: number;
  readonly attributes: Attributes;
  hasRun: boolean;
}

/** Refusal of the kernel: the positive errno. */
class Refused {
  readonly errno: number;
  constructor(errno: number) {
    this.errno = errno;
  }
}

function refuse(errno: number): never {
  // oxlint-disable-next-line typescript/only-throw-error -- a number of the kernel on its way out, never an error of ours
  throw new Refused(errno);
}

export interface FakeIpvsOptions {
  /** Modules that can be loaded or are built in. @default all of Debian's */
  readonly schedulers?: readonly string[];
  readonly interfaces?: readonly string[];
  /** ipv6.disable=1 on the kernel's command line. @default true */
  readonly hasIpv6?: boolean;
}

const debianSchedulers = 'rr wrr lc wlc fo ovf lblc lblcr dh sh mh sed nq'.split(' ');

export class FakeIpvs {
  /** Without `lo` up there is no local route table, and no address counts as unicast. */
  isLoopbackUp = true;
  /** A daemon that is stopped before its thread ran ends with -EINTR, which nobody acknowledges. */
  areDaemonThreadsLate = false;
  readonly #schedulers: ReadonlySet<string>;
  readonly #interfaces: ReadonlySet<string>;
  readonly #hasIpv6: boolean;
  readonly #services = new Map<string, FakeService>();
  #daemons: FakeDaemon[] = [];
  #timeouts = [900, 120, 300];
  /** How often each scheduler was looked for without being there: modprobe runs. */
  readonly missedSchedulers: string[] = [];

  constructor(options: FakeIpvsOptions = {}) {
    this.#schedulers = new Set(options.schedulers ?? debianSchedulers);
    this.#interfaces = new Set(options.interfaces ?? ['lo', 'eth0']);
    this.#hasIpv6 = options.hasIpv6 ?? true;
  }

  /** A command without NLM_F_DUMP. @returns errno (positive, 0 for success) and answers, genlmsghdr included */
  do(command: number, payload: Buffer): { errno: number; replies: Buffer[] } {
    const attributes = readAttributes(payload);
    const replies: Buffer[] = [];
    try {
      this.#execute(command, attributes, replies);
      return { errno: ok, replies };
    } catch (refusal) {
      if (refusal instanceof Refused) return { errno: refusal.errno, replies };
      throw refusal;
    }
  }

  /**
   * Records of a dump from ordinal number `from` on, made when asked: what changes between two calls shows, or hides.
   * @returns undefined for a command that cannot be dumped
   */
  dump(command: number, payload: Buffer, from: number): Iterable<Buffer> | undefined {
    switch (command) {
      case 4: {
        const services = [...this.#services.values()];
        // The table of addresses, then the table of marks.
        const ordered = [
          ...services.filter(({ mark }) => mark === 0),
          ...services.filter(({ mark }) => mark !== 0),
        ];
        return encodeLazily(ordered.slice(from), serviceRecord);
      }
      case 8: {
        const dests = [...(this.#findLeniently(payload)?.dests.values() ?? [])];
        return encodeLazily(dests.toReversed().slice(from), destRecord);
      }
      case 11: {
        const daemons = this.#daemons.toSorted((a, b) => a.state - b.state);
        return encodeLazily(daemons.slice(from), daemonRecord);
      }
      default:
        return undefined;
    }
  }

  /** A dump about a service that does not exist, or not even could, is empty rather than refused. */
  #findLeniently(payload: Buffer): FakeService | undefined {
    try {
      return this.#find(parseServiceKey(readAttributes(payload).get(attributeService)));
    } catch (refusal) {
      if (refusal instanceof Refused) return undefined;
      throw refusal;
    }
  }

  #execute(command: number, attributes: Attributes, replies: Buffer[]): void {
    switch (command) {
      case 17:
        this.#services.clear();
        return;
      case 12:
        return this.#setTimeouts(attributes);
      case 13:
        replies.push(
          Buffer.concat([
            genericHeader(12),
            ...this.#timeouts.map((value, i) => attribute(4 + i, u32(value))),
          ]),
        );
        return;
      case 15:
        replies.push(
          Buffer.concat([genericHeader(14), attribute(1, u32(0x010201)), attribute(2, u32(4096))]),
        );
        return;
      case 9:
        return this.#startDaemon(attributes.get(attributeDaemon));
      case 10:
        return this.#stopDaemon(attributes.get(attributeDaemon));
      case 16:
        return this.#zero(attributes.get(attributeService));
      case 1:
      case 2:
      case 3:
      case 4:
        return this.#changeService(command, attributes, replies);
      case 5:
      case 6:
      case 7:
        return this.#changeDest(command, attributes);
      default:
        refuse(EOPNOTSUPP);
    }
  }

  #find(key: ServiceKey): FakeService | undefined {
    return this.#services.get(serviceIdentity(key));
  }

  #require(payload: Buffer | undefined): FakeService {
    return this.#find(parseServiceKey(payload)) ?? refuse(ESRCH);
  }

  #changeService(command: number, attributes: Attributes, replies: Buffer[]): void {
    const payload = attributes.get(attributeService);
    const key = parseServiceKey(payload);
    const service = this.#find(key);
    if (command === 1 || command === 2) {
      const wanted = parseServiceConfig(payload, service?.flags ?? 0);
      if (command === 1 && service !== undefined) refuse(EEXIST);
      if (command === 2 && service === undefined) refuse(ESRCH);
      this.#checkServiceConfig(key, wanted);
      if (service === undefined)
        this.#services.set(serviceIdentity(key), { ...key, ...wanted, stats: newStats(), dests: new Map() });
      else Object.assign(service, wanted);
      return;
    }
    if (service === undefined) refuse(ESRCH);
    if (command === 3) this.#services.delete(serviceIdentity(key));
    else replies.push(serviceRecord(service));
  }

  #checkServiceConfig(key: ServiceKey, config: Pick<FakeService, 'scheduler' | 'engine' | 'netmask'>): void {
    if (config.scheduler !== 'none' && !this.#schedulers.has(config.scheduler)) {
      this.missedSchedulers.push(config.scheduler);
      refuse(ENOENT);
    }
    if (config.engine !== '' && config.engine !== 'sip') refuse(ENOENT);
    if (key.family !== AF_INET6) return;
    const prefixLength = config.netmask.readUInt32LE(0);
    if (prefixLength < 1 || prefixLength > 128) refuse(EINVAL);
    if (!this.#hasIpv6) refuse(EAFNOSUPPORT);
  }

  #changeDest(command: number, attributes: Attributes): void {
    const service = this.#require(attributes.get(attributeService));
    const payload = attributes.get(attributeDest);
    const fields = payload === undefined ? refuse(EINVAL) : readAttributes(payload);
    const config = command === 7 ? undefined : parseDestConfig(fields);
    const family = fields.get(11)?.readUInt16LE(0) ?? service.family;
    const key = parseDestKey(fields, family === 0 ? service.family : family);
    const dest = service.dests.get(destIdentity(key));
    if (config === undefined) {
      if (dest === undefined) refuse(ENOENT);
      service.dests.delete(destIdentity(key));
      return;
    }
    if (key.family !== service.family && (this.#daemons.length > 0 || config.method !== TUNNEL))
      refuse(EINVAL);
    if (config.weight < 0 || config.lower > config.upper) refuse(ERANGE);
    if (config.method === TUNNEL && config.tunnelType === GUE && config.tunnelPort === 0) refuse(EINVAL);
    if (command === 5) {
      if (dest !== undefined) refuse(EEXIST);
      if (!this.#isUnicast(key)) refuse(EINVAL);
      service.dests.set(destIdentity(key), { ...key, ...config, stats: newStats() });
    } else {
      Object.assign(dest ?? refuse(ENOENT), config);
    }
  }

  #isUnicast(key: DestKey): boolean {
    if (!this.isLoopbackUp) return false;
    const [first = 0, second = 0] = key.address;
    if (key.family === AF_INET6)
      return (
        first !== 0xff &&
        !(first === 0xfe && (second & 0xc0) === 0x80) &&
        key.address.some((byte) => byte !== 0)
      );
    const isZero = key.address.subarray(0, 4).every((byte) => byte === 0);
    const isBroadcast = key.address.subarray(0, 4).every((byte) => byte === 0xff);
    return !isZero && !isBroadcast && (first & 0xf0) !== 0xe0;
  }

  #setTimeouts(attributes: Attributes): void {
    // ip_vs_set_timeout: all three are checked before any is taken. HZ is 250.
    const wanted = [4, 5, 6].map((type) => attributes.get(type)?.readUInt32LE(0) ?? 0);
    if (wanted.some((seconds) => seconds > 0x7fffffff / 250)) refuse(EINVAL);
    this.#timeouts = this.#timeouts.map((old, i) => wanted[i] || old);
  }

  #startDaemon(payload: Buffer | undefined): void {
    const attributes = payload === undefined ? refuse(EINVAL) : readAttributes(payload);
    const state = attributes.get(1)?.readUInt32LE(0);
    const device = attributes.get(2);
    if (state === undefined || device === undefined || !attributes.has(3)) refuse(EINVAL);
    const isMixed = ({ family, dests }: FakeService) =>
      [...dests.values()].some((dest) => dest.family !== family);
    if ([...this.#services.values()].some(isMixed)) refuse(EINVAL);
    const [group] = attributes.get(5) ?? [224];
    const [group6] = attributes.get(6) ?? [0xff];
    if (((group ?? 0) & 0xf0) !== 0xe0 || group6 !== 0xff) refuse(EINVAL);
    if (state !== 1 && state !== 2) refuse(EINVAL);
    if (this.#daemons.some((daemon) => daemon.state === state)) refuse(EEXIST);
    if (!this.#interfaces.has(textOf(device))) refuse(ENODEV);
    const defaults = new Map([
      [4, u16(1472)],
      [5, Buffer.from([224, 0, 0, 81])],
      [7, u16(8848)],
      [8, u8(1)],
    ]);
    // One group or the other.
    if (attributes.has(6)) defaults.delete(5);
    const stored = new Map([...defaults, ...attributes].map(([type, bytes]) => [type, Buffer.from(bytes)]));
    this.#daemons.push({ state, attributes: stored, hasRun: !this.areDaemonThreadsLate });
  }

  #stopDaemon(payload: Buffer | undefined): void {
    const state = payload === undefined ? undefined : readAttributes(payload).get(1)?.readUInt32LE(0);
    if (state === undefined) refuse(EINVAL);
    const daemon = this.#daemons.find((other) => other.state === state) ?? refuse(ESRCH);
    this.#daemons = this.#daemons.filter((other) => other !== daemon);
    if (!daemon.hasRun) refuse(EINTR);
  }

  #zero(payload: Buffer | undefined): void {
    const services = payload === undefined ? [...this.#services.values()] : [this.#require(payload)];
    for (const entry of services.flatMap((service) => [service, ...service.dests.values()]))
      entry.stats = newStats();
  }
}

/** A chunk takes what fits; the rest is not encoded in vain. */
function* encodeLazily<T>(entries: readonly T[], encode: (entry: T) => Buffer): Generator<Buffer> {
  for (const entry of entries) yield encode(entry);
}

function newStats(): bigint[] {
  return Array.from({ length: 10 }, () => 0n);
}

function textOf(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString('latin1', 0, end < 0 ? bytes.length : end);
}

/** union nf_inet_addr: 16 bytes, an IPv4 address in the first four. */
function addressOf(bytes: Buffer, family: number): Buffer {
  if (bytes.length > 16) refuse(EINVAL);
  const address = Buffer.alloc(16);
  bytes.copy(address, 0, 0, family === AF_INET ? 4 : 16);
  return address;
}

function serviceIdentity(key: ServiceKey): string {
  if (key.mark !== 0) return `${key.family} mark ${key.mark}`;
  return `${key.family} ${key.protocol} ${key.address.toString('hex')} ${key.port}`;
}

function destIdentity(key: DestKey): string {
  return `${key.family} ${key.address.toString('hex')} ${key.port}`;
}

/** ip_vs_genl_parse_service, the identifying half. */
function parseServiceKey(payload: Buffer | undefined): ServiceKey {
  const attributes = payload === undefined ? refuse(EINVAL) : readAttributes(payload);
  const family = attributes.get(1)?.readUInt16LE(0) ?? refuse(EINVAL);
  const mark = attributes.get(5)?.readUInt32LE(0);
  const [protocol, address, port] = [attributes.get(2), attributes.get(3), attributes.get(4)];
  if (mark === undefined && (protocol === undefined || address === undefined || port === undefined))
    refuse(EINVAL);
  if (family !== AF_INET && family !== AF_INET6) refuse(EAFNOSUPPORT);
  if (mark !== undefined) return { family, protocol: TCP, address: Buffer.alloc(16), port: 0, mark };
  return {
    family,
    protocol: protocol?.readUInt16LE(0) ?? 0,
    address: addressOf(address ?? Buffer.alloc(0), family),
    port: port?.readUInt16BE(0) ?? 0,
    mark: 0,
  };
}

/** ip_vs_genl_parse_service, the half that only NEW and SET need. */
function parseServiceConfig(payload: Buffer | undefined, oldFlags: number) {
  const attributes = payload === undefined ? refuse(EINVAL) : readAttributes(payload);
  const [scheduler, flags, timeout, netmask] = [6, 7, 8, 9].map((type) => attributes.get(type));
  if (scheduler === undefined || flags === undefined || timeout === undefined || netmask === undefined)
    refuse(EINVAL);
  if (scheduler.length > 16 || netmask.length < 4) refuse(EINVAL);
  const set = flags.readUInt32LE(0);
  const mask = flags.length < 8 ? 0 : flags.readUInt32LE(4);
  return {
    scheduler: textOf(scheduler),
    flags: (((oldFlags & ~mask) | (set & mask)) & ~HASHED) >>> 0,
    timeout: timeout.readUInt32LE(0),
    netmask: Buffer.from(netmask.subarray(0, 4)),
    engine: textOf(attributes.get(11) ?? Buffer.alloc(1)),
  };
}

function parseDestKey(attributes: Attributes, family: number): DestKey {
  const [address, port] = [attributes.get(1), attributes.get(2)];
  if (address === undefined || port === undefined) refuse(EINVAL);
  if (family !== AF_INET && family !== AF_INET6) refuse(EAFNOSUPPORT);
  return { family, address: addressOf(address, family), port: port.readUInt16BE(0) };
}

/** Everything is replaced: what a request leaves out becomes 0. */
function parseDestConfig(attributes: Attributes): DestConfig {
  const [method, weight, upper, lower] = [3, 4, 5, 6].map((type) => attributes.get(type));
  if (method === undefined || weight === undefined || upper === undefined || lower === undefined)
    refuse(EINVAL);
  return {
    method: method.readUInt32LE(0) & 7,
    weight: weight.readInt32LE(0),
    upper: upper.readUInt32LE(0),
    lower: lower.readUInt32LE(0),
    tunnelType: attributes.get(13)?.readUInt8(0) ?? 0,
    tunnelPort: attributes.get(14)?.readUInt16BE(0) ?? 0,
    tunnelFlags: attributes.get(15)?.readUInt16LE(0) ?? 0,
  };
}

/** ip_vs_genl_fill_service. */
function serviceRecord(service: FakeService): Buffer {
  const key =
    service.mark === 0
      ? [
          attribute(2, u16(service.protocol)),
          attribute(3, service.address),
          attribute(4, u16be(service.port)),
        ]
      : [attribute(5, u32(service.mark))];
  return Buffer.concat([
    genericHeader(1),
    attribute(
      attributeService | 0x8000,
      attribute(1, u16(service.family)),
      ...key,
      attribute(6, nulString(service.scheduler)),
      ...(service.engine === '' ? [] : [attribute(11, nulString(service.engine))]),
      attribute(7, u32((service.flags | HASHED) >>> 0), u32(0xffffffff)),
      attribute(8, u32(service.timeout)),
      attribute(9, service.netmask),
      ...statsAttributes(service.stats),
    ),
  ]);
}

/** ip_vs_genl_fill_dest: the family comes after the address that it explains. */
function destRecord(dest: FakeDest): Buffer {
  return Buffer.concat([
    genericHeader(5),
    attribute(
      attributeDest | 0x8000,
      attribute(1, dest.address),
      attribute(2, u16be(dest.port)),
      attribute(3, u32(dest.method)),
      attribute(4, i32(dest.weight)),
      attribute(5, u32(dest.upper)),
      attribute(6, u32(dest.lower)),
      attribute(13, u8(dest.tunnelType)),
      attribute(14, u16be(dest.tunnelPort)),
      attribute(15, u16(dest.tunnelFlags)),
      ...[7, 8, 9].map((type) => attribute(type, u32(0))),
      attribute(11, u16(dest.family)),
      ...statsAttributes(dest.stats),
    ),
  ]);
}

/** Both forms, the 32-bit one with its two 64-bit byte counters; type 11 pads 64-bit numbers on some machines. */
function statsAttributes(stats: readonly bigint[]): Buffer[] {
  const isWide = (i: number) => i === 3 || i === 4;
  const narrow = stats.map((value, i) =>
    attribute(i + 1, isWide(i) ? u64(value) : u32(Number(BigInt.asUintN(32, value)))),
  );
  const wide = stats.map((value, i) => attribute(i + 1, u64(value)));
  return [attribute(10 | 0x8000, ...narrow), attribute(12 | 0x8000, attribute(11), ...wide)];
}

function daemonRecord({ attributes }: FakeDaemon): Buffer {
  const fields = [...attributes].toSorted(([a], [b]) => a - b).map(([type, bytes]) => attribute(type, bytes));
  return Buffer.concat([genericHeader(9), attribute(attributeDaemon | 0x8000, ...fields)]);
}
