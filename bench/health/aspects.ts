/**
 * What of health is measured; each takes less than six minutes. native: CPU on this machine itself. cpu, cpu-large: of 2,000
 * and of 10,000 targets. detection: until a server that is gone is out, and one that is back is in. loss: false alarms.
 */
export const healthAspects = ['native', 'cpu', 'cpu-large', 'detection', 'loss'] as const;
export type HealthAspect = (typeof healthAspects)[number];
