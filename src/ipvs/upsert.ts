import type { LvsError } from '../base/index.ts';
import { errno } from '../netlink/pure.ts';
import type { IpvsOperation } from './types.ts';

/** What to do about an operation that the kernel refused. */
export type UpsertVerdict =
  /** The world is already as asked. */
  | { readonly type: 'done' }
  /** The entry is not in the state that the operation assumed: this one says the same from the other state. */
  | { readonly type: 'instead'; readonly operation: IpvsOperation }
  | { readonly type: 'refused' };

/**
 * Operations say how the table shall be, not how it was: adding what exists edits it (the kernel would leave the old
 * weight in place), editing what is gone adds it, deleting what is gone has succeeded.
 *
 * The kernel says EEXIST for both kinds of entry, ESRCH for a missing service, also on behalf of its real servers, and
 * ENOENT for a missing real server (ip_vs_ctl.c, ip_vs_genl_set_cmd and below).
 */
export function judgeRefusal(operation: IpvsOperation, error: LvsError): UpsertVerdict {
  switch (operation.type) {
    case 'addVirtualService':
      if (error.errno === errno.EEXIST) return instead({ ...operation, type: 'editVirtualService' });
      break;
    case 'editVirtualService':
      if (error.errno === errno.ESRCH) return instead({ ...operation, type: 'addVirtualService' });
      break;
    case 'addRealServer':
      if (error.errno === errno.EEXIST) return instead({ ...operation, type: 'editRealServer' });
      break;
    case 'editRealServer':
      if (error.errno === errno.ENOENT) return instead({ ...operation, type: 'addRealServer' });
      break;
    case 'deleteVirtualService':
      if (error.errno === errno.ESRCH) return { type: 'done' };
      break;
    case 'deleteRealServer':
      if (error.errno === errno.ENOENT || error.errno === errno.ESRCH) return { type: 'done' };
      break;
  }
  return { type: 'refused' };
}

function instead(operation: IpvsOperation): UpsertVerdict {
  return { type: 'instead', operation };
}
