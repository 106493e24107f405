import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ipvsNames } from '../../src/ipvs/debug-names.ts';
import { rtnetlinkNames } from '../../src/link/debug-names.ts';
import { MessageReader, formatMessage } from '../../src/netlink/pure.ts';
import type { NetlinkNames } from '../../src/netlink/pure.ts';

/** Bytes by hand, as the kernel sends them on a little-endian machine. */
const cases: readonly {
  readonly name: string;
  readonly hex: string;
  readonly names: NetlinkNames | undefined;
  readonly line: string;
}[] = [
  {
    name: 'an IPVS request, with addresses, ports and texts as people write them',
    // nlmsghdr: length 60, type 28, flags 5, sequence 7; genlmsghdr: command 3 (DEL_SERVICE), version 1
    hex: `3c000000 1c00 0500 07000000 00000000 03010000
          2800 0180  0600 0100 0200 0000  0600 0200 0600 0000  0800 0300 c000020a  0600 0400 0050 0000
          0400 0c00`,
    names: ipvsNames,
    line: '> IPVS_CMD_DEL_SERVICE seq=7 flags=0x5 SERVICE={AF=2 PROTOCOL=6 ADDR=192.0.2.10 PORT=80 STATS64=}',
  },
  {
    name: 'the answer to GET_INFO, whose attributes are numbered anew',
    hex: `24000000 1c00 0000 04000000 00000000 0e010000  0800 0100 01020100  0800 0200 00100000`,
    names: ipvsNames,
    line: '> IPVS_CMD_SET_INFO seq=4 flags=0x0 VERSION=01020100 CONN_TAB_SIZE=4096',
  },
  {
    name: 'an rtnetlink message, with the header of its kind skipped',
    hex: `28000000 1600 0103 04000000 00000000  02200000 01000000  0800 0200 c000020a  0500 0b00 4c000000`,
    names: rtnetlinkNames,
    line: '> RTM_GETADDR seq=4 flags=0x301 LOCAL=192.0.2.10 PROTO=76',
  },
  {
    name: 'a refusal by its errno',
    hex: '24000000 0200 0000 07000000 00000000 eaffffff 3c000000 1c00 0500 07000000 00000000',
    names: ipvsNames,
    line: '> ERROR EINVAL seq=7 flags=0x0',
  },
  {
    name: 'an acknowledgement',
    hex: '24000000 0200 0000 07000000 00000000 00000000 3c000000 1c00 0500 07000000 00000000',
    names: undefined,
    line: '> ACK seq=7 flags=0x0',
  },
];

describe('NETLINK_DEBUG', () => {
  for (const { name, hex, names, line } of cases) {
    it(`prints ${name}`, () => {
      const bytes = Buffer.from(hex.replaceAll(/\s/g, ''), 'hex');
      const reader = new MessageReader(bytes);
      assert.ok(reader.next());
      assert.equal(formatMessage('>', reader, names), line);
    });
  }

  it('shows the bytes of a message that cannot be decoded instead of failing', () => {
    const bytes = Buffer.from('180000001c00000001000000000000000e01000000020100', 'hex');
    const reader = new MessageReader(bytes);
    assert.ok(reader.next());
    assert.match(formatMessage('<', reader, ipvsNames), /^< .*[0-9a-f]{8}.*\(.*claims 512 bytes/);
  });
});
