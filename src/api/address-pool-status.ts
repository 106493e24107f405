import type { AddressPoolResource } from './address-pool.ts';
import { ipAddress, keyedList, lenientFields, objectName, set, text, timestamp } from './fields.ts';
import { commonStatus, count, readStatus, resourceVersion } from './status-fields.ts';
import type { StatusOf } from './status-fields.ts';

export const addressPoolStatusSchema = lenientFields({
  ...commonStatus({
    Ready: 'the pool is in use as it is written',
    OutsidePool: 'VirtualServices keep addresses that the pool no longer holds; there only while it is so',
  }),
  counts: lenientFields({
    addresses: text('a number', /^\d+$/, 40).describe(
      'Addresses of the pool. Text, because an IPv6 network has more of them than a number can count.',
    ),
    allocated: count().describe('Addresses of the pool that VirtualServices have.'),
    quarantined: count().describe('Addresses of the pool that wait for directors to let go of them.'),
  })
    .optional()
    .describe('Addresses of the pool, counted.'),
  quarantined: keyedList(
    lenientFields({
      ip: ipAddress().describe('The address.'),
      since: timestamp().describe('When its VirtualService let go of it.'),
      resourceVersion: resourceVersion().describe(
        'Version of the VirtualServices from which on none claims it: a director that has programmed through it and does ' +
          'not list the address as releasing holds it no more. Absent: it is still being given up.',
      ),
      waitingFor: set(objectName('the name of a Director'), 0, 16).describe(
        'Directors that have not reported yet that they hold it no more; at most 16 of them.',
      ),
    }),
    ['ip'],
    0,
    200,
  )
    .optional()
    .describe(
      'Addresses that nobody gets yet, because a director may still answer for them. At most 200; `counts` has them all.',
    ),
});

export type AddressPoolStatus = StatusOf<typeof addressPoolStatusSchema>;
export type QuarantinedAddress = AddressPoolStatus['quarantined'][number];

/** What is malformed or not there yet is absent; never throws. */
export function readAddressPoolStatus({ status }: Pick<AddressPoolResource, 'status'>): AddressPoolStatus {
  return readStatus(addressPoolStatusSchema, status);
}
