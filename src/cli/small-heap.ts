import { setFlagsFromString } from 'node:v8';

// Imported before everything else, because a heap that has grown stays grown. A director lives for months on a few
// dozen megabytes; V8's defaults trade memory for the throughput of programs that allocate all the time. Measured with
// 1,000 services of 10 real servers: 67 MB less, for a start that takes a few percent longer. Both flags are read at
// each collection, so they work although V8 is already running.

/** The young generation stays at the size that it starts with, 1 MB. */
setFlagsFromString('--semi-space-growth-factor=1');
/** The old generation may grow by this much over what survived before it is collected again. */
setFlagsFromString('--heap-growing-percent=15');
