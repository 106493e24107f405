import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { DirectorConfiguration } from '../api/index.ts';
import type { Clock, Logger } from '../base/index.ts';
import { isLvsError } from '../base/index.ts';
import type { IpvsOperation } from '../ipvs/index.ts';
import { vipAddressProtocol } from '../link/index.ts';
import type { VipBinding } from '../link/index.ts';
import { isOwnedService } from '../plan/index.ts';
import { LedgerStore } from './ledger.ts';
import type { Ledger } from './ledger.ts';
import { acquireDirectorLock } from './lock.ts';
import { openHost } from './open-host.ts';

export interface CleanUpOptions {
  readonly stateDirectory: string;
  readonly configuration: DirectorConfiguration;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly netlinkDebug?: ((line: string) => void) | undefined;
  readonly isDryRun: boolean;
  /** One line per step, for people. */
  readonly report: (step: string) => void;
}

/**
 * Removes from this host what the ledger lists or what carries our mark in the kernel: virtual addresses first, so
 * that no client meets a half-removed service, then services, packet rules, the dummy device; sysctls go back to what
 * they were before the first director wrote them. Everything else stays.
 * @returns true when all of it is gone; the ledger stays for another try otherwise.
 * @throws LvsError LVS_LEDGER_LOCKED while a director runs.
 */
export async function cleanUp(options: CleanUpOptions): Promise<boolean> {
  const lock = await acquireDirectorLock();
  try {
    return await cleanUpLocked(options);
  } finally {
    await lock.release();
  }
}

/** The same for who holds the lock already. */
export async function cleanUpLocked(options: CleanUpOptions): Promise<boolean> {
  const { isDryRun, report } = options;
  const store = new LedgerStore(options.stateDirectory);
  const { ledger, damage } = store.read();
  if (damage !== undefined)
    report(`The ledger was not readable (${damage}); going by the marks in the kernel.`);
  const host = openHost(options);
  try {
    host.observe({ isFull: true });
    const vips = findVips(host.state.addresses, ledger);
    const services = [...host.state.table].filter(([key, service]) =>
      isOwnedService(key, service, new Set(ledger.services)),
    );
    for (const { vip, device } of vips) report(`${would(isDryRun, 'release')} ${vip} from ${device}`);
    for (const [key, service] of services) {
      report(`${would(isDryRun, 'delete')} ${key} with ${service.realServers.size} real server(s)`);
    }
    for (const [path, value] of Object.entries(ledger.sysctlsBefore))
      report(`${would(isDryRun, 'restore')} ${path.replaceAll('/', '.')} = ${value}`);
    report(`${would(isDryRun, 'remove')} our packet rules, the device of routed addresses, and the ledger`);
    if (isDryRun) return true;

    const failures: string[] = [];
    const note = (outcome: unknown): void => {
      if (isLvsError(outcome)) failures.push(outcome.message);
    };
    host.releaseVips(vips).forEach(note);
    const operations: IpvsOperation[] = services.map(([, service]) => ({
      type: 'deleteVirtualService',
      service: service.key,
    }));
    (await host.applyOperations(operations)).forEach(note);
    try {
      host.removePacketRulesAndDevice();
    } catch (error) {
      if (!isLvsError(error)) throw error;
      note(error);
    }
    host.writeSysctls(new Map(Object.entries(ledger.sysctlsBefore))).forEach(note);
    for (const failure of new Set(failures)) report(`Not done: ${failure}`);
    if (failures.length > 0) return false;
    store.remove();
    for (const file of ['last-good.json', 'status.json'])
      rmSync(join(options.stateDirectory, file), { force: true });
    report('Done: nothing of lvs-operator is left on this host.');
    return true;
  } finally {
    host.close();
  }
}

function findVips(
  addresses: readonly { ip: VipBinding['vip']; device: string; protocol: number }[],
  ledger: Ledger,
): readonly VipBinding[] {
  const marked = addresses
    .filter((address) => address.protocol === vipAddressProtocol)
    .map(({ ip, device }) => ({ vip: ip, device, announce: false }));
  const listed = ledger.vips.filter((binding) =>
    addresses.some((address) => address.ip === binding.vip && address.device === binding.device),
  );
  const byPlace = new Map(
    [...listed, ...marked].map((binding) => [`${binding.vip} ${binding.device}`, binding]),
  );
  return [...byPlace.values()];
}

function would(isDryRun: boolean, verb: string): string {
  return isDryRun ? `would ${verb}` : verb;
}
