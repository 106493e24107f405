import { LvsError } from '../base/index.ts';
import type { NetlinkConnection, NetlinkRequest } from './connection.ts';
import { encodeGenericHeader } from './generic.ts';
import {
  CTRL_ATTR_FAMILY_ID,
  CTRL_ATTR_FAMILY_NAME,
  CTRL_CMD_GETFAMILY,
  GENL_HDRLEN,
  GENL_ID_CTRL,
} from './uapi.ts';

/**
 * Asks nlctrl for the id of a generic netlink family; the kernel loads the module of that name if it can. The id
 * changes when the module is loaded anew.
 * @throws LvsError LVS_KERNEL_REFUSED with errno ENOENT when there is no such family
 */
export function resolveGenericFamily(connection: NetlinkConnection, name: string): number {
  const request: NetlinkRequest = {
    operation: 'CTRL_CMD_GETFAMILY',
    subject: name,
    type: GENL_ID_CTRL,
    encode(writer) {
      encodeGenericHeader(writer, CTRL_CMD_GETFAMILY, 1);
      writer.attributeString(CTRL_ATTR_FAMILY_NAME, name);
    },
  };
  const [id] = connection.request(request, (message) => {
    const attributes = message.attributes(GENL_HDRLEN, 'CTRL_CMD_NEWFAMILY');
    while (attributes.next()) {
      if (attributes.type === CTRL_ATTR_FAMILY_ID) return attributes.u16('CTRL_ATTR_FAMILY_ID');
    }
    return undefined;
  });
  if (id === undefined) {
    throw new LvsError('LVS_NETLINK_MALFORMED', `CTRL_CMD_NEWFAMILY of ${name} carries no family id.`);
  }
  return id;
}
