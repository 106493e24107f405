import type { SchedulerName } from './virtual-service.ts';

/** The schedulers that read a weight as a share of new connections, and read it live. */
export const weightFollowingSchedulers = ['wrr', 'wlc', 'sed', 'nq'] as const satisfies SchedulerName[];

/**
 * Why weights cannot follow the load under the other schedulers, for people: there a weight is something else, or a
 * change of it moves clients that have an affinity.
 */
export const weightObstacles: Readonly<
  Record<Exclude<SchedulerName, (typeof weightFollowingSchedulers)[number]>, string>
> = {
  rr: 'rr gives every real server the same share and ignores weights; use wrr',
  lc: 'lc looks at connections alone and ignores weights; use wlc',
  dh: 'dh picks by the destination address and ignores weights; use wlc or sed',
  sh: 'sh would send clients to other real servers at every change of a weight; use wlc, or sed with persistence',
  mh: 'mh would send clients to other real servers at every change of a weight; use wlc, or sed with persistence',
  lblc: 'lblc reads the weight as the number of connections above which a server is overloaded; use wlc',
  lblcr: 'lblcr reads the weight as the number of connections above which a server is overloaded; use wlc',
  fo: 'fo sends everything to the real server with the highest weight; use wlc',
  ovf: 'ovf reads the weight as the number of connections that a real server takes; use wlc',
};

/** Why weights cannot follow the load under this scheduler, for people; undefined: they can. */
export function refuseDynamicWeights(scheduler: SchedulerName): string | undefined {
  return scheduler in weightObstacles
    ? weightObstacles[scheduler as keyof typeof weightObstacles]
    : undefined;
}
