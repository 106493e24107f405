import type { ObjectRef } from '../api/index.ts';
import { labels } from '../metrics/index.ts';
import type { LabelText } from '../metrics/index.ts';

/**
 * Labels of everything that is told of one virtual service.
 * @param owner its VirtualService
 * @param name as `formatVirtualServiceKey`
 */
export function serviceLabels(owner: ObjectRef, name: string): LabelText {
  return labels({ virtual_service: `${owner.namespace ?? 'default'}/${owner.name}`, service: name });
}
