import { createHash } from 'node:crypto';

/** Kubernetes' limits on the name of an object and on the value of a label. */
const longestName = 253;
const longestLabel = 63;
/** Beside the name of the RealServer it has to tell apart that one's slices only; the packer passes over taken names. */
const suffixLength = 8;

/**
 * The name of slice number so much of a RealServer. It says whose it is, and follows from the owner's uid and the
 * number alone: a write that is repeated because its answer was lost, or by another process after a crash, makes no
 * second object. A RealServer that is deleted and made anew has another uid, and so do its slices.
 */
export function sliceName(
  realServer: { readonly name: string; readonly uid: string },
  number: number,
): string {
  const suffix = shortHash(`${realServer.uid}/${number}`);
  return `${cut(realServer.name, longestName - suffixLength - 1)}-${suffix}`;
}

/** A name as the value of a label: itself, or its beginning and a hash where it is longer than a label may be. */
export function labelValueOf(name: string): string {
  if (name.length <= longestLabel) return name;
  return `${cut(name, longestLabel - suffixLength - 1)}-${shortHash(name)}`;
}

/** Without an end that neither names nor labels may have before what follows. */
function cut(name: string, length: number): string {
  return name.slice(0, length).replace(/[-.]+$/, '');
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, suffixLength);
}
