import type { Flag } from './command.ts';

export const stateDirFlag: Flag = {
  name: 'state-dir',
  type: 'string',
  placeholder: 'DIR',
  description: 'Folder of the ledger and the status; it must survive restarts.',
  default: '/var/lib/lvs-operator',
};

export const configFlag: Flag = {
  name: 'config',
  type: 'string',
  placeholder: 'FILE',
  description: 'DirectorConfiguration file with the settings of this node.',
};
