import { describeIpvsContract } from '../contract/ipvs.contract.ts';
import { FakeKernel } from '../fakes/fake-kernel.ts';

describeIpvsContract('the IPVS contract on the fake kernel', async () => ({
  clientOptions: { libc: new FakeKernel().libc },
  bigTable: { services: 300, realServers: 20 },
  close: () => {},
}));
