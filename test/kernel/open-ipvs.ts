/** Opens IPVS and prints what a person would read if that fails; a process of its own, to be run with fewer rights. */
import { formatErrorForPeople, isLvsError } from '../../src/base/index.ts';
import { IpvsClient } from '../../src/ipvs/index.ts';
import { loadLibc } from '../../src/netlink/index.ts';

try {
  IpvsClient.open({ libc: loadLibc() }).close();
  console.log('opened');
} catch (error) {
  if (!isLvsError(error)) throw error;
  console.log(`${error.code} ${formatErrorForPeople(error)}`);
}
