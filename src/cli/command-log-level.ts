import { existsSync } from 'node:fs';
import { UsageError } from './command.ts';
import type { Command, CommandInput, CommandIo } from './command.ts';
import { askControlSocket, controlSocketFile } from './control-socket.ts';
import { longestSwitchSeconds } from './log-level-switch.ts';
import type { LogLevelAnswer, LogLevelQuestion } from './log-level-switch.ts';
import { logLevels } from './logger.ts';

/** Of the chart's controller, and of a director. */
const usualFolders = ['/run/lvs-operator', '/var/lib/lvs-operator'];

export const logLevelCommand: Command = {
  name: 'log-level',
  summary: 'Show or change the log level of the controller or director that runs here.',
  usage: `log-level [${logLevels.join('|')}] [--for SECONDS] [--control-dir DIR]`,
  description: `
Changes which lines a running process prints, at once and without a restart; without a level it says which one it is. In a
cluster:

  kubectl -n lvs-directors exec POD -- lvs-operator log-level debug --for 600

It lasts until the next change, the time of --for or the end of the process; the next one begins with its --log-level.
The process answers at control.sock in the --state-dir of a director or the --control-dir of a controller, to its own user
and to root.`,
  flags: [
    {
      name: 'for',
      type: 'string',
      placeholder: 'SECONDS',
      description: 'How long; then the level is that of the command line again.',
    },
    {
      name: 'control-dir',
      type: 'string',
      placeholder: 'DIR',
      description: `Folder of control.sock. Default: ${usualFolders.join(' or ')}.`,
    },
  ],
  takesArguments: true,
  run: runLogLevelCommand,
};

async function runLogLevelCommand(input: CommandInput, io: CommandIo): Promise<number> {
  const question = readQuestion(input);
  const asked = input.strings['control-dir'];
  const files = (asked === undefined ? usualFolders : [asked]).map(controlSocketFile);
  const file = files.find((each) => existsSync(each));
  if (file === undefined) {
    io.err(`lvs-operator log-level: nobody answers: there is no ${files.join(' and no ')}.\n`);
    return 1;
  }
  let answer: LogLevelAnswer;
  try {
    answer = JSON.parse(await askControlSocket(file, JSON.stringify(question))) as LogLevelAnswer;
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    io.err(`lvs-operator log-level: no answer at ${file} (${reason}). Does the process still run?\n`);
    return 1;
  }
  if ('problem' in answer) {
    io.err(`lvs-operator log-level: ${file}: ${answer.problem}.\n`);
    return 1;
  }
  const { level, started } = answer;
  const until = question.seconds === undefined ? '' : ` for ${question.seconds} s, then ${started}`;
  io.out(`${level}${until}\n`);
  return 0;
}

/** @throws UsageError */
function readQuestion({ positionals, strings }: CommandInput): LogLevelQuestion {
  const [name, ...others] = positionals;
  if (others.length > 0) throw new UsageError('one level, please');
  const level = logLevels.find((known) => known === name);
  if (name !== undefined && level === undefined)
    throw new UsageError(`the level must be one of ${logLevels.join(', ')}, not "${name}"`);
  const time = strings['for'];
  if (level === undefined) {
    if (time !== undefined) throw new UsageError('--for needs a level');
    return {};
  }
  if (time === undefined) return { level };
  const seconds = Number(time);
  if (!/^\d+$/.test(time) || seconds < 1 || seconds > longestSwitchSeconds)
    throw new UsageError(
      `--for must be a number of seconds from 1 to ${longestSwitchSeconds}, not "${time}"`,
    );
  return { level, seconds };
}
