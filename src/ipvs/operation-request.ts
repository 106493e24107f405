import { unreachable } from '../base/index.ts';
import { encodeGenericHeader } from '../netlink/pure.ts';
import type { MessageWriter } from '../netlink/pure.ts';
import { encodeRealServer, encodeRealServerKey } from './real-server-codec.ts';
import { formatRealServerKey, formatVirtualServiceKey } from './types.ts';
import type { IpvsOperation } from './types.ts';
import {
  IPVS_CMD_DEL_DEST,
  IPVS_CMD_DEL_SERVICE,
  IPVS_CMD_NEW_DEST,
  IPVS_CMD_NEW_SERVICE,
  IPVS_CMD_SET_DEST,
  IPVS_CMD_SET_SERVICE,
  IPVS_GENL_VERSION,
} from './uapi.ts';
import { encodeVirtualService, encodeVirtualServiceKey } from './virtual-service-codec.ts';

const commands: Readonly<Record<IpvsOperation['type'], readonly [number, string]>> = {
  addVirtualService: [IPVS_CMD_NEW_SERVICE, 'IPVS_CMD_NEW_SERVICE'],
  editVirtualService: [IPVS_CMD_SET_SERVICE, 'IPVS_CMD_SET_SERVICE'],
  deleteVirtualService: [IPVS_CMD_DEL_SERVICE, 'IPVS_CMD_DEL_SERVICE'],
  addRealServer: [IPVS_CMD_NEW_DEST, 'IPVS_CMD_NEW_DEST'],
  editRealServer: [IPVS_CMD_SET_DEST, 'IPVS_CMD_SET_DEST'],
  deleteRealServer: [IPVS_CMD_DEL_DEST, 'IPVS_CMD_DEL_DEST'],
};

/** An operation as a netlink request. Text for people is made only when somebody asks. */
export class OperationRequest {
  readonly type: number;
  readonly #operation: IpvsOperation;

  constructor(familyId: number, operation: IpvsOperation) {
    this.type = familyId;
    this.#operation = operation;
  }

  get operation(): string {
    return commands[this.#operation.type][1];
  }

  get subject(): string {
    const service = formatVirtualServiceKey(this.#operation.service);
    return 'realServer' in this.#operation
      ? `${formatRealServerKey(this.#operation.realServer)} behind ${service}`
      : service;
  }

  encode(writer: MessageWriter): void {
    const operation = this.#operation;
    encodeGenericHeader(writer, commands[operation.type][0], IPVS_GENL_VERSION);
    switch (operation.type) {
      case 'addVirtualService':
      case 'editVirtualService':
        encodeVirtualService(writer, operation.service, operation.config);
        return;
      case 'deleteVirtualService':
        encodeVirtualServiceKey(writer, operation.service);
        return;
      case 'addRealServer':
      case 'editRealServer':
        encodeVirtualServiceKey(writer, operation.service);
        encodeRealServer(writer, operation.realServer, operation.config);
        return;
      case 'deleteRealServer':
        encodeVirtualServiceKey(writer, operation.service);
        encodeRealServerKey(writer, operation.realServer);
        return;
      default:
        unreachable(operation);
    }
  }
}
