/**
 * Service flags of the kernel (include/uapi/linux/ip_vs.h, IP_VS_SVC_F_*). `VirtualServiceConfig.flags` is a set of
 * these and of private bits above them, which the kernel stores and echoes but never reads.
 */
export const serviceFlags = {
  PERSISTENT: 0x0001,
  /** Owned by the kernel, always set in answers; the codec masks it out. */
  HASHED: 0x0002,
  /** Schedule every datagram on its own; acts on UDP only. */
  ONEPACKET: 0x0004,
  /** Meaning depends on the scheduler; see `schedulerFlags`. */
  SCHED1: 0x0008,
  SCHED2: 0x0010,
  SCHED3: 0x0020,
} as const;

/** The scheduler flags by the names that ipvsadm and the API give them. Each acts on the scheduler it is named after. */
export const schedulerFlags = {
  'sh-fallback': serviceFlags.SCHED1,
  'sh-port': serviceFlags.SCHED2,
  'mh-fallback': serviceFlags.SCHED1,
  'mh-port': serviceFlags.SCHED2,
} as const;
export type SchedulerFlag = keyof typeof schedulerFlags;
